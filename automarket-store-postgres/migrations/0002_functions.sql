-- The hot statements. They are functions so that they cost one round trip, and so that their plans are made
-- to walk indexes whatever the statistics say of a table that was empty a moment ago.

-- The store's time: that of the statement's transaction. Tests put another body in.
CREATE FUNCTION automarket.clock() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT now()';

-- The kinds of all live jobs, by steps through the indexes.
CREATE FUNCTION automarket.live_kinds() RETURNS SETOF text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    WITH RECURSIVE line (kind) AS (
        (SELECT q.kind FROM automarket.queue q WHERE q.ready ORDER BY q.kind LIMIT 1)
        UNION ALL
        SELECT (SELECT q.kind FROM automarket.queue q WHERE q.ready AND q.kind > l.kind ORDER BY q.kind LIMIT 1)
        FROM line l WHERE l.kind IS NOT NULL
    ), timer (kind) AS (
        (SELECT q.kind FROM automarket.queue q WHERE NOT q.ready ORDER BY q.kind LIMIT 1)
        UNION ALL
        SELECT (SELECT q.kind FROM automarket.queue q WHERE NOT q.ready AND q.kind > t.kind ORDER BY q.kind LIMIT 1)
        FROM timer t WHERE t.kind IS NOT NULL
    )
    SELECT l.kind::text FROM line l WHERE l.kind IS NOT NULL
    UNION
    SELECT t.kind::text FROM timer t WHERE t.kind IS NOT NULL;
END $$ SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off;

-- Puts jobs in, in the order of the arrays; one row per job: its number there, the job that will run, whether
-- it is new. AM001: the id is another tenant's.
CREATE FUNCTION automarket.put_jobs(
    ids uuid[], tenants text[], kinds text[], payloads text[], run_ats timestamptz[], priorities smallint[],
    max_attempts bigint[], keys text[]
) RETURNS TABLE (n bigint, job uuid, is_new boolean) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    at timestamptz := automarket.clock();
    places bigint[] := ARRAY(SELECT nextval('automarket.places') FROM generate_series(1, cardinality(ids)));
    fresh bigint[]; live bigint[]; lost record; owner text; holder uuid;
BEGIN
    -- automarket.jobs first: an id that was ever there stays there, so a late repeat cannot revive a job.
    WITH kept AS (
        INSERT INTO automarket.jobs
            (id, place, tenant, kind, payload, priority, max_attempts, unique_key, created_at)
        SELECT g.id, g.place, g.tenant, g.kind, g.payload::json, g.priority, g.max_attempts, g.unique_key, at
        FROM unnest(ids, places, tenants, kinds, payloads, priorities, put_jobs.max_attempts, keys)
            AS g (id, place, tenant, kind, payload, priority, max_attempts, unique_key)
        ON CONFLICT (id) DO NOTHING RETURNING place
    ) SELECT array_agg(k.place) INTO fresh FROM kept k;
    -- Keys in one order, so that two batches with the same keys do not wait for each other.
    WITH put AS (
        INSERT INTO automarket.queue
            (id, place, run_at, due_at, max_attempts, priority, ready, tenant, kind, unique_key)
        SELECT g.id, g.place, coalesce(g.run_at, at), coalesce(g.run_at, at), g.max_attempts, g.priority,
            coalesce(g.run_at, at) <= at, g.tenant, g.kind, g.unique_key
        FROM unnest(ids, places, tenants, kinds, run_ats, priorities, put_jobs.max_attempts, keys)
            AS g (id, place, tenant, kind, run_at, priority, max_attempts, unique_key)
        WHERE g.place = ANY (fresh)
        ORDER BY g.tenant COLLATE "C", g.kind COLLATE "C", g.unique_key COLLATE "C", g.place
        ON CONFLICT (tenant, kind, unique_key) WHERE unique_key IS NOT NULL DO NOTHING RETURNING place
    ) SELECT array_agg(p.place) INTO live FROM put p;
    RETURN QUERY SELECT g.n, g.id, true FROM unnest(ids, places) WITH ORDINALITY AS g (id, place, n)
        WHERE g.place = ANY (live);
    IF cardinality(live) = cardinality(ids) THEN RETURN; END IF;

    DELETE FROM automarket.jobs j WHERE j.id = ANY (ids) AND j.place = ANY (fresh)
        AND NOT coalesce(j.place = ANY (live), false);
    FOR lost IN SELECT g.* FROM unnest(ids, places, tenants, kinds, keys)
            WITH ORDINALITY AS g (id, place, tenant, kind, unique_key, n)
        WHERE NOT coalesce(g.place = ANY (live), false) ORDER BY g.n
    LOOP
        SELECT j.tenant INTO owner FROM automarket.jobs j WHERE j.id = lost.id;
        IF FOUND AND owner <> lost.tenant THEN
            RAISE EXCEPTION 'the job id % is taken', lost.id USING ERRCODE = 'AM001';
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
END $$ SET enable_seqscan = off SET enable_nestloop = off SET enable_bitmapscan = off SET jit = off;

