"""What a login may do beside its tables: attributes, roles it may become, files and programs of the server, settings, objects."""

from collections.abc import Iterator
from typing import Final

from psycopg import sql

from seed_pipelines.adapters.postgres.database import TENANT_SETTING, Connection, Database, set_tenant
from seed_pipelines.adapters.postgres.isolation.attempt import ANY_TENANT, Attempt
from seed_pipelines.adapters.postgres.isolation.server_rights import RIGHTS
from seed_pipelines.adapters.postgres.undone import tried

_MINE: Final = (
    "pg_has_role(session_user, {}, 'MEMBER') AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = session_user)"
)

_ROLES: Final = """
SELECT rolname::text, rolsuper, rolbypassrls, rolreplication, rolcreaterole, rolcreatedb
FROM pg_roles
WHERE rolname = session_user OR (
    pg_has_role(session_user, oid, 'MEMBER') AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = session_user)
)
ORDER BY rolname <> session_user, rolname
"""
_POWERS: Final = {
    "pg_read_all_data": "it reads every table without policies",
    "pg_write_all_data": "it writes every table without policies",
    "pg_read_server_files": "it reads the files of the server, tables included",
    "pg_write_server_files": "it writes the files of the server",
    "pg_execute_server_program": "it runs programs as the server",
    "pg_read_all_stats": "it sees the statements of every session",
    "pg_monitor": "it sees the statements of every session",
    "pg_stat_scan_tables": "it reads pages of tables past the policies",
    "pg_signal_backend": "it ends the sessions of others",
    "pg_create_subscription": "it copies tables to and from other servers",
    "pg_maintain": "it rewrites and locks every table",
    "pg_database_owner": "it owns the database",
}
"""Roles that come with PostgreSQL (documentation, 21.5), and what a member may do."""
_PROGRAMS: Final = (
    ("run a program as the server", "COPY (SELECT 1) TO PROGRAM 'cat > /dev/null'", "pg_execute_server_program"),
    ("read a file of the server", "SELECT pg_read_file('PG_VERSION')", "pg_read_server_files"),
)


def role_holes(connection: Connection, *, may_become: frozenset[str] = frozenset()) -> Iterator[Attempt]:
    """What a login is, and what it may become beside its own group roles."""
    rows = connection.execute(_ROLES).fetchall()
    login = rows[0][0]
    for name, superuser, bypasses, replicates, creates_roles, creates_databases in rows:
        found = {
            "SUPERUSER": superuser,
            "BYPASSRLS": bypasses,
            "REPLICATION": replicates,
            "CREATEROLE": creates_roles,
            "CREATEDB": creates_databases,
        }
        for attribute, held in found.items():
            finding = (
                f"the login {'is' if name == login else f'may become {name}, which is'} {attribute}" if held else ""
            )
            yield Attempt(f"role {name}", f"be {attribute}", finding, f"ALTER ROLE {name} NO{attribute}")
        power = _POWERS.get(name, "")
        finding = f"the login may become {name}: {power}" if power else ""
        yield Attempt(f"role {login}", "become a role of the server", finding, f"REVOKE {name} FROM {login}")
        strange = bool(may_become) and name not in may_become and name != login and not power
        finding = f"the login may become {name}, which no published role does" if strange else ""
        yield Attempt(f"role {login}", "become another role", finding, f"REVOKE {name} FROM {login}")


def server_holes(connection: Connection) -> Iterator[Attempt]:
    """What the server lets a login do that no policy of a table can restrict."""
    login = str(connection.execute("SELECT session_user::text").fetchall()[0][0])
    for right in RIGHTS:
        yield Attempt(f"role {login}", right.attack)
        for thing, by in connection.execute(right.query.encode()).fetchall():
            yield Attempt(thing, right.attack, f"the login has {by}: {right.meaning}", right.cure.format(thing))
    answers = tried(connection, [(sql.SQL(statement),) for _, statement, _ in _PROGRAMS])
    for (attack, _, role), answer in zip(_PROGRAMS, answers, strict=True):
        yield Attempt(
            f"role {login}", attack, "it did" if answer.succeeded else "", f"REVOKE {role} FROM {login} and its roles"
        )


def session_holes(database: Database) -> Iterator[Attempt]:
    """A session as a pooler keeps it: for no tenant before the first transaction, and for none after one that had a tenant."""
    connection = database.connect()
    try:
        login = connection.info.user
        tenant = "SELECT coalesce(current_setting(%s, true), '')"
        begun = connection.execute(tenant, [TENANT_SETTING]).fetchone()
        yield Attempt(
            f"role {login}",
            "begin with a tenant",
            "" if begun == ("",) else "a new session acts for a tenant that nobody chose",
            f"ALTER ROLE {login} RESET {TENANT_SETTING}, and ALTER DATABASE ... RESET {TENANT_SETTING}",
        )
        set_tenant(connection, ANY_TENANT)
        connection.commit()
        kept = connection.execute(tenant, [TENANT_SETTING]).fetchone()
        finding = (
            "" if kept == begun else "the next transaction of a pooled session acts for the tenant of the one before"
        )
        yield Attempt(f"role {login}", "outlive a commit", finding, f"SET LOCAL {TENANT_SETTING}, never SET")
    finally:
        connection.close()


def settable_roles(connection: Connection) -> tuple[str, ...]:
    """The roles that the login may SET, itself first; none of a superuser's."""
    names = [str(row[0]) for row in connection.execute(_ROLES)]
    return tuple(name for name in names if not name.startswith("pg_"))


def differs(connection: Connection, role: str) -> bool:
    """Whether policies may let a role do what they refuse the login: not if it inherits the role, and none is restrictive."""
    query = (
        "SELECT NOT pg_has_role(session_user, %s, 'USAGE') OR EXISTS (SELECT FROM pg_policy WHERE NOT polpermissive)"
    )
    return connection.execute(query, [role]).fetchone() == (True,)


def is_unbound(connection: Connection, role: str) -> bool:
    """Whether no policy holds a role at all."""
    query = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = %s"
    return connection.execute(query, [role]).fetchone() == (True,)
