-- Who may act for which tenant. Run as seed_owner, which owns the database.

DO $database$
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO seed_migrator, seed_loader, seed_control', current_database());
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO seed_loader', current_database());
END
$database$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;

CREATE SCHEMA IF NOT EXISTS seed;
REVOKE ALL ON SCHEMA seed FROM PUBLIC;
GRANT USAGE ON SCHEMA seed TO seed_loader, seed_control;
COMMENT ON SCHEMA seed IS 'Control tables of seed_pipelines: tenants, grants, leases, seed runs, checkpoints.';

CREATE TABLE seed.environment (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    name text NOT NULL CHECK (name IN ('dev', 'homolog', 'staging', 'perf', 'dr'))
);
GRANT SELECT ON seed.environment TO seed_loader, seed_control;
COMMENT ON TABLE seed.environment IS 'Which environment this database is: one row, so that a wrong URL is refused.';
COMMENT ON COLUMN seed.environment.only_row IS 'Always true: keeps the table at one row.';
COMMENT ON COLUMN seed.environment.name IS 'dev, homolog, staging, perf or dr.';

CREATE TABLE seed.tenant (
    tenant_id uuid PRIMARY KEY,
    slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')
);
COMMENT ON TABLE seed.tenant IS 'Tenants that may be seeded in this database.';
COMMENT ON COLUMN seed.tenant.tenant_id IS 'The identity used in every table that carries a tenant.';
COMMENT ON COLUMN seed.tenant.slug IS 'The name used in manifests.';

CREATE TABLE seed.tenant_grant (
    role_name text NOT NULL,
    tenant_id uuid NOT NULL REFERENCES seed.tenant,
    PRIMARY KEY (tenant_id, role_name)
);
COMMENT ON TABLE seed.tenant_grant IS 'Which login may act for which tenant; the tenant policies ask it.';
COMMENT ON COLUMN seed.tenant_grant.role_name IS 'The login (session_user).';
COMMENT ON COLUMN seed.tenant_grant.tenant_id IS 'The tenant it may act for.';

CREATE TABLE seed.role_grant (
    subject text NOT NULL,
    role text NOT NULL CHECK (role IN ('seed-runner', 'seed-admin', 'seed-read')),
    tenant_id uuid NOT NULL REFERENCES seed.tenant,
    environment text NOT NULL CHECK (environment IN ('dev', 'homolog', 'staging', 'perf', 'dr')),
    PRIMARY KEY (tenant_id, environment, subject, role)
);
COMMENT ON TABLE seed.role_grant IS 'What a control login may ask of seed_pipelines, per tenant and environment.';
COMMENT ON COLUMN seed.role_grant.subject IS 'The control login (session_user).';
COMMENT ON COLUMN seed.role_grant.role IS 'seed-runner may seed, seed-admin may also override the window and purge, seed-read may look.';
COMMENT ON COLUMN seed.role_grant.tenant_id IS 'The tenant it holds for.';
COMMENT ON COLUMN seed.role_grant.environment IS 'The environment it holds for.';

ALTER TABLE seed.tenant ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE seed.tenant_grant ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE seed.role_grant ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY provisioning ON seed.tenant TO seed_owner USING (true) WITH CHECK (true);
CREATE POLICY control ON seed.tenant FOR SELECT TO seed_control USING (true);
CREATE POLICY provisioning ON seed.tenant_grant TO seed_owner USING (true) WITH CHECK (true);
CREATE POLICY own_grants ON seed.tenant_grant FOR SELECT TO seed_loader USING (role_name = session_user::text);
CREATE POLICY provisioning ON seed.role_grant TO seed_owner USING (true) WITH CHECK (true);
CREATE POLICY control ON seed.role_grant FOR SELECT TO seed_control USING (true);

GRANT SELECT ON seed.tenant, seed.role_grant TO seed_control;
GRANT SELECT ON seed.tenant_grant TO seed_loader;

CREATE FUNCTION seed.current_tenant() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE SECURITY INVOKER
RETURN (
    SELECT permitted.tenant_id
    FROM seed.tenant_grant AS permitted
    WHERE permitted.role_name = session_user::text
        AND permitted.tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid
);
REVOKE ALL ON FUNCTION seed.current_tenant() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION seed.current_tenant() TO seed_loader;
COMMENT ON FUNCTION seed.current_tenant() IS
    'The tenant of app.tenant_id if the login was granted it, else NULL: no rows.';
