-- The hot statements walk the line as rarely as they can. Rows leave it at its head, and what they were in its
-- index stays there until a vacuum: whoever walks forward from the head passes by all of it, so only the last step
-- of a claim does. Which kinds, priorities and tenants there are is read from the newest entry of each back.

-- The kinds of all live jobs, by steps through the indexes.
CREATE OR REPLACE FUNCTION automarket.live_kinds() RETURNS SETOF text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    WITH RECURSIVE line (kind) AS (
        (SELECT q.kind FROM automarket.queue q WHERE q.ready ORDER BY q.kind DESC LIMIT 1)
        UNION ALL
        SELECT (SELECT q.kind FROM automarket.queue q WHERE q.ready AND q.kind < l.kind ORDER BY q.kind DESC LIMIT 1)
        FROM line l WHERE l.kind IS NOT NULL
    ), timer (kind) AS (
        (SELECT q.kind FROM automarket.queue q WHERE NOT q.ready ORDER BY q.kind DESC LIMIT 1)
        UNION ALL
        SELECT (SELECT q.kind FROM automarket.queue q WHERE NOT q.ready AND q.kind < t.kind ORDER BY q.kind DESC LIMIT 1)
        FROM timer t WHERE t.kind IS NOT NULL
    )
    SELECT l.kind::text FROM line l WHERE l.kind IS NOT NULL
    UNION
    SELECT t.kind::text FROM timer t WHERE t.kind IS NOT NULL;
END $$ SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
    SET plan_cache_mode = force_generic_plan;

-- Leases ready jobs. A job whose lease ran out is not leased but shown (expired): what its crash makes of it
-- is decided by the caller. turns: whose turn was last, by priority; turns go down the tenants' names. Rows that
-- are locked stay where they are, so they are found again by their ctid.
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
    lane integer := 32768; last_turn text; ring text[]; share integer;
    picked tid[]; any_expired boolean; shown uuid[] := '{}';
BEGIN
    IF wanted IS NULL THEN
        kinds := ARRAY(SELECT automarket.live_kinds());
    END IF;
    -- What has become due enters the line.
    IF only_job IS NULL THEN
        UPDATE automarket.queue q SET ready = true WHERE q.ctid = ANY (ARRAY(
            SELECT due.ctid FROM unnest(kinds) w (kind), LATERAL (
                SELECT q.ctid FROM automarket.queue q
                WHERE NOT q.ready AND q.kind = w.kind AND q.run_at <= at
                ORDER BY q.run_at LIMIT greatest(room, 1000) FOR UPDATE SKIP LOCKED) due));
    END IF;
    WHILE room > 0 LOOP
        IF only_job IS NOT NULL THEN
            SELECT array_agg(one.ctid), bool_or(one.leased) INTO picked, any_expired FROM (
                SELECT q.ctid, q.leased FROM automarket.queue q
                WHERE q.id = only_job AND q.due_at <= at AND q.kind = ANY (kinds) FOR UPDATE SKIP LOCKED) one;
            room := 1;
        ELSE
            IF picked IS NULL THEN
                SELECT max(best.priority) INTO lane FROM unnest(kinds) w (kind), LATERAL (
                    SELECT q.priority FROM automarket.queue q
                    WHERE q.ready AND q.kind = w.kind AND q.priority < lane AND q.due_at <= at
                    ORDER BY q.priority DESC LIMIT 1) best;
                EXIT WHEN lane IS NULL;
                last_turn := turn_tenants[array_position(turn_priorities, lane::smallint)];
            END IF;
            -- The tenants with jobs here, from the one after the last that had its turn and once round.
            ring := ARRAY(
                WITH RECURSIVE after (tenant) AS (
                    SELECT last_turn COLLATE "C"
                    UNION ALL
                    SELECT (SELECT max(next.tenant) FROM unnest(kinds) w (kind), LATERAL (
                        SELECT q.tenant FROM automarket.queue q
                        WHERE q.ready AND q.kind = w.kind AND q.priority = lane AND q.tenant < a.tenant
                            AND q.due_at <= at
                        ORDER BY q.tenant DESC LIMIT 1) next)
                    FROM after a WHERE a.tenant IS NOT NULL
                ), top (tenant) AS (
                    SELECT max(first.tenant) FROM unnest(kinds) w (kind), LATERAL (
                        SELECT q.tenant FROM automarket.queue q
                        WHERE q.ready AND q.kind = w.kind AND q.priority = lane AND q.due_at <= at
                        ORDER BY q.tenant DESC LIMIT 1) first
                ), before (tenant) AS (
                    SELECT t.tenant FROM top t WHERE last_turn IS NULL OR t.tenant >= last_turn COLLATE "C"
                    UNION ALL
                    SELECT (SELECT max(next.tenant) FROM unnest(kinds) w (kind), LATERAL (
                        SELECT q.tenant FROM automarket.queue q
                        WHERE q.ready AND q.kind = w.kind AND q.priority = lane AND q.tenant < b.tenant
                            AND (last_turn IS NULL OR q.tenant >= last_turn COLLATE "C") AND q.due_at <= at
                        ORDER BY q.tenant DESC LIMIT 1) next)
                    FROM before b WHERE b.tenant IS NOT NULL
                )
                SELECT r.tenant FROM (
                    SELECT a.tenant FROM (SELECT a.tenant FROM after a OFFSET 1) a WHERE a.tenant IS NOT NULL
                    UNION ALL
                    SELECT b.tenant FROM before b WHERE b.tenant IS NOT NULL
                ) r LIMIT room);
            share := ceil(room / greatest(cardinality(ring), 1)::numeric);
            -- LIMIT keeps the planner from turning the walk round.
            SELECT array_agg(turn.ctid), bool_or(turn.leased) INTO picked, any_expired FROM (
                SELECT turn.ctid, turn.leased FROM unnest(ring) t (tenant), LATERAL (
                    SELECT first.ctid, first.leased FROM unnest(kinds) w (kind), LATERAL (
                        SELECT q.ctid, q.leased, q.run_at, q.place FROM automarket.queue q
                        WHERE q.ready AND q.kind = w.kind AND q.priority = lane AND q.tenant = t.tenant
                            AND q.due_at <= at AND q.id <> ALL (shown)
                        ORDER BY q.run_at, q.place LIMIT share FOR UPDATE SKIP LOCKED) first
                    ORDER BY first.run_at, first.place LIMIT share) turn
                LIMIT room) turn;
        END IF;
        IF any_expired THEN
            RETURN QUERY SELECT q.id, q.place, q.tenant::text, q.kind::text, NULL::text, q.priority, q.max_attempts,
                    q.unique_key::text, at, q.run_at, q.fence, q.attempts, q.crashes, q.due_at, NULL::text, true
                FROM automarket.queue q WHERE q.ctid = ANY (picked) AND q.leased;
            shown := shown || ARRAY(SELECT q.id FROM automarket.queue q WHERE q.ctid = ANY (picked) AND q.leased);
        END IF;
        RETURN QUERY
            UPDATE automarket.queue q SET leased = true, fence = q.fence + 1,
                attempts = q.attempts + 1, due_at = at + lease_micros * interval '1 microsecond', ready = true
            WHERE q.ctid = ANY (picked) AND NOT q.leased
            RETURNING q.id, q.place, q.tenant::text, q.kind::text, q.payload::text, q.priority, q.max_attempts,
                q.unique_key::text, q.created_at, q.run_at, q.fence, q.attempts, q.crashes, q.due_at,
                CASE WHEN q.fence > 1 THEN automarket.failures_of(q.id) END, false;
        EXIT WHEN only_job IS NOT NULL;
        room := room - coalesce(cardinality(picked), 0);
    END LOOP;
