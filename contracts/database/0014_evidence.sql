-- Reports of seed runs, what waits to be sealed, and the index of what was sealed. Run as seed_owner.

ALTER TABLE seed.seed_run
    ADD COLUMN attempt integer NOT NULL DEFAULT 1 CHECK (attempt >= 1),
    ADD COLUMN manifest jsonb,
    DROP CONSTRAINT seed_run_status_check,
    ADD CONSTRAINT seed_run_status_check
        CHECK (status IN ('running', 'sealing', 'succeeded', 'partial', 'failed', 'aborted'));
COMMENT ON COLUMN seed.seed_run.attempt IS 'Counts how often it was begun: each attempt that ends has a report of its own.';
COMMENT ON COLUMN seed.seed_run.manifest IS 'The manifest it seeds; NULL for runs of before reports were made.';
COMMENT ON COLUMN seed.seed_run.status IS
    'running, then sealing while its report is not sealed, then one of succeeded, partial (some assets or shards only), failed, aborted.';

CREATE TABLE seed.report (
    tenant_id uuid NOT NULL,
    seed_run_id uuid NOT NULL,
    attempt integer NOT NULL CHECK (attempt >= 1),
    environment text NOT NULL CHECK (environment IN ('dev', 'homolog', 'staging', 'perf', 'dr')),
    sequence bigint NOT NULL CHECK (sequence >= 1),
    log_index bigint NOT NULL CHECK (log_index >= 0),
    verdict text NOT NULL CHECK (verdict IN ('succeeded', 'partial', 'failed', 'aborted')),
    envelope bytea NOT NULL,
    sha256 text NOT NULL CHECK (sha256 = encode(sha256(envelope), 'hex')),
    page bytea NOT NULL,
    answer text,
    composed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    deadline_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, seed_run_id, attempt),
    CONSTRAINT report_sequence_key UNIQUE (tenant_id, environment, sequence),
    CONSTRAINT report_log_index_key UNIQUE (environment, log_index)
);
COMMENT ON TABLE seed.report IS
    'The signed reports, one for each attempt of a seed run that ended. Rows are added and never changed or removed.';
COMMENT ON COLUMN seed.report.tenant_id IS 'The tenant; no foreign key, as reports outlive it.';
COMMENT ON COLUMN seed.report.seed_run_id IS 'The seed run.';
COMMENT ON COLUMN seed.report.attempt IS 'The attempt of the seed run.';
COMMENT ON COLUMN seed.report.environment IS 'The environment.';
COMMENT ON COLUMN seed.report.sequence IS 'Its number among the reports of its tenant and environment: from 1, without gaps.';
COMMENT ON COLUMN seed.report.log_index IS 'Its place in the log of all reports of the environment: from 0, without gaps.';
COMMENT ON COLUMN seed.report.verdict IS 'How the attempt ended.';
COMMENT ON COLUMN seed.report.envelope IS 'The DSSE envelope, byte for byte what is sealed.';
COMMENT ON COLUMN seed.report.sha256 IS 'Of the envelope, hexadecimal: the leaf of the log, and what the next report of the tenant names.';
COMMENT ON COLUMN seed.report.page IS 'The report as an HTML page, which is sealed beside it.';
COMMENT ON COLUMN seed.report.answer IS 'The answer that is stored for the key of the run once the report is sealed; NULL where it did not succeed.';
COMMENT ON COLUMN seed.report.composed_at IS 'By the clock of the database.';
COMMENT ON COLUMN seed.report.deadline_at IS 'When a run that is not sealed has failed.';

CREATE TABLE seed.sealing (
    tenant_id uuid NOT NULL,
    seed_run_id uuid NOT NULL,
    attempt integer NOT NULL,
    tries integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    next_try_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    problem jsonb,
    PRIMARY KEY (tenant_id, seed_run_id, attempt),
    FOREIGN KEY (tenant_id, seed_run_id, attempt) REFERENCES seed.report (tenant_id, seed_run_id, attempt)
);
COMMENT ON TABLE seed.sealing IS 'The outbox: reports that are not sealed yet. Filled with the report, emptied with its evidence.';
COMMENT ON COLUMN seed.sealing.tenant_id IS 'The tenant.';
COMMENT ON COLUMN seed.sealing.seed_run_id IS 'The seed run.';
COMMENT ON COLUMN seed.sealing.attempt IS 'The attempt of the seed run.';
COMMENT ON COLUMN seed.sealing.tries IS 'How often it was tried in vain.';
COMMENT ON COLUMN seed.sealing.next_try_at IS 'When it is tried next, by the clock of the database.';
COMMENT ON COLUMN seed.sealing.problem IS 'Problem Details object (RFC 9457) of the last try.';

