-- A live job is one row of automarket.queue, an ended one a row of automarket.ended: putting a job in writes one
-- row and two index entries. automarket.jobs shows both.
--
-- A claim and a heartbeat change nothing that an index knows, so they write no index entry (fillfactor leaves
-- them room in the row's page): a leased row stays in the line, and claims walk past it. due_at is run_at of a
-- waiting job and the end of the lease of a leased one. ready puts a row into the line; a claim first sets it on
-- rows whose run_at has come. Whatever is leased is in the line.

ALTER TABLE automarket.queue ADD COLUMN created_at timestamptz, ADD COLUMN payload json;
UPDATE automarket.queue q SET created_at = j.created_at, payload = j.payload FROM automarket.jobs j WHERE j.id = q.id;
ALTER TABLE automarket.queue ALTER COLUMN created_at SET NOT NULL, ALTER COLUMN payload SET NOT NULL,
    ALTER COLUMN place SET DEFAULT nextval('automarket.places');

DROP INDEX automarket.queue_timer;
ALTER TABLE automarket.queue SET (fillfactor = 50);
UPDATE automarket.queue SET ready = true WHERE leased;
CREATE INDEX queue_timer ON automarket.queue (kind, run_at) WHERE NOT ready;

ALTER TABLE automarket.ended ADD COLUMN kind text COLLATE "C", ADD COLUMN priority smallint,
    ADD COLUMN max_attempts bigint, ADD COLUMN unique_key text COLLATE "C", ADD COLUMN created_at timestamptz,
    ADD COLUMN payload json;
UPDATE automarket.ended e SET kind = j.kind, priority = j.priority, max_attempts = j.max_attempts,
    unique_key = j.unique_key, created_at = j.created_at, payload = j.payload
FROM automarket.jobs j WHERE j.id = e.id;
ALTER TABLE automarket.ended ALTER COLUMN kind SET NOT NULL, ALTER COLUMN priority SET NOT NULL,
    ALTER COLUMN max_attempts SET NOT NULL, ALTER COLUMN created_at SET NOT NULL, ALTER COLUMN payload SET NOT NULL;
CREATE INDEX ended_by_key ON automarket.ended (tenant, kind, unique_key, place) WHERE unique_key IS NOT NULL;

DROP TABLE automarket.jobs;
CREATE VIEW automarket.jobs AS
    SELECT id, place, tenant, kind, payload, priority, max_attempts, unique_key, created_at, run_at, fence,
        attempts, crashes, leased, NULL::text AS state, NULL::json AS result, NULL::timestamptz AS finished_at
    FROM automarket.queue
    UNION ALL
    SELECT id, place, tenant, kind, payload, priority, max_attempts, unique_key, created_at, run_at, fence,
        attempts, crashes, NULL::boolean, state, result, finished_at
    FROM automarket.ended;

-- Puts new jobs without unique keys in, in the order of the arrays. unique_violation: an id is known already;
-- put_jobs says what that means. The ended ones are looked through last: a job that was in the queue when the
-- insert began, and ended while it waited, is seen there.
CREATE FUNCTION automarket.put_new(
    ids uuid[], tenants text[], kinds text[], payloads text[], run_ats timestamptz[], priorities smallint[],
    max_attempts bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz := automarket.clock();
BEGIN
    INSERT INTO automarket.queue
        (id, run_at, due_at, max_attempts, priority, ready, tenant, kind, created_at, payload)
    SELECT g.id, coalesce(g.run_at, at), coalesce(g.run_at, at), g.max_attempts, g.priority,
        coalesce(g.run_at, at) <= at, g.tenant, g.kind, at, g.payload::json
    FROM unnest(ids, tenants, kinds, payloads, run_ats, priorities, put_new.max_attempts)
        AS g (id, tenant, kind, payload, run_at, priority, max_attempts);
    IF EXISTS (SELECT FROM automarket.ended e WHERE e.id = ANY (ids)) THEN
        RAISE unique_violation USING MESSAGE = 'a job with this id has ended';
    END IF;
END $$ SET enable_seqscan = off SET enable_bitmapscan = off;

-- Puts jobs in, in the order of the arrays; one row per job: its number there, the job that will run, whether
-- it is new. AM001: the id is another tenant's (it stands in DETAIL).
CREATE OR REPLACE FUNCTION automarket.put_jobs(
    ids uuid[], tenants text[], kinds text[], payloads text[], run_ats timestamptz[], priorities smallint[],
    max_attempts bigint[], keys text[]
) RETURNS TABLE (n bigint, job uuid, is_new boolean) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    at timestamptz := automarket.clock();
    places bigint[] := ARRAY(SELECT nextval('automarket.places') FROM generate_series(1, cardinality(ids)));
    live bigint[]; revived bigint[]; lost record; owner text; holder uuid;
BEGIN
    -- Keys in one order, so that two batches with the same keys do not wait for each other.
    WITH put AS (
        INSERT INTO automarket.queue
            (id, place, run_at, due_at, max_attempts, priority, ready, tenant, kind, unique_key, created_at, payload)
        SELECT g.id, g.place, coalesce(g.run_at, at), coalesce(g.run_at, at), g.max_attempts, g.priority,
            coalesce(g.run_at, at) <= at, g.tenant, g.kind, g.unique_key, at, g.payload::json
        FROM unnest(ids, places, tenants, kinds, payloads, run_ats, priorities, put_jobs.max_attempts, keys)
            AS g (id, place, tenant, kind, payload, run_at, priority, max_attempts, unique_key)
        ORDER BY g.tenant COLLATE "C", g.kind COLLATE "C", g.unique_key COLLATE "C", g.place
        ON CONFLICT DO NOTHING RETURNING place
    ) SELECT array_agg(p.place) INTO live FROM put p;
    -- An id that was ever there stays taken, so a late repeat cannot revive a job.
    WITH known AS (
        DELETE FROM automarket.queue q USING automarket.ended e
        WHERE e.id = ANY (ids) AND q.id = e.id AND q.id = ANY (ids) AND q.place = ANY (live) RETURNING q.place
    ) SELECT array_agg(k.place) INTO revived FROM known k;
    IF revived IS NOT NULL THEN
        live := ARRAY(SELECT l FROM unnest(live) l WHERE l <> ALL (revived));
    END IF;
    RETURN QUERY SELECT g.n, g.id, true FROM unnest(ids, places) WITH ORDINALITY AS g (id, place, n)
        WHERE g.place = ANY (live);
    IF cardinality(live) = cardinality(ids) THEN RETURN; END IF;

    FOR lost IN SELECT g.* FROM unnest(ids, places, tenants, kinds, keys)
            WITH ORDINALITY AS g (id, place, tenant, kind, unique_key, n)
        WHERE NOT coalesce(g.place = ANY (live), false) ORDER BY g.n
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
    SET jit = off;

-- Leases ready jobs. A job whose lease ran out is not leased but shown (expired): what its crash makes of it
-- is decided by the caller. turns: whose turn was last, by priority.
CREATE OR REPLACE FUNCTION automarket.claim(
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
                WHERE NOT q.ready AND q.kind = w.kind AND q.run_at <= at
                ORDER BY q.run_at LIMIT greatest(room, 1000) FOR UPDATE SKIP LOCKED) due));
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
                    WHERE q.ready AND q.kind = w.kind AND q.priority < lane AND q.due_at <= at
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
                            AND q.due_at <= at
                        ORDER BY q.tenant LIMIT 1) next)
                    FROM after a WHERE a.tenant IS NOT NULL
                ), before (tenant) AS (
                    SELECT '' COLLATE "C"
                    UNION ALL
                    SELECT (SELECT min(next.tenant) FROM unnest(kinds) w (kind), LATERAL (
                        SELECT q.tenant FROM automarket.queue q
                        WHERE q.ready AND q.kind = w.kind AND q.priority = lane AND q.tenant > b.tenant
                            AND q.tenant <= last_turn AND q.due_at <= at
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
                            AND q.due_at <= at AND q.id <> ALL (shown)
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
            UPDATE automarket.queue q SET ready = true, leased = true, fence = q.fence + 1,
                attempts = q.attempts + 1, due_at = at + lease_micros * interval '1 microsecond'
            WHERE q.id = ANY (picked) AND NOT q.leased
            RETURNING q.id, q.place, q.tenant::text, q.kind::text, q.payload::text, q.priority, q.max_attempts,
                q.unique_key::text, q.created_at, q.run_at, q.fence, q.attempts, q.crashes, q.due_at,
                CASE WHEN q.fence > 1 THEN automarket.failures_of(q.id) END, false;
        EXIT WHEN only_job IS NOT NULL;
        room := room - cardinality(picked);
    END LOOP;
END $$ SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off;

-- Ends leases well: the ids of those that were held.
CREATE OR REPLACE FUNCTION automarket.complete(ids uuid[], fences bigint[], results text[]) RETURNS SETOF uuid
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    WITH done AS (
        DELETE FROM automarket.queue q USING unnest(ids, fences, results) AS t (id, fence, result)
        WHERE q.id = ANY (ids) AND q.id = t.id AND q.fence = t.fence AND q.leased
        RETURNING q.*, t.result
    )
    INSERT INTO automarket.ended
        (id, place, run_at, finished_at, fence, attempts, crashes, tenant, state, result, kind, priority,
        max_attempts, unique_key, created_at, payload)
    SELECT d.id, d.place, d.run_at, automarket.clock(), d.fence, d.attempts, d.crashes, d.tenant, 'completed',
        d.result::json, d.kind, d.priority, d.max_attempts, d.unique_key, d.created_at, d.payload
    FROM done d RETURNING ended.id;
END $$ SET enable_seqscan = off SET enable_nestloop = off SET enable_bitmapscan = off SET jit = off;

-- Prolongs leases: the ids and fences of those that were held.
CREATE OR REPLACE FUNCTION automarket.prolong(ids uuid[], fences bigint[], lease_micros bigint)
RETURNS TABLE (job uuid, held bigint) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    UPDATE automarket.queue q
    SET due_at = automarket.clock() + lease_micros * interval '1 microsecond'
    FROM unnest(ids, fences) AS t (id, fence)
    WHERE q.id = ANY (ids) AND q.id = t.id AND q.fence = t.fence AND q.leased
    RETURNING q.id, q.fence;
END $$ SET enable_seqscan = off SET enable_nestloop = off SET enable_bitmapscan = off SET jit = off;

-- When the earliest live job of these kinds is or becomes ready.
CREATE OR REPLACE FUNCTION automarket.next_ready(wanted text[]) RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
DECLARE
    at timestamptz := automarket.clock();
    kinds text[] := coalesce(wanted, ARRAY(SELECT automarket.live_kinds()));
    found timestamptz;
BEGIN
    SELECT min(free.run_at) INTO found FROM unnest(kinds) w (kind), LATERAL (
        SELECT q.run_at FROM automarket.queue q
        WHERE q.ready AND q.kind = w.kind AND q.due_at <= at
        ORDER BY q.priority, q.tenant, q.run_at LIMIT 1) free;
    IF found IS NULL THEN -- All that stand in the line are leased.
        SELECT min(next.at) INTO found FROM unnest(kinds) w (kind), LATERAL (
            (SELECT min(q.due_at) AS at FROM automarket.queue q WHERE q.ready AND q.kind = w.kind)
            UNION ALL
            (SELECT q.run_at FROM automarket.queue q WHERE NOT q.ready AND q.kind = w.kind
                ORDER BY q.run_at LIMIT 1)) next;
    END IF;
    RETURN found;
END $$ SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off;

-- A UUID of version 7: 48 bits of milliseconds before the random ones of version 4.
CREATE FUNCTION automarket.new_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING
        substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
        52, 1), 53, 1), 'hex')::uuid
