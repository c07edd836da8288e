-- What seed runs had of the outside systems' stubs. Run as seed_owner.

CREATE TABLE seed.integration_use (
    tenant_id uuid NOT NULL,
    entry_id bigint GENERATED ALWAYS AS IDENTITY,
    seed_run_id uuid NOT NULL,
    integration text NOT NULL CHECK (integration <> ''),
    shard_key text NOT NULL,
    requests integer NOT NULL CHECK (requests >= 0),
    failed integer NOT NULL CHECK (failed BETWEEN 0 AND requests),
    refused integer NOT NULL CHECK (refused BETWEEN 0 AND requests),
    held_back integer NOT NULL CHECK (held_back >= 0),
    waited_seconds double precision NOT NULL CHECK (waited_seconds >= 0),
    elapsed_seconds double precision NOT NULL CHECK (elapsed_seconds >= 0),
    latencies_ms double precision[] NOT NULL,
    outcomes jsonb NOT NULL,
    fencing_token bigint NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, entry_id),
    FOREIGN KEY (tenant_id, seed_run_id) REFERENCES seed.seed_run (tenant_id, seed_run_id)
);
COMMENT ON TABLE seed.integration_use IS
    'Ledger of the calls of seed runs to the stubs of outside systems: an entry for each try of a shard and system.';
COMMENT ON COLUMN seed.integration_use.tenant_id IS 'The tenant.';
COMMENT ON COLUMN seed.integration_use.entry_id IS 'In the order of recording.';
COMMENT ON COLUMN seed.integration_use.seed_run_id IS 'The seed run that called.';
COMMENT ON COLUMN seed.integration_use.integration IS 'The system, such as kyc.';
COMMENT ON COLUMN seed.integration_use.shard_key IS 'The Dagster partition whose customers were asked about.';
COMMENT ON COLUMN seed.integration_use.requests IS 'Requests that were sent, retries too; the rate limit admitted each.';
COMMENT ON COLUMN seed.integration_use.failed IS 'Of those, how many had no answer, a wrong one or an error of the server.';
COMMENT ON COLUMN seed.integration_use.refused IS 'Of those, how many were answered with 429.';
COMMENT ON COLUMN seed.integration_use.held_back IS 'How often the rate limit of the manifest let a request wait.';
COMMENT ON COLUMN seed.integration_use.waited_seconds IS 'Waiting for the rate limit and before retries.';
COMMENT ON COLUMN seed.integration_use.elapsed_seconds IS 'From the first request to the last answer.';
COMMENT ON COLUMN seed.integration_use.latencies_ms IS 'Of every request that was answered.';
COMMENT ON COLUMN seed.integration_use.outcomes IS 'What was decided, and how often.';
COMMENT ON COLUMN seed.integration_use.fencing_token IS 'The token it was done under.';
COMMENT ON COLUMN seed.integration_use.recorded_at IS 'By the clock of the database.';
CREATE INDEX integration_use_run ON seed.integration_use (seed_run_id);

ALTER TABLE seed.budget_entry
    DROP CONSTRAINT budget_entry_kind_check,
    ADD CONSTRAINT budget_entry_kind_check CHECK (kind IN ('masking_keys', 'generate', 'load', 'call'));
COMMENT ON COLUMN seed.budget_entry.kind IS
    'masking_keys (asked for), generate (an entity of a shard, into a Parquet file), load (a shard, into its tables) or call (stubs, about a shard).';
COMMENT ON COLUMN seed.budget_entry.requests IS 'Requests to Vault Transit, to stubs, and those that stored Parquet files in a bucket.';

ALTER TABLE seed.integration_use ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY control_read ON seed.integration_use FOR SELECT TO seed_control USING (true);
CREATE POLICY control_append ON seed.integration_use FOR INSERT TO seed_control WITH CHECK (true);

GRANT SELECT, INSERT ON seed.integration_use TO seed_control;
