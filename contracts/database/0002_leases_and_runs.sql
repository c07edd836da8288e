-- Leases, seed runs and shard checkpoints. Run as seed_owner.

CREATE SEQUENCE seed.fencing_token AS bigint;
GRANT USAGE ON SEQUENCE seed.fencing_token TO seed_control;
COMMENT ON SEQUENCE seed.fencing_token IS 'Grows with every lease taken: a later holder has the larger token.';

CREATE TABLE seed.lease (
    tenant_id uuid NOT NULL REFERENCES seed.tenant,
    environment text NOT NULL CHECK (environment IN ('dev', 'homolog', 'staging', 'perf', 'dr')),
    token bigint NOT NULL,
    seed_run_id uuid NOT NULL,
    holder text NOT NULL,
    acquired_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, environment),
    CONSTRAINT lease_token_key UNIQUE (token)
);
COMMENT ON TABLE seed.lease IS 'Who may write to a tenant of an environment at the moment.';
COMMENT ON COLUMN seed.lease.tenant_id IS 'The tenant.';
COMMENT ON COLUMN seed.lease.environment IS 'The environment.';
COMMENT ON COLUMN seed.lease.token IS
    'Fencing token. Its unique index makes a change of it wait for writers that hold FOR KEY SHARE, while heartbeats pass.';
COMMENT ON COLUMN seed.lease.seed_run_id IS 'The seed run that holds the lease; its steps share it.';
COMMENT ON COLUMN seed.lease.holder IS 'The Dagster run or backfill behind the seed run.';
COMMENT ON COLUMN seed.lease.acquired_at IS 'When this token was issued, by the clock of the database.';
COMMENT ON COLUMN seed.lease.expires_at IS 'When another run may take over, unless a heartbeat moves it.';

CREATE TABLE seed.seed_run (
    tenant_id uuid NOT NULL REFERENCES seed.tenant,
    seed_run_id uuid NOT NULL DEFAULT gen_random_uuid(),
    environment text NOT NULL CHECK (environment IN ('dev', 'homolog', 'staging', 'perf', 'dr')),
    profile text NOT NULL,
    origin text NOT NULL,
    manifest_hash text NOT NULL CHECK (manifest_hash ~ '^[0-9a-f]{64}$'),
    mode text NOT NULL CHECK (mode IN ('baseline', 'carga', 'dr', 'canary')),
    idempotency_key text NOT NULL,
    status text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'succeeded', 'partial', 'failed', 'aborted')),
    subject text NOT NULL,
    requested_by text NOT NULL,
    claimed_roles text[] NOT NULL,
    window_override_reason text,
    fencing_token bigint,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    problem jsonb,
    PRIMARY KEY (tenant_id, seed_run_id),
    CONSTRAINT seed_run_id_key UNIQUE (seed_run_id),
    CONSTRAINT seed_run_origin_key UNIQUE (tenant_id, environment, profile, origin),
    CONSTRAINT seed_run_ended CHECK ((status = 'running') = (ended_at IS NULL))
);
COMMENT ON TABLE seed.seed_run IS 'One attempt to seed a dataset, whatever the number of Dagster steps and runs it takes.';
COMMENT ON COLUMN seed.seed_run.tenant_id IS 'The tenant.';
COMMENT ON COLUMN seed.seed_run.seed_run_id IS 'The identity of the seed run.';
COMMENT ON COLUMN seed.seed_run.environment IS 'The environment.';
COMMENT ON COLUMN seed.seed_run.profile IS 'The profile of the dataset.';
COMMENT ON COLUMN seed.seed_run.origin IS 'The Dagster run id, or backfill: and the backfill id.';
COMMENT ON COLUMN seed.seed_run.manifest_hash IS 'SHA-256 of the manifest, hexadecimal.';
COMMENT ON COLUMN seed.seed_run.mode IS 'baseline, carga, dr or canary.';
COMMENT ON COLUMN seed.seed_run.idempotency_key IS 'The key it was asked for with.';
COMMENT ON COLUMN seed.seed_run.status IS 'running, then one of succeeded, partial (some assets only), failed, aborted.';
COMMENT ON COLUMN seed.seed_run.subject IS 'The control login that started it (session_user).';
COMMENT ON COLUMN seed.seed_run.requested_by IS 'The person or system it was started for, as claimed.';
COMMENT ON COLUMN seed.seed_run.claimed_roles IS 'The roles claimed at the start; the granted ones decide.';
COMMENT ON COLUMN seed.seed_run.window_override_reason IS 'Why it ran outside the off-peak window, if it did.';
COMMENT ON COLUMN seed.seed_run.fencing_token IS 'The newest token it held.';
COMMENT ON COLUMN seed.seed_run.started_at IS 'By the clock of the database.';
COMMENT ON COLUMN seed.seed_run.ended_at IS 'By the clock of the database.';
COMMENT ON COLUMN seed.seed_run.problem IS 'Problem Details object (RFC 9457) of what ended it.';

CREATE TABLE seed.shard_report (
    tenant_id uuid NOT NULL,
    seed_run_id uuid NOT NULL,
    shard_key text NOT NULL,
    passed boolean NOT NULL,
    report jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, seed_run_id, shard_key),
    FOREIGN KEY (tenant_id, seed_run_id) REFERENCES seed.seed_run (tenant_id, seed_run_id)
);
COMMENT ON TABLE seed.shard_report IS 'Facts and check results of the shards of a seed run.';
COMMENT ON COLUMN seed.shard_report.tenant_id IS 'The tenant.';
COMMENT ON COLUMN seed.shard_report.seed_run_id IS 'The seed run.';
COMMENT ON COLUMN seed.shard_report.shard_key IS 'The Dagster partition.';
COMMENT ON COLUMN seed.shard_report.passed IS 'Whether every check passed.';
COMMENT ON COLUMN seed.shard_report.report IS 'The integrity report of the shard.';
COMMENT ON COLUMN seed.shard_report.recorded_at IS 'By the clock of the database.';