END $$ SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
    SET plan_cache_mode = force_generic_plan;

-- Their plans need not be made anew for each call either.
ALTER FUNCTION automarket.complete(uuid[], bigint[], text[]) SET plan_cache_mode = force_generic_plan;
ALTER FUNCTION automarket.put_new(uuid[], text[], text[], text[], timestamptz[], smallint[], bigint[])
    SET plan_cache_mode = force_generic_plan;

-- Each index here is written once for each job that ends. Dead jobs are looked for by tenant; those that ended
-- well only by id, key and time. (What was put in lately and has ended, ended lately.)
DROP INDEX automarket.ended_of_tenant;
DROP INDEX automarket.ended_put;
DROP INDEX automarket.ended_dead;
CREATE INDEX ended_dead ON automarket.ended (tenant, place) WHERE state = 'dead';

-- Writes a change of publications (as JSON: post, publications, jobs, attempts with their latency, events), each
-- publication over the revision before its own. One call, so that the lock on the tenant's events is held for
-- one commit and no round trip. AM002: the post (DETAIL) is not there, or a publication is not as it was.
CREATE FUNCTION automarket.change(owner text, change json) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    p json;
BEGIN
    IF json_typeof(change -> 'post') = 'object' THEN
        UPDATE automarket.posts SET body = change -> 'post'
        WHERE tenant = owner AND id = (change #>> '{post,id}')::uuid;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'no such post' USING ERRCODE = 'AM002', DETAIL = 'post';
        END IF;
    END IF;
    -- In the order of the ids, so that calls do not block each other for good.
    FOR p IN SELECT x FROM json_array_elements(change -> 'publications') x ORDER BY (x ->> 'id')::uuid LOOP
        UPDATE automarket.publications SET state = p ->> 'state', revision = revision + 1, body = p,
            live = p ->> 'state' NOT IN ('published', 'rejected', 'unknown', 'missed', 'cancelled', 'deleted'),
            account = (p #>> '{target,account}')::uuid,
            route = coalesce(p #>> '{via,account}', p #>> '{target,account}')::uuid,
            due = (p ->> 'due')::timestamptz, slot = (p ->> 'slot')::timestamptz
        WHERE tenant = owner AND id = (p ->> 'id')::uuid AND revision = (p ->> 'revision')::bigint - 1;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'a publication has changed' USING ERRCODE = 'AM002';
        END IF;
    END LOOP;
    PERFORM automarket.put_jobs(change -> 'jobs');
    INSERT INTO automarket.attempts (tenant, publication, platform, operation, outcome, latency, ended_at, body)
    SELECT owner, (a #>> '{1,publication}')::uuid, a #>> '{1,route,platform}', a #>> '{1,operation}',
        a #>> '{1,outcome}', (a ->> 0)::integer, (a #>> '{1,ended}')::timestamptz, a -> 1
    FROM json_array_elements(change -> 'attempts') a;
    PERFORM automarket.tell(array_agg(automarket.new_id()), array_agg(e ->> 'tenant'), array_agg(e ->> 'kind'),
        array_agg(e ->> 'subject'), array_agg((e -> 'data')::text))
    FROM json_array_elements(change -> 'events') e HAVING count(*) > 0;
END $$;
