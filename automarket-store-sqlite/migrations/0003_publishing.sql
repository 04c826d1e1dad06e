-- What has not ended, by the way it goes now; and the posting slots that are held.
ALTER TABLE automarket_publications ADD COLUMN live INTEGER NOT NULL DEFAULT 1;
ALTER TABLE automarket_publications ADD COLUMN account BLOB;
ALTER TABLE automarket_publications ADD COLUMN route BLOB;
ALTER TABLE automarket_publications ADD COLUMN due INTEGER;
ALTER TABLE automarket_publications ADD COLUMN slot INTEGER;
UPDATE automarket_publications SET
    live = state NOT IN ('published', 'rejected', 'unknown', 'missed', 'cancelled'),
    account = unhex(json_extract(body, '$.target.account'), '-'),
    route = unhex(json_extract(body, '$.target.account'), '-'),
    due = CAST(unixepoch(json_extract(body, '$.due')) AS INTEGER) * 1000000;
CREATE INDEX automarket_publications_live ON automarket_publications (tenant, route, due, id) WHERE live = 1;
CREATE UNIQUE INDEX automarket_publications_slot ON automarket_publications (tenant, account, slot)
    WHERE live = 1 AND slot IS NOT NULL;

-- How accounts publish: slots and fallback.
CREATE TABLE automarket_routings (
    tenant  TEXT NOT NULL,
    account BLOB NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (tenant, account)
);

-- What was tried. latency is the step of how long it took.
CREATE TABLE automarket_attempts (
    number      INTEGER PRIMARY KEY,
    tenant      TEXT NOT NULL,
    publication BLOB NOT NULL,
    ended_at    INTEGER NOT NULL,
    latency     INTEGER NOT NULL,
    body        TEXT NOT NULL,
    platform    TEXT NOT NULL,
    operation   TEXT NOT NULL,
    outcome     TEXT NOT NULL
);
CREATE INDEX automarket_attempts_of_publication ON automarket_attempts (tenant, publication, number);
CREATE INDEX automarket_attempts_by_time ON automarket_attempts (ended_at, tenant, platform, operation, outcome, latency);
