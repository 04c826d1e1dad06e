-- What waits some minutes for a browser to come back, sealed.
CREATE TABLE automarket.flows (
    tenant     text COLLATE "C" NOT NULL,
    id         text COLLATE "C" NOT NULL,
    sealed     bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX flows_by_end ON automarket.flows (expires_at);
