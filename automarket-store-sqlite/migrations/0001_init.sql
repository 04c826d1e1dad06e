-- Ids are the 16 bytes of a UUID, instants are microseconds since 1970 (UTC), records are JSON text.

CREATE TABLE automarket_accounts (
    tenant     TEXT NOT NULL,
    id         BLOB NOT NULL,
    platform   TEXT NOT NULL,
    network    TEXT NOT NULL,
    remote_id  TEXT NOT NULL,
    name       TEXT NOT NULL,
    settings   TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE automarket_campaigns (
    tenant TEXT NOT NULL,
    id     BLOB NOT NULL,
    body   TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE automarket_posts (
    tenant TEXT NOT NULL,
    id     BLOB NOT NULL,
    body   TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE automarket_publications (
    tenant   TEXT NOT NULL,
    id       BLOB NOT NULL,
    post     BLOB NOT NULL,
    state    TEXT NOT NULL,
    revision INTEGER NOT NULL,
    body     TEXT NOT NULL,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, post) REFERENCES automarket_posts (tenant, id)
);
CREATE INDEX automarket_publications_of_post ON automarket_publications (tenant, post, id);

CREATE TABLE automarket_events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id       BLOB NOT NULL,
    tenant   TEXT NOT NULL,
    kind     TEXT NOT NULL,
    subject  TEXT NOT NULL,
    data     TEXT NOT NULL,
    at       INTEGER NOT NULL
);
CREATE INDEX automarket_events_of_tenant ON automarket_events (tenant, sequence);
CREATE INDEX automarket_events_of_subject ON automarket_events (tenant, subject, sequence);

-- What a job is: written once, when it is put in. `place` is the order in which jobs were put in.
CREATE TABLE automarket_jobs (
    place        INTEGER PRIMARY KEY,
    id           BLOB NOT NULL UNIQUE,
    tenant       TEXT NOT NULL,
    kind         TEXT NOT NULL,
    payload      TEXT NOT NULL,
    priority     INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    unique_key   TEXT,
    created_at   INTEGER NOT NULL
);
CREATE INDEX automarket_jobs_by_key ON automarket_jobs (tenant, kind, unique_key, place)
    WHERE unique_key IS NOT NULL;

-- Where a live job stands: the narrow, hot table. A row leaves it when its job ends.
-- due_at is run_at of a waiting job and the end of the lease of a leased one. ready = 1 puts a row into the
-- line that claims walk; a claim first sets it on rows that have become due. Such a row may still be leased
-- (its lease ran out, nobody took it yet).
CREATE TABLE automarket_queue (
    place      INTEGER PRIMARY KEY REFERENCES automarket_jobs (place),
    tenant     TEXT NOT NULL,
    kind       TEXT NOT NULL,
    priority   INTEGER NOT NULL,
    run_at     INTEGER NOT NULL,
    due_at     INTEGER NOT NULL,
    ready      INTEGER NOT NULL,
    leased     INTEGER NOT NULL DEFAULT 0,
    fence      INTEGER NOT NULL DEFAULT 0,
    attempts   INTEGER NOT NULL DEFAULT 0,
    crashes    INTEGER NOT NULL DEFAULT 0,
    unique_key TEXT
);
CREATE INDEX automarket_queue_line ON automarket_queue (priority, tenant, kind, run_at, place) WHERE ready = 1;
CREATE INDEX automarket_queue_timer ON automarket_queue (due_at, leased, kind) WHERE ready = 0;
CREATE UNIQUE INDEX automarket_queue_key ON automarket_queue (tenant, kind, unique_key)
    WHERE unique_key IS NOT NULL;

-- How a job ended. state: completed, dead, cancelled.
CREATE TABLE automarket_ended (
    place       INTEGER PRIMARY KEY REFERENCES automarket_jobs (place),
    tenant      TEXT NOT NULL,
    state       TEXT NOT NULL,
    run_at      INTEGER NOT NULL,
    fence       INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    crashes     INTEGER NOT NULL,
    result      TEXT,
    finished_at INTEGER NOT NULL
);
CREATE INDEX automarket_ended_of_tenant ON automarket_ended (tenant, state, place);
CREATE INDEX automarket_ended_dead ON automarket_ended (place) WHERE state = 'dead';

CREATE TABLE automarket_failures (
    place   INTEGER NOT NULL REFERENCES automarket_jobs (place),
    number  INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    error   TEXT NOT NULL,
    PRIMARY KEY (place, number)
) WITHOUT ROWID;

CREATE TABLE automarket_steps (
    number INTEGER PRIMARY KEY,
    place  INTEGER NOT NULL REFERENCES automarket_jobs (place),
    name   TEXT NOT NULL,
    value  TEXT NOT NULL,
    UNIQUE (place, name)
);
