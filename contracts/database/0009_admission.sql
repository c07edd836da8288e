-- Slots of an environment, the queue for them, and idempotency keys. Run as seed_owner.

ALTER TABLE seed.lease
    ADD COLUMN slot smallint CHECK (slot >= 1),
    ADD CONSTRAINT lease_slot_key UNIQUE (environment, slot);
COMMENT ON COLUMN seed.lease.slot IS 'Which of the places of its environment the run has; NULL for work that takes none, such as a purge.';

CREATE TABLE seed.queue_entry (
    tenant_id uuid NOT NULL REFERENCES seed.tenant,
    entry_id bigint GENERATED ALWAYS AS IDENTITY,
    environment text NOT NULL CHECK (environment IN ('dev', 'homolog', 'staging', 'perf', 'dr')),
    origin text NOT NULL,
    entered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, entry_id)
);
COMMENT ON TABLE seed.queue_entry IS 'Runs that wait for the lease of their tenant and a slot of their environment, in order of arrival.';
COMMENT ON COLUMN seed.queue_entry.tenant_id IS 'The tenant.';
COMMENT ON COLUMN seed.queue_entry.entry_id IS 'The place in the queue: the smallest is served first.';
COMMENT ON COLUMN seed.queue_entry.environment IS 'The environment.';
COMMENT ON COLUMN seed.queue_entry.origin IS 'The Dagster run id, or backfill: and the backfill id.';
COMMENT ON COLUMN seed.queue_entry.entered_at IS 'By the clock of the database.';
COMMENT ON COLUMN seed.queue_entry.seen_at IS 'When whoever waits last asked; an entry that nobody asks for any more holds nobody up.';
COMMENT ON COLUMN seed.queue_entry.expires_at IS 'When it has waited long enough.';

CREATE TABLE seed.idempotency_key (
    tenant_id uuid NOT NULL REFERENCES seed.tenant,
    environment text NOT NULL CHECK (environment IN ('dev', 'homolog', 'staging', 'perf', 'dr')),
    operation text NOT NULL,
    key text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    manifest_hash text NOT NULL CHECK (manifest_hash ~ '^[0-9a-f]{64}$'),
    profile text NOT NULL,
    seed_run_id uuid NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    completed_at timestamptz,
    response text,
    PRIMARY KEY (tenant_id, environment, operation, key),
    CONSTRAINT idempotency_key_answered CHECK ((completed_at IS NULL) = (response IS NULL))
);
COMMENT ON TABLE seed.idempotency_key IS 'What was asked for under a key, and its answer: repeated for 24 hours, by the clock of the database.';
COMMENT ON COLUMN seed.idempotency_key.tenant_id IS 'The tenant.';
COMMENT ON COLUMN seed.idempotency_key.environment IS 'The environment.';
COMMENT ON COLUMN seed.idempotency_key.operation IS 'What the key was used for: seed_run or dry_run.';
COMMENT ON COLUMN seed.idempotency_key.key IS 'The key.';
COMMENT ON COLUMN seed.idempotency_key.manifest_hash IS 'SHA-256 of the manifest, hexadecimal: another one under the same key is a conflict.';
COMMENT ON COLUMN seed.idempotency_key.profile IS 'The profile of the dataset.';
COMMENT ON COLUMN seed.idempotency_key.seed_run_id IS 'Who claimed it. A claim without an answer is void once that seed run has no lease.';
COMMENT ON COLUMN seed.idempotency_key.claimed_at IS 'By the clock of the database.';
COMMENT ON COLUMN seed.idempotency_key.completed_at IS 'When the answer was stored; NULL while the work goes on.';
COMMENT ON COLUMN seed.idempotency_key.response IS 'The answer, byte for byte.';

ALTER TABLE seed.queue_entry ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE seed.idempotency_key ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY control ON seed.queue_entry TO seed_control USING (true) WITH CHECK (true);
CREATE POLICY control ON seed.idempotency_key TO seed_control USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON seed.queue_entry, seed.idempotency_key TO seed_control;
