-- The same promises for less work. Counted in instructions of the server, per job: a put in a batch 50 k before
-- this and 37 k after (a bare INSERT from UNNEST 22 k); what else is gained is said where it is.

-- An index of blocks is written for each row too. What was put in lately is counted for people, who may wait for it.
DROP INDEX automarket.queue_put;
-- Each of its entries is another, by its place: nothing can be folded together.
ALTER INDEX automarket.queue_line SET (deduplicate_items = off);

-- A place is the number of the call that put the job in, and in its lowest 20 bits which of that call's it was.
ALTER TABLE automarket.queue ALTER COLUMN place DROP DEFAULT;

-- Puts new jobs without unique keys in, in the order of the arrays. unique_violation: an id is known already;
-- put_jobs says what that means. The ended ones are looked through last: a job that was in the queue when the
-- insert began, and ended while it waited, is seen there. (unnest stands in the select list, since in FROM each
-- array would be written to a store of its own first.)
CREATE OR REPLACE FUNCTION automarket.put_new(
    ids uuid[], tenants text[], kinds text[], payloads text[], run_ats timestamptz[], priorities smallint[],
    max_attempts bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz := automarket.clock();
    first bigint := nextval('automarket.places') << 20;
BEGIN
    INSERT INTO automarket.queue
        (id, place, run_at, due_at, max_attempts, priority, ready, tenant, kind, created_at, payload)
    SELECT g.id, first + g.n, coalesce(g.run_at, at), coalesce(g.run_at, at), g.max_attempts, g.priority,
        coalesce(g.run_at, at) <= at, g.tenant, g.kind, at, g.payload::json
    FROM (SELECT unnest(ids) AS id, unnest(tenants) AS tenant, unnest(kinds) AS kind, unnest(payloads) AS payload,
        unnest(run_ats) AS run_at, unnest(priorities) AS priority, unnest(put_new.max_attempts) AS max_attempts,
        generate_series(1, cardinality(ids)) AS n) g;
    IF EXISTS (SELECT FROM automarket.ended e WHERE e.id = ANY (ids)) THEN
        RAISE unique_violation USING MESSAGE = 'a job with this id has ended';
    END IF;
END $$ SET enable_seqscan = off SET plan_cache_mode = force_generic_plan;

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
    live bigint[]; lost record; owner text; holder uuid;
BEGIN
    -- Keys in one order, so that two batches with the same keys do not wait for each other.
    WITH put AS (
        INSERT INTO automarket.queue
            (id, place, run_at, due_at, max_attempts, priority, ready, tenant, kind, unique_key, created_at, payload)
        SELECT g.id, first + g.n, coalesce(g.run_at, at), coalesce(g.run_at, at), g.max_attempts, g.priority,
            coalesce(g.run_at, at) <= at, g.tenant, g.kind, g.unique_key, at, g.payload::json
        FROM (SELECT unnest(ids) AS id, unnest(tenants) AS tenant, unnest(kinds) AS kind,
            unnest(payloads) AS payload, unnest(run_ats) AS run_at, unnest(priorities) AS priority,
            unnest(put_jobs.max_attempts) AS max_attempts, unnest(keys) AS unique_key,
            generate_series(1, cardinality(ids)) AS n) g
        ORDER BY g.tenant COLLATE "C", g.kind COLLATE "C", g.unique_key COLLATE "C", g.n
        ON CONFLICT DO NOTHING RETURNING place
    ) SELECT array_agg(p.place) INTO live FROM put p;
    -- An id that was ever there stays taken, so a late repeat cannot revive a job.
    IF EXISTS (SELECT FROM automarket.ended e WHERE e.id = ANY (ids)) THEN
        WITH known AS (
            DELETE FROM automarket.queue q USING automarket.ended e
            WHERE e.id = ANY (ids) AND q.id = e.id AND q.id = ANY (ids) AND q.place = ANY (live) RETURNING q.place
        ) SELECT array_agg(l) INTO live FROM unnest(live) l WHERE l NOT IN (SELECT k.place FROM known k);
    END IF;
    RETURN QUERY SELECT g.n::bigint, g.id, true
        FROM (SELECT unnest(ids) AS id, generate_series(1, cardinality(ids)) AS n) g
        WHERE first + g.n = ANY (live);
    IF cardinality(live) = cardinality(ids) THEN RETURN; END IF;

    FOR lost IN SELECT g.* FROM unnest(ids, tenants, kinds, keys)
            WITH ORDINALITY AS g (id, tenant, kind, unique_key, n)
        WHERE NOT coalesce(first + g.n = ANY (live), false) ORDER BY g.n
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

-- Whether a leased job is only lent, to be given back: no crash is counted when its lease runs out.
ALTER TABLE automarket.queue ADD COLUMN in_trust boolean NOT NULL DEFAULT false;

-- Leases ready jobs. A job whose lease ran out is not leased but shown (expired): what its crash makes of it
-- is decided by the caller. turns: whose turn was last, by priority; turns go down the tenants' names. Rows that
-- are locked stay where they are, so they are found again by their ctid.
--
-- heads: as JSON by kind, priority and tenant, from which run_at on there was something to take at heads_at. Before
-- it stand the leased, and walking past 1,600 of them costs a claim of 100 more than all else. What came back
-- behind a head meanwhile is found when heads_at is 100 ms old, or when there is room left.
-- lends: from so many crashes on a job is leased in trust.
DROP FUNCTION automarket.claim(text[], uuid, integer, bigint, smallint[], text[]);
CREATE FUNCTION automarket.claim(
    wanted text[], only_job uuid, room integer, lease_micros bigint, turn_priorities smallint[], turn_tenants text[],
    heads jsonb DEFAULT NULL, heads_at timestamptz DEFAULT NULL, lends integer DEFAULT NULL
) RETURNS TABLE (
    id uuid, place bigint, tenant text, kind text, payload text, priority smallint, max_attempts bigint,
    unique_key text, created_at timestamptz, run_at timestamptz, fence bigint, attempts integer,
    crashes integer, due_at timestamptz, failures text, in_trust boolean, expired boolean
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
    IF heads_at < at - interval '100 ms' THEN
        heads := NULL;
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
                IF lane IS NULL THEN
                    EXIT WHEN heads IS NULL;
                    -- There is room left: once more, without them.
                    heads := NULL;
                    lane := 32768;
                    CONTINUE;
                END IF;
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
                            AND q.run_at >= coalesce(
                                (heads -> w.kind -> lane::text ->> t.tenant)::timestamptz, '-infinity')
                            AND q.due_at <= at AND q.id <> ALL (shown)
                        ORDER BY q.run_at, q.place LIMIT share FOR UPDATE SKIP LOCKED) first
                    ORDER BY first.run_at, first.place LIMIT share) turn
                LIMIT room) turn;
        END IF;
        IF any_expired THEN
            RETURN QUERY SELECT q.id, q.place, q.tenant::text, q.kind::text, NULL::text, q.priority, q.max_attempts,
                    q.unique_key::text, at, q.run_at, q.fence, q.attempts, q.crashes, q.due_at, NULL::text,
                    q.in_trust, true
                FROM automarket.queue q WHERE q.ctid = ANY (picked) AND q.leased;
            shown := shown || ARRAY(SELECT q.id FROM automarket.queue q WHERE q.ctid = ANY (picked) AND q.leased);
        END IF;
        RETURN QUERY
            UPDATE automarket.queue q SET leased = true, fence = q.fence + 1,
                attempts = q.attempts + 1, due_at = at + lease_micros * interval '1 microsecond', ready = true,
                in_trust = coalesce(q.crashes >= lends, false)
            WHERE q.ctid = ANY (picked) AND NOT q.leased
            RETURNING q.id, q.place, q.tenant::text, q.kind::text, q.payload::text, q.priority, q.max_attempts,
                q.unique_key::text, q.created_at, q.run_at, q.fence, q.attempts, q.crashes, q.due_at,
                CASE WHEN q.fence > 1 THEN automarket.failures_of(q.id) END, q.in_trust, false;
        EXIT WHEN only_job IS NOT NULL;
        room := room - coalesce(cardinality(picked), 0);
    END LOOP;
