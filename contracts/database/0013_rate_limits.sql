-- How fast something may be done for a tenant. Run as seed_owner.

CREATE TABLE seed.rate_limit_cell (
    tenant_id uuid NOT NULL REFERENCES seed.tenant,
    environment text NOT NULL CHECK (environment IN ('dev', 'homolog', 'staging', 'perf', 'dr')),
    purpose text NOT NULL CHECK (purpose <> ''),
    free_at timestamptz NOT NULL,
    decided_at timestamptz NOT NULL,
    admitted boolean NOT NULL,
    PRIMARY KEY (tenant_id, environment, purpose)
);
COMMENT ON TABLE seed.rate_limit_cell IS 'The state of one rate limit (GCRA): a row for each tenant, environment and purpose.';
COMMENT ON COLUMN seed.rate_limit_cell.tenant_id IS 'The tenant.';
COMMENT ON COLUMN seed.rate_limit_cell.environment IS 'The environment.';
COMMENT ON COLUMN seed.rate_limit_cell.purpose IS 'What is limited, such as the name of a service that is called.';
COMMENT ON COLUMN seed.rate_limit_cell.free_at IS
    'Theoretical arrival time: when everything admitted is paid for at the sustained rate, by the clock of the database.';
COMMENT ON COLUMN seed.rate_limit_cell.decided_at IS 'When it was asked last, by the clock of the database.';
COMMENT ON COLUMN seed.rate_limit_cell.admitted IS 'What the last answer was.';

ALTER TABLE seed.rate_limit_cell ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY control ON seed.rate_limit_cell TO seed_control USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON seed.rate_limit_cell TO seed_control;
