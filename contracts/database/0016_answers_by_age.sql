-- Answers over HTTP are many: what is too old, and what a seed run has claimed, is found among them. Run as seed_owner.

CREATE INDEX idempotency_key_age ON seed.idempotency_key (completed_at);
CREATE INDEX idempotency_key_claim ON seed.idempotency_key (seed_run_id) WHERE completed_at IS NULL;
COMMENT ON COLUMN seed.idempotency_key.operation IS
    'What the key was used for: seed_run or dry_run, or over HTTP validate, seed_run_request or seed_run_cancel.';