END $$ SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
    SET plan_cache_mode = force_generic_plan;

-- The same as the other put_jobs from a list of the library's NewJob as JSON.
CREATE OR REPLACE FUNCTION automarket.put_jobs(jobs json) RETURNS TABLE (n bigint, job uuid, is_new boolean)
LANGUAGE plpgsql AS $$
BEGIN
    IF json_array_length(jobs) = 0 THEN RETURN; END IF;
    PERFORM automarket.check_tenant(j.tenant) FROM json_to_recordset(jobs) AS j (tenant text);
    RETURN QUERY SELECT put.n, put.job, put.is_new FROM (
        SELECT array_agg(j.id) AS ids, array_agg(j.tenant) AS tenants, array_agg(j.kind) AS kinds,
            array_agg(coalesce(j.payload::text, 'null')) AS payloads, array_agg(j.run_at) AS run_ats,
            array_agg(j.priority) AS priorities, array_agg(j.max_attempts) AS attempts,
            array_agg(j.unique_key) AS keys
        FROM json_to_recordset(jobs) AS j (id uuid, tenant text, kind text, payload json, run_at timestamptz,
            priority smallint, max_attempts bigint, unique_key text)) a,
        automarket.put_jobs(a.ids, a.tenants, a.kinds, a.payloads, a.run_ats, a.priorities, a.attempts, a.keys) put;
