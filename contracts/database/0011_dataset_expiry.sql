-- When datasets expire, and what was removed. Run as seed_owner.

ALTER TABLE seed.shard_checkpoint ADD COLUMN ttl_days integer CHECK (ttl_days > 0);
COMMENT ON COLUMN seed.shard_checkpoint.ttl_days IS
    'Days that the shard is kept after it was last loaded or found right; NULL, from before there was a limit, for ever.';

CREATE TABLE seed.dataset_removal (
    tenant_id uuid NOT NULL REFERENCES seed.tenant,
    removal_id uuid NOT NULL DEFAULT gen_random_uuid(),
    environment text NOT NULL CHECK (environment IN ('dev', 'homolog', 'staging', 'perf', 'dr')),
    profile text NOT NULL,
    reason text NOT NULL CHECK (reason IN ('asked', 'expired')),
    expired_at timestamptz,
    subject text NOT NULL,
    origin text NOT NULL,
    rows jsonb NOT NULL,
    fencing_token bigint NOT NULL,
    removed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, removal_id),
    CONSTRAINT dataset_removal_expired CHECK ((reason = 'expired') = (expired_at IS NOT NULL))
);
COMMENT ON TABLE seed.dataset_removal IS 'Datasets that were removed, written in the transaction that removed them.';
COMMENT ON COLUMN seed.dataset_removal.tenant_id IS 'The tenant.';
COMMENT ON COLUMN seed.dataset_removal.removal_id IS 'The identity of the removal.';
COMMENT ON COLUMN seed.dataset_removal.environment IS 'The environment.';
COMMENT ON COLUMN seed.dataset_removal.profile IS 'The profile of the dataset.';
COMMENT ON COLUMN seed.dataset_removal.reason IS 'expired (its time to live was over) or asked (a seed-admin wanted it gone).';
COMMENT ON COLUMN seed.dataset_removal.expired_at IS 'When its time to live was over, if that is why.';
COMMENT ON COLUMN seed.dataset_removal.subject IS 'The control login that removed it (session_user).';
COMMENT ON COLUMN seed.dataset_removal.origin IS 'The Dagster run, or the identity of the command.';
COMMENT ON COLUMN seed.dataset_removal.rows IS 'Entity to number of rows deleted.';
COMMENT ON COLUMN seed.dataset_removal.fencing_token IS 'The token it was removed under.';
COMMENT ON COLUMN seed.dataset_removal.removed_at IS 'By the clock of the database.';

ALTER TABLE seed.dataset_removal ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY control ON seed.dataset_removal FOR SELECT TO seed_control USING (true);
CREATE POLICY tenant ON seed.dataset_removal FOR INSERT TO seed_loader
    WITH CHECK (tenant_id = (SELECT seed.current_tenant()));
GRANT SELECT ON seed.dataset_removal TO seed_control;
GRANT INSERT ON seed.dataset_removal TO seed_loader;

CREATE VIEW seed.dataset_expiry WITH (security_invoker = true) AS
SELECT
    shard.tenant_id,
    shard.environment,
    shard.profile,
    sum(counted.rows)::bigint AS rows,
    max(shard.loaded_at) AS loaded_at,
    max(checked.found_right_at) AS found_right_at,
    CASE WHEN bool_and(shard.ttl_days IS NOT NULL) THEN
        max(greatest(shard.loaded_at, checked.found_right_at) + make_interval(days => shard.ttl_days))
    END AS expires_at
FROM seed.shard_checkpoint AS shard
CROSS JOIN LATERAL (
    SELECT coalesce(sum(entity.value::bigint), 0) AS rows FROM jsonb_each_text(shard.rows) AS entity
) AS counted
CROSS JOIN LATERAL (
    SELECT max(report.recorded_at) AS found_right_at
    FROM seed.seed_run AS run
    JOIN seed.shard_report AS report USING (tenant_id, seed_run_id)
    WHERE run.tenant_id = shard.tenant_id AND run.environment = shard.environment AND run.profile = shard.profile
        AND report.shard_key = shard.shard_key AND report.passed
) AS checked
GROUP BY shard.tenant_id, shard.environment, shard.profile;
GRANT SELECT ON seed.dataset_expiry TO seed_control;
COMMENT ON VIEW seed.dataset_expiry IS 'When each loaded dataset expires: with the last of its shards; NULL for never.';
COMMENT ON COLUMN seed.dataset_expiry.tenant_id IS 'The tenant.';
COMMENT ON COLUMN seed.dataset_expiry.environment IS 'The environment.';
COMMENT ON COLUMN seed.dataset_expiry.profile IS 'The profile of the dataset.';
COMMENT ON COLUMN seed.dataset_expiry.rows IS 'Rows of all entities.';
COMMENT ON COLUMN seed.dataset_expiry.loaded_at IS 'When a shard of it was last written.';
COMMENT ON COLUMN seed.dataset_expiry.found_right_at IS 'When a run last read a shard of it back and every check passed.';
COMMENT ON COLUMN seed.dataset_expiry.expires_at IS 'ttl_days after a shard was last loaded or found right; the latest of them.';