CREATE TABLE seed.shard_checkpoint (
    tenant_id uuid NOT NULL REFERENCES seed.tenant,
    environment text NOT NULL CHECK (environment IN ('dev', 'homolog', 'staging', 'perf', 'dr')),
    profile text NOT NULL,
    shard_key text NOT NULL,
    first_customer bigint NOT NULL CHECK (first_customer >= 0),
    end_customer bigint CHECK (end_customer > first_customer),
    manifest_hash text NOT NULL CHECK (manifest_hash ~ '^[0-9a-f]{64}$'),
    reference_datetime timestamptz NOT NULL,
    anchor_datetime timestamptz NOT NULL,
    salt_version text NOT NULL,
    key_fingerprint text NOT NULL,
    generator_version text NOT NULL,
    dataset_tag integer NOT NULL CHECK (dataset_tag BETWEEN 0 AND 16777215),
    rows jsonb NOT NULL,
    leaves jsonb NOT NULL,
    seed_run_id uuid NOT NULL,
    fencing_token bigint NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, environment, profile, first_customer)
);
COMMENT ON TABLE seed.shard_checkpoint IS 'What is loaded, written in the transaction that loaded it.';
COMMENT ON COLUMN seed.shard_checkpoint.tenant_id IS 'The tenant.';
COMMENT ON COLUMN seed.shard_checkpoint.environment IS 'The environment.';
COMMENT ON COLUMN seed.shard_checkpoint.profile IS 'The profile of the dataset.';
COMMENT ON COLUMN seed.shard_checkpoint.shard_key IS 'The Dagster partition that loaded it.';
COMMENT ON COLUMN seed.shard_checkpoint.first_customer IS 'The first customer index of the shard.';
COMMENT ON COLUMN seed.shard_checkpoint.end_customer IS 'The index after its last customer; NULL for no end.';
COMMENT ON COLUMN seed.shard_checkpoint.manifest_hash IS 'SHA-256 of the manifest, hexadecimal.';
COMMENT ON COLUMN seed.shard_checkpoint.reference_datetime IS 'The reference_datetime of the manifest.';
COMMENT ON COLUMN seed.shard_checkpoint.anchor_datetime IS 'The anchor_datetime of the manifest.';
COMMENT ON COLUMN seed.shard_checkpoint.salt_version IS 'The salt_version of the manifest.';
COMMENT ON COLUMN seed.shard_checkpoint.key_fingerprint IS 'Which masking key: a digest that does not reveal it.';
COMMENT ON COLUMN seed.shard_checkpoint.generator_version IS 'Which generator: code and vocabularies.';
COMMENT ON COLUMN seed.shard_checkpoint.dataset_tag IS 'The 24 bits that every row id of the dataset starts with.';
COMMENT ON COLUMN seed.shard_checkpoint.rows IS 'Entity to number of rows.';
COMMENT ON COLUMN seed.shard_checkpoint.leaves IS 'Entity to the leaf digests of the shard, hexadecimal, in order.';
COMMENT ON COLUMN seed.shard_checkpoint.seed_run_id IS 'The seed run that loaded it.';
COMMENT ON COLUMN seed.shard_checkpoint.fencing_token IS 'The token it was loaded under.';
COMMENT ON COLUMN seed.shard_checkpoint.loaded_at IS 'By the clock of the database.';

ALTER TABLE seed.shard_report ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE seed.lease ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE seed.seed_run ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE seed.shard_checkpoint ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY control ON seed.lease TO seed_control USING (true) WITH CHECK (true);
CREATE POLICY fencing_read ON seed.lease FOR SELECT TO seed_owner USING (true);
CREATE POLICY fencing_lock ON seed.lease FOR UPDATE TO seed_owner USING (true) WITH CHECK (false);
CREATE POLICY control ON seed.seed_run TO seed_control USING (true) WITH CHECK (true);
CREATE POLICY control ON seed.shard_report TO seed_control USING (true) WITH CHECK (true);
CREATE POLICY control ON seed.shard_checkpoint FOR SELECT TO seed_control USING (true);
CREATE POLICY tenant ON seed.shard_checkpoint TO seed_loader
    USING (tenant_id = (SELECT seed.current_tenant()))
    WITH CHECK (tenant_id = (SELECT seed.current_tenant()));

GRANT SELECT, INSERT, UPDATE, DELETE ON seed.lease TO seed_control;
GRANT SELECT, INSERT, UPDATE ON seed.seed_run, seed.shard_report TO seed_control;
GRANT SELECT ON seed.shard_checkpoint TO seed_control;
GRANT SELECT, INSERT, DELETE ON seed.shard_checkpoint TO seed_loader;

CREATE FUNCTION seed.hold_fencing_token(tenant uuid, environment_name text, held_token bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM FROM seed.tenant_grant AS permitted
    WHERE permitted.tenant_id = tenant AND permitted.role_name = session_user::text;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM FROM seed.lease AS held
    WHERE held.tenant_id = tenant AND held.environment = environment_name AND held.token = held_token
    FOR KEY SHARE;
    RETURN FOUND;
END
$function$;
REVOKE ALL ON FUNCTION seed.hold_fencing_token(uuid, text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION seed.hold_fencing_token(uuid, text, bigint) TO seed_loader;
COMMENT ON FUNCTION seed.hold_fencing_token(uuid, text, bigint) IS
    'Whether the token is the current one; if so, it stays so until the transaction ends: takeover and release wait.';
