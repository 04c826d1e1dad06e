-- A batch with keys took time that grew with the square of its length: for each job all places of the new ones were walked
-- through. A place says itself which job of the batch it is.

-- Puts jobs in, in the order of the arrays; one row per job: its number there, the job that will run, whether
-- it is new. AM001: the id is another tenant's (it stands in DETAIL).
CREATE OR REPLACE FUNCTION automarket.put_jobs(
    ids uuid[], tenants text[], kinds text[], payloads text[], run_ats timestamptz[], priorities smallint[],
    max_attempts bigint[], keys text[]
) RETURNS TABLE (n bigint, job uuid, is_new boolean) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    at timestamptz := automarket.clock();
    first bigint := nextval('automarket.places') << 20;
    live bigint[]; probes uuid[]; lost record; owner text; holder uuid;
BEGIN
    -- Keys in one order, so that two batches with the same keys do not wait for each other.
    WITH put AS (
        INSERT INTO automarket.queue
            (id, place, line, run_at, created_at, max_attempts, priority, kind, tenant, unique_key, payload)
        SELECT g.id, first + g.n, automarket.line(g.kind, g.priority, g.tenant, g.due <= at), g.due, at,
            g.max_attempts, g.priority, g.kind, g.tenant, g.unique_key, g.payload::json
        FROM (SELECT g.*, coalesce(g.run_at, at) AS due
            FROM (SELECT unnest(ids) AS id, unnest(tenants) AS tenant, unnest(kinds) AS kind,
                unnest(payloads) AS payload, unnest(run_ats) AS run_at, unnest(priorities) AS priority,
                unnest(put_jobs.max_attempts) AS max_attempts, unnest(keys) AS unique_key,
                generate_series(1, cardinality(ids)) AS n) g) g
        ORDER BY g.tenant COLLATE "C", g.kind COLLATE "C", g.unique_key COLLATE "C", g.n
        ON CONFLICT DO NOTHING RETURNING place
    ) SELECT array_agg(p.place) INTO live FROM put p;
    -- An id that was ever there stays taken, so a late repeat cannot revive a job.
    SELECT array_agg(e.id) INTO probes FROM automarket.ended e WHERE e.id = ANY (ids);
    IF probes IS NOT NULL THEN
        WITH known AS (
            DELETE FROM automarket.queue q
            WHERE q.id = ANY (probes) AND q.place BETWEEN first + 1 AND first + cardinality(ids) RETURNING q.place
        ) SELECT array_agg(l) INTO live FROM unnest(live) l WHERE l NOT IN (SELECT k.place FROM known k);
    END IF;
    IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        WITH probe AS (
            INSERT INTO automarket.ended
                (id, place, run_at, finished_at, fence, attempts, crashes, tenant, state, kind, priority, max_attempts,
                created_at, payload)
            SELECT q.id, q.place, q.run_at, at, 0, 0, 0, q.tenant, 'cancelled', q.kind, q.priority, q.max_attempts, at,
                'null'
            FROM automarket.queue q
            WHERE q.id = ANY (ids) AND q.place BETWEEN first + 1 AND first + cardinality(ids)
            ON CONFLICT DO NOTHING RETURNING id
        ) SELECT array_agg(p.id) INTO probes FROM probe p;
        DELETE FROM automarket.ended e WHERE e.id = ANY (probes);
    END IF;
    RETURN QUERY SELECT l - first, ids[l - first], true FROM unnest(live) l ORDER BY l;
    IF cardinality(live) = cardinality(ids) THEN RETURN; END IF;

    FOR lost IN SELECT g.* FROM unnest(ids, tenants, kinds, keys)
            WITH ORDINALITY AS g (id, tenant, kind, unique_key, n)
        WHERE first + g.n NOT IN (SELECT l FROM unnest(live) l) ORDER BY g.n
    LOOP
        SELECT j.tenant INTO owner FROM automarket.jobs j WHERE j.id = lost.id LIMIT 1;
        IF FOUND AND owner <> lost.tenant THEN
            RAISE EXCEPTION 'the job id % is taken', lost.id USING ERRCODE = 'AM001', DETAIL = lost.id::text;
        ELSIF FOUND THEN
            RETURN QUERY SELECT lost.n, lost.id, false;
            CONTINUE;
        END IF;
        SELECT q.id INTO holder FROM automarket.queue q
            WHERE q.tenant = lost.tenant AND q.kind = lost.kind AND q.unique_key = lost.unique_key;
        IF FOUND THEN
            RETURN QUERY SELECT lost.n, holder, false;
        ELSE -- The holder ended meanwhile.
            RETURN QUERY SELECT lost.n, again.job, again.is_new FROM automarket.put_jobs(
                ids[lost.n:lost.n], tenants[lost.n:lost.n], kinds[lost.n:lost.n], payloads[lost.n:lost.n],
                run_ats[lost.n:lost.n], priorities[lost.n:lost.n], put_jobs.max_attempts[lost.n:lost.n],
                keys[lost.n:lost.n]) again;
        END IF;
    END LOOP;
END $$ SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
    SET jit = off SET plan_cache_mode = force_generic_plan;
