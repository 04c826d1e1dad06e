-- Whether a leased job is only lent, to be given back: no crash is counted when its lease runs out.
ALTER TABLE automarket_queue ADD COLUMN in_trust INTEGER NOT NULL DEFAULT 0;
