-- What put_new does, for jobs that differ in their ids and payloads alone, as those of one batch do as a rule: nothing
-- else is sent, unpacked or reckoned for each.
CREATE FUNCTION automarket.put_alike(
    ids uuid[], payloads text[], owner text, kind text, run_at timestamptz, priority smallint, max_attempts bigint,
    lowest uuid, highest uuid
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz := automarket.clock();
    due timestamptz := coalesce(put_alike.run_at, at);
    is_due boolean := due <= at;
    first bigint := nextval('automarket.places') << 20;
    its_lane bigint := automarket.lane(put_alike.kind, put_alike.priority, is_due);
    its_line bigint := automarket.line(owner, is_due);
BEGIN
    INSERT INTO automarket.queue
        (id, place, lane, line, run_at, due_at, created_at, max_attempts, priority, ready, tenant, kind, payload)
    SELECT g.id, first + g.n, its_lane, its_line, due, due, at, put_alike.max_attempts, put_alike.priority,
        is_due, owner, put_alike.kind, g.payload::json
    FROM (SELECT unnest(ids) AS id, unnest(payloads) AS payload, generate_series(1, cardinality(ids)) AS n) g;
    IF EXISTS (SELECT FROM automarket.ended e WHERE e.id BETWEEN lowest AND highest)
        AND EXISTS (SELECT FROM automarket.ended e WHERE e.id = ANY (ids)) THEN
        RAISE unique_violation USING MESSAGE = 'a job with this id has ended';
    END IF;
END $$ SET enable_seqscan = off SET plan_cache_mode = force_generic_plan;
