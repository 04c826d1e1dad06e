-- Where a live job stands, as two numbers. Comparing names took most of what the line's index cost. Counted in
-- instructions of the server, before and after: a job of a batch 51.7 k and 37.6 k (a bare INSERT from UNNEST 26.6 k), a
-- lone one with its commit 183 k and 168 k (75 k), claim and completion of one of 100 tenants' jobs 337 k and 232 k, of
-- one tenant's 103 k and 104 k. (Generated columns would cost a job of a batch 6 k and a lone one 128 k more.)

-- A kind's number: 47 bits of a hash, over 16 that are left for its priorities.
CREATE FUNCTION automarket.kind_number(kind text) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT hashtextextended(kind COLLATE "C", 0) & 9223372036854710272
$$;

-- The lane of a job in line: its kind's number, and the priority in the bits that this leaves. All of a kind that wait
-- for their time stand in one lane below zero. (~ and # turn every bit round, or those that are set on the other side.)
CREATE FUNCTION automarket.lane(kind text, priority smallint, ready boolean) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT automarket.kind_number(kind) # CASE WHEN ready THEN priority + 32768 ELSE -1 END
$$;

-- The line in its lane: its tenant's. All that wait stand in one, so that their time alone is their order.
CREATE FUNCTION automarket.line(tenant text, ready boolean) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN ready THEN hashtextextended(tenant COLLATE "C", 0) ELSE 0 END
$$;

-- The queue, made anew. A claim compares what indexes know of a row before and after, and reaches what stands before the
-- first text without a walk.
DROP VIEW automarket.jobs;
ALTER TABLE automarket.queue RENAME TO queue_before;
CREATE TABLE automarket.queue (
    id           uuid NOT NULL,
    place        bigint NOT NULL,
    lane         bigint NOT NULL,
    line         bigint NOT NULL,
    run_at       timestamptz NOT NULL,
    due_at       timestamptz NOT NULL,
    created_at   timestamptz NOT NULL,
    fence        bigint NOT NULL DEFAULT 0,
    max_attempts bigint NOT NULL,
    attempts     integer NOT NULL DEFAULT 0,
    crashes      integer NOT NULL DEFAULT 0,
    priority     smallint NOT NULL,
    ready        boolean NOT NULL,
    leased       boolean NOT NULL DEFAULT false,
    in_trust     boolean NOT NULL DEFAULT false,
    kind         text COLLATE "C" NOT NULL,
    tenant       text COLLATE "C" NOT NULL,
    unique_key   text COLLATE "C",
    payload      json NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_cost_delay = 0);
INSERT INTO automarket.queue
    (id, place, lane, line, run_at, due_at, created_at, fence, max_attempts, attempts, crashes, priority, ready, leased,
    in_trust, tenant, kind, unique_key, payload)
SELECT id, place, automarket.lane(kind, priority, ready), automarket.line(tenant, ready), run_at, due_at, created_at,
    fence, max_attempts, attempts, crashes, priority, ready, leased, in_trust, tenant, kind, unique_key, payload
FROM automarket.queue_before;
DROP TABLE automarket.queue_before;
ALTER TABLE automarket.queue ADD CONSTRAINT queue_pkey PRIMARY KEY (id);
CREATE UNIQUE INDEX queue_key ON automarket.queue (tenant, kind, unique_key) WHERE unique_key IS NOT NULL;
-- All that claims walk. One whole index instead of one for each sort: of what an index knows of some rows alone,
-- something is prepared for each statement (8 k).
CREATE INDEX queue_line ON automarket.queue (lane, line, run_at, place) WITH (deduplicate_items = off);
CREATE INDEX queue_timers ON automarket.queue (kind, priority, tenant, run_at) WHERE NOT ready;

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
-- insert began, and ended while it waited, is seen there. As a rule nothing that has ended has an id from lowest to
-- highest, the ends of these ids: then none of them is looked for. (unnest stands in the select list, since in FROM
-- each array would be written to a store of its own first.)
DROP FUNCTION automarket.put_new(uuid[], text[], text[], text[], timestamptz[], smallint[], bigint[]);
CREATE FUNCTION automarket.put_new(
    ids uuid[], tenants text[], kinds text[], payloads text[], run_ats timestamptz[], priorities smallint[],
    max_attempts bigint[], lowest uuid, highest uuid
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz := automarket.clock();
    first bigint := nextval('automarket.places') << 20;
BEGIN
    INSERT INTO automarket.queue
        (id, place, lane, line, run_at, due_at, created_at, max_attempts, priority, ready, tenant, kind, payload)
    SELECT g.id, first + g.n, automarket.lane(g.kind, g.priority, g.due <= at), automarket.line(g.tenant, g.due <= at),
        g.due, g.due, at, g.max_attempts, g.priority, g.due <= at, g.tenant, g.kind, g.payload::json
    FROM (SELECT g.*, coalesce(g.run_at, at) AS due
        FROM (SELECT unnest(ids) AS id, unnest(tenants) AS tenant, unnest(kinds) AS kind, unnest(payloads) AS payload,
            unnest(run_ats) AS run_at, unnest(priorities) AS priority, unnest(put_new.max_attempts) AS max_attempts,
            generate_series(1, cardinality(ids)) AS n) g) g;
    IF EXISTS (SELECT FROM automarket.ended e WHERE e.id BETWEEN lowest AND highest)
        AND EXISTS (SELECT FROM automarket.ended e WHERE e.id = ANY (ids)) THEN
        RAISE unique_violation USING MESSAGE = 'a job with this id has ended';
    END IF;
END $$ SET enable_seqscan = off SET plan_cache_mode = force_generic_plan;

-- What put_new does, for one job that is due now: a quarter less of the server's instructions. Nothing is unpacked, the
-- plan is made once without being told so, and nothing is reckoned beside the insert, which would be prepared anew in
-- each transaction.
DROP FUNCTION automarket.put_one(uuid, text, text, text, timestamptz, smallint, bigint);
CREATE FUNCTION automarket.put_one(
    new_id uuid, owner text, kind text, payload text, priority smallint, max_attempts bigint
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO automarket.queue
        (id, place, lane, line, run_at, due_at, created_at, max_attempts, priority, ready, tenant, kind, payload)
    VALUES (new_id, nextval('automarket.places') << 20, automarket.lane(put_one.kind, put_one.priority, true),
        automarket.line(owner, true), automarket.clock(), automarket.clock(), automarket.clock(), put_one.max_attempts,
        put_one.priority, true, owner, put_one.kind, put_one.payload::json);
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
            (id, place, lane, line, run_at, due_at, created_at, max_attempts, priority, ready, tenant, kind, unique_key,
            payload)
        SELECT g.id, first + g.n, automarket.lane(g.kind, g.priority, g.due <= at),
            automarket.line(g.tenant, g.due <= at), g.due, g.due, at, g.max_attempts, g.priority, g.due <= at, g.tenant,
            g.kind, g.unique_key, g.payload::json
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

-- The numbers of all live jobs' kinds, by steps down the lanes.
DROP FUNCTION automarket.live_kinds();
CREATE FUNCTION automarket.live_numbers() RETURNS SETOF bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    WITH RECURSIVE live (lane) AS (
        (SELECT q.lane FROM automarket.queue q ORDER BY q.lane DESC LIMIT 1)
        UNION ALL
        SELECT (SELECT q.lane FROM automarket.queue q WHERE q.lane < (l.lane & -65536) ORDER BY q.lane DESC LIMIT 1)
        FROM live l WHERE l.lane IS NOT NULL
    )
    SELECT DISTINCT CASE WHEN l.lane < 0 THEN ~l.lane ELSE l.lane & -65536 END FROM live l WHERE l.lane IS NOT NULL;
END $$ SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
    SET plan_cache_mode = force_generic_plan;

-- Leases ready jobs. A job whose lease ran out is not leased but shown (expired): what its crash makes of it
-- is decided by the caller. turns: which line's turn was last, by priority; turns go down the lines' numbers. Rows that
-- are locked stay where they are, so they are found again by their ctid.
--
-- Tenants whose lines have one number share a turn. Kinds whose numbers are the same share lanes; whoever wants one of
-- them passes by the other's rows.
--
-- heads: as JSON by lane and line, from which run_at on there was something to take at heads_at. Before
-- it stand the leased, and walking past 1,600 of them costs a claim of 100 more than all else. What came back
-- behind a head meanwhile is found when heads_at is 100 ms old, or when there is room left.
-- lends: from so many crashes on a job is leased in trust.
DROP FUNCTION automarket.claim(
    text[], uuid, integer, bigint, smallint[], text[], jsonb, timestamptz, integer);
CREATE FUNCTION automarket.claim(
    wanted text[], only_job uuid, room integer, lease_micros bigint, turn_priorities smallint[], turn_lines bigint[],
    heads jsonb DEFAULT NULL, heads_at timestamptz DEFAULT NULL, lends integer DEFAULT NULL
) RETURNS TABLE (
    id uuid, place bigint, tenant text, kind text, payload text, priority smallint, max_attempts bigint,
    unique_key text, created_at timestamptz, run_at timestamptz, fence bigint, attempts integer,
    crashes integer, due_at timestamptz, failures text, in_trust boolean, expired boolean,
    lane bigint, line bigint
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    at timestamptz := automarket.clock();
    kinds text[]; -- NULL: all, whatever they are called.
    numbers bigint[];
    level bigint := 65536; -- The priority, counted from the lowest one.
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
        UPDATE automarket.queue q SET ready = true, lane = automarket.lane(q.kind, q.priority, true),
            line = automarket.line(q.tenant, true)
        WHERE q.ctid = ANY (ARRAY(
            SELECT q.ctid FROM automarket.queue q
            WHERE q.id = only_job AND NOT q.ready AND q.run_at <= at FOR UPDATE SKIP LOCKED));
    ELSE
        UPDATE automarket.queue q SET ready = true, lane = automarket.lane(q.kind, q.priority, true),
            line = automarket.line(q.tenant, true)
        WHERE q.ctid = ANY (ARRAY(
            SELECT due.ctid FROM unnest(kinds, numbers) w (kind, number), LATERAL (
                SELECT q.ctid FROM automarket.queue q
                WHERE q.lane = ~w.number AND q.line = 0 AND q.run_at <= at AND (q.kind = w.kind) IS NOT FALSE
                ORDER BY q.run_at LIMIT greatest(room, 1000) FOR UPDATE SKIP LOCKED) due));
    END IF;
    WHILE room > 0 LOOP
        IF only_job IS NOT NULL THEN
            SELECT array_agg(one.ctid), bool_or(one.leased) INTO picked, any_expired FROM (
                SELECT q.ctid, q.leased FROM automarket.queue q
                WHERE q.id = only_job AND q.due_at <= at AND (wanted IS NULL OR q.kind = ANY (wanted))
                FOR UPDATE SKIP LOCKED) one;
            room := 1;
        ELSE
            IF picked IS NULL THEN
                SELECT max(best.lane - w.number) INTO level FROM unnest(numbers) w (number), LATERAL (
                    SELECT q.lane FROM automarket.queue q
                    WHERE q.lane BETWEEN w.number AND w.number + (level - 1) AND q.due_at <= at
                    ORDER BY q.lane DESC LIMIT 1) best;
                IF level IS NULL THEN
                    EXIT WHEN heads IS NULL;
                    -- There is room left: once more, without them.
                    heads := NULL;
                    level := 65536;
                    CONTINUE;
                END IF;
                last_turn := turn_lines[array_position(turn_priorities, (level - 32768)::smallint)];
            END IF;
            -- The lines with jobs here, from the one after the last that had its turn and once round.
            ring := ARRAY(
                WITH RECURSIVE after (line) AS (
                    SELECT last_turn
                    UNION ALL
                    SELECT (SELECT max(next.line) FROM unnest(kinds, numbers) w (kind, number), LATERAL (
                        SELECT q.line FROM automarket.queue q
                        WHERE q.lane = w.number + level AND q.line < a.line AND q.due_at <= at
                            AND (q.kind = w.kind) IS NOT FALSE
                        ORDER BY q.line DESC LIMIT 1) next)
                    FROM after a WHERE a.line IS NOT NULL
                ), top (line) AS (
                    SELECT max(first.line) FROM unnest(kinds, numbers) w (kind, number), LATERAL (
                        SELECT q.line FROM automarket.queue q
                        WHERE q.lane = w.number + level AND q.due_at <= at AND (q.kind = w.kind) IS NOT FALSE
                        ORDER BY q.line DESC LIMIT 1) first
                ), before (line) AS (
                    SELECT t.line FROM top t WHERE last_turn IS NULL OR t.line >= last_turn
                    UNION ALL
                    SELECT (SELECT max(next.line) FROM unnest(kinds, numbers) w (kind, number), LATERAL (
                        SELECT q.line FROM automarket.queue q
                        WHERE q.lane = w.number + level AND q.line < b.line
                            AND (last_turn IS NULL OR q.line >= last_turn) AND q.due_at <= at
                            AND (q.kind = w.kind) IS NOT FALSE
                        ORDER BY q.line DESC LIMIT 1) next)
                    FROM before b WHERE b.line IS NOT NULL
                )
                SELECT r.line FROM (
                    SELECT a.line FROM (SELECT a.line FROM after a OFFSET 1) a WHERE a.line IS NOT NULL
                    UNION ALL
                    SELECT b.line FROM before b WHERE b.line IS NOT NULL
                ) r LIMIT room);
            share := ceil(room / greatest(cardinality(ring), 1)::numeric);
            -- LIMIT keeps the planner from turning the walk round.
            SELECT array_agg(turn.ctid), bool_or(turn.leased) INTO picked, any_expired FROM (
                SELECT turn.ctid, turn.leased FROM unnest(ring) t (line), LATERAL (
                    SELECT first.ctid, first.leased FROM unnest(kinds, numbers) w (kind, number), LATERAL (
                        SELECT q.ctid, q.leased, q.run_at, q.place FROM automarket.queue q
                        WHERE q.lane = w.number + level AND q.line = t.line
                            AND q.run_at >= coalesce(
                                (heads -> (w.number + level)::text ->> t.line::text)::timestamptz, '-infinity')
                            AND q.due_at <= at AND q.id <> ALL (shown) AND (q.kind = w.kind) IS NOT FALSE
                        ORDER BY q.run_at, q.place LIMIT share FOR UPDATE SKIP LOCKED) first
                    ORDER BY first.run_at, first.place LIMIT share) turn
                LIMIT room) turn;
        END IF;
        IF any_expired THEN
            RETURN QUERY SELECT q.id, q.place, q.tenant::text, q.kind::text, NULL::text, q.priority, q.max_attempts,
                    q.unique_key::text, at, q.run_at, q.fence, q.attempts, q.crashes, q.due_at, NULL::text,
                    q.in_trust, true, q.lane, q.line
                FROM automarket.queue q WHERE q.ctid = ANY (picked) AND q.leased;
            shown := shown || ARRAY(SELECT q.id FROM automarket.queue q WHERE q.ctid = ANY (picked) AND q.leased);
        END IF;
        RETURN QUERY
            UPDATE automarket.queue q SET leased = true, fence = q.fence + 1,
                attempts = q.attempts + 1, due_at = at + lease_micros * interval '1 microsecond',
                in_trust = coalesce(q.crashes >= lends, false)
            WHERE q.ctid = ANY (picked) AND NOT q.leased
            RETURNING q.id, q.place, q.tenant::text, q.kind::text, q.payload::text, q.priority, q.max_attempts,
                q.unique_key::text, q.created_at, q.run_at, q.fence, q.attempts, q.crashes, q.due_at,
                CASE WHEN q.fence > 1 THEN automarket.failures_of(q.id) END, q.in_trust, false, q.lane, q.line;
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
            SELECT FROM automarket.queue q WHERE q.lane = ~live.number AND q.line = 0 AND q.run_at <= at
            ORDER BY q.run_at OFFSET 1000 LIMIT 1) more) THEN
        RETURN 0;
    END IF;
    WITH RECURSIVE line (kind, priority, tenant, run_at) AS (
        (SELECT q.kind, q.priority, q.tenant, q.run_at FROM automarket.queue q WHERE NOT q.ready
            ORDER BY q.kind, q.priority, q.tenant, q.run_at LIMIT 1)
        UNION ALL
        SELECT next.* FROM line l, LATERAL (
            SELECT q.kind, q.priority, q.tenant, q.run_at FROM automarket.queue q
            WHERE NOT q.ready AND (q.kind, q.priority, q.tenant) > (l.kind, l.priority, l.tenant)
            ORDER BY q.kind, q.priority, q.tenant, q.run_at LIMIT 1) next
    )
    SELECT array_agg(l.kind), array_agg(l.priority), array_agg(l.tenant) INTO kinds, priorities, tenants
    FROM line l WHERE l.run_at <= at;
    share := ceil(most / cardinality(kinds)::numeric);
    UPDATE automarket.queue q SET ready = true, lane = automarket.lane(q.kind, q.priority, true),
        line = automarket.line(q.tenant, true)
    WHERE q.ctid = ANY (ARRAY(
        SELECT due.ctid FROM unnest(kinds, priorities, tenants) l (kind, priority, tenant), LATERAL (
            SELECT q.ctid FROM automarket.queue q
            WHERE NOT q.ready AND q.kind = l.kind AND q.priority = l.priority AND q.tenant = l.tenant
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
        WHERE q.lane BETWEEN w.number AND w.number + 65535 AND q.due_at <= at AND (q.kind = w.kind) IS NOT FALSE
        ORDER BY q.lane, q.line, q.run_at LIMIT 1) free;
    IF found IS NULL THEN -- All that stand in the line are leased.
        SELECT min(next.at) INTO found FROM unnest(wanted, numbers) w (kind, number), LATERAL (
            (SELECT min(q.due_at) AS at FROM automarket.queue q
                WHERE q.lane BETWEEN w.number AND w.number + 65535 AND (q.kind = w.kind) IS NOT FALSE)
            UNION ALL
            (SELECT q.run_at FROM automarket.queue q
                WHERE q.lane = ~w.number AND q.line = 0 AND (q.kind = w.kind) IS NOT FALSE
                ORDER BY q.run_at LIMIT 1)) next;
    END IF;
    RETURN found;
END $$ SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off;
