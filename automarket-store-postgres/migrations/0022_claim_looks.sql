-- The library puts jobs whose ids nobody can know yet in by a bare INSERT. It may arrive late, after a repeat was put in,
-- ran and ended. A look among the ended jobs that follows it cost more than the insert; the claim looks instead: what it
-- sees of such a job it sees after the end of the first.

-- The fence of a lease taken at this microsecond, after the last one of the same job (null or 0: none): the library's
-- next_fence. A first one is the time, so that none comes again when a removed id is put in again; a later one never is.
CREATE FUNCTION automarket.next_fence(last bigint, micros bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN coalesce(last, 0) = 0 THEN micros WHEN last + 1 = micros THEN last + 2 ELSE last + 1 END
$$;

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
--
-- A job that has ended is not leased again: what a late repeat put in nevertheless is thrown away.
CREATE OR REPLACE FUNCTION automarket.claim(
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
    first_fence bigint := greatest(extract(epoch FROM at) * 1000000, 1);
    kinds text[]; -- NULL: all, whatever they are called.
    numbers bigint[];
    -- Where lines of the priority begin, counted from where those of their kinds do.
    base bigint := 549755813888;
    last_turn bigint; ring bigint[]; share integer;
    picked tid[]; ids uuid[]; any_expired boolean; shown uuid[] := '{}';
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
            SELECT array_agg(one.ctid), array_agg(one.id), bool_or(one.leased) INTO picked, ids, any_expired FROM (
                SELECT q.ctid, q.id, q.leased_until IS NOT NULL AS leased FROM automarket.queue q
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
            SELECT array_agg(turn.ctid), array_agg(turn.id ORDER BY turn.id), bool_or(turn.leased)
            INTO picked, ids, any_expired FROM (
                SELECT turn.ctid, turn.id, turn.leased FROM unnest(ring) t (tenant), LATERAL (
                    SELECT first.ctid, first.id, first.leased FROM unnest(kinds, numbers) w (kind, number), LATERAL (
                        SELECT q.ctid, q.id, q.leased_until IS NOT NULL AS leased, q.run_at, q.place
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
        IF EXISTS (SELECT FROM automarket.ended e WHERE e.id BETWEEN ids[1] AND ids[cardinality(ids)])
            AND EXISTS (SELECT FROM automarket.ended e WHERE e.id = ANY (ids)) THEN
            DELETE FROM automarket.queue q USING automarket.ended e
            WHERE q.ctid = ANY (picked) AND q.leased_until IS NULL AND e.id = ANY (ids) AND q.id = e.id;
        END IF;
        RETURN QUERY
            UPDATE automarket.queue q SET leased_until = at + lease_micros * interval '1 microsecond',
                fence = automarket.next_fence(q.fence, first_fence), attempts = coalesce(q.attempts, 0) + 1,
                in_trust = coalesce(coalesce(q.crashes, 0) >= lends, false)
            WHERE q.ctid = ANY (picked) AND q.leased_until IS NULL
            RETURNING q.id, q.place, q.tenant::text, q.kind::text, q.payload::text, q.priority, q.max_attempts,
                q.unique_key::text, q.created_at, q.run_at, q.fence, q.attempts, coalesce(q.crashes, 0),
                q.leased_until, CASE WHEN q.fence <> first_fence THEN automarket.failures_of(q.id) END, q.in_trust, false,
                q.line, q.line & 8388607;
        EXIT WHEN only_job IS NOT NULL;
        room := room - coalesce(cardinality(picked), 0);
    END LOOP;
END $$ SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
    SET plan_cache_mode = force_generic_plan;
