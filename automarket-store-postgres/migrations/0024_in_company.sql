-- What comes at the same time goes in one statement: steps of several jobs, posts of one tenant.

-- Remembers steps of jobs whose leases are held; the numbers of those that it wrote. Their rows are locked in the order of
-- their ids, so that two calls do not wait for each other.
CREATE FUNCTION automarket.put_steps(ids uuid[], fences bigint[], names text[], steps text[]) RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    WITH held AS (
        SELECT g.n, q.id, g.name, g.step
        FROM (SELECT * FROM unnest(ids, fences, names, steps) WITH ORDINALITY AS s (id, fence, name, step, n)
            ORDER BY s.id, s.name) g
        CROSS JOIN LATERAL (SELECT q.id FROM automarket.queue q
            WHERE q.id = g.id AND q.fence = g.fence AND q.leased_until IS NOT NULL FOR KEY SHARE) q
    ), put AS (
        INSERT INTO automarket.steps (job, name, value) SELECT h.id, h.name, h.step::json FROM held h
        ON CONFLICT (job, name) DO UPDATE SET value = excluded.value
    ) SELECT h.n FROM held h;
END $$ SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan;

-- Locks gates in one order, so that two calls do not wait for each other.
CREATE FUNCTION automarket.lock_gates(tenants text[], accounts uuid[], names text[]) RETURNS SETOF automarket.gates
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT g.* FROM automarket.gates g, unnest(tenants, accounts, names) AS k (tenant, account, name)
    WHERE g.tenant = k.tenant AND g.account = k.account AND g.name = k.name
    ORDER BY g.tenant, g.account, g.name FOR NO KEY UPDATE OF g;
END $$ SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan;

-- Writes gates whose rows are locked.
CREATE FUNCTION automarket.put_gates(tenants text[], accounts uuid[], names text[], closed timestamptz[],
    probing boolean[], failures bigint[], budgets text[], updated timestamptz[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE automarket.gates g SET closed_until = n.closed_until, probing = n.probing, failures = n.failures,
        budget = n.budget::json, updated_at = n.updated_at
    FROM unnest(tenants, accounts, names, closed, put_gates.probing, put_gates.failures, budgets, updated)
        AS n (tenant, account, name, closed_until, probing, failures, budget, updated_at)
    WHERE g.tenant = n.tenant AND g.account = n.account AND g.name = n.name;
END $$ SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan;

-- Writes posts of one tenant that are not there yet, with their publications, jobs and events. AM002: one of them is.
CREATE FUNCTION automarket.put_posts(
    owner text, post_ids uuid[], posts text[],
    ids uuid[], of_posts uuid[], states text[], revisions bigint[], publications text[], accounts uuid[], routes uuid[],
    dues timestamptz[], slots timestamptz[],
    job_ids uuid[], job_tenants text[], job_kinds text[], payloads text[], run_ats timestamptz[],
    priorities smallint[], max_attempts bigint[], keys text[],
    event_ids uuid[], event_tenants text[], event_kinds text[], subjects text[], datas text[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    written bigint;
BEGIN
    -- Before anything is written, as in publish and change.
    IF cardinality(event_ids) > 0 THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('automarket.events ' || owner, 0));
    END IF;
    INSERT INTO automarket.posts (tenant, id, body)
    SELECT owner, p.id, p.body::json FROM unnest(post_ids, posts) AS p (id, body)
    ON CONFLICT (tenant, id) DO NOTHING;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written < cardinality(post_ids) THEN
        RAISE EXCEPTION 'a post is there already' USING ERRCODE = 'AM002', DETAIL = 'accounts';
    END IF;
    INSERT INTO automarket.publications
        (tenant, id, post, state, revision, body, live, account, route, due, slot)
    SELECT owner, p.id, p.post, p.state, p.revision, p.body::json,
        p.state NOT IN ('published', 'rejected', 'unknown', 'missed', 'cancelled', 'deleted'),
        p.account, p.route, p.due, p.slot
    FROM unnest(ids, of_posts, states, revisions, publications, accounts, routes, dues, slots)
        AS p (id, post, state, revision, body, account, route, due, slot)
    ON CONFLICT (tenant, id) DO NOTHING;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written < cardinality(ids) THEN
        RAISE EXCEPTION 'a publication is there already' USING ERRCODE = 'AM002', DETAIL = 'accounts';
    END IF;
    IF cardinality(job_ids) > 0 THEN
        PERFORM automarket.put_jobs(
            job_ids, job_tenants, job_kinds, payloads, run_ats, priorities, put_posts.max_attempts, keys);
    END IF;
    IF cardinality(event_ids) > 0 THEN
        PERFORM automarket.tell(event_ids, event_tenants, event_kinds, subjects, datas);
    END IF;
END $$;

-- As the one of 0010_less_work.sql, which stays for workers of the version before: what indexes and columns hold is given, so
-- that no document is taken apart. `heads` are the records of publications up to the last field, which is set here. They are
-- changed one by one, in the order that is given, by their ids, so that calls do not wait for each other. (One statement for
-- all looked through a large tenant's publications: its plan was made for an average one.)
CREATE FUNCTION automarket.change(
    owner text, new_post text,
    ids uuid[], of_posts uuid[], states text[], revisions bigint[], heads text[], accounts uuid[], routes uuid[],
    dues timestamptz[], slots timestamptz[], created text[],
    job_ids uuid[], job_tenants text[], job_kinds text[], payloads text[], run_ats timestamptz[],
    priorities smallint[], max_attempts bigint[], keys text[],
    attempts text, latencies integer[],
    event_ids uuid[], event_tenants text[], event_kinds text[], subjects text[], datas text[]
) RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz := automarket.clock();
    tail text := ',"updated_at":' || to_json(at) || '}';
    p record;
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
    FOR p IN SELECT * FROM unnest(ids, of_posts, states, revisions, heads, accounts, routes, dues, slots, created)
        AS p (id, post, state, revision, head, account, route, due, slot, created)
    LOOP
        UPDATE automarket.publications old
        SET state = p.state, revision = p.revision, body = (p.head || tail)::json,
            live = p.state NOT IN ('published', 'rejected', 'unknown', 'missed', 'cancelled', 'deleted'),
            account = p.account, route = p.route, due = p.due, slot = p.slot
        WHERE old.tenant = owner AND old.id = p.id AND old.revision = p.revision - 1 AND old.post = p.post
            AND (old.body ->> 'created_at')::timestamptz = p.created::timestamptz;
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
END $$ SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan;
