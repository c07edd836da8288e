"""What the server lets a login do that no policy of a table restricts: one question to the catalogue for each."""

from dataclasses import dataclass
from typing import Final

_MINE: Final = """
WITH mine (oid) AS (
    SELECT oid FROM pg_roles
    WHERE pg_has_role(session_user, oid, 'MEMBER') AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = session_user)
    UNION ALL SELECT 0
)
"""
"""The login, what it may become, and PUBLIC."""


@dataclass(frozen=True)
class Right:
    """A right, who has it, and how it is taken away."""

    attack: str
    select: str
    """The objects on which the login has it, and by what; `mine` holds its roles."""
    meaning: str
    cure: str

    @property
    def query(self) -> str:
        """A statement with two columns: object, by what."""
        return _MINE + self.select


RIGHTS: Final = (
    Right(
        "grant a role to others",
        """
SELECT 'role ' || roleid::regrole::text, 'ADMIN OPTION' FROM pg_auth_members WHERE admin_option AND member IN (TABLE mine)
""",
        "it may grant the role to whomever it likes",
        "REVOKE ADMIN OPTION FOR {0} FROM the login",
    ),
    Right(
        "make objects",
        """
SELECT 'schema ' || nspname, 'CREATE' FROM pg_namespace
WHERE nspname !~ '^pg_(toast|temp)' AND has_schema_privilege(session_user, oid, 'CREATE')
UNION ALL
SELECT 'database ' || datname, 'CREATE' FROM pg_database
WHERE datname = current_database() AND has_database_privilege(session_user, oid, 'CREATE')
""",
        "tables, functions and operators of its own shadow others, and foreign keys from them tell which rows exist",
        "REVOKE CREATE ON {0} FROM the login, its roles and PUBLIC",
    ),
    Right(
        "wait for tables to come",
        """
SELECT 'default privileges of ' || defaclrole::regrole::text, string_agg(DISTINCT privilege_type, ', ')
FROM pg_default_acl CROSS JOIN aclexplode(defaclacl) AS entry
WHERE defaclobjtype IN ('r', 'S') AND grantee IN (TABLE mine) AND grantee <> defaclrole
GROUP BY defaclrole
""",
        "whatever that role makes is reachable before it has policies",
        "ALTER DEFAULT PRIVILEGES FOR ROLE ... REVOKE ALL ON TABLES, and ON SEQUENCES, FROM the login and its roles",
    ),
    Right(
        "read a sequence",
        """
SELECT 'sequence ' || oid::regclass::text, 'USAGE, SELECT or UPDATE' FROM pg_class
WHERE relkind = 'S' AND relnamespace::regnamespace::text !~ '^pg_temp'
    AND has_schema_privilege(session_user, relnamespace, 'USAGE')
    AND has_sequence_privilege(session_user, oid, 'USAGE, SELECT, UPDATE')
""",
        "it tells how many rows all tenants make, and may be set back",
        "REVOKE ALL ON {0} FROM the login and its roles; let ids be UUIDs, or the column GENERATED ... AS IDENTITY",
    ),
    Right(
        "read large objects",
        """
SELECT 'large object ' || large.oid::text, 'an owner or a grant' FROM pg_largeobject_metadata AS large
WHERE lomowner IN (TABLE mine) OR EXISTS (SELECT FROM aclexplode(lomacl) AS entry WHERE grantee IN (TABLE mine))
UNION ALL
SELECT 'large objects', 'lo_compat_privileges' WHERE current_setting('lo_compat_privileges')::boolean
UNION ALL
SELECT 'pg_largeobject', 'SELECT' WHERE has_table_privilege(session_user, 'pg_largeobject', 'SELECT')
""",
        "large objects have no tenant and no policies",
        "lo_unlink it, or REVOKE ALL ON it, and keep the bytes in a table with policies",
    ),
    Right(
        "read through another server",
        """
SELECT 'foreign server ' || srvname, 'USAGE' FROM pg_foreign_server WHERE has_server_privilege(session_user, oid, 'USAGE')
UNION ALL
SELECT 'foreign-data wrapper ' || fdwname, 'USAGE' FROM pg_foreign_data_wrapper
WHERE has_foreign_data_wrapper_privilege(session_user, oid, 'USAGE')
""",
        "what it answers asks no policy here",
        "REVOKE USAGE ON {0} FROM the login, its roles and PUBLIC",
    ),
    Right(
        "read the stored statistics",
        """
SELECT name, 'SELECT' FROM unnest(ARRAY['pg_statistic', 'pg_statistic_ext_data']) AS name
WHERE has_any_column_privilege(session_user, name, 'SELECT')
""",
        "it shows values of every tenant",
        "REVOKE SELECT ON {0} FROM the login, its roles and PUBLIC",
    ),
    Right(
        "copy tables by replication",
        """
SELECT 'publication ' || pubname, 'replication of ' || CASE WHEN puballtables THEN 'all tables' ELSE coalesce((
        SELECT string_agg(tablename, ', ') FROM pg_publication_tables AS published
        WHERE published.pubname = publication.pubname
    ), 'no table') END
FROM pg_publication AS publication
WHERE pubowner IN (TABLE mine)
    OR EXISTS (SELECT FROM pg_roles WHERE rolreplication AND oid IN (TABLE mine))
""",
        "replication asks no policy",
        "DROP PUBLICATION, or ALTER ROLE ... NOREPLICATION and ALTER PUBLICATION ... OWNER TO seed_owner",
    ),
    Right(
        "call a function that reads past tables",
        """
SELECT 'function ' || oid::regprocedure::text, 'EXECUTE' FROM pg_proc
WHERE proname ~ '^(pg_read_file|pg_read_binary_file|pg_ls_dir|pg_stat_file|lo_import|lo_export|dblink.*|get_raw_page)$'
    AND has_schema_privilege(session_user, pronamespace, 'USAGE') AND has_function_privilege(session_user, oid, 'EXECUTE')
""",
        "it reads files, pages or other servers, where no policy holds",
        "REVOKE EXECUTE ON {0} FROM the login, its roles and PUBLIC",
    ),
    Right(
        "set what only the server should",
        """
SELECT 'parameter ' || parname, string_agg(privilege_type, ', ') FROM pg_parameter_acl CROSS JOIN aclexplode(paracl) AS entry
WHERE grantee IN (TABLE mine) GROUP BY parname
""",
        "settings such as session_replication_role switch triggers and foreign keys off",
        "REVOKE SET, ALTER SYSTEM ON {0} FROM the login, its roles and PUBLIC",
    ),
    Right(
        "begin with settings made by others",
        """
SELECT 'setting ' || split_part(setting, '=', 1), 'for ' || coalesce(nullif(setrole, 0)::regrole::text, 'every role')
FROM pg_db_role_setting CROSS JOIN unnest(setconfig) AS setting
WHERE (setrole = 0 OR setrole::regrole = session_user::regrole)
    AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    AND split_part(setting, '=', 1) IN (
        'app.tenant_id', 'row_security', 'role', 'search_path', 'session_preload_libraries', 'local_preload_libraries'
    )
""",
        "every session begins with it, whatever the program sets for its transactions",
        "ALTER ROLE ... RESET it, or ALTER DATABASE ... RESET it",
    ),
)
"""In the order in which they are asked."""
