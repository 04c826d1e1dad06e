-- Jobs that are put in again and again. next_at is NULL while nothing is to come.
CREATE TABLE automarket.schedules (
    tenant   text COLLATE "C" NOT NULL,
    name     text COLLATE "C" NOT NULL,
    rule     text NOT NULL,
    zone     text NOT NULL,
    job      json NOT NULL,
    paused   boolean NOT NULL,
    next_at  timestamptz,
    last_at  timestamptz,
    revision bigint NOT NULL,
    PRIMARY KEY (tenant, name)
);
CREATE INDEX schedules_next ON automarket.schedules (next_at) WHERE next_at IS NOT NULL;

-- What holds calls for an account back.
CREATE TABLE automarket.gates (
    tenant       text COLLATE "C" NOT NULL,
    account      uuid NOT NULL,
    name         text COLLATE "C" NOT NULL,
    closed_until timestamptz,
    probing      boolean NOT NULL,
    failures     bigint NOT NULL,
    budget       json NOT NULL,
    updated_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant, account, name)
) WITH (fillfactor = 70);

CREATE TABLE automarket.workers (
    name       text COLLATE "C" PRIMARY KEY,
    kinds      json NOT NULL,
    in_flight  bigint NOT NULL,
    started_at timestamptz NOT NULL,
    polled_at  timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL
) WITH (fillfactor = 70);

-- What may be removed, the oldest first, and what ended lately.
CREATE INDEX ended_by_time ON automarket.ended (finished_at) WHERE state <> 'dead';
-- What was put in lately. Of blocks, not of rows: it costs a put nothing.
CREATE INDEX jobs_by_time ON automarket.jobs USING brin (created_at) WITH (autosummarize = on);
