-- A live job is one row of automarket.queue, an ended one a row of automarket.ended: putting a job in writes one
-- row and two index entries. automarket.jobs shows both.
--
-- A claim and a heartbeat change nothing that an index knows, so they write no index entry (fillfactor leaves
-- them room in the row's page): a leased row stays in the line, and claims walk past it. ready puts a row into
-- the line; a claim first sets it on rows whose run_at has come. A leased row is ready, and may be taken by
-- another once leased_until has passed.

ALTER TABLE automarket.queue ADD COLUMN created_at timestamptz, ADD COLUMN payload json;
UPDATE automarket.queue q SET created_at = j.created_at, payload = j.payload FROM automarket.jobs j WHERE j.id = q.id;
ALTER TABLE automarket.queue ALTER COLUMN created_at SET NOT NULL, ALTER COLUMN payload SET NOT NULL,
    ALTER COLUMN place SET DEFAULT nextval('automarket.places');

DROP INDEX automarket.queue_timer;
ALTER TABLE automarket.queue RENAME COLUMN due_at TO leased_until;
ALTER TABLE automarket.queue ALTER COLUMN leased_until DROP NOT NULL, SET (fillfactor = 50);
UPDATE automarket.queue SET leased_until = NULL WHERE NOT leased;
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
        (id, run_at, max_attempts, priority, ready, tenant, kind, created_at, payload)
    SELECT g.id, coalesce(g.run_at, at), g.max_attempts, g.priority,
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
            (id, place, run_at, max_attempts, priority, ready, tenant, kind, unique_key, created_at, payload)
        SELECT g.id, g.place, coalesce(g.run_at, at), g.max_attempts, g.priority,
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
                WHERE q.id = only_job AND q.run_at <= at AND (NOT q.leased OR q.leased_until <= at)
                    AND q.kind = ANY (kinds) FOR UPDATE SKIP LOCKED);
            room := 1;
        ELSE
            IF picked IS NULL OR cardinality(picked) = 0 THEN
                SELECT max(best.priority) INTO lane FROM unnest(kinds) w (kind), LATERAL (
                    SELECT q.priority FROM automarket.queue q
                    WHERE q.ready AND q.kind = w.kind AND q.priority < lane AND (NOT q.leased OR q.leased_until <= at)
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
                            AND (NOT q.leased OR q.leased_until <= at)
                        ORDER BY q.tenant LIMIT 1) next)
                    FROM after a WHERE a.tenant IS NOT NULL
                ), before (tenant) AS (
                    SELECT '' COLLATE "C"
                    UNION ALL
                    SELECT (SELECT min(next.tenant) FROM unnest(kinds) w (kind), LATERAL (
                        SELECT q.tenant FROM automarket.queue q
                        WHERE q.ready AND q.kind = w.kind AND q.priority = lane AND q.tenant > b.tenant
                            AND q.tenant <= last_turn AND (NOT q.leased OR q.leased_until <= at)
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
                            AND (NOT q.leased OR q.leased_until <= at) AND q.id <> ALL (shown)
                        ORDER BY q.run_at, q.place LIMIT share FOR UPDATE SKIP LOCKED) first
                    ORDER BY first.run_at, first.place LIMIT share) turn
                LIMIT room);
        END IF;
        RETURN QUERY SELECT q.id, q.place, q.tenant::text, q.kind::text, NULL::text, q.priority, q.max_attempts,
                q.unique_key::text, at, q.run_at, q.fence, q.attempts, q.crashes, q.leased_until, NULL::text, true
            FROM automarket.queue q WHERE q.id = ANY (picked) AND q.leased;
        IF FOUND THEN
            shown := shown || ARRAY(SELECT q.id FROM automarket.queue q WHERE q.id = ANY (picked) AND q.leased);
        END IF;
        RETURN QUERY
            UPDATE automarket.queue q SET ready = true, leased = true, fence = q.fence + 1,
                attempts = q.attempts + 1, leased_until = at + lease_micros * interval '1 microsecond'
            WHERE q.id = ANY (picked) AND NOT q.leased
            RETURNING q.id, q.place, q.tenant::text, q.kind::text, q.payload::text, q.priority, q.max_attempts,
                q.unique_key::text, q.created_at, q.run_at, q.fence, q.attempts, q.crashes, q.leased_until,
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
    SET leased_until = automarket.clock() + lease_micros * interval '1 microsecond'
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
        WHERE q.ready AND q.kind = w.kind AND (NOT q.leased OR q.leased_until <= at)
        ORDER BY q.priority, q.tenant, q.run_at LIMIT 1) free;
    IF found IS NULL THEN -- All that stand in the line are leased.
        SELECT min(next.at) INTO found FROM unnest(kinds) w (kind), LATERAL (
            (SELECT min(q.leased_until) AS at FROM automarket.queue q WHERE q.ready AND q.kind = w.kind)
            UNION ALL
            (SELECT q.run_at FROM automarket.queue q WHERE NOT q.ready AND q.kind = w.kind
                ORDER BY q.run_at LIMIT 1)) next;
    END IF;
    RETURN found;
END $$ SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off;
