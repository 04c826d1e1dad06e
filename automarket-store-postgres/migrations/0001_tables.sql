-- Ids are UUIDs, instants are timestamptz, records are json (kept as they were written). Text sorts by its
-- bytes, whatever the database's locale.

CREATE TABLE automarket.accounts (
    tenant     text COLLATE "C" NOT NULL,
    id         uuid NOT NULL,
    platform   text COLLATE "C" NOT NULL,
    network    text COLLATE "C" NOT NULL,
    remote_id  text NOT NULL,
    name       text COLLATE "C" NOT NULL,
    settings   json NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE automarket.campaigns (
    tenant text COLLATE "C" NOT NULL,
    id     uuid NOT NULL,
    body   json NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE automarket.posts (
    tenant text COLLATE "C" NOT NULL,
    id     uuid NOT NULL,
    body   json NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE automarket.publications (
    tenant   text COLLATE "C" NOT NULL,
    id       uuid NOT NULL,
    post     uuid NOT NULL,
    state    text NOT NULL,
    revision bigint NOT NULL,
    body     json NOT NULL,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, post) REFERENCES automarket.posts (tenant, id)
);
CREATE INDEX publications_of_post ON automarket.publications (tenant, post, id);

CREATE TABLE automarket.events (
    sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id       uuid NOT NULL,
    tenant   text COLLATE "C" NOT NULL,
    kind     text NOT NULL,
    subject  text COLLATE "C" NOT NULL,
    data     json NOT NULL,
    at       timestamptz NOT NULL
);
CREATE INDEX events_of_tenant ON automarket.events (tenant, sequence);
CREATE INDEX events_of_subject ON automarket.events (tenant, subject, sequence);

-- The order in which jobs were put in.
CREATE SEQUENCE automarket.places;

-- What a job is: written once, when it is put in.
CREATE TABLE automarket.jobs (
    id           uuid PRIMARY KEY,
    place        bigint NOT NULL,
    tenant       text COLLATE "C" NOT NULL,
    kind         text COLLATE "C" NOT NULL,
    payload      json NOT NULL,
    priority     smallint NOT NULL,
    max_attempts bigint NOT NULL,
    unique_key   text COLLATE "C",
    created_at   timestamptz NOT NULL
);
CREATE INDEX jobs_by_key ON automarket.jobs (tenant, kind, unique_key, place) WHERE unique_key IS NOT NULL;

-- Where a live job stands: the narrow, hot table. A row leaves it when its job ends. No foreign keys: their
-- checks would write to automarket.jobs.
-- due_at is run_at of a waiting job and the end of the lease of a leased one. ready puts a row into the line
-- that claims walk; a claim first sets it on rows that have become due. Such a row may still be leased (its
-- lease ran out, nobody took it yet).
CREATE TABLE automarket.queue (
    id           uuid PRIMARY KEY,
    place        bigint NOT NULL,
    run_at       timestamptz NOT NULL,
    due_at       timestamptz NOT NULL,
    fence        bigint NOT NULL DEFAULT 0,
    max_attempts bigint NOT NULL,
    attempts     integer NOT NULL DEFAULT 0,
    crashes      integer NOT NULL DEFAULT 0,
    priority     smallint NOT NULL,
    ready        boolean NOT NULL,
    leased       boolean NOT NULL DEFAULT false,
    tenant       text COLLATE "C" NOT NULL,
    kind         text COLLATE "C" NOT NULL,
    unique_key   text COLLATE "C"
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX queue_line ON automarket.queue (kind, priority, tenant, run_at, place) WHERE ready;
CREATE INDEX queue_timer ON automarket.queue (kind, due_at) WHERE NOT ready;
CREATE UNIQUE INDEX queue_key ON automarket.queue (tenant, kind, unique_key) WHERE unique_key IS NOT NULL;

-- How a job ended. state: completed, dead, cancelled.
CREATE TABLE automarket.ended (
    id          uuid PRIMARY KEY,
    place       bigint NOT NULL,
    run_at      timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    fence       bigint NOT NULL,
    attempts    integer NOT NULL,
    crashes     integer NOT NULL,
    tenant      text COLLATE "C" NOT NULL,
    state       text COLLATE "C" NOT NULL,
    result      json
);
CREATE INDEX ended_of_tenant ON automarket.ended (tenant, state, place);
CREATE INDEX ended_dead ON automarket.ended (place) WHERE state = 'dead';

CREATE TABLE automarket.failures (
    job     uuid NOT NULL,
    number  bigint NOT NULL,
    attempt integer NOT NULL,
    at      timestamptz NOT NULL,
    error   json NOT NULL,
    PRIMARY KEY (job, number)
);

CREATE TABLE automarket.steps (
    number bigint GENERATED ALWAYS AS IDENTITY,
    job    uuid NOT NULL,
    name   text COLLATE "C" NOT NULL,
    value  json NOT NULL,
    PRIMARY KEY (job, name)
);
