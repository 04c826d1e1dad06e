-- The line by kind before tenant, so that a claim of some kinds walks past no others. (A rowid ends each index anyway.)
DROP INDEX automarket_queue_line;
CREATE INDEX automarket_queue_line ON automarket_queue (priority, kind, tenant, run_at) WHERE ready = 1;
-- What is not in the line, by the time at which it enters it: leases that run out, and jobs that become due.
DROP INDEX automarket_queue_timer;
CREATE INDEX automarket_queue_timer ON automarket_queue (leased, due_at, kind) WHERE ready = 0;
-- The jobs among them as they will stand in the line, for the time at which very many become due at once.
CREATE INDEX automarket_queue_later ON automarket_queue (priority, kind, tenant, due_at) WHERE ready = 0 AND leased = 0;
