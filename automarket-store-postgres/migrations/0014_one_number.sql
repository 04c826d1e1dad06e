-- A row of the queue is narrower, and where it stands is one number. Instructions of the server for each job of a batch,
-- before and after, in a bare INSERT from UNNEST 26.6 k: 37.6 k and 34.3 k, in a batch of jobs that are alike 32.2 k.

-- A kind's number: 24 bits of a hash, over 39 that are left for its lines.
CREATE OR REPLACE FUNCTION automarket.kind_number(kind text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT hashtextextended(kind COLLATE "C", 0) & 9223371487098961920
$$;

-- The line of a job: over its kind's number 16 bits of its priority and 23 of its tenant's hash. All of a kind that wait
-- for their time stand in one line below zero, so that their time alone is their order. (# turns round the bits that
-- are set on its other side.)
DROP FUNCTION automarket.lane(text, smallint, boolean), automarket.line(text, boolean);
CREATE FUNCTION automarket.line(kind text, priority smallint, tenant text, ready boolean) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT automarket.kind_number(kind) # CASE
        WHEN ready THEN ((priority + 32768)::bigint << 23) + (hashtextextended(tenant COLLATE "C", 0) & 8388607)
        ELSE -1
    END
$$;

-- The queue, made anew. What a job gets with its first lease is null until then: leased_until (null again when it is
-- given back), fence, attempts and in_trust; crashes, until the first crash.
-- They make the row wider then, by 21 bytes: at 45 a page has room for all of its rows once more, if they have 126 bytes or more.
DROP VIEW automarket.jobs;
ALTER TABLE automarket.queue RENAME TO queue_before;
CREATE TABLE automarket.queue (
    id           uuid NOT NULL,
    place        bigint NOT NULL,
    line         bigint NOT NULL,
    run_at       timestamptz NOT NULL,
    created_at   timestamptz NOT NULL,
    max_attempts bigint NOT NULL,
    leased_until timestamptz,
    fence        bigint,
    attempts     integer,
    crashes      integer,
    priority     smallint NOT NULL,
    in_trust     boolean,
    kind         text COLLATE "C" NOT NULL,
    tenant       text COLLATE "C" NOT NULL,
    unique_key   text COLLATE "C",
    payload      json NOT NULL
) WITH (fillfactor = 45, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_cost_delay = 0);
INSERT INTO automarket.queue
    (id, place, line, run_at, created_at, max_attempts, leased_until, fence, attempts, crashes, priority, in_trust, kind,
    tenant, unique_key, payload)
SELECT id, place, automarket.line(kind, priority, tenant, ready), run_at, created_at, max_attempts,
    CASE WHEN leased THEN due_at END, fence, attempts, crashes, priority, in_trust, kind, tenant, unique_key, payload
FROM automarket.queue_before;
DROP TABLE automarket.queue_before;
ALTER TABLE automarket.queue ADD CONSTRAINT queue_pkey PRIMARY KEY (id);
CREATE UNIQUE INDEX queue_key ON automarket.queue (tenant, kind, unique_key) WHERE unique_key IS NOT NULL;
-- All that claims walk. One whole index instead of one for each sort: of what an index knows of some rows alone,
-- something is prepared for each statement (8 k).
CREATE INDEX queue_line ON automarket.queue (line, run_at, place) WITH (deduplicate_items = off);
CREATE INDEX queue_timers ON automarket.queue (kind, priority, tenant, run_at) WHERE line < 0;

CREATE VIEW automarket.jobs AS
    SELECT id, place, tenant, kind, payload, priority, max_attempts, unique_key, created_at, run_at,
        coalesce(fence, 0) AS fence, coalesce(attempts, 0) AS attempts, coalesce(crashes, 0) AS crashes,
        leased_until IS NOT NULL AS leased, NULL::text AS state, NULL::json AS result, NULL::timestamptz AS finished_at
    FROM automarket.queue
    UNION ALL
    SELECT id, place, tenant, kind, payload, priority, max_attempts, unique_key, created_at, run_at, fence,
        attempts, crashes, NULL::boolean, state, result, finished_at
    FROM automarket.ended;

-- Puts new jobs without unique keys in, in the order of the arrays. unique_violation: an id is known already; put_jobs
-- says what that means. The ended ones are looked through last: a job that was in the queue when the insert began, and
-- ended while it waited, is seen there. As a rule nothing that has ended has an id from lowest to highest, the ends of
-- these ids: then none of them is looked for. (unnest stands in the select list, since in FROM each array would be
-- written to a store of its own first.)
CREATE OR REPLACE FUNCTION automarket.put_new(
    ids uuid[], tenants text[], kinds text[], payloads text[], run_ats timestamptz[], priorities smallint[],
    max_attempts bigint[], lowest uuid, highest uuid
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz := automarket.clock();
    first bigint := nextval('automarket.places') << 20;
BEGIN
    INSERT INTO automarket.queue
        (id, place, line, run_at, created_at, max_attempts, priority, kind, tenant, payload)
    SELECT g.id, first + g.n, automarket.line(g.kind, g.priority, g.tenant, g.due <= at), g.due, at, g.max_attempts,
        g.priority, g.kind, g.tenant, g.payload::json
    FROM (SELECT g.*, coalesce(g.run_at, at) AS due
        FROM (SELECT unnest(ids) AS id, unnest(tenants) AS tenant, unnest(kinds) AS kind, unnest(payloads) AS payload,
            unnest(run_ats) AS run_at, unnest(priorities) AS priority, unnest(put_new.max_attempts) AS max_attempts,
            generate_series(1, cardinality(ids)) AS n) g) g;
    IF EXISTS (SELECT FROM automarket.ended e WHERE e.id BETWEEN lowest AND highest)
        AND EXISTS (SELECT FROM automarket.ended e WHERE e.id = ANY (ids)) THEN
        RAISE unique_violation USING MESSAGE = 'a job with this id has ended';
    END IF;
END $$ SET enable_seqscan = off SET plan_cache_mode = force_generic_plan;

-- What put_new does, for jobs that differ in their ids and payloads alone, as those of one batch do as a rule: nothing
-- else is sent, unpacked or reckoned for each. Their line.
CREATE FUNCTION automarket.put_alike(
    ids uuid[], payloads text[], owner text, kind text, run_at timestamptz, priority smallint, max_attempts bigint,
    lowest uuid, highest uuid
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz := automarket.clock();
    due timestamptz := coalesce(put_alike.run_at, at);
    first bigint := nextval('automarket.places') << 20;
    all_in bigint := automarket.line(put_alike.kind, put_alike.priority, owner, due <= at);
BEGIN
    INSERT INTO automarket.queue
        (id, place, line, run_at, created_at, max_attempts, priority, kind, tenant, payload)
    SELECT g.id, first + g.n, all_in, due, at, put_alike.max_attempts, put_alike.priority, put_alike.kind, owner,
        g.payload::json
    FROM (SELECT unnest(ids) AS id, unnest(payloads) AS payload, generate_series(1, cardinality(ids)) AS n) g;
    IF EXISTS (SELECT FROM automarket.ended e WHERE e.id BETWEEN lowest AND highest)
        AND EXISTS (SELECT FROM automarket.ended e WHERE e.id = ANY (ids)) THEN
        RAISE unique_violation USING MESSAGE = 'a job with this id has ended';
    END IF;
    RETURN all_in;
END $$ SET enable_seqscan = off SET plan_cache_mode = force_generic_plan;

-- What put_new does, for one job that is due now, whose line put_alike told: nothing is unpacked, the plan is made once
-- without being told so, and nothing is reckoned beside the insert, which would be prepared anew in each transaction.
-- What is reckoned in it is prepared too, the line for 12 k instructions.
DROP FUNCTION automarket.put_one(uuid, text, text, text, smallint, bigint);
CREATE FUNCTION automarket.put_one(
    new_id uuid, owner text, kind text, payload text, priority smallint, max_attempts bigint, line bigint
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO automarket.queue (id, place, line, run_at, created_at, max_attempts, priority, kind, tenant, payload)
    VALUES (new_id, nextval('automarket.places') << 20, put_one.line, automarket.clock(), automarket.clock(),
        put_one.max_attempts, put_one.priority, put_one.kind, owner, put_one.payload::json);
    PERFORM FROM automarket.ended e WHERE e.id = new_id;
    IF FOUND THEN
        RAISE unique_violation USING MESSAGE = 'a job with this id has ended';
    END IF;
END $$ SET enable_seqscan = off;

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

-- The numbers of all live jobs' kinds, by steps down the lines.
CREATE OR REPLACE FUNCTION automarket.live_numbers() RETURNS SETOF bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    WITH RECURSIVE live (line) AS (
        (SELECT q.line FROM automarket.queue q ORDER BY q.line DESC LIMIT 1)
        UNION ALL
        SELECT (SELECT q.line FROM automarket.queue q WHERE q.line < (l.line & -549755813888)
            ORDER BY q.line DESC LIMIT 1)
        FROM live l WHERE l.line IS NOT NULL
    )
    SELECT DISTINCT CASE WHEN l.line < 0 THEN ~l.line ELSE l.line & -549755813888 END
    FROM live l WHERE l.line IS NOT NULL;
END $$ SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
    SET plan_cache_mode = force_generic_plan;

-- Leases ready jobs. A job whose lease ran out is not leased but shown (expired): what its crash makes of it
-- is decided by the caller. turns: which tenant's turn was last, by priority; turns go down the tenants' numbers. Rows that
-- are locked stay where they are, so they are found again by their ctid.
--
-- Tenants of one number share a turn. Kinds whose numbers are the same share lines; whoever wants one of
-- them passes by the other's rows.
--
-- heads: as JSON by line, from which run_at on there was something to take at heads_at. Before
-- it stand the leased, and walking past 1,600 of them costs a claim of 100 more than all else. What came back
-- behind a head meanwhile is found when heads_at is 100 ms old, or when there is room left.
-- lends: from so many crashes on a job is leased in trust.
DROP FUNCTION automarket.claim(
    text[], uuid, integer, bigint, smallint[], bigint[], jsonb, timestamptz, integer);
CREATE FUNCTION automarket.claim(
    wanted text[], only_job uuid, room integer, lease_micros bigint, turn_tenants bigint[], turn_priorities smallint[],
    heads jsonb DEFAULT NULL, heads_at timestamptz DEFAULT NULL, lends integer DEFAULT NULL
) RETURNS TABLE (
    id uuid, place bigint, tenant text, kind text, payload text, priority smallint, max_attempts bigint,
    unique_key text, created_at timestamptz, run_at timestamptz, fence bigint, attempts integer,
    crashes integer, leased_until timestamptz, failures text, in_trust boolean, expired boolean,
    line bigint, tenant_number bigint
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    at timestamptz := automarket.clock();
    kinds text[]; -- NULL: all, whatever they are called.
    numbers bigint[];
    -- Where lines of the priority begin, counted from where those of their kinds do.
    base bigint := 549755813888;
    last_turn bigint; ring bigint[]; share integer;
    picked tid[]; any_expired boolean; shown uuid[] := '{}';
BEGIN
    IF wanted IS NOT NULL THEN
        SELECT array_agg(w.kind), array_agg(automarket.kind_number(w.kind)) INTO kinds, numbers
        FROM (SELECT DISTINCT k AS kind FROM unnest(wanted) k) w;
    ELSIF only_job IS NULL THEN
        numbers := ARRAY(SELECT automarket.live_numbers());
    END IF;
    IF heads_at < at - interval '100 ms' THEN
        heads := NULL;
    END IF;
    -- What has become due enters the line.
    IF only_job IS NOT NULL THEN
        UPDATE automarket.queue q SET line = automarket.line(q.kind, q.priority, q.tenant, true)
        WHERE q.ctid = ANY (ARRAY(
            SELECT q.ctid FROM automarket.queue q
            WHERE q.id = only_job AND q.line < 0 AND q.run_at <= at FOR UPDATE SKIP LOCKED));
    ELSE
        UPDATE automarket.queue q SET line = automarket.line(q.kind, q.priority, q.tenant, true)
        WHERE q.ctid = ANY (ARRAY(
            SELECT due.ctid FROM unnest(kinds, numbers) w (kind, number), LATERAL (
                SELECT q.ctid FROM automarket.queue q
                WHERE q.line = ~w.number AND q.run_at <= at AND (q.kind = w.kind) IS NOT FALSE
                ORDER BY q.run_at LIMIT greatest(room, 1000) FOR UPDATE SKIP LOCKED) due));
    END IF;
    WHILE room > 0 LOOP
        IF only_job IS NOT NULL THEN
            SELECT array_agg(one.ctid), bool_or(one.leased) INTO picked, any_expired FROM (
                SELECT q.ctid, q.leased_until IS NOT NULL AS leased FROM automarket.queue q
                WHERE q.id = only_job AND q.line >= 0 AND (q.leased_until <= at) IS NOT FALSE
                    AND (wanted IS NULL OR q.kind = ANY (wanted))
                FOR UPDATE SKIP LOCKED) one;
            room := 1;
        ELSE
            IF picked IS NULL THEN
                SELECT max(best.line - w.number) & -8388608 INTO base FROM unnest(numbers) w (number), LATERAL (
                    SELECT q.line FROM automarket.queue q
                    WHERE q.line BETWEEN w.number AND w.number + (base - 1) AND (q.leased_until <= at) IS NOT FALSE
                    ORDER BY q.line DESC LIMIT 1) best;
                IF base IS NULL THEN
                    EXIT WHEN heads IS NULL;
                    -- There is room left: once more, without them.
                    heads := NULL;
                    base := 549755813888;
                    CONTINUE;
                END IF;
                last_turn := turn_tenants[array_position(turn_priorities, ((base >> 23) - 32768)::smallint)];
            END IF;
            -- The tenants with jobs here, from the one after the last that had its turn and once round.
            ring := ARRAY(
                WITH RECURSIVE after (tenant) AS (
                    SELECT last_turn
                    UNION ALL
                    SELECT (SELECT max(next.line - w.number) - base
                        FROM unnest(kinds, numbers) w (kind, number), LATERAL (
                            SELECT q.line FROM automarket.queue q
                            WHERE q.line BETWEEN w.number + base AND w.number + base + (a.tenant - 1)
                                AND (q.leased_until <= at) IS NOT FALSE AND (q.kind = w.kind) IS NOT FALSE
                            ORDER BY q.line DESC LIMIT 1) next)
                    FROM after a WHERE a.tenant IS NOT NULL
                ), before (tenant) AS (
                    SELECT 8388608::bigint
                    UNION ALL
                    SELECT (SELECT max(next.line - w.number) - base
                        FROM unnest(kinds, numbers) w (kind, number), LATERAL (
                            SELECT q.line FROM automarket.queue q
                            WHERE q.line BETWEEN w.number + base + coalesce(last_turn, 0)
                                    AND w.number + base + (b.tenant - 1)
                                AND (q.leased_until <= at) IS NOT FALSE AND (q.kind = w.kind) IS NOT FALSE
                            ORDER BY q.line DESC LIMIT 1) next)
                    FROM before b WHERE b.tenant IS NOT NULL
                )
                SELECT r.tenant FROM (
                    SELECT a.tenant FROM (SELECT a.tenant FROM after a OFFSET 1) a WHERE a.tenant IS NOT NULL
                    UNION ALL
                    SELECT b.tenant FROM (SELECT b.tenant FROM before b OFFSET 1) b WHERE b.tenant IS NOT NULL
                ) r LIMIT room);
            share := ceil(room / greatest(cardinality(ring), 1)::numeric);
            -- LIMIT keeps the planner from turning the walk round.
            SELECT array_agg(turn.ctid), bool_or(turn.leased) INTO picked, any_expired FROM (
                SELECT turn.ctid, turn.leased FROM unnest(ring) t (tenant), LATERAL (
                    SELECT first.ctid, first.leased FROM unnest(kinds, numbers) w (kind, number), LATERAL (
                        SELECT q.ctid, q.leased_until IS NOT NULL AS leased, q.run_at, q.place
                        FROM automarket.queue q
                        WHERE q.line = w.number + base + t.tenant
                            AND q.run_at >= coalesce(
                                (heads ->> (w.number + base + t.tenant)::text)::timestamptz, '-infinity')
                            AND (q.leased_until <= at) IS NOT FALSE AND q.id <> ALL (shown)
                            AND (q.kind = w.kind) IS NOT FALSE
                        ORDER BY q.run_at, q.place LIMIT share FOR UPDATE SKIP LOCKED) first
                    ORDER BY first.run_at, first.place LIMIT share) turn
                LIMIT room) turn;
        END IF;
        IF any_expired THEN
            RETURN QUERY SELECT q.id, q.place, q.tenant::text, q.kind::text, NULL::text, q.priority, q.max_attempts,
                    q.unique_key::text, at, q.run_at, q.fence, q.attempts, coalesce(q.crashes, 0), q.leased_until,
                    NULL::text, q.in_trust, true, q.line, q.line & 8388607
                FROM automarket.queue q WHERE q.ctid = ANY (picked) AND q.leased_until IS NOT NULL;
            shown := shown || ARRAY(
                SELECT q.id FROM automarket.queue q WHERE q.ctid = ANY (picked) AND q.leased_until IS NOT NULL);
        END IF;
        RETURN QUERY
            UPDATE automarket.queue q SET leased_until = at + lease_micros * interval '1 microsecond',
                fence = coalesce(q.fence, 0) + 1, attempts = coalesce(q.attempts, 0) + 1,
                in_trust = coalesce(coalesce(q.crashes, 0) >= lends, false)
            WHERE q.ctid = ANY (picked) AND q.leased_until IS NULL
            RETURNING q.id, q.place, q.tenant::text, q.kind::text, q.payload::text, q.priority, q.max_attempts,
                q.unique_key::text, q.created_at, q.run_at, q.fence, q.attempts, coalesce(q.crashes, 0),
                q.leased_until, CASE WHEN q.fence > 1 THEN automarket.failures_of(q.id) END, q.in_trust, false, q.line,
                q.line & 8388607;
        EXIT WHEN only_job IS NOT NULL;
        room := room - coalesce(cardinality(picked), 0);
    END LOOP;
END $$ SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
    SET plan_cache_mode = force_generic_plan;

-- Lets in some of each line, about most in all, if more of some kind is due than a claim lets in; how many.
CREATE OR REPLACE FUNCTION automarket.admit(most integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz := automarket.clock();
    kinds text[]; priorities smallint[]; tenants text[]; share integer; admitted bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM automarket.live_numbers() live (number), LATERAL (
            SELECT FROM automarket.queue q WHERE q.line = ~live.number AND q.run_at <= at
            ORDER BY q.run_at OFFSET 1000 LIMIT 1) more) THEN
        RETURN 0;
    END IF;
    WITH RECURSIVE line (kind, priority, tenant, run_at) AS (
        (SELECT q.kind, q.priority, q.tenant, q.run_at FROM automarket.queue q WHERE q.line < 0
            ORDER BY q.kind, q.priority, q.tenant, q.run_at LIMIT 1)
        UNION ALL
        SELECT next.* FROM line l, LATERAL (
            SELECT q.kind, q.priority, q.tenant, q.run_at FROM automarket.queue q
            WHERE q.line < 0 AND (q.kind, q.priority, q.tenant) > (l.kind, l.priority, l.tenant)
            ORDER BY q.kind, q.priority, q.tenant, q.run_at LIMIT 1) next
    )
    SELECT array_agg(l.kind), array_agg(l.priority), array_agg(l.tenant) INTO kinds, priorities, tenants
    FROM line l WHERE l.run_at <= at;
    share := ceil(most / cardinality(kinds)::numeric);
    UPDATE automarket.queue q SET line = automarket.line(q.kind, q.priority, q.tenant, true)
    WHERE q.ctid = ANY (ARRAY(
        SELECT due.ctid FROM unnest(kinds, priorities, tenants) l (kind, priority, tenant), LATERAL (
            SELECT q.ctid FROM automarket.queue q
            WHERE q.line < 0 AND q.kind = l.kind AND q.priority = l.priority AND q.tenant = l.tenant
                AND q.run_at <= at
            ORDER BY q.run_at LIMIT share FOR UPDATE SKIP LOCKED) due));
    GET DIAGNOSTICS admitted = ROW_COUNT;
    RETURN admitted;
END $$ SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
    SET plan_cache_mode = force_generic_plan;

-- When the earliest live job of these kinds is or becomes ready.
CREATE OR REPLACE FUNCTION automarket.next_ready(wanted text[]) RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
DECLARE
    at timestamptz := automarket.clock();
    numbers bigint[] := ARRAY(SELECT automarket.kind_number(k) FROM unnest(wanted) k);
    found timestamptz;
BEGIN
    IF wanted IS NULL THEN
        numbers := ARRAY(SELECT automarket.live_numbers());
    END IF;
    SELECT min(free.run_at) INTO found FROM unnest(wanted, numbers) w (kind, number), LATERAL (
        SELECT q.run_at FROM automarket.queue q
        WHERE q.line BETWEEN w.number AND w.number + 549755813887 AND (q.leased_until <= at) IS NOT FALSE
            AND (q.kind = w.kind) IS NOT FALSE
        ORDER BY q.line, q.run_at LIMIT 1) free;
    IF found IS NULL THEN -- All that stand in the line are leased.
        SELECT min(next.at) INTO found FROM unnest(wanted, numbers) w (kind, number), LATERAL (
            (SELECT min(q.leased_until) AS at FROM automarket.queue q
                WHERE q.line BETWEEN w.number AND w.number + 549755813887 AND (q.kind = w.kind) IS NOT FALSE)
            UNION ALL
            (SELECT q.run_at FROM automarket.queue q
                WHERE q.line = ~w.number AND (q.kind = w.kind) IS NOT FALSE
                ORDER BY q.run_at LIMIT 1)) next;
    END IF;
    RETURN found;
END $$ SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off;

-- Completes the jobs whose leases hold; their ids.
CREATE OR REPLACE FUNCTION automarket.complete(ids uuid[], fences bigint[], results text[]) RETURNS SETOF uuid
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    WITH done AS (
        DELETE FROM automarket.queue q USING unnest(ids, fences, results) AS t (id, fence, result)
        WHERE q.id = ANY (ids) AND q.id = t.id AND q.fence = t.fence AND q.leased_until IS NOT NULL
        RETURNING q.*, t.result
    )
    INSERT INTO automarket.ended
        (id, place, run_at, finished_at, fence, attempts, crashes, tenant, state, result, kind, priority,
        max_attempts, unique_key, created_at, payload)
    SELECT d.id, d.place, d.run_at, automarket.clock(), d.fence, d.attempts, coalesce(d.crashes, 0), d.tenant,
        'completed', d.result::json, d.kind, d.priority, d.max_attempts, d.unique_key, d.created_at, d.payload
    FROM done d RETURNING ended.id;
END $$ SET enable_seqscan = off SET enable_nestloop = off SET enable_bitmapscan = off SET jit = off
    SET plan_cache_mode = force_generic_plan;

-- Prolongs the leases that hold; their jobs and fences.
CREATE OR REPLACE FUNCTION automarket.prolong(ids uuid[], fences bigint[], lease_micros bigint)
RETURNS TABLE (job uuid, held bigint) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    UPDATE automarket.queue q
    SET leased_until = automarket.clock() + lease_micros * interval '1 microsecond'
    FROM unnest(ids, fences) AS t (id, fence)
    WHERE q.id = ANY (ids) AND q.id = t.id AND q.fence = t.fence AND q.leased_until IS NOT NULL
    RETURNING q.id, q.fence;
END $$ SET enable_seqscan = off SET enable_nestloop = off SET enable_bitmapscan = off SET jit = off;
