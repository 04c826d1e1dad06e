-- Where a live job stands is the table in which it stands: it waits, or it is leased. To claim jobs, and to complete them,
-- moves stretches of rows from one narrow table to the next: half the work of changing wide ones in place.

-- When it shall run: the one thing of a job that may change.
ALTER TABLE automarket_jobs ADD COLUMN run_at INTEGER NOT NULL DEFAULT 0;
UPDATE automarket_jobs AS j SET run_at = coalesce(
    (SELECT q.run_at FROM automarket_queue q WHERE q.place = j.place),
    (SELECT e.run_at FROM automarket_ended e WHERE e.place = j.place),
    created_at);

-- The jobs that wait, in the order in which claims walk them: first the line (later = 0), then those that are for
-- later. leased = 1 is one whose lease ran out: until somebody takes it, it stands in automarket_leases too.
CREATE TABLE automarket_waiting (
    later    INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    tenant   TEXT NOT NULL,
    run_at   INTEGER NOT NULL,
    place    INTEGER NOT NULL REFERENCES automarket_jobs (place),
    fence    INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    crashes  INTEGER NOT NULL DEFAULT 0,
    leased   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (later, priority, kind, tenant, run_at, place)
) WITHOUT ROWID;
CREATE INDEX automarket_waiting_later ON automarket_waiting (run_at) WHERE later = 1;

-- The leased jobs. There are never many, so those whose lease ran out are looked for without an index, which would be
-- written for each job. in_line: they have been let into the line. in_trust: lent, to be given back.
CREATE TABLE automarket_leases (
    place    INTEGER PRIMARY KEY REFERENCES automarket_jobs (place),
    tenant   TEXT NOT NULL,
    kind     TEXT NOT NULL,
    ends_at  INTEGER NOT NULL,
    fence    INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    crashes  INTEGER NOT NULL,
    in_trust INTEGER NOT NULL DEFAULT 0,
    in_line  INTEGER NOT NULL DEFAULT 0
);

-- The unique keys of live jobs.
CREATE TABLE automarket_unique_keys (
    place      INTEGER PRIMARY KEY REFERENCES automarket_jobs (place),
    tenant     TEXT NOT NULL,
    kind       TEXT NOT NULL,
    unique_key TEXT NOT NULL,
    UNIQUE (tenant, kind, unique_key)
);

INSERT INTO automarket_waiting (later, priority, kind, tenant, run_at, place, fence, attempts, crashes, leased)
SELECT NOT ready, priority, kind, tenant, run_at, place, fence, attempts, crashes, leased
FROM automarket_queue WHERE ready = 1 OR leased = 0;
INSERT INTO automarket_leases (place, tenant, kind, ends_at, fence, attempts, crashes, in_trust, in_line)
SELECT place, tenant, kind, due_at, fence, attempts, crashes, in_trust, ready FROM automarket_queue WHERE leased = 1;
INSERT INTO automarket_unique_keys (place, tenant, kind, unique_key)
SELECT place, tenant, kind, unique_key FROM automarket_queue WHERE unique_key IS NOT NULL;
DROP TABLE automarket_queue;

-- run_at stands in automarket_jobs now. (A column is not dropped in place, since SQLite would then judge all views of the
-- host's.)
CREATE TABLE automarket_ended_before AS SELECT * FROM automarket_ended;
DROP TABLE automarket_ended;
CREATE TABLE automarket_ended (
    place       INTEGER PRIMARY KEY REFERENCES automarket_jobs (place),
    tenant      TEXT NOT NULL,
    state       TEXT NOT NULL,
    fence       INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    crashes     INTEGER NOT NULL,
    result      TEXT,
    finished_at INTEGER NOT NULL
);
INSERT INTO automarket_ended (place, tenant, state, fence, attempts, crashes, result, finished_at)
SELECT place, tenant, state, fence, attempts, crashes, result, finished_at FROM automarket_ended_before;
DROP TABLE automarket_ended_before;
CREATE INDEX automarket_ended_dead ON automarket_ended (tenant, place) WHERE state = 'dead';
CREATE INDEX automarket_ended_by_time ON automarket_ended (finished_at) WHERE state <> 'dead';
