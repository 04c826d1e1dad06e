-- A unique key that is longer than the index of what has ended can hold let a job in and never end it.

-- The rule of a job that a host puts in.
DROP FUNCTION automarket.check_job(text, text, timestamptz, smallint, bigint);
CREATE FUNCTION automarket.check_job(
    tenant text, kind text, run_at timestamptz, priority smallint, max_attempts bigint, unique_key text
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM automarket.check_tenant(tenant);
    IF kind IS NULL OR priority IS NULL OR coalesce(max_attempts NOT BETWEEN 0 AND 4294967295, true)
        OR NOT isfinite(coalesce(run_at, now())) OR octet_length(unique_key) > 1000 THEN
        RAISE EXCEPTION 'kind, priority and max_attempts (0 to 4294967295) are needed, run_at is finite, '
            'a unique key has at most 1,000 bytes' USING ERRCODE = 'invalid_parameter_value';
    END IF;
END $$;

-- For the host: puts one job in, inside the caller's transaction; the id of the job that will run.
CREATE OR REPLACE FUNCTION automarket.enqueue(
    tenant text, kind text, payload jsonb, run_at timestamptz DEFAULT NULL, priority smallint DEFAULT 0,
    max_attempts integer DEFAULT 20, unique_key text DEFAULT NULL
) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    given uuid;
BEGIN
    PERFORM automarket.check_job(tenant, kind, run_at, priority, max_attempts, unique_key);
    SELECT p.job INTO given FROM automarket.put_jobs(
        ARRAY[automarket.new_id()], ARRAY[tenant], ARRAY[kind], ARRAY[coalesce(payload, 'null')::text],
        ARRAY[run_at], ARRAY[priority], ARRAY[max_attempts::bigint], ARRAY[unique_key]) p;
    RETURN given;
END $$;

-- The same from a list of the library's NewJob as JSON.
CREATE OR REPLACE FUNCTION automarket.put_jobs(jobs json) RETURNS TABLE (n bigint, job uuid, is_new boolean)
LANGUAGE plpgsql AS $$
BEGIN
    IF json_array_length(jobs) = 0 THEN RETURN; END IF;
    PERFORM automarket.check_job(j.tenant, j.kind, j.run_at, j.priority, j.max_attempts, j.unique_key)
    FROM json_to_recordset(jobs) AS j (tenant text, kind text, run_at timestamptz, priority smallint,
        max_attempts bigint, unique_key text);
    RETURN QUERY SELECT put.n, put.job, put.is_new FROM (
        SELECT array_agg(j.id) AS ids, array_agg(j.tenant) AS tenants, array_agg(j.kind) AS kinds,
            array_agg(coalesce(j.payload::text, 'null')) AS payloads, array_agg(j.run_at) AS run_ats,
            array_agg(j.priority) AS priorities, array_agg(j.max_attempts) AS attempts,
            array_agg(j.unique_key) AS keys
        FROM json_to_recordset(jobs) AS j (id uuid, tenant text, kind text, payload json, run_at timestamptz,
            priority smallint, max_attempts bigint, unique_key text)) a,
        automarket.put_jobs(a.ids, a.tenants, a.kinds, a.payloads, a.run_ats, a.priorities, a.attempts, a.keys) put;
END $$;
