-- Jobs that are put in again and again. next_at is NULL while nothing is to come.
CREATE TABLE automarket_schedules (
    tenant   TEXT NOT NULL,
    name     TEXT NOT NULL,
    rule     TEXT NOT NULL,
    zone     TEXT NOT NULL,
    job      TEXT NOT NULL,
    paused   INTEGER NOT NULL,
    next_at  INTEGER,
    last_at  INTEGER,
    revision INTEGER NOT NULL,
    PRIMARY KEY (tenant, name)
);
CREATE INDEX automarket_schedules_next ON automarket_schedules (next_at) WHERE next_at IS NOT NULL;

-- What holds calls for an account back.
CREATE TABLE automarket_gates (
    tenant       TEXT NOT NULL,
    account      BLOB NOT NULL,
    name         TEXT NOT NULL,
    closed_until INTEGER,
    probing      INTEGER NOT NULL,
    failures     INTEGER NOT NULL,
    budget       TEXT NOT NULL,
    updated_at   INTEGER NOT NULL,
    PRIMARY KEY (tenant, account, name)
) WITHOUT ROWID;

CREATE TABLE automarket_workers (
    name       TEXT PRIMARY KEY,
    kinds      TEXT NOT NULL,
    in_flight  INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    polled_at  INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL
) WITHOUT ROWID;

-- What may be removed, the oldest first, and what ended lately.
CREATE INDEX automarket_ended_by_time ON automarket_ended (finished_at) WHERE state <> 'dead';
