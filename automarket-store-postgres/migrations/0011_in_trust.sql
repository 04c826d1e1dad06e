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
DROP FUNCTION automarket.claim(text[], uuid, integer, bigint, smallint[], text[], jsonb, timestamptz);
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
                    q.unique_key::text, at, q.run_at, q.fence, q.attempts, q.crashes, q.due_at, NULL::text, q.in_trust, true
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
