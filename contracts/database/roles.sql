-- Cluster roles of seed_pipelines. Idempotent; run once per cluster by a role that may create roles.
-- It sets no passwords: give each login its own afterwards (ALTER ROLE ... PASSWORD), or another authentication method.
--
--   seed_owner     owns the schemas; only migrations act as it
--   seed_loader    writes rows under the tenant policies
--   seed_control   reads and writes leases and seed runs of all tenants
--   seed_migrator  login that may SET ROLE seed_owner, and has no rights before it does
--   seed_app       login for SEED_DATABASE_URL
--   seed_service   login for the control tables: the Dagster webserver, daemon and code server
--   seed_operator  login for the control tables: the person at the command line
--   dagster        login that owns Dagster's own database

DO $roles$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES
            ('seed_owner', 'NOLOGIN INHERIT'),
            ('seed_loader', 'NOLOGIN INHERIT'),
            ('seed_control', 'NOLOGIN INHERIT'),
            ('seed_migrator', 'LOGIN NOINHERIT'),
            ('seed_app', 'LOGIN INHERIT'),
            ('seed_service', 'LOGIN INHERIT'),
            ('seed_operator', 'LOGIN INHERIT'),
            ('dagster', 'LOGIN INHERIT')
        ) AS roles (name, attributes)
    LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted.name) THEN
            EXECUTE pg_catalog.format(
                'CREATE ROLE %I %s NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS',
                wanted.name, wanted.attributes
            );
        END IF;
    END LOOP;

    FOR wanted IN
        SELECT * FROM (VALUES
            ('seed_owner', 'seed_migrator'),
            ('seed_loader', 'seed_app'),
            ('seed_control', 'seed_service'),
            ('seed_control', 'seed_operator')
        ) AS memberships (name, member)
    LOOP
        IF NOT EXISTS (
            SELECT FROM pg_catalog.pg_auth_members AS membership
            WHERE membership.roleid = wanted.name::regrole AND membership.member = wanted.member::regrole
        ) THEN
            EXECUTE pg_catalog.format('GRANT %I TO %I', wanted.name, wanted.member);
        END IF;
    END LOOP;
END
$roles$;
