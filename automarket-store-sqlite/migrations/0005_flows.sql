-- What waits some minutes for a browser to come back, sealed.
CREATE TABLE automarket_flows (
    tenant     TEXT NOT NULL,
    id         TEXT NOT NULL,
    sealed     BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) WITHOUT ROWID;
CREATE INDEX automarket_flows_by_end ON automarket_flows (expires_at);