CREATE TABLE seed.evidence (
    tenant_id uuid NOT NULL,
    seed_run_id uuid NOT NULL,
    attempt integer NOT NULL,
    bucket text NOT NULL,
    object_key text NOT NULL,
    version_id text NOT NULL,
    page_key text NOT NULL,
    page_version_id text NOT NULL,
    retain_until timestamptz NOT NULL,
    sealed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, seed_run_id, attempt),
    FOREIGN KEY (tenant_id, seed_run_id, attempt) REFERENCES seed.report (tenant_id, seed_run_id, attempt)
);
COMMENT ON TABLE seed.evidence IS
    'Where each report is sealed: object versions in COMPLIANCE mode that were read back. Rows are added and never changed or removed.';
COMMENT ON COLUMN seed.evidence.tenant_id IS 'The tenant.';
COMMENT ON COLUMN seed.evidence.seed_run_id IS 'The seed run.';
COMMENT ON COLUMN seed.evidence.attempt IS 'The attempt of the seed run.';
COMMENT ON COLUMN seed.evidence.bucket IS 'The bucket.';
COMMENT ON COLUMN seed.evidence.object_key IS 'The key of the envelope.';
COMMENT ON COLUMN seed.evidence.version_id IS 'The version of the envelope.';
COMMENT ON COLUMN seed.evidence.page_key IS 'The key of the HTML page.';
COMMENT ON COLUMN seed.evidence.page_version_id IS 'The version of the HTML page.';
COMMENT ON COLUMN seed.evidence.retain_until IS 'Until when nobody can remove or change the envelope.';
COMMENT ON COLUMN seed.evidence.sealed_at IS 'By the clock of the database.';

CREATE TABLE seed.log_checkpoint (
    environment text NOT NULL CHECK (environment IN ('dev', 'homolog', 'staging', 'perf', 'dr')),
    tree_size bigint NOT NULL CHECK (tree_size >= 1),
    root text NOT NULL CHECK (root ~ '^[0-9a-f]{64}$'),
    envelope bytea NOT NULL,
    object_key text NOT NULL,
    version_id text NOT NULL,
    sealed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (environment, tree_size)
);
COMMENT ON TABLE seed.log_checkpoint IS
    'Signed tree heads of the log of reports, as they were sealed. Rows are added and never changed or removed.';
COMMENT ON COLUMN seed.log_checkpoint.environment IS 'The environment.';
COMMENT ON COLUMN seed.log_checkpoint.tree_size IS 'How many reports it covers, from the first.';
COMMENT ON COLUMN seed.log_checkpoint.root IS 'Merkle tree hash of the log (RFC 6962), hexadecimal.';
COMMENT ON COLUMN seed.log_checkpoint.envelope IS 'The DSSE envelope, byte for byte what is sealed.';
COMMENT ON COLUMN seed.log_checkpoint.object_key IS 'The key of the envelope.';
COMMENT ON COLUMN seed.log_checkpoint.version_id IS 'The version of the envelope.';
COMMENT ON COLUMN seed.log_checkpoint.sealed_at IS 'By the clock of the database.';

CREATE TABLE seed.worm_probe (
    environment text PRIMARY KEY CHECK (environment IN ('dev', 'homolog', 'staging', 'perf', 'dr')),
    probed_at timestamptz NOT NULL,
    problem jsonb
);
COMMENT ON TABLE seed.worm_probe IS 'What the sensor that seals found when it last wrote a probe object.';
COMMENT ON COLUMN seed.worm_probe.environment IS 'The environment.';
COMMENT ON COLUMN seed.worm_probe.probed_at IS 'By the clock of the database.';
COMMENT ON COLUMN seed.worm_probe.problem IS 'Problem Details object (RFC 9457); NULL if the bucket keeps what it is given.';

ALTER TABLE seed.report ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE seed.sealing ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE seed.evidence ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY control ON seed.report TO seed_control USING (true) WITH CHECK (true);
CREATE POLICY control ON seed.sealing TO seed_control USING (true) WITH CHECK (true);
CREATE POLICY control ON seed.evidence TO seed_control USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON seed.report, seed.evidence, seed.log_checkpoint TO seed_control;
GRANT SELECT, INSERT, UPDATE, DELETE ON seed.sealing TO seed_control;
GRANT SELECT, INSERT, UPDATE ON seed.worm_probe TO seed_control;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON seed.report
    FOR EACH STATEMENT EXECUTE FUNCTION seed.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON seed.evidence
    FOR EACH STATEMENT EXECUTE FUNCTION seed.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON seed.log_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION seed.refuse_change();
