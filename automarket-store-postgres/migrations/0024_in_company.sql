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
