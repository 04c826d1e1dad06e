-- A host's transaction may hold the id of a job that the library puts in outside of it: a call that puts jobs in waits
-- for it no longer than others wait (see bounded).
ALTER FUNCTION automarket.put_one(uuid, text, text, text, smallint, bigint, bigint) SET lock_timeout = '3s';
ALTER FUNCTION automarket.put_alike(uuid[], text[], text, text, timestamptz, smallint, bigint, uuid, uuid)
    SET lock_timeout = '3s';
ALTER FUNCTION automarket.put_new(
    uuid[], text[], text[], text[], timestamptz[], smallint[], bigint[], uuid, uuid) SET lock_timeout = '3s';

-- A kind that is too long for an index let a job in and never wait or end it. An instant after chrono's last could not be
-- read.
CREATE OR REPLACE FUNCTION automarket.check_job(
    tenant text, kind text, run_at timestamptz, priority smallint, max_attempts bigint, unique_key text
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM automarket.check_tenant(tenant);
    IF priority IS NULL OR coalesce(octet_length(kind) > 200, true)
        OR coalesce(max_attempts NOT BETWEEN 0 AND 4294967295, true)
        OR coalesce(run_at, now()) NOT BETWEEN '4713-01-01 BC' AND '262142-01-01' OR octet_length(unique_key) > 1000 THEN
        RAISE EXCEPTION 'kind (at most 200 bytes), priority and max_attempts (0 to 4294967295) are needed, run_at is '
            'before the year 262142, a unique key has at most 1,000 bytes' USING ERRCODE = 'invalid_parameter_value';
    END IF;
END $$;

-- A payload may be given as text too: within a document that is taken apart U+0000 is refused.
CREATE OR REPLACE FUNCTION automarket.put_jobs(jobs json) RETURNS TABLE (n bigint, job uuid, is_new boolean)
LANGUAGE plpgsql AS $$
BEGIN
    IF json_array_length(jobs) = 0 THEN RETURN; END IF;
    PERFORM automarket.check_job(j.tenant, j.kind, j.run_at, j.priority, j.max_attempts, j.unique_key)
    FROM json_to_recordset(jobs) AS j (tenant text, kind text, run_at timestamptz, priority smallint,
        max_attempts bigint, unique_key text);
    RETURN QUERY SELECT put.n, put.job, put.is_new FROM (
        SELECT array_agg(j.id) AS ids, array_agg(j.tenant) AS tenants, array_agg(j.kind) AS kinds,
            array_agg(coalesce(j.payload_text, j.payload::text, 'null')) AS payloads, array_agg(j.run_at) AS run_ats,
            array_agg(j.priority) AS priorities, array_agg(j.max_attempts) AS attempts,
            array_agg(j.unique_key) AS keys
        FROM json_to_recordset(jobs) AS j (id uuid, tenant text, kind text, payload json, payload_text text,
            run_at timestamptz, priority smallint, max_attempts bigint, unique_key text)) a,
        automarket.put_jobs(a.ids, a.tenants, a.kinds, a.payloads, a.run_ats, a.priorities, a.attempts, a.keys) put;
END $$;
