"""Row level security, proven before anything is written: the catalogue is asked, and then the policies are tried."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from seed_pipelines.adapters.postgres.database import Connection, Database
from seed_pipelines.adapters.postgres.policy_trials import SecuredTable, TableAccess, trials
from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.adapters.postgres.undone import answered
from seed_pipelines.errors import RlsNotEnforced

_TIMEOUT_SECONDS: Final = 60
_FIRST_WITHOUT_SELF_GRANTS: Final = 160_000
"""Since PostgreSQL 16 a role with CREATEROLE may no longer grant itself every role."""

_ROLES: Final = """
SELECT rolname, rolname = session_user, rolsuper, rolbypassrls, rolreplication,
    rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files'), rolcreaterole
FROM pg_roles AS role
WHERE rolname = session_user OR (
    pg_has_role(session_user, role.oid, 'MEMBER')
    AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = session_user)
)
ORDER BY rolname <> session_user, rolname
"""

_TABLES: Final = """
WITH RECURSIVE tree (oid, is_root) AS (
    SELECT to_regclass(%s)::oid, true
    UNION ALL
    SELECT inhrelid, false FROM pg_inherits JOIN tree ON inhparent = tree.oid
)
SELECT class.oid::bigint, namespace.nspname, class.relname, is_root, class.relkind = 'p',
    class.relrowsecurity, class.relforcerowsecurity,
    (SELECT rolname FROM pg_roles WHERE pg_roles.oid = class.relowner AND (
        rolname = session_user OR (
            pg_has_role(session_user, class.relowner, 'MEMBER')
            AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = session_user)
        )
    )),
    has_table_privilege(class.oid, 'TRUNCATE'),
    has_table_privilege(class.oid, 'SELECT, INSERT, UPDATE, DELETE')
        OR has_any_column_privilege(class.oid, 'SELECT, INSERT, UPDATE'),
    EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = class.oid AND attname = 'tenant_id' AND atttypid = 'uuid'::regtype AND NOT attisdropped
    ),
    EXISTS (
        SELECT FROM pg_policy CROSS JOIN unnest(polroles) AS role
        WHERE polrelid = class.oid AND polpermissive
            AND CASE WHEN role = 0 THEN true ELSE pg_has_role(session_user, role, 'USAGE') END
    )
FROM tree
JOIN pg_class AS class ON class.oid = tree.oid
JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
ORDER BY NOT is_root, namespace.nspname, class.relname
"""


@dataclass(frozen=True)
class RowSecurityEvidence:
    """What was found in order."""

    login: str
    """The role that the database authenticated."""
    roles: tuple[str, ...]
    """It, and every role it is a member of: none bypasses anything or owns a table."""
    tables: tuple[str, ...]
    """Tables and the partitions the login can reach: row security enabled, forced, with policies."""
    trials: tuple[str, ...]
    """What was tried on each, and refused."""


@dataclass(frozen=True)
class _Flags:
    enabled: bool
    forced: bool
    owner: str | None
    """The owner, where the login is or may become it."""
    truncate: bool
    reachable: bool
    has_tenant: bool
    has_policy: bool


def verify_row_security(database: Database, tenant: Tenant, tables: Sequence[str]) -> RowSecurityEvidence:
    """Prove that the login can neither see nor write rows of another tenant in `tables` (schema.table).

    Writes are tried in savepoints that are rolled back. RlsNotEnforced, whose `holes` names each reason, if anything is amiss.
    """
    holes: list[str] = []
    checked: list[str] = []
    tried: list[str] = []
    with database.tenant_transaction(tenant.tenant_id, timeout_seconds=_TIMEOUT_SECONDS) as connection:
        roles, role_holes = _roles(connection)
        holes += role_holes
        for name in tables:
            found = [_secured(row) for row in connection.execute(_TABLES, [name])]
            if not found:
                holes.append(f"{name} does not exist")
            for table, flags in found:
                if not (table.is_root or flags.reachable or flags.truncate):
                    continue
                checked.append(table.name)
                holes += _flag_holes(table, flags)
                if flags.has_tenant:
                    (access,) = TableAccess.of(connection, [table]).values()
                    (outcomes,) = answered(connection, [trials(connection, access, tenant.tenant_id)])
                    holes += [f"{table.name}: {outcome.hole}" for outcome in outcomes if outcome.hole]
                    tried += [f"{table.name}: {outcome.trial}" for outcome in outcomes if not outcome.hole]
    if holes:
        raise RlsNotEnforced(
            f"Row level security does not hold for {roles[0]} and tenant {tenant.slug}: " + "; ".join(holes) + ".",
            holes=holes,
        )
    return RowSecurityEvidence(roles[0], roles, tuple(checked), tuple(tried))


def _roles(connection: Connection) -> tuple[tuple[str, ...], list[str]]:
    rows = connection.execute(_ROLES).fetchall()
    holes = []
    for name, is_login, superuser, bypasses, replicates, reaches_files, creates_roles in rows:
        who = f"login {name} is" if is_login else f"login {rows[0][0]} may become {name}, which is"
        if superuser:
            holes.append(f"{who} a superuser")
        if bypasses:
            holes.append(f"{who} BYPASSRLS")
        if replicates:
            holes.append(f"{who} REPLICATION")
        if reaches_files:
            holes.append(f"{who} able to act as the server on its files")
        if creates_roles and connection.info.server_version < _FIRST_WITHOUT_SELF_GRANTS:
            holes.append(f"{who} CREATEROLE")
    return tuple(row[0] for row in rows), holes


def _secured(row: tuple[object, ...]) -> tuple[SecuredTable, _Flags]:
    return SecuredTable(*row[:5]), _Flags(*row[5:])  # type: ignore[arg-type]  # the columns of _TABLES, in order


def _flag_holes(table: SecuredTable, flags: _Flags) -> Iterator[str]:
    if not flags.enabled:
        yield f"{table.name}: row level security is not enabled"
    if not flags.forced:
        yield f"{table.name}: row level security is not forced"
    if not flags.has_policy:
        yield f"{table.name}: no policy for the login"
    if not flags.has_tenant:
        yield f"{table.name}: no tenant_id of type uuid"
    if flags.owner:
        yield f"{table.name}: the login is or may become its owner {flags.owner}"
    if flags.truncate:
        yield f"{table.name}: the login may TRUNCATE, which asks no policy"