$$;

-- The rule of the library's tenant ids.
CREATE FUNCTION automarket.check_tenant(tenant text) RETURNS void LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF tenant IS NULL OR octet_length(tenant) NOT BETWEEN 1 AND 200 OR tenant ~ '[[:cntrl:]]' THEN
        RAISE EXCEPTION 'a tenant id is 1 to 200 bytes without control characters'
            USING ERRCODE = 'invalid_parameter_value';
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
    PERFORM automarket.check_tenant(tenant);
    IF kind IS NULL OR priority IS NULL OR max_attempts IS NULL OR max_attempts < 0
        OR NOT isfinite(coalesce(run_at, now())) THEN
        RAISE EXCEPTION 'kind, priority and max_attempts (0 or more) are needed, run_at is finite'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT p.job INTO given FROM automarket.put_jobs(
        ARRAY[automarket.new_id()], ARRAY[tenant], ARRAY[kind], ARRAY[coalesce(payload, 'null')::text],
        ARRAY[run_at], ARRAY[priority], ARRAY[max_attempts::bigint], ARRAY[unique_key]) p;
    RETURN given;
END $$;

-- The same from a list of the library's NewJob as JSON.
CREATE FUNCTION automarket.put_jobs(jobs json) RETURNS TABLE (n bigint, job uuid, is_new boolean)
LANGUAGE plpgsql AS $$
BEGIN
    IF json_array_length(jobs) = 0 THEN RETURN; END IF;
    PERFORM automarket.check_tenant(j ->> 'tenant') FROM json_array_elements(jobs) j;
    RETURN QUERY SELECT put.n, put.job, put.is_new FROM (
        SELECT array_agg((j ->> 'id')::uuid) AS ids, array_agg(j ->> 'tenant') AS tenants,
            array_agg(j ->> 'kind') AS kinds, array_agg((j -> 'payload')::text) AS payloads,
            array_agg((j ->> 'run_at')::timestamptz) AS run_ats,
            array_agg((j ->> 'priority')::smallint) AS priorities,
            array_agg((j ->> 'max_attempts')::bigint) AS attempts, array_agg(j ->> 'unique_key') AS keys
        FROM json_array_elements(jobs) j) a,
        automarket.put_jobs(a.ids, a.tenants, a.kinds, a.payloads, a.run_ats, a.priorities, a.attempts, a.keys) put;
