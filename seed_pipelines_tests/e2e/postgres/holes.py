"""Every hole in the isolation of tenants that the tests plant: how it is made, how it is undone, what must be said of it."""

from dataclasses import dataclass
from typing import Final

from seed_pipelines_tests.e2e.postgres.conftest import TENANT_A, TENANT_B

OWN: Final = "tenant_id = (SELECT seed.current_tenant())"
CUSTOMER: Final = "banking.customer"
_TENANT_POLICY: Final = f"CREATE POLICY tenant ON banking.customer TO seed_loader USING ({OWN}) WITH CHECK ({OWN})"
_POLICY_DROPPED: Final = "DROP POLICY open ON banking.customer"
_VIEW_DROPPED: Final = "DROP VIEW banking.seen"
_FUNCTION_DROPPED: Final = "DROP FUNCTION banking.seen"


@dataclass(frozen=True)
class Hole:
    """One change of the schema, the roles or the server, as a superuser makes it."""

    id: str
    forth: str
    back: str
    relation: str
    """What the doctor names."""
    finding: str
    """A part of what it says."""


def _policy(id: str, definition: str, finding: str) -> Hole:  # noqa: A002 # the word of pytest
    return Hole(id, f"CREATE POLICY open ON banking.customer {definition}", _POLICY_DROPPED, CUSTOMER, finding)


def _right(id: str, right: str, finding: str) -> Hole:  # noqa: A002 # the word of pytest
    grant, revoke = (
        f"GRANT {right} ON banking.customer TO seed_app",
        f"REVOKE {right} ON banking.customer FROM seed_app",
    )
    return Hole(id, grant, revoke, CUSTOMER, finding)


def _attribute(name: str, finding: str) -> Hole:
    return Hole(
        f"login-{name.lower()}",
        f"ALTER ROLE seed_app {name}",
        f"ALTER ROLE seed_app NO{name}",
        "role seed_app",
        finding,
    )


def _member(role: str, relation: str, finding: str) -> Hole:
    return Hole(f"member-of-{role}", f"GRANT {role} TO seed_app", f"REVOKE {role} FROM seed_app", relation, finding)


def _definer(id: str, options: str, body: str, finding: str) -> Hole:  # noqa: A002 # the word of pytest
    forth = (
        f"CREATE FUNCTION banking.seen() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER {options} AS"
        f" $$ BEGIN {body}; RETURN 1; END $$"
    )
    return Hole(id, forth, _FUNCTION_DROPPED, "banking.seen()", finding)


_PINNED: Final = "SET search_path = pg_catalog, pg_temp"

