-- What seed runs cost. Run as seed_owner.

CREATE TABLE seed.budget_entry (
    tenant_id uuid NOT NULL,
    seed_run_id uuid NOT NULL,
    piece text NOT NULL CHECK (piece <> ''),
    kind text NOT NULL CHECK (kind IN ('masking_keys', 'generate', 'load')),
    entity text NOT NULL CHECK ((entity <> '') = (kind = 'generate')),
    shard_key text NOT NULL,
    rows bigint NOT NULL CHECK (rows >= 0),
    requests bigint NOT NULL CHECK (requests >= 0),
    bytes_written bigint NOT NULL CHECK (bytes_written >= 0),
    seconds numeric(12, 3) NOT NULL CHECK (seconds >= 0),
    cost_brl numeric(24, 6) NOT NULL CHECK (cost_brl >= 0),
    cost_model_version text NOT NULL,
    fencing_token bigint NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, seed_run_id, piece),
    FOREIGN KEY (tenant_id, seed_run_id) REFERENCES seed.seed_run (tenant_id, seed_run_id)
);
COMMENT ON TABLE seed.budget_entry IS
    'Ledger of what seed runs did and what it costs: one entry for a piece of work of a seed run, however often it was tried.';
COMMENT ON COLUMN seed.budget_entry.tenant_id IS 'The tenant.';
COMMENT ON COLUMN seed.budget_entry.seed_run_id IS 'The seed run that pays.';
COMMENT ON COLUMN seed.budget_entry.piece IS 'The piece of work: its kind, entity and shard, with / between them.';
COMMENT ON COLUMN seed.budget_entry.kind IS
    'masking_keys (asked for), generate (an entity of a shard, into a Parquet file) or load (a shard, into its tables).';
COMMENT ON COLUMN seed.budget_entry.entity IS 'What was generated; empty for other kinds.';
COMMENT ON COLUMN seed.budget_entry.shard_key IS 'The Dagster partition.';
COMMENT ON COLUMN seed.budget_entry.rows IS 'Rows generated or loaded; none for a shard that was there already.';
COMMENT ON COLUMN seed.budget_entry.requests IS 'Requests to Vault Transit, and those that stored Parquet files in a bucket.';
COMMENT ON COLUMN seed.budget_entry.bytes_written IS 'Bytes of Parquet files.';
COMMENT ON COLUMN seed.budget_entry.seconds IS 'How long it took; 0 where that was not measured.';
COMMENT ON COLUMN seed.budget_entry.cost_brl IS 'Reais for rows, requests and bytes by the cost model.';
COMMENT ON COLUMN seed.budget_entry.cost_model_version IS 'The version of the prices.';
COMMENT ON COLUMN seed.budget_entry.fencing_token IS 'The token it was done under.';
COMMENT ON COLUMN seed.budget_entry.recorded_at IS 'By the clock of the database.';
CREATE INDEX budget_entry_recorded_at ON seed.budget_entry (recorded_at);

ALTER TABLE seed.budget_entry ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY control_read ON seed.budget_entry FOR SELECT TO seed_control USING (true);
CREATE POLICY control_append ON seed.budget_entry FOR INSERT TO seed_control WITH CHECK (true);

GRANT SELECT, INSERT ON seed.budget_entry TO seed_control;
