-- What hosts hand in is held to what the library can read.

-- The rule of the library's tenant ids. (Under the locale C the class of control characters ends with ASCII.)
CREATE OR REPLACE FUNCTION automarket.check_tenant(tenant text) RETURNS void LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF tenant IS NULL OR octet_length(tenant) NOT BETWEEN 1 AND 200 OR tenant ~ '[[:cntrl:]]'
        OR getdatabaseencoding() = 'UTF8' AND tenant ~ '[\u0080-\u009f]' THEN
        RAISE EXCEPTION 'a tenant id is 1 to 200 bytes without control characters'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
END $$;

-- The rule of a job that a host puts in.
CREATE FUNCTION automarket.check_job(
    tenant text, kind text, run_at timestamptz, priority smallint, max_attempts bigint
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM automarket.check_tenant(tenant);
    IF kind IS NULL OR priority IS NULL OR coalesce(max_attempts NOT BETWEEN 0 AND 4294967295, true)
        OR NOT isfinite(coalesce(run_at, now())) THEN
        RAISE EXCEPTION 'kind, priority and max_attempts (0 to 4294967295) are needed, run_at is finite'
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
    PERFORM automarket.check_job(tenant, kind, run_at, priority, max_attempts);
    SELECT p.job INTO given FROM automarket.put_jobs(
        ARRAY[automarket.new_id()], ARRAY[tenant], ARRAY[kind], ARRAY[coalesce(payload, 'null')::text],
        ARRAY[run_at], ARRAY[priority], ARRAY[max_attempts::bigint], ARRAY[unique_key]) p;
    RETURN given;
END $$;

-- The same from a list of the library's NewJob as JSON.
CREATE OR REPLACE FUNCTION automarket.put_jobs(jobs json) RETURNS TABLE (n bigint, job uuid, is_new boolean)
LANGUAGE plpgsql AS $$
BEGIN
    IF json_array_length(jobs) = 0 THEN RETURN; END IF;
    PERFORM automarket.check_job(j.tenant, j.kind, j.run_at, j.priority, j.max_attempts)
    FROM json_to_recordset(jobs)
        AS j (tenant text, kind text, run_at timestamptz, priority smallint, max_attempts bigint);
    RETURN QUERY SELECT put.n, put.job, put.is_new FROM (
        SELECT array_agg(j.id) AS ids, array_agg(j.tenant) AS tenants, array_agg(j.kind) AS kinds,
            array_agg(coalesce(j.payload::text, 'null')) AS payloads, array_agg(j.run_at) AS run_ats,
            array_agg(j.priority) AS priorities, array_agg(j.max_attempts) AS attempts,
            array_agg(j.unique_key) AS keys
        FROM json_to_recordset(jobs) AS j (id uuid, tenant text, kind text, payload json, run_at timestamptz,
            priority smallint, max_attempts bigint, unique_key text)) a,
        automarket.put_jobs(a.ids, a.tenants, a.kinds, a.payloads, a.run_ats, a.priorities, a.attempts, a.keys) put;
END $$;

-- Each claim lets in what is due for longest, up to 1,000 of a kind: by that alone a tenant's jobs would wait behind
-- all that others had for an earlier instant, whatever their priority. So while more is due, a share of each line
-- (kind, priority, tenant) is let in beside, by a walk from line to line. Not in the claim: the walk meets all lines
-- in which anything waits, due or not, and a claim shall not cost more the more tenants there are. One index has the
-- lines of both, those in line and those that wait: its condition is one less that each insert must look at.
DROP INDEX automarket.queue_line;
CREATE INDEX queue_line ON automarket.queue (ready, kind, priority, tenant, run_at, place)
    WITH (deduplicate_items = off);

-- Lets in some of each line, about most in all, if more of some kind is due than a claim lets in; how many.
CREATE FUNCTION automarket.admit(most integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz := automarket.clock();
    kinds text[]; priorities smallint[]; tenants text[]; share integer; admitted bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM automarket.live_kinds() live (kind), LATERAL (
            SELECT FROM automarket.queue q WHERE NOT q.ready AND q.kind = live.kind AND q.run_at <= at
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
    UPDATE automarket.queue q SET ready = true WHERE q.ctid = ANY (ARRAY(
        SELECT due.ctid FROM unnest(kinds, priorities, tenants) l (kind, priority, tenant), LATERAL (
            SELECT q.ctid FROM automarket.queue q
            WHERE NOT q.ready AND q.kind = l.kind AND q.priority = l.priority AND q.tenant = l.tenant
                AND q.run_at <= at
            ORDER BY q.run_at LIMIT share FOR UPDATE SKIP LOCKED) due));
    GET DIAGNOSTICS admitted = ROW_COUNT;
    RETURN admitted;
END $$ SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
    SET plan_cache_mode = force_generic_plan;

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
    -- Before anything is written, as in change: else who holds a slot would wait for the lock of one that waits for
    -- the slot.
    IF json_array_length(new.events) > 0 THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('automarket.events ' || new.tenant, 0));
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

-- For the library's own calls, to be selected from: no lock is waited for longer than this until the transaction ends
-- (55P03 then). A host's open transaction keeps the lock on the events of each tenant that it published for, and who
-- waits for it has a connection of the pool. Hosts' transactions wait for each other as long as they like.
CREATE FUNCTION automarket.bounded() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL lock_timeout = '3s';
END $$;