END $$;

-- Writes a publication (the library's, as JSON) unless its id is there; how many rows were written.
CREATE FUNCTION automarket.put_publication(publication json) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    written bigint;
BEGIN
    INSERT INTO automarket.publications (tenant, id, post, state, revision, body)
    VALUES (publication ->> 'tenant', (publication ->> 'id')::uuid, (publication ->> 'post')::uuid,
        publication ->> 'state', (publication ->> 'revision')::bigint, publication)
    ON CONFLICT (tenant, id) DO NOTHING;
    GET DIAGNOSTICS written = ROW_COUNT;
    RETURN written;
END $$;

-- Writes all that one call of publish writes (the library's NewPublishing, as JSON): for the library, and for a
-- host inside its own transaction. Whether any of it was new: what is there already stays as it is, and when
-- nothing is new, neither jobs nor events are written.
CREATE FUNCTION automarket.publish(publishing json) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    owner text := publishing ->> 'tenant';
    post_id uuid := (publishing #>> '{post,id}')::uuid;
    written bigint; more bigint;
BEGIN
    PERFORM automarket.check_tenant(owner);
    IF EXISTS (SELECT FROM json_array_elements(publishing -> 'publications') p
        WHERE (p ->> 'post')::uuid IS DISTINCT FROM post_id) THEN
        RAISE EXCEPTION 'the publications are of the post that is written with them'
            USING ERRCODE = 'invalid_parameter_value';
    ELSIF EXISTS (
        SELECT FROM unnest(ARRAY['publications', 'jobs', 'events']) part, json_array_elements(publishing -> part) x
        WHERE x ->> 'tenant' IS DISTINCT FROM owner) THEN
        RAISE EXCEPTION 'what is written together is of one tenant' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    INSERT INTO automarket.posts (tenant, id, body) VALUES (owner, post_id, publishing -> 'post')
    ON CONFLICT (tenant, id) DO NOTHING;
    GET DIAGNOSTICS written = ROW_COUNT;
    SELECT coalesce(sum(automarket.put_publication(p)), 0) INTO more
    FROM json_array_elements(publishing -> 'publications') p;
    IF written + more = 0 THEN
        RETURN false;
    END IF;
    PERFORM automarket.put_jobs(publishing -> 'jobs');
    PERFORM automarket.tell(array_agg(automarket.new_id()), array_agg(e ->> 'tenant'), array_agg(e ->> 'kind'),
        array_agg(e ->> 'subject'), array_agg((e -> 'data')::text))
    FROM json_array_elements(publishing -> 'events') e HAVING count(*) > 0;
    RETURN true;
END $$;
