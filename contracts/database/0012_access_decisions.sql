-- Who was allowed or refused what. Run as seed_owner.

CREATE TABLE seed.access_decision (
    tenant_id uuid NOT NULL,
    decision_id bigint GENERATED ALWAYS AS IDENTITY,
    environment text NOT NULL CHECK (environment IN ('dev', 'homolog', 'staging', 'perf', 'dr')),
    subject text NOT NULL DEFAULT session_user,
    action text NOT NULL CHECK (action IN ('seed', 'override_window', 'dry_run', 'purge', 'purge_expired', 'read')),
    claimed_roles text[] NOT NULL,
    counted_roles text[] NOT NULL,
    allowed boolean NOT NULL,
    problem_code text,
    requested_by text NOT NULL,
    origin text NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, decision_id),
    CONSTRAINT access_decision_reason CHECK (allowed = (problem_code IS NULL))
);
COMMENT ON TABLE seed.access_decision IS
    'Every decision on what a subject may do, grants and refusals alike. Rows are added and never changed or removed.';
COMMENT ON COLUMN seed.access_decision.tenant_id IS 'The tenant; no foreign key, as decisions outlive it.';
COMMENT ON COLUMN seed.access_decision.decision_id IS 'Its number.';
COMMENT ON COLUMN seed.access_decision.environment IS 'The environment.';
COMMENT ON COLUMN seed.access_decision.subject IS 'The control login (session_user), set by the database.';
COMMENT ON COLUMN seed.access_decision.action IS 'seed, override_window, dry_run, purge, purge_expired or read.';
COMMENT ON COLUMN seed.access_decision.claimed_roles IS 'The roles that the caller claimed; none if it claimed none.';
COMMENT ON COLUMN seed.access_decision.counted_roles IS
    'The granted roles that counted: all of them, or those among the claimed ones; in order.';
COMMENT ON COLUMN seed.access_decision.allowed IS 'Whether it was allowed.';
COMMENT ON COLUMN seed.access_decision.problem_code IS 'The problem it was refused with; NULL if it was allowed.';
COMMENT ON COLUMN seed.access_decision.requested_by IS 'The person or system it was asked for, as claimed.';
COMMENT ON COLUMN seed.access_decision.origin IS 'The Dagster run id, backfill: and the backfill id, or the id of a command.';
COMMENT ON COLUMN seed.access_decision.decided_at IS 'By the clock of the database, set by the database.';

CREATE UNIQUE INDEX access_decision_once ON seed.access_decision
    (tenant_id, environment, origin, action, subject, counted_roles, allowed, (coalesce(problem_code, '')));
COMMENT ON INDEX seed.access_decision_once IS 'The steps of a seed run ask again: the same answer is kept once.';

ALTER TABLE seed.access_decision ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY control ON seed.access_decision FOR INSERT TO seed_control WITH CHECK (subject = session_user::text);
CREATE POLICY audit ON seed.access_decision FOR SELECT TO seed_owner USING (true);

GRANT INSERT
    (tenant_id, environment, action, claimed_roles, counted_roles, allowed, problem_code, requested_by, origin)
    ON seed.access_decision TO seed_control;

CREATE FUNCTION seed.refuse_change() RETURNS trigger
LANGUAGE plpgsql SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RAISE EXCEPTION '%.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$function$;
REVOKE ALL ON FUNCTION seed.refuse_change() FROM PUBLIC;
COMMENT ON FUNCTION seed.refuse_change() IS 'Keeps rows as they are, whoever asks.';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON seed.access_decision
    FOR EACH STATEMENT EXECUTE FUNCTION seed.refuse_change();

-- Grants that are there already stay, and do not count.
ALTER TABLE seed.role_grant ADD CONSTRAINT role_grant_service_is_no_admin
    CHECK (subject <> 'seed_service' OR role <> 'seed-admin') NOT VALID;
