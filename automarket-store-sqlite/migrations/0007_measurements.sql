-- What came of publications, point by point.
CREATE TABLE automarket_measurements (
    tenant      TEXT NOT NULL,
    publication BLOB NOT NULL,
    as_of       INTEGER NOT NULL,
    source      TEXT NOT NULL,
    metrics     TEXT NOT NULL,
    PRIMARY KEY (tenant, publication, as_of)
) WITHOUT ROWID;
CREATE INDEX automarket_measurements_by_time ON automarket_measurements (tenant, as_of, publication);
CREATE INDEX automarket_measurements_old ON automarket_measurements (as_of);