END $$;

-- Appends events. Those of one tenant become visible in the order of their numbers, so that a reader who
-- goes on from the last number it saw misses none: hence the lock, held to the end of the transaction.
CREATE OR REPLACE FUNCTION automarket.tell(
    ids uuid[], tenants text[], kinds text[], subjects text[], datas text[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF tenants[1] = ALL (tenants) THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('automarket.events ' || tenants[1], 0));
    ELSE
        PERFORM pg_advisory_xact_lock(t.lock) FROM (
            SELECT DISTINCT hashtextextended('automarket.events ' || t, 0) AS lock FROM unnest(tenants) t
            ORDER BY 1) t;
    END IF;
    INSERT INTO automarket.events (id, tenant, kind, subject, data, at)
    SELECT t.id, t.tenant, t.kind, t.subject, t.data::json, automarket.clock()
    FROM (SELECT unnest(ids) AS id, unnest(tenants) AS tenant, unnest(kinds) AS kind,
        unnest(subjects) AS subject, unnest(datas) AS data) t;
END $$;

-- Writes all that one call of publish writes (the library's NewPublishing, as JSON): for the library, and for a
-- host inside its own transaction. Whether any of it was new: what is there already stays as it is, and when
-- nothing is new, neither jobs nor events are written.
CREATE OR REPLACE FUNCTION automarket.publish(publishing json) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    new record; post_id uuid; written bigint; more bigint;
BEGIN
    SELECT * INTO new FROM json_to_record(publishing)
        AS n (tenant text, post json, publications json, jobs json, events json);
    post_id := (new.post ->> 'id')::uuid;
    PERFORM automarket.check_tenant(new.tenant);
    IF EXISTS (SELECT FROM json_to_recordset(new.publications) AS p (post uuid)
        WHERE p.post IS DISTINCT FROM post_id) THEN
        RAISE EXCEPTION 'the publications are of the post that is written with them'
            USING ERRCODE = 'invalid_parameter_value';
    ELSIF EXISTS (
        SELECT FROM (VALUES (new.publications), (new.jobs), (new.events)) part (list),
            json_to_recordset(part.list) AS x (tenant text)
        WHERE x.tenant IS DISTINCT FROM new.tenant) THEN
        RAISE EXCEPTION 'what is written together is of one tenant' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    INSERT INTO automarket.posts (tenant, id, body) VALUES (new.tenant, post_id, new.post)
    ON CONFLICT (tenant, id) DO NOTHING;
    GET DIAGNOSTICS written = ROW_COUNT;
    INSERT INTO automarket.publications
        (tenant, id, post, state, revision, body, live, account, route, due, slot)
    SELECT new.tenant, p.id, p.post, p.state, p.revision, p.body,
        p.state NOT IN ('published', 'rejected', 'unknown', 'missed', 'cancelled', 'deleted'),
        (p.target ->> 'account')::uuid, coalesce(p.via ->> 'account', p.target ->> 'account')::uuid, p.due, p.slot
    FROM ROWS FROM (json_array_elements(new.publications), json_to_recordset(new.publications) AS (
            id uuid, post uuid, state text, revision bigint, target json, via json, due timestamptz,
            slot timestamptz))
        AS p (body, id, post, state, revision, target, via, due, slot)
    ON CONFLICT (tenant, id) DO NOTHING;
    GET DIAGNOSTICS more = ROW_COUNT;
    IF written + more = 0 THEN
        RETURN false;
    END IF;
    PERFORM automarket.put_jobs(new.jobs);
    PERFORM automarket.tell(array_agg(automarket.new_id()), array_agg(e.tenant), array_agg(e.kind),
        array_agg(e.subject), array_agg(coalesce(e.data::text, 'null')))
    FROM json_to_recordset(new.events) AS e (tenant text, kind text, subject text, data json) HAVING count(*) > 0;
    RETURN true;
END $$;
DROP FUNCTION automarket.put_publication(json);

-- Writes a change of publications, each over the revision before its own, with a post's new body, jobs, attempts
-- (as JSON, with the steps of their latencies) and events; when that was. One call, so that the lock on the
-- tenant's events is held for one commit and no round trip. A publication comes as its JSON up to updated_at, which
-- is its last field. AM002: the post (DETAIL) is not there, or a publication is not as it was, or says another post
-- or created_at.
DROP FUNCTION automarket.change(text, json);
CREATE FUNCTION automarket.change(
    owner text, new_post text, publications text[],
    job_ids uuid[], job_tenants text[], job_kinds text[], payloads text[], run_ats timestamptz[],
    priorities smallint[], max_attempts bigint[], keys text[],
    attempts text, latencies integer[],
    event_ids uuid[], event_tenants text[], event_kinds text[], subjects text[], datas text[]
) RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz := automarket.clock();
    head text; said json; p record;
BEGIN
    -- First, so that several changes may stand in one transaction and wait for nobody who waits for them.
    IF cardinality(event_ids) > 0 THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('automarket.events ' || owner, 0));
    END IF;
    IF new_post IS NOT NULL THEN
        UPDATE automarket.posts SET body = new_post::json
        WHERE tenant = owner AND id = (new_post::json ->> 'id')::uuid;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'no such post' USING ERRCODE = 'AM002', DETAIL = 'post';
        END IF;
    END IF;
    -- In the order that the library gives, by their ids, so that calls do not block each other for good.
    FOREACH head IN ARRAY publications LOOP
        said := head || ',"updated_at":' || to_json(at) || '}';
        SELECT * INTO p FROM json_to_record(said) AS p (id uuid, post uuid, state text, revision bigint,
            target json, via json, due timestamptz, slot timestamptz, created_at timestamptz);
        UPDATE automarket.publications old SET state = p.state, revision = p.revision, body = said,
            live = p.state NOT IN ('published', 'rejected', 'unknown', 'missed', 'cancelled', 'deleted'),
            account = (p.target ->> 'account')::uuid,
            route = coalesce(p.via ->> 'account', p.target ->> 'account')::uuid, due = p.due, slot = p.slot
        WHERE old.tenant = owner AND old.id = p.id AND old.revision = p.revision - 1 AND old.post = p.post
            AND (old.body ->> 'created_at')::timestamptz = p.created_at;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'a publication has changed' USING ERRCODE = 'AM002';
        END IF;
    END LOOP;
    IF cardinality(job_ids) > 0 THEN
        PERFORM automarket.put_jobs(
            job_ids, job_tenants, job_kinds, payloads, run_ats, priorities, change.max_attempts, keys);
    END IF;
    IF cardinality(latencies) > 0 THEN
        INSERT INTO automarket.attempts
            (tenant, publication, platform, operation, outcome, latency, ended_at, body)
        SELECT owner, a.publication, a.route ->> 'platform', a.operation, a.outcome, a.latency, a.ended, a.body
        FROM ROWS FROM (json_array_elements(attempts::json), json_to_recordset(attempts::json) AS (
                publication uuid, route json, operation text, outcome text, ended timestamptz), unnest(latencies))
            AS a (body, publication, route, operation, outcome, ended, latency);
    END IF;
    IF cardinality(event_ids) > 0 THEN
        PERFORM automarket.tell(event_ids, event_tenants, event_kinds, subjects, datas);
    END IF;
    RETURN at;
END $$;
