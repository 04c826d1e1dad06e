-- Sealed credentials: one per account.
CREATE TABLE automarket.credentials (
    tenant             text COLLATE "C" NOT NULL,
    account            uuid NOT NULL,
    version            bigint NOT NULL,
    key_id             text COLLATE "C" NOT NULL,
    sealed             bytea NOT NULL,
    expires_at         timestamptz,
    refresh_expires_at timestamptz,
    needs_reauth       boolean NOT NULL DEFAULT false,
    leased_until       timestamptz,
    used_at            timestamptz,
    updated_at         timestamptz NOT NULL,
    PRIMARY KEY (tenant, account)
);
CREATE INDEX credentials_by_key ON automarket.credentials (key_id, tenant, account);

-- How often each key has sealed.
CREATE TABLE automarket.keys (
    key_id text COLLATE "C" PRIMARY KEY,
    seals  bigint NOT NULL
);

CREATE TABLE automarket.audit (
    sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant   text COLLATE "C" NOT NULL,
    account  uuid NOT NULL,
    action   text NOT NULL,
    who      text NOT NULL,
    why      text NOT NULL,
    outcome  text NOT NULL,
    at       timestamptz NOT NULL
);
CREATE INDEX audit_of_tenant ON automarket.audit (tenant, sequence);
CREATE INDEX audit_of_account ON automarket.audit (tenant, account);
CREATE FUNCTION automarket.audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is never changed';
END $$;
CREATE TRIGGER audit_stays BEFORE UPDATE ON automarket.audit
    FOR EACH STATEMENT EXECUTE FUNCTION automarket.audit_stays();
