-- What put_new does, for one job: a quarter less of the server's instructions. Nothing is unpacked, the plan is made once
-- without being told so, and what is reckoned outside the insert is not prepared for it each time.
CREATE FUNCTION automarket.put_one(
    new_id uuid, owner text, kind text, payload text, run_at timestamptz, priority smallint, max_attempts bigint
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz := automarket.clock();
    due timestamptz := coalesce(run_at, at);
    is_due boolean := due <= at;
    at_place bigint := nextval('automarket.places') << 20;
BEGIN
    INSERT INTO automarket.queue
        (id, place, run_at, due_at, max_attempts, priority, ready, tenant, kind, created_at, payload)
    VALUES (new_id, at_place, due, due, put_one.max_attempts, put_one.priority, is_due, owner, put_one.kind, at,
        put_one.payload::json);
    PERFORM FROM automarket.ended e WHERE e.id = new_id;
    IF FOUND THEN
        RAISE unique_violation USING MESSAGE = 'a job with this id has ended';
    END IF;
END $$ SET enable_seqscan = off;

-- put_jobs for the library's own calls: a key or an id that somebody's open transaction holds is not waited for long.
CREATE FUNCTION automarket.put_bounded(
    ids uuid[], tenants text[], kinds text[], payloads text[], run_ats timestamptz[], priorities smallint[],
    max_attempts bigint[], keys text[]
) RETURNS TABLE (n bigint, job uuid, is_new boolean) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM automarket.bounded();
    RETURN QUERY SELECT put.* FROM automarket.put_jobs(
        ids, tenants, kinds, payloads, run_ats, priorities, max_attempts, keys) put;
END $$;
