-- A heartbeat waits for nobody: one row that is locked, since what its job ended in is being written, kept all leases of
-- its worker from being prolonged.

-- Prolongs the leases that hold; their jobs and fences. One whose row is locked is not prolonged, but answered as long as
-- it has not run out.
CREATE OR REPLACE FUNCTION automarket.prolong(ids uuid[], fences bigint[], lease_micros bigint)
RETURNS TABLE (job uuid, held bigint) LANGUAGE plpgsql AS $$
BEGIN
    UPDATE automarket.queue q
    SET leased_until = automarket.clock() + lease_micros * interval '1 microsecond'
    WHERE q.ctid = ANY (ARRAY(
        SELECT l.ctid FROM automarket.queue l, unnest(ids, fences) AS t (id, fence)
        WHERE l.id = ANY (ids) AND l.id = t.id AND l.fence = t.fence AND l.leased_until IS NOT NULL
        FOR NO KEY UPDATE OF l SKIP LOCKED));
    RETURN QUERY SELECT q.id, q.fence FROM automarket.queue q, unnest(ids, fences) AS t (id, fence)
        WHERE q.id = ANY (ids) AND q.id = t.id AND q.fence = t.fence AND q.leased_until > automarket.clock();
END $$ SET enable_seqscan = off SET enable_nestloop = off SET enable_bitmapscan = off SET jit = off;
