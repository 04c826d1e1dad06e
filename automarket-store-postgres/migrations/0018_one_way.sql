-- A post goes to an account by one way: as the publication of it, or as the second way of another.

-- AM002: another publication of the post goes to the account, or is to.
CREATE FUNCTION automarket.one_way(owner text, post_id uuid, publication uuid, to_account uuid) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM automarket.publications p WHERE p.tenant = owner AND p.post = post_id
        AND p.id <> publication AND p.state <> 'cancelled' AND to_account IN (p.account, p.route)) THEN
        RAISE EXCEPTION 'the post goes to the account already' USING ERRCODE = 'AM002', DETAIL = 'accounts';
    END IF;
END $$;

-- For a publication that takes another way. Its post is locked as if it had changed: so of two at once the second sees the
-- first, and a host's transaction that began before this fails instead of not seeing it.
CREATE FUNCTION automarket.takes_a_way() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE automarket.posts SET body = body WHERE tenant = NEW.tenant AND id = NEW.post;
    PERFORM automarket.one_way(NEW.tenant, NEW.post, NEW.id, NEW.route);
    RETURN NULL;
END $$;
CREATE TRIGGER takes_a_way AFTER UPDATE OF route ON automarket.publications FOR EACH ROW
    WHEN (NEW.route IS DISTINCT FROM OLD.route) EXECUTE FUNCTION automarket.takes_a_way();

-- Writes a new post with its publications, jobs and events, or more publications of one that is there, given with the post as
-- it is stored; whether it wrote anything: nothing where all of it is there, so that a repeat changes nothing.
-- AM002: the post says something else by now, only some of the publications are there, or it goes to one of their accounts
-- already.
CREATE OR REPLACE FUNCTION automarket.publish(publishing json) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    new record; post_id uuid; stored json; known bigint; written bigint;
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
    IF NOT FOUND THEN
        -- Nobody says it differently until this is committed.
        SELECT body INTO stored FROM automarket.posts WHERE tenant = new.tenant AND id = post_id FOR SHARE;
        SELECT count(*) INTO known FROM json_to_recordset(new.publications) AS n (id uuid)
            JOIN automarket.publications p ON p.tenant = new.tenant AND p.id = n.id;
        IF known = json_array_length(new.publications) THEN
            RETURN false;
        ELSIF known > 0 OR (stored::text <> new.post::text AND stored::jsonb <> new.post::jsonb) THEN
            RAISE EXCEPTION 'the post has changed' USING ERRCODE = 'AM002', DETAIL = 'accounts';
        END IF;
        PERFORM automarket.one_way(new.tenant, post_id, n.id, (n.target ->> 'account')::uuid)
        FROM json_to_recordset(new.publications) AS n (id uuid, target json);
    END IF;
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
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written < json_array_length(new.publications) THEN
        RAISE EXCEPTION 'the post has changed' USING ERRCODE = 'AM002', DETAIL = 'accounts';
    END IF;
    PERFORM automarket.put_jobs(new.jobs);
    PERFORM automarket.tell(array_agg(automarket.new_id()), array_agg(e.tenant), array_agg(e.kind),
        array_agg(e.subject), array_agg(coalesce(e.data::text, 'null')))
    FROM json_to_recordset(new.events) AS e (tenant text, kind text, subject text, data json) HAVING count(*) > 0;
    RETURN true;
END $$;
