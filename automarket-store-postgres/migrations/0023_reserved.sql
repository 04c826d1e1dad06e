-- A host's SQL could put in jobs of kinds that are the library's own, which no worker can do.

-- For the host: puts one job in, inside the caller's transaction; the id of the job that will run.
CREATE OR REPLACE FUNCTION automarket.enqueue(
    tenant text, kind text, payload jsonb, run_at timestamptz DEFAULT NULL, priority smallint DEFAULT 0,
    max_attempts integer DEFAULT 20, unique_key text DEFAULT NULL
) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    given uuid;
BEGIN
    PERFORM automarket.check_job(tenant, kind, run_at, priority, max_attempts, unique_key);
    IF kind IN ('publish', 'publish-delete', 'measure', 'credential-keep-alive') THEN
        RAISE EXCEPTION 'jobs of this kind are put in by the library' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT p.job INTO given FROM automarket.put_jobs(
        ARRAY[automarket.new_id()], ARRAY[tenant], ARRAY[kind], ARRAY[coalesce(payload, 'null')::text],
        ARRAY[run_at], ARRAY[priority], ARRAY[max_attempts::bigint], ARRAY[unique_key]) p;
    RETURN given;
END $$;