-- For the host: puts one job in, inside the caller's transaction; the id of the job that will run.
CREATE FUNCTION automarket.enqueue(
    tenant text, kind text, payload jsonb, run_at timestamptz DEFAULT NULL, priority smallint DEFAULT 0,
    max_attempts integer DEFAULT 20, unique_key text DEFAULT NULL
) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    -- A UUID of version 7: 48 bits of milliseconds before the random ones of version 4.
    millis bytea := int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint);
    random bytea := uuid_send(gen_random_uuid());
    new_id uuid := encode(set_bit(set_bit(
        overlay(random PLACING substring(millis FROM 3) FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid;
    given uuid;
BEGIN
    IF tenant IS NULL OR octet_length(tenant) NOT BETWEEN 1 AND 200 OR tenant ~ '[[:cntrl:]]' THEN
        RAISE EXCEPTION 'a tenant id is 1 to 200 bytes without control characters'
            USING ERRCODE = 'invalid_parameter_value';
    ELSIF kind IS NULL OR priority IS NULL OR max_attempts IS NULL OR max_attempts < 0
        OR NOT isfinite(coalesce(run_at, now())) THEN
        RAISE EXCEPTION 'kind, priority and max_attempts (0 or more) are needed, run_at is finite'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT p.job INTO given FROM automarket.put_jobs(
        ARRAY[new_id], ARRAY[tenant], ARRAY[kind], ARRAY[coalesce(payload, 'null')::text], ARRAY[run_at],
        ARRAY[priority], ARRAY[max_attempts::bigint], ARRAY[unique_key]) p;
    RETURN given;
END $$;

-- Leases ready jobs. A job whose lease ran out is not leased but shown (expired): what its crash makes of it
-- is decided by the caller. turns: whose turn was last, by priority.
CREATE FUNCTION automarket.claim(
    wanted text[], only_job uuid, room integer, lease_micros bigint, turn_priorities smallint[], turn_tenants text[]
) RETURNS TABLE (
    id uuid, place bigint, tenant text, kind text, payload text, priority smallint, max_attempts bigint,
    unique_key text, created_at timestamptz, run_at timestamptz, fence bigint, attempts integer,
    crashes integer, due_at timestamptz, failures text, expired boolean
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    at timestamptz := automarket.clock();
    kinds text[] := ARRAY(SELECT DISTINCT k FROM unnest(wanted) k);
    lane integer := 32768; last_turn text; ring text[]; share integer; picked uuid[]; shown uuid[] := '{}';
BEGIN
    IF wanted IS NULL THEN
        kinds := ARRAY(SELECT automarket.live_kinds());
    END IF;
    -- What has become due enters the line.
    IF only_job IS NULL THEN
        UPDATE automarket.queue q SET ready = true WHERE q.id = ANY (ARRAY(
            SELECT due.id FROM unnest(kinds) w (kind), LATERAL (
                SELECT q.id FROM automarket.queue q
                WHERE NOT q.ready AND q.kind = w.kind AND q.due_at <= at
                ORDER BY q.due_at LIMIT greatest(room, 1000) FOR UPDATE SKIP LOCKED) due));
    END IF;
    WHILE room > 0 LOOP
        IF only_job IS NOT NULL THEN
            picked := ARRAY(SELECT q.id FROM automarket.queue q
                WHERE q.id = only_job AND q.due_at <= at AND q.kind = ANY (kinds) FOR UPDATE SKIP LOCKED);
            room := 1;
        ELSE
            IF picked IS NULL OR cardinality(picked) = 0 THEN
                SELECT max(best.priority) INTO lane FROM unnest(kinds) w (kind), LATERAL (
                    SELECT q.priority FROM automarket.queue q
                    WHERE q.ready AND q.kind = w.kind AND q.priority < lane
                    ORDER BY q.priority DESC LIMIT 1) best;
                EXIT WHEN lane IS NULL;
                last_turn := coalesce(turn_tenants[array_position(turn_priorities, lane::smallint)], '');
            END IF;
            -- The tenants with jobs here, from the one after the last that had its turn and once round.
            ring := ARRAY(
                WITH RECURSIVE after (tenant) AS (
                    SELECT last_turn COLLATE "C"
                    UNION ALL
                    SELECT (SELECT min(next.tenant) FROM unnest(kinds) w (kind), LATERAL (
                        SELECT q.tenant FROM automarket.queue q
                        WHERE q.ready AND q.kind = w.kind AND q.priority = lane AND q.tenant > a.tenant
                        ORDER BY q.tenant LIMIT 1) next)
                    FROM after a WHERE a.tenant IS NOT NULL
                ), before (tenant) AS (
                    SELECT '' COLLATE "C"
                    UNION ALL
                    SELECT (SELECT min(next.tenant) FROM unnest(kinds) w (kind), LATERAL (
                        SELECT q.tenant FROM automarket.queue q
                        WHERE q.ready AND q.kind = w.kind AND q.priority = lane AND q.tenant > b.tenant
                            AND q.tenant <= last_turn
                        ORDER BY q.tenant LIMIT 1) next)
                    FROM before b WHERE b.tenant IS NOT NULL
                )
                SELECT r.tenant FROM (
                    SELECT a.tenant FROM (SELECT a.tenant FROM after a OFFSET 1) a WHERE a.tenant IS NOT NULL
                    UNION ALL
                    SELECT b.tenant FROM (SELECT b.tenant FROM before b OFFSET 1) b WHERE b.tenant IS NOT NULL
                ) r LIMIT room);
            share := ceil(room / greatest(cardinality(ring), 1)::numeric);
            -- LIMIT keeps the planner from turning the walk round.
            picked := ARRAY(
                SELECT turn.id FROM unnest(ring) t (tenant), LATERAL (
                    SELECT first.id FROM unnest(kinds) w (kind), LATERAL (
                        SELECT q.id, q.run_at, q.place FROM automarket.queue q
                        WHERE q.ready AND q.kind = w.kind AND q.priority = lane AND q.tenant = t.tenant
                            AND q.id <> ALL (shown)
                        ORDER BY q.run_at, q.place LIMIT share FOR UPDATE SKIP LOCKED) first
                    ORDER BY first.run_at, first.place LIMIT share) turn
                LIMIT room);
        END IF;
        RETURN QUERY SELECT q.id, q.place, q.tenant::text, q.kind::text, NULL::text, q.priority, q.max_attempts,
                q.unique_key::text, at, q.run_at, q.fence, q.attempts, q.crashes, q.due_at, NULL::text, true
            FROM automarket.queue q WHERE q.id = ANY (picked) AND q.leased;
        IF FOUND THEN
            shown := shown || ARRAY(SELECT q.id FROM automarket.queue q WHERE q.id = ANY (picked) AND q.leased);
        END IF;
        RETURN QUERY
            WITH taken AS (
                UPDATE automarket.queue q SET ready = false, leased = true, fence = q.fence + 1,
                    attempts = q.attempts + 1, due_at = at + lease_micros * interval '1 microsecond'
                WHERE q.id = ANY (picked) AND NOT q.leased
                RETURNING q.id, q.place, q.tenant, q.kind, q.priority, q.max_attempts, q.unique_key, q.run_at,
                    q.fence, q.attempts, q.crashes, q.due_at)
            SELECT t.id, t.place, t.tenant::text, t.kind::text, j.payload::text, t.priority, t.max_attempts,
                t.unique_key::text, j.created_at, t.run_at, t.fence, t.attempts, t.crashes, t.due_at,
                CASE WHEN t.fence > 1 THEN automarket.failures_of(t.id) END, false
            FROM taken t, LATERAL (
                SELECT j.payload, j.created_at FROM automarket.jobs j WHERE j.id = t.id LIMIT 1) j;
        EXIT WHEN only_job IS NOT NULL;
        room := room - cardinality(picked);
    END LOOP;
END $$ SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off;

-- The history of a job as a JSON list, oldest first.
CREATE FUNCTION automarket.failures_of(job uuid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT json_agg(json_build_array(f.attempt, f.at, f.error) ORDER BY f.number)::text
    FROM automarket.failures f WHERE f.job = failures_of.job
$$;

-- Ends leases well: the ids of those that were held.
CREATE FUNCTION automarket.complete(ids uuid[], fences bigint[], results text[]) RETURNS SETOF uuid
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    WITH done AS (
        DELETE FROM automarket.queue q USING unnest(ids, fences, results) AS t (id, fence, result)
        WHERE q.id = ANY (ids) AND q.id = t.id AND q.fence = t.fence AND q.leased
        RETURNING q.id, q.place, q.run_at, q.fence, q.attempts, q.crashes, q.tenant, t.result
    )
    INSERT INTO automarket.ended
        (id, place, run_at, finished_at, fence, attempts, crashes, tenant, state, result)
    SELECT d.id, d.place, d.run_at, automarket.clock(), d.fence, d.attempts, d.crashes, d.tenant, 'completed',
        d.result::json
    FROM done d RETURNING ended.id;
END $$ SET enable_seqscan = off SET enable_nestloop = off SET enable_bitmapscan = off SET jit = off;

-- Prolongs leases: the ids and fences of those that were held.
CREATE FUNCTION automarket.prolong(ids uuid[], fences bigint[], lease_micros bigint)
RETURNS TABLE (job uuid, held bigint) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    UPDATE automarket.queue q SET ready = false,
        due_at = automarket.clock() + lease_micros * interval '1 microsecond'
    FROM unnest(ids, fences) AS t (id, fence)
    WHERE q.id = ANY (ids) AND q.id = t.id AND q.fence = t.fence AND q.leased
    RETURNING q.id, q.fence;
END $$ SET enable_seqscan = off SET enable_nestloop = off SET enable_bitmapscan = off SET jit = off;

-- When the earliest live job of these kinds is or becomes ready.
CREATE FUNCTION automarket.next_ready(wanted text[]) RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
DECLARE
    found timestamptz;
BEGIN
    SELECT min(next.at) INTO found
    FROM unnest(coalesce(wanted, ARRAY(SELECT automarket.live_kinds()))) w (kind), LATERAL (
        (SELECT q.run_at AS at FROM automarket.queue q WHERE q.ready AND q.kind = w.kind
            ORDER BY q.priority, q.tenant, q.run_at LIMIT 1)
        UNION ALL
        (SELECT q.due_at FROM automarket.queue q WHERE NOT q.ready AND q.kind = w.kind
            ORDER BY q.due_at LIMIT 1)) next;
    RETURN found;
END $$ SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off;

-- Appends events. Those of one tenant become visible in the order of their numbers, so that a reader who
-- goes on from the last number it saw misses none: hence the lock, held to the end of the transaction.
CREATE FUNCTION automarket.tell(ids uuid[], tenants text[], kinds text[], subjects text[], datas text[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(t.lock) FROM (
        SELECT DISTINCT hashtextextended('automarket.events ' || t, 0) AS lock FROM unnest(tenants) t
        ORDER BY 1) t;
    INSERT INTO automarket.events (id, tenant, kind, subject, data, at)
    SELECT t.id, t.tenant, t.kind, t.subject, t.data::json, automarket.clock()
    FROM unnest(ids, tenants, kinds, subjects, datas) WITH ORDINALITY AS t (id, tenant, kind, subject, data, n)
    ORDER BY t.n;
END $$;