POLICIES: Final = (
    Hole(
        "not-forced",
        "ALTER TABLE banking.customer NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE banking.customer FORCE ROW LEVEL SECURITY",
        CUSTOMER,
        "row level security is not forced",
    ),
    Hole(
        "not-enabled",
        "ALTER TABLE banking.customer DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE banking.customer ENABLE ROW LEVEL SECURITY",
        CUSTOMER,
        "rows of another tenant came back (seed_app as tenant-a, seed_app as tenant-b",
    ),
    Hole(
        "no-policy",
        "DROP POLICY tenant ON banking.customer",
        _TENANT_POLICY,
        CUSTOMER,
        "no policy for SELECT by seed_loader, who was granted it",
    ),
    _policy("insert-open-to-all", "FOR INSERT WITH CHECK (true)", "insert a row of another tenant: not refused"),
    _policy(
        "insert-open-to-one", f"FOR INSERT WITH CHECK (tenant_id = '{TENANT_B.tenant_id}')", "insert a row of another"
    ),
    _policy("select-open-to-all", "FOR SELECT USING (true)", "rows of another tenant came back"),
    _policy("select-of-one-tenant", f"FOR SELECT USING (tenant_id = '{TENANT_B.tenant_id}')", "(seed_app as tenant-a"),
    _policy("delete-open", "FOR DELETE USING (true)", "policies for DELETE: a row of another tenant is let through"),
    _policy("update-moves-rows", "FOR UPDATE USING (false) WITH CHECK (true)", "policies for UPDATE: a row of another"),
    _policy(
        "update-reaches-rows", "FOR UPDATE USING (true) WITH CHECK (false)", "policies for UPDATE: a row of another"
    ),
    _policy(
        "open-without-a-tenant",
        "USING (coalesce(current_setting('app.tenant_id', true), '') = '')",
        "rows came back (seed_app without a tenant",
    ),
    Hole(
        "open-to-a-pattern",
        "ALTER POLICY tenant ON banking.customer USING (tenant_id::text LIKE current_setting('app.tenant_id', true))",
        f"ALTER POLICY tenant ON banking.customer USING ({OWN})",
        CUSTOMER,
        "rows came back (seed_app with app.tenant_id '%'",
    ),
    Hole(
        "restriction-that-a-role-escapes",
        "CREATE POLICY open ON banking.customer TO seed_loader USING (true);"
        f" CREATE POLICY shut ON banking.customer AS RESTRICTIVE TO seed_app USING ({OWN})",
        f"{_POLICY_DROPPED}; DROP POLICY shut ON banking.customer",
        CUSTOMER,
        "rows of another tenant came back (seed_loader as tenant-a, seed_loader as tenant-b",
    ),
    _policy(
        "whoever-sets-the-variable",
        "TO seed_loader USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)",
        "a row of a tenant that was not granted is let through",
    ),
    _policy("policy-for-public", f"USING ({OWN}) WITH CHECK ({OWN})", "policy open is for PUBLIC"),
    Hole(
        "policy-function-sees-rows",
        "CREATE FUNCTION banking.seen(uuid) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS"
        " $$ BEGIN RETURN false; END $$; CREATE POLICY open ON banking.customer TO seed_loader USING (banking.seen(tenant_id))",
        f"{_POLICY_DROPPED}; DROP FUNCTION banking.seen",
        CUSTOMER,
        "it is not LEAKPROOF: its errors and notices tell",
    ),
    Hole(
        "policy-function-unpinned",
        "CREATE FUNCTION banking.seen() RETURNS uuid LANGUAGE plpgsql STABLE AS"
        " $$ BEGIN RETURN NULL; END $$; CREATE POLICY open ON banking.customer TO seed_loader USING (tenant_id = banking.seen())",
        f"{_POLICY_DROPPED}; DROP FUNCTION banking.seen",
        CUSTOMER,
        "which finds tables by the caller's search_path",
    ),
    Hole(
        "policy-function-of-the-login",
        "CREATE FUNCTION banking.seen() RETURNS uuid LANGUAGE sql STABLE RETURN NULL::uuid;"
        " ALTER FUNCTION banking.seen OWNER TO seed_app;"
        " CREATE POLICY open ON banking.customer TO seed_loader USING (tenant_id = banking.seen())",
        f"{_POLICY_DROPPED}; DROP FUNCTION banking.seen",
        CUSTOMER,
        "which the login may replace as seed_app",
    ),
    Hole(
        "checkpoints-open",
        "CREATE POLICY open ON seed.shard_checkpoint TO seed_loader USING (true)",
        "DROP POLICY open ON seed.shard_checkpoint",
        "seed.shard_checkpoint",
        "policies for INSERT: a row of another tenant is let in",
    ),
)
RIGHTS: Final = (
    _right("may-truncate", "TRUNCATE", "the login may TRUNCATE"),
    _right("may-refer", "REFERENCES", "the login may REFERENCES"),
    _right("may-trigger", "TRIGGER", "the login may TRIGGER"),
    Hole(
        "may-pass-on",
        "GRANT SELECT ON banking.customer TO seed_app WITH GRANT OPTION",
        "REVOKE SELECT ON banking.customer FROM seed_app",
        CUSTOMER,
        "seed_app may grant SELECT to others",
    ),
    Hole(
        "granted-to-public",
        "GRANT SELECT ON banking.customer TO PUBLIC",
        "REVOKE SELECT ON banking.customer FROM PUBLIC",
        CUSTOMER,
        "SELECT is granted to PUBLIC",
    ),
    Hole(
        "login-owns-the-table",
        "ALTER TABLE banking.customer OWNER TO seed_loader",
        "ALTER TABLE banking.customer OWNER TO seed_owner;"
        " GRANT SELECT, INSERT, UPDATE, DELETE ON banking.customer TO seed_loader;"
        " REVOKE TRUNCATE, REFERENCES, TRIGGER, MAINTAIN ON banking.customer FROM seed_loader",
        CUSTOMER,
        "is or may become its owner seed_loader",
    ),
    _attribute("SUPERUSER", "the login is SUPERUSER"),
    _attribute("BYPASSRLS", "the login is BYPASSRLS"),
    _attribute("REPLICATION", "the login is REPLICATION"),
    _attribute("CREATEROLE", "the login is CREATEROLE"),
    _attribute("CREATEDB", "the login is CREATEDB"),
    Hole(
        "bypass-behind-two-roles",
        "CREATE ROLE inner_role BYPASSRLS; CREATE ROLE outer_role; GRANT inner_role TO outer_role; GRANT outer_role TO seed_app",
        "DROP ROLE inner_role; DROP ROLE outer_role",
        "role inner_role",
        "the login may become inner_role, which is BYPASSRLS",
    ),
    Hole(
        "role-to-set-with-a-policy",
        "CREATE ROLE auditor; GRANT auditor TO seed_app WITH INHERIT FALSE; GRANT USAGE ON SCHEMA banking, seed TO auditor;"
        " GRANT SELECT ON banking.customer TO auditor; CREATE POLICY open ON banking.customer TO auditor USING (true)",
        f"{_POLICY_DROPPED}; DROP OWNED BY auditor; DROP ROLE auditor",
        CUSTOMER,
        "rows of another tenant came back (auditor as tenant-a, auditor as tenant-b",
    ),
    _member("seed_owner", CUSTOMER, "is or may become its owner seed_owner"),
    _member("pg_read_all_data", "role seed_app", "it reads every table without policies"),
    _member("pg_read_server_files", "role seed_app", "it reads the files of the server"),
    _member("pg_execute_server_program", "role seed_app", "it did"),
    _member("pg_monitor", "role seed_app", "it sees the statements of every session"),
    _member("pg_create_subscription", "role seed_app", "it copies tables to and from other servers"),
    Hole(
        "role-to-hand-on",
        "GRANT seed_loader TO seed_app WITH ADMIN OPTION",
        "REVOKE ADMIN OPTION FOR seed_loader FROM seed_app",
        "role seed_loader",
        "the login has ADMIN OPTION",
    ),
    Hole(
        "may-read-server-files",
        "GRANT EXECUTE ON FUNCTION pg_read_file(text) TO seed_app",
        "REVOKE EXECUTE ON FUNCTION pg_read_file(text) FROM seed_app",
        "role seed_app",
        "it did",
    ),
    Hole(
        "makes-objects-in-a-schema",
        "GRANT CREATE ON SCHEMA banking TO seed_app",
        "REVOKE CREATE ON SCHEMA banking FROM seed_app",
        "schema banking",
        "the login has CREATE",
    ),
    Hole(
        "makes-schemas",
        "GRANT CREATE ON DATABASE seed_staging TO seed_app",
        "REVOKE CREATE ON DATABASE seed_staging FROM seed_app",
        "database seed_staging",
        "the login has CREATE",
    ),
    Hole(
        "default-privileges",
        "ALTER DEFAULT PRIVILEGES FOR ROLE seed_owner GRANT SELECT ON TABLES TO seed_loader",
        "ALTER DEFAULT PRIVILEGES FOR ROLE seed_owner REVOKE SELECT ON TABLES FROM seed_loader",
        "default privileges of seed_owner",
        "the login has SELECT",
    ),
    Hole(
        "sequence",
        "CREATE SEQUENCE banking.number; GRANT USAGE ON SEQUENCE banking.number TO seed_loader",
        "DROP SEQUENCE banking.number",
        "sequence banking.number",
        "it tells how many rows all tenants make",
    ),
    Hole(
        "large-object",
        "SELECT lo_create(4242); GRANT SELECT ON LARGE OBJECT 4242 TO PUBLIC",
        "SELECT lo_unlink(4242)",
        "large object 4242",
        "large objects have no tenant",
    ),
    Hole(
        "may-switch-triggers-off",
        "GRANT SET ON PARAMETER session_replication_role TO seed_app",
        "REVOKE SET ON PARAMETER session_replication_role FROM seed_app",
        "parameter session_replication_role",
        "the login has SET",
    ),
    Hole(
        "session-begins-with-a-tenant",
        f"ALTER ROLE seed_app SET app.tenant_id = '{TENANT_A.tenant_id}'",
        "ALTER ROLE seed_app RESET app.tenant_id",
        "role seed_app",
        "a new session acts for a tenant that nobody chose",
    ),
    Hole(
        "database-begins-with-a-search-path",
        "ALTER DATABASE seed_staging SET search_path = pg_temp, banking",
        "ALTER DATABASE seed_staging RESET search_path",
        "setting search_path",
        "the login has for every role",
    ),
    Hole(
        "publication",
        "CREATE PUBLICATION everything FOR TABLE banking.customer; ALTER PUBLICATION everything OWNER TO seed_app",
        "DROP PUBLICATION everything",
        "publication everything",
        "replication of customer",
    ),
    Hole(
        "stored-statistics",
        "GRANT SELECT ON pg_statistic TO seed_app",
        "REVOKE SELECT ON pg_statistic FROM seed_app",
        "pg_statistic",
        "it shows values of every tenant",
    ),
    Hole(
        "foreign-server",
        "CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;"
        " GRANT USAGE ON FOREIGN SERVER files TO seed_app",
        "DROP EXTENSION file_fdw CASCADE",
        "foreign server files",
        "what it answers asks no policy here",
    ),
    Hole(
        "dblink",
        "CREATE EXTENSION dblink SCHEMA banking",
        "DROP EXTENSION dblink",
        "function banking.dblink(text)",
        "it reads files, pages or other servers",
    ),
)
RELATIONS: Final = (
    Hole(
        "view-of-a-superuser",
        "CREATE VIEW banking.seen AS SELECT * FROM banking.customer; GRANT SELECT ON banking.seen TO seed_loader",
        _VIEW_DROPPED,
        "banking.seen",
        "rows of another tenant came back",
    ),
    Hole(
        "view-that-filters-by-itself",
        "CREATE VIEW banking.seen AS SELECT * FROM banking.customer WHERE tenant_id = (SELECT seed.current_tenant());"
        " GRANT SELECT ON banking.seen TO seed_loader",
        _VIEW_DROPPED,
        "banking.seen",
        "no policy restricts it",
    ),
    Hole(
        "view-that-counts",
        "CREATE VIEW banking.seen AS SELECT count(*) FROM banking.customer; GRANT SELECT ON banking.seen TO seed_loader",
        _VIEW_DROPPED,
        "banking.seen",
        "no policy restricts it",
    ),
    Hole(
        "view-of-an-owner-with-a-policy",
        "CREATE POLICY open ON banking.customer FOR SELECT TO seed_owner USING (true);"
        " CREATE VIEW banking.seen AS SELECT count(*) FROM banking.customer; ALTER VIEW banking.seen OWNER TO seed_owner;"
        " GRANT SELECT ON banking.seen TO seed_loader",
        f"{_VIEW_DROPPED}; {_POLICY_DROPPED}",
        "banking.seen",
        "it reads banking.customer as seed_owner, whose policies let every tenant's rows through",
    ),
    Hole(
        "view-behind-a-view",
        "CREATE VIEW banking.inner_view AS SELECT * FROM banking.customer; GRANT SELECT ON banking.inner_view TO seed_loader;"
        " CREATE VIEW banking.seen WITH (security_invoker) AS SELECT * FROM banking.inner_view;"
        " GRANT SELECT ON banking.seen TO seed_loader",
        f"{_VIEW_DROPPED}; DROP VIEW banking.inner_view",
        "banking.seen",
        "no policy restricts it",
    ),
    Hole(
        "view-to-write-through",
        "CREATE VIEW banking.seen AS SELECT * FROM banking.customer; GRANT DELETE ON banking.seen TO seed_loader",
        _VIEW_DROPPED,
        "banking.seen",
        "no policy restricts it",
    ),
    Hole(
        "materialized-view",
        "CREATE MATERIALIZED VIEW banking.seen AS SELECT * FROM banking.customer; GRANT SELECT ON banking.seen TO seed_loader",
        "DROP MATERIALIZED VIEW banking.seen",
        "banking.seen",
        "rows of another tenant came back",
    ),
    Hole(
        "inheritance-child",
        "CREATE TABLE banking.seen () INHERITS (banking.customer); GRANT SELECT ON banking.seen TO seed_loader",
        "DROP TABLE banking.seen",
        "banking.seen",
        "row level security is not enabled",
    ),
    Hole(
        "partition-reached-directly",
        "CREATE TABLE banking.card (tenant_id uuid NOT NULL, id uuid NOT NULL, PRIMARY KEY (tenant_id, id))"
        " PARTITION BY HASH (tenant_id);"
        " CREATE TABLE banking.seen PARTITION OF banking.card FOR VALUES WITH (MODULUS 1, REMAINDER 0);"
        " ALTER TABLE banking.card ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
        f" CREATE POLICY tenant ON banking.card TO seed_loader USING ({OWN});"
        " GRANT SELECT, INSERT ON banking.card, banking.seen TO seed_loader",
        "DROP TABLE banking.card",
        "banking.seen",
        "no policy restricts it",
    ),
    Hole(
        "foreign-table",
        "CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;"
        " CREATE FOREIGN TABLE banking.seen (tenant_id uuid, note text) SERVER files OPTIONS (filename '/dev/null');"
        " GRANT SELECT ON banking.seen TO seed_loader",
        "DROP EXTENSION file_fdw CASCADE",
        "banking.seen",
        "no policy restricts it",
    ),
    Hole(
        "copy-of-a-table",
        "CREATE TABLE banking.seen AS TABLE banking.customer; GRANT SELECT ON banking.seen TO seed_loader",
        "DROP TABLE banking.seen",
        "banking.seen",
        "rows of another tenant came back",
    ),
    Hole(
        "child-without-a-tenant",
        "CREATE TABLE banking.seen (note text, tenant uuid, customer_id uuid,"
        " FOREIGN KEY (tenant, customer_id) REFERENCES banking.customer); GRANT SELECT, INSERT ON banking.seen TO seed_loader",
        "DROP TABLE banking.seen",
        "banking.seen",
        "no policy restricts it",
    ),
    Hole(
        "statistics-of-a-table",
        "ALTER TABLE banking.customer DISABLE ROW LEVEL SECURITY; ANALYZE banking.customer",
        "ALTER TABLE banking.customer ENABLE ROW LEVEL SECURITY",
        CUSTOMER,
        "pg_stats shows values of every tenant",
    ),
)
KEYS_AND_CODE: Final = (
    Hole(
        "unique-key-of-all-tenants",
        "ALTER TABLE banking.customer ADD CONSTRAINT one_document UNIQUE (email)",
        "ALTER TABLE banking.customer DROP CONSTRAINT one_document",
        CUSTOMER,
        "one_document does not start with tenant_id",
    ),
    Hole(
        "exclusion-of-all-tenants",
        "ALTER TABLE banking.customer ADD CONSTRAINT one_phone EXCLUDE USING btree (email WITH =)",
        "ALTER TABLE banking.customer DROP CONSTRAINT one_phone",
        CUSTOMER,
        "one_phone does not start with tenant_id",
    ),
    Hole(
        "foreign-key-to-all-tenants",
        "ALTER TABLE banking.customer ADD CONSTRAINT one_id UNIQUE (id);"
        " CREATE TABLE banking.seen (tenant_id uuid, customer_id uuid CONSTRAINT seen_customer REFERENCES banking.customer (id)"
        " ON DELETE CASCADE)",
        "DROP TABLE banking.seen; ALTER TABLE banking.customer DROP CONSTRAINT one_id",
        CUSTOMER,
        "seen_customer of banking.seen does not pair tenant_id: a row may refer to another tenant's, and falls when",
    ),
    Hole(
        "trigger-that-writes-elsewhere",
        "CREATE TABLE banking.audit (entry jsonb); CREATE FUNCTION banking.noted() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO banking.audit VALUES (to_jsonb(NEW)); RETURN NEW; END $$;"
        " CREATE TRIGGER noted AFTER INSERT ON banking.customer FOR EACH ROW EXECUTE FUNCTION banking.noted()",
        "DROP TRIGGER noted ON banking.customer; DROP FUNCTION banking.noted; DROP TABLE banking.audit",
        CUSTOMER,
        "which names banking.audit, without row level security",
    ),
    Hole(
        "trigger-that-runs-as-another",
        "CREATE FUNCTION banking.noted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS"
        " $$ BEGIN RETURN NEW; END $$;"
        " CREATE TRIGGER noted AFTER INSERT ON banking.customer FOR EACH ROW EXECUTE FUNCTION banking.noted()",
        "DROP TRIGGER noted ON banking.customer; DROP FUNCTION banking.noted",
        CUSTOMER,
        "which runs as postgres (SECURITY DEFINER)",
    ),
    Hole(
        "rule",
        "CREATE TABLE banking.audit (entry uuid);"
        " CREATE RULE noted AS ON INSERT TO banking.customer DO ALSO INSERT INTO banking.audit VALUES (NEW.id)",
        "DROP RULE noted ON banking.customer; DROP TABLE banking.audit",
        CUSTOMER,
        "rule noted runs with the rights of the owner",
    ),
    Hole(
        "default-that-runs-as-another",
        "CREATE FUNCTION banking.seen() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog RETURN 'x';"
        " ALTER TABLE banking.customer ADD remark text DEFAULT banking.seen()",
        "ALTER TABLE banking.customer DROP remark; DROP FUNCTION banking.seen",
        CUSTOMER,
        "the default of remark calls banking.seen() (SECURITY DEFINER)",
    ),
    _definer(
        "function-that-reads", _PINNED, "PERFORM FROM banking.customer", "whom no policy holds on banking.customer"
    ),
    _definer("function-that-answers", _PINNED, "PERFORM FROM banking.customer", "called: it answered"),
    _definer(
        "function-that-deletes", _PINNED, "DELETE FROM banking.customer", "whom no policy holds on banking.customer"
    ),
    _definer("function-that-runs-text", _PINNED, "EXECUTE 'SEL' || 'ECT 1'", "statements made at run time as postgres"),
    _definer("function-unpinned", "", "PERFORM 1", "with the caller's search_path"),
    Hole(
        "function-of-the-control-schema",
        "CREATE FUNCTION seed.seen() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog"
        " RETURN (SELECT count(*) FROM seed.lease); ALTER FUNCTION seed.seen OWNER TO seed_owner",
        "DROP FUNCTION seed.seen",
        "seed.seen()",
        "it runs as seed_owner, whom no policy holds on seed.lease",
    ),
    Hole(
        "leakproof-function",
        "CREATE FUNCTION banking.seen(text) RETURNS boolean LANGUAGE plpgsql LEAKPROOF COST 0.0001 AS"
        " $$ BEGIN RAISE NOTICE '%', $1; RETURN true; END $$",
        _FUNCTION_DROPPED,
        "banking.seen(text)",
        "it is marked LEAKPROOF",
    ),
    Hole(
        "leakproof-operator",
        "CREATE FUNCTION banking.seen(text, text) RETURNS boolean LANGUAGE plpgsql LEAKPROOF AS"
        " $$ BEGIN RETURN true; END $$;"
        " CREATE OPERATOR banking.~~~~ (FUNCTION = banking.seen, LEFTARG = text, RIGHTARG = text)",
        "DROP OPERATOR banking.~~~~ (text, text); DROP FUNCTION banking.seen",
        "banking.seen(text,text)",
        "(operator banking.~~~~(text,text))",
    ),
)
CONTROL_TABLES: Final = (
    Hole(
        "leases-to-read",
        "GRANT SELECT ON seed.lease TO seed_loader",
        "REVOKE SELECT ON seed.lease FROM seed_loader",
        "seed.lease",
        "seed_app is let through: it is the control login's to read",
    ),
    Hole(
        "runs-to-read",
        "GRANT SELECT ON seed.seed_run TO seed_loader; CREATE POLICY open ON seed.seed_run TO seed_loader USING (true)",
        "REVOKE SELECT ON seed.seed_run FROM seed_loader; DROP POLICY open ON seed.seed_run",
        "seed.seed_run",
        "policies for SELECT: a row of another tenant is let through",
    ),
    Hole(
        "reports-to-write",
        "GRANT UPDATE ON seed.shard_report TO seed_loader",
        "REVOKE UPDATE ON seed.shard_report FROM seed_loader",
        "seed.shard_report",
        "seed_app is let through",
    ),
    Hole(
        "grants-to-write",
        "GRANT INSERT ON seed.tenant_grant TO seed_loader;"
        " CREATE POLICY open ON seed.tenant_grant FOR INSERT TO seed_loader WITH CHECK (role_name = session_user::text)",
        "REVOKE INSERT ON seed.tenant_grant FROM seed_loader; DROP POLICY open ON seed.tenant_grant",
        "seed.tenant_grant",
        "seed_app is let through: only the control login and the migrator write it",
    ),
    Hole(
        "grants-of-others-to-read",
        "INSERT INTO seed.tenant_grant SELECT 'app_two', tenant_id FROM seed.tenant;"
        " CREATE POLICY open ON seed.tenant_grant FOR SELECT TO seed_loader USING (true)",
        "DELETE FROM seed.tenant_grant WHERE role_name = 'app_two'; DROP POLICY open ON seed.tenant_grant",
        "seed.tenant_grant",
        "grants of other logins are visible",
    ),
)
"""Holes of the data login."""

