-- Sealed credentials: one per account. needs_reauth is 0 or 1.
CREATE TABLE automarket_credentials (
    tenant             TEXT NOT NULL,
    account            BLOB NOT NULL,
    version            INTEGER NOT NULL,
    key_id             TEXT NOT NULL,
    sealed             BLOB NOT NULL,
    expires_at         INTEGER,
    refresh_expires_at INTEGER,
    needs_reauth       INTEGER NOT NULL DEFAULT 0,
    leased_until       INTEGER,
    used_at            INTEGER,
    updated_at         INTEGER NOT NULL,
    PRIMARY KEY (tenant, account)
);
CREATE INDEX automarket_credentials_by_key ON automarket_credentials (key_id, tenant, account);

-- How often each key has sealed.
CREATE TABLE automarket_keys (
    key_id TEXT PRIMARY KEY,
    seals  INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE automarket_audit (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant   TEXT NOT NULL,
    account  BLOB NOT NULL,
    action   TEXT NOT NULL,
    who      TEXT NOT NULL,
    why      TEXT NOT NULL,
    outcome  TEXT NOT NULL,
    at       INTEGER NOT NULL
);
CREATE INDEX automarket_audit_of_tenant ON automarket_audit (tenant, sequence);
CREATE INDEX automarket_audit_of_account ON automarket_audit (tenant, account);
CREATE TRIGGER automarket_audit_stays BEFORE UPDATE ON automarket_audit
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is never changed');
END;
