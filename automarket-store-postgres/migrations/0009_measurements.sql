-- What came of publications, point by point.
CREATE TABLE automarket.measurements (
    tenant      text COLLATE "C" NOT NULL,
    publication uuid NOT NULL,
    as_of       timestamptz NOT NULL,
    source      text COLLATE "C" NOT NULL,
    metrics     json NOT NULL,
    PRIMARY KEY (tenant, publication, as_of)
);
CREATE INDEX measurements_by_time ON automarket.measurements (tenant, as_of, publication);
CREATE INDEX measurements_old ON automarket.measurements (as_of);