OF_THE_DATA_LOGIN: Final = (*POLICIES, *RIGHTS, *RELATIONS, *KEYS_AND_CODE, *CONTROL_TABLES)
OF_THE_CONTROL_LOGIN: Final = (
    Hole(
        "rows-to-write",
        "GRANT USAGE ON SCHEMA banking TO seed_control; GRANT INSERT ON banking.customer TO seed_control",
        "REVOKE INSERT ON banking.customer FROM seed_control; REVOKE USAGE ON SCHEMA banking FROM seed_control",
        CUSTOMER,
        "seed_service is let through: rows of tenants are the data login's alone",
    ),
    Hole(
        "rows-to-delete",
        "GRANT USAGE ON SCHEMA banking TO seed_control; GRANT DELETE ON banking.customer TO seed_service;"
        " CREATE POLICY open ON banking.customer FOR DELETE TO seed_control USING (true)",
        "REVOKE DELETE ON banking.customer FROM seed_service; REVOKE USAGE ON SCHEMA banking FROM seed_control;"
        f" {_POLICY_DROPPED}",
        CUSTOMER,
        "seed_service is let through",
    ),
    Hole(
        "rights-to-write",
        "GRANT INSERT ON seed.role_grant TO seed_control",
        "REVOKE INSERT ON seed.role_grant FROM seed_control",
        "seed.role_grant",
        "only seed_migrator says who may do what",
    ),
    Hole(
        "control-may-load",
        "GRANT seed_loader TO seed_service",
        "REVOKE seed_loader FROM seed_service",
        "role seed_service",
        "may become seed_loader, which no published role does",
    ),
    Hole(
        "control-may-own",
        "GRANT seed_owner TO seed_service WITH INHERIT FALSE",
        "REVOKE seed_owner FROM seed_service",
        "seed.lease",
        "is or may become its owner seed_owner",
    ),
    Hole(
        "control-bypasses",
        "ALTER ROLE seed_service BYPASSRLS",
        "ALTER ROLE seed_service NOBYPASSRLS",
        "role seed_service",
        "the login is BYPASSRLS",
    ),
    Hole(
        "leases-not-forced",
        "ALTER TABLE seed.lease NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE seed.lease FORCE ROW LEVEL SECURITY",
        "seed.lease",
        "row level security is not forced",
    ),
)
