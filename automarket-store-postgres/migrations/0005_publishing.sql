-- What has not ended, by the way it goes now; and the posting slots that are held.
ALTER TABLE automarket.publications
    ADD COLUMN live boolean NOT NULL DEFAULT true,
    ADD COLUMN account uuid,
    ADD COLUMN route uuid,
    ADD COLUMN due timestamptz,
    ADD COLUMN slot timestamptz;
UPDATE automarket.publications SET
    live = state NOT IN ('published', 'rejected', 'unknown', 'missed', 'cancelled'),
    account = (body #>> '{target,account}')::uuid,
    route = (body #>> '{target,account}')::uuid,
    due = (body ->> 'due')::timestamptz;
CREATE INDEX publications_live ON automarket.publications (tenant, route, due, id) WHERE live;
CREATE UNIQUE INDEX publications_slot ON automarket.publications (tenant, account, slot)
    WHERE live AND slot IS NOT NULL;

-- How accounts publish: slots and fallback.
CREATE TABLE automarket.routings (
    tenant  text COLLATE "C" NOT NULL,
    account uuid NOT NULL,
    body    json NOT NULL,
    PRIMARY KEY (tenant, account)
);

-- What was tried. latency is the step of how long it took.
CREATE TABLE automarket.attempts (
    number      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ended_at    timestamptz NOT NULL,
    publication uuid NOT NULL,
    latency     integer NOT NULL,
    tenant      text COLLATE "C" NOT NULL,
    platform    text COLLATE "C" NOT NULL,
    operation   text COLLATE "C" NOT NULL,
    outcome     text COLLATE "C" NOT NULL,
    body        json NOT NULL
);
CREATE INDEX attempts_of_publication ON automarket.attempts (tenant, publication, number);
CREATE INDEX attempts_by_time ON automarket.attempts (ended_at);

-- Writes a publication (the library's, as JSON) unless its id is there; how many rows were written.
CREATE OR REPLACE FUNCTION automarket.put_publication(publication json) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    written bigint;
BEGIN
    INSERT INTO automarket.publications
        (tenant, id, post, state, revision, body, live, account, route, due, slot)
    VALUES (publication ->> 'tenant', (publication ->> 'id')::uuid, (publication ->> 'post')::uuid,
        publication ->> 'state', (publication ->> 'revision')::bigint, publication,
        publication ->> 'state'
            NOT IN ('published', 'rejected', 'unknown', 'missed', 'cancelled', 'deleted'),
        (publication #>> '{target,account}')::uuid,
        coalesce(publication #>> '{via,account}', publication #>> '{target,account}')::uuid,
        (publication ->> 'due')::timestamptz, (publication ->> 'slot')::timestamptz)
    ON CONFLICT (tenant, id) DO NOTHING;
    GET DIAGNOSTICS written = ROW_COUNT;
    RETURN written;
END $$;
