"""Attempts on the tenant policies of one table, each rolled back; a policy that works refuses all but the first.

A row's WITH CHECK is asked before its constraints (PostgreSQL documentation, CREATE POLICY), so that a constraint that fails
means that the policies let the row pass.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final
from uuid import UUID, uuid4

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from seed_pipelines.adapters.postgres.database import Connection, set_tenant

_CONSTRAINT_CLASS: Final = "23"
_CHECK_VIOLATION: Final = "23514"

_REQUIRED_COLUMNS: Final = """
SELECT attname, typcategory, typname
FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped AND attnotnull AND NOT atthasdef
    AND attidentity = '' AND attgenerated = '' AND attname <> 'tenant_id'
"""
_BOUNDS: Final = """
SELECT DISTINCT bound[1]::uuid
FROM pg_partition_tree(%s::regclass) AS leaf
JOIN pg_class ON pg_class.oid = leaf.relid
CROSS JOIN regexp_matches(
    pg_get_expr(relpartbound, pg_class.oid), '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}', 'g'
) AS bound
"""
_PARTITIONED_BY_TENANT_ALONE: Final = """
SELECT array_agg(attname::text) = ARRAY['tenant_id']
FROM pg_partitioned_table
CROSS JOIN unnest(partattrs::smallint[]) AS key
LEFT JOIN pg_attribute ON attrelid = partrelid AND attnum = key
WHERE partrelid = %s
"""
_POLICIES: Final = """
SELECT polcmd::text, polpermissive, pg_get_expr(polqual, polrelid),
    coalesce(pg_get_expr(polwithcheck, polrelid), pg_get_expr(polqual, polrelid))
FROM pg_policy
WHERE polrelid = %(table)s AND EXISTS (
    SELECT FROM unnest(polroles) AS role
    WHERE CASE WHEN role = 0 THEN true ELSE pg_has_role(coalesce(%(role)s, current_user), role, 'USAGE') END
)
"""
_MAY: Final = """
SELECT privilege FROM unnest(%(privileges)s::text[]) WITH ORDINALITY AS asked (privilege, place)
WHERE has_table_privilege(%(table)s::oid, privilege)
    OR CASE WHEN privilege = 'DELETE' THEN false ELSE has_any_column_privilege(%(table)s::oid, privilege) END
ORDER BY place
"""
_COMMANDS: Final = {"SELECT": "r", "INSERT": "a", "UPDATE": "w", "DELETE": "d"}
SEE_OTHERS: Final = "see rows of another tenant"
"""The trial that reads."""
_SAMPLE_VALUES: Final = {"B": "false", "D": "2000-01-01", "N": "0", "S": ""}
"""A literal for each category of pg_type that a required column is likely to have."""


@dataclass(frozen=True)
class SecuredTable:
    """A table or partition that carries a tenant."""

    oid: int
    schema: str
    relation: str
    is_root: bool
    """Named by the caller, rather than found as a partition."""
    is_partitioned: bool

    @property
    def name(self) -> str:
        """Schema and table."""
        return f"{self.schema}.{self.relation}"

    @property
    def identifier(self) -> sql.Identifier:
        """Schema and table, quoted."""
        return sql.Identifier(self.schema, self.relation)


@dataclass(frozen=True)
class Outcome:
    """What was tried, and what it revealed; empty if it was refused as it should be."""

    trial: str
    hole: str = ""


class _Answer(Enum):
    REFUSED = auto()
    PASSED = auto()
    UNROUTED = auto()
    UNCLEAR = auto()


def trials(
    connection: Connection, table: SecuredTable, tenant_id: UUID, others: Sequence[UUID] = ()
) -> Iterator[Outcome]:
    """Try the policies, in a transaction that acts for the tenant; the transaction acts for it again at the end.

    Rows of the first of `others` are written, and the policies asked about all of them; without any, about a tenant that is
    registered nowhere.
    """
    connection.execute("SET LOCAL enable_seqscan = off")
    others = others or (uuid4(),)
    other = others[0]
    held = _privileges(connection, table)
    if table.is_root and "INSERT" in held:
        granted = _insert(connection, table, tenant_id) is not _Answer.REFUSED
        yield Outcome("a row of the tenant is let in", "" if granted else _NOT_GRANTED)
    yield _outcome("insert a row of another tenant", _insert_other(connection, table, tenant_id, other))
    moved = _move(connection, table, other) if "UPDATE" in held else _Answer.REFUSED
    yield _outcome("move a row to another tenant", moved)
    visible = sql.SQL(
        "SELECT EXISTS (SELECT FROM {0} WHERE tenant_id < {1}) OR EXISTS (SELECT FROM {0} WHERE tenant_id > {1})"
    )
    seen = _is_true(connection, visible.format(table.identifier, sql.Literal(tenant_id)))
    yield Outcome(SEE_OTHERS, "rows of another tenant are visible" if seen else "")
    yield from policy_outcomes(connection, table, others, "of another tenant")
    set_tenant(connection, None)
    try:
        seen = _is_true(connection, sql.SQL("SELECT EXISTS (SELECT FROM {})").format(table.identifier))
        yield Outcome("see rows without a tenant", "rows are visible while no tenant is set" if seen else "")
        yield from policy_outcomes(connection, table, (tenant_id,), "while no tenant is set")
    finally:
        set_tenant(connection, tenant_id)


_NOT_GRANTED: Final = "the policies refuse the tenant's own rows: the login was not granted the tenant"


def _outcome(trial: str, answer: _Answer) -> Outcome:
    if answer is _Answer.REFUSED:
        return Outcome(trial)
    return Outcome(trial, f"{trial}: " + ("not refused" if answer is _Answer.PASSED else "could not be tried"))


def _insert_other(connection: Connection, table: SecuredTable, tenant_id: UUID, other: UUID) -> _Answer:
    answer = _insert(connection, table, other)
    if answer is not _Answer.UNROUTED:
        return answer
    bounds = [bound for (bound,) in connection.execute(_BOUNDS, [table.oid]) if bound != tenant_id]
    routed = [
        answer for answer in (_insert(connection, table, bound) for bound in bounds) if answer is not _Answer.UNROUTED
    ]
    if routed:
        return next((answer for answer in routed if answer is not _Answer.REFUSED), _Answer.REFUSED)
    alone = connection.execute(_PARTITIONED_BY_TENANT_ALONE, [table.oid]).fetchone() == (True,)
    return _Answer.REFUSED if alone else _Answer.UNCLEAR


def _insert(connection: Connection, table: SecuredTable, tenant_id: UUID) -> _Answer:
    row = {"tenant_id": str(tenant_id)}
    for name, category, kind in connection.execute(_REQUIRED_COLUMNS, [table.oid]):
        if kind == "uuid":
            row[name] = str(uuid4())
        elif category in _SAMPLE_VALUES:
            row[name] = _SAMPLE_VALUES[category]
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        table.identifier,
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(map(sql.Literal, row.values())),
    )
    return _write(connection, table, statement)


def _move(connection: Connection, table: SecuredTable, other: UUID) -> _Answer:
    statement = sql.SQL(
        "UPDATE {0} SET tenant_id = {1} WHERE ctid IN (SELECT ctid FROM {0} LIMIT 1 FOR UPDATE SKIP LOCKED)"
    )
    return _write(connection, table, statement.format(table.identifier, sql.Literal(other)))


def _write(connection: Connection, table: SecuredTable, statement: sql.Composed) -> _Answer:
    try:
        with connection.transaction(force_rollback=True):
            changed = connection.execute(statement).rowcount
    except psycopg.errors.InsufficientPrivilege:
        return _Answer.REFUSED
    except psycopg.IntegrityError as error:
        routing = error.sqlstate == _CHECK_VIOLATION and not error.diag.constraint_name
        return _Answer.UNROUTED if routing and table.is_partitioned else _Answer.PASSED
    except psycopg.OperationalError:
        raise
    except psycopg.Error:
        return _Answer.UNCLEAR
    return _Answer.PASSED if changed else _Answer.REFUSED


def policy_outcomes(
    connection: Connection, table: SecuredTable, tenant_ids: Sequence[UUID], whose: str
) -> Iterator[Outcome]:
    """The policies' own expressions, evaluated for a row of each tenant, whether or not such a row exists."""
    policies = connection.execute(_POLICIES, {"table": table.oid, "role": None}).fetchall()
    asked: dict[tuple[str, str], sql.Composed] = {}
    for privilege in _privileges(connection, table):
        command = _COMMANDS[privilege]
        relevant = [policy for policy in policies if policy[0] in (command, "*")]
        expressions = {"let through": 2} if command != "a" else {}
        expressions |= {"let in": 3} if command in "aw" else {}
        for verb, position in expressions.items():
            expected = [(policy[1], policy[position]) for policy in relevant]
            asked[privilege, verb] = _passing(table, tenant_ids, expected)
    for (privilege, verb), passes in zip(asked, _are_true(connection, tuple(asked.values())), strict=True):
        trial = f"policies for {privilege} asked about a row {whose}"
        yield Outcome(trial, f"policies for {privilege}: a row {whose} is {verb}" if passes else "")


def readable_by(connection: Connection, table: SecuredTable, role: str, tenant_id: UUID) -> bool:
    """Whether the policies would let a role read a row of a tenant, whatever tenant the transaction acts for."""
    policies = connection.execute(_POLICIES, {"table": table.oid, "role": role}).fetchall()
    relevant = [(policy[1], policy[2]) for policy in policies if policy[0] in ("r", "*")]
    return _is_true(connection, _passing(table, (tenant_id,), relevant))


def _passing(table: SecuredTable, tenant_ids: Sequence[UUID], policies: list[tuple[bool, str | None]]) -> sql.Composed:
    """The question whether policies, permissive or not and with their expressions, let a row of one of the tenants pass."""
    permissive = [_asked(expression) for is_permissive, expression in policies if is_permissive]
    restrictive = [_asked(expression) for is_permissive, expression in policies if not is_permissive]
    if not permissive:
        return sql.Composed([sql.SQL("SELECT false")])
    return sql.SQL(
        "SELECT coalesce(bool_or(({}) AND {}), false) FROM (SELECT (jsonb_populate_recordset(NULL::{}, {})).*) AS {}"
    ).format(
        sql.SQL(" OR ").join(permissive),
        sql.SQL(" AND ").join([*restrictive, sql.SQL("true")]),
        table.identifier,
        sql.Literal(Jsonb([{"tenant_id": str(tenant_id)} for tenant_id in tenant_ids])),
        sql.Identifier(table.relation),
    )


def _asked(expression: str | None) -> sql.Composable:
    """A policy's expression as the server prints it; an absent one restricts nothing."""
    return sql.SQL("coalesce(({}), false)").format(sql.SQL(expression or "true"))


def _is_true(connection: Connection, query: sql.Composed) -> bool:
    try:
        with connection.transaction(force_rollback=True):
            return connection.execute(query).fetchone() == (True,)
    except psycopg.OperationalError:
        raise
    except psycopg.Error:
        return False


def _are_true(connection: Connection, queries: Sequence[sql.Composed]) -> list[bool]:
    """What `_is_true` says of each query, asked together: each by itself only where one of them fails."""
    together = sql.SQL("SELECT {}").format(sql.SQL(", ").join(sql.SQL("({})").format(query) for query in queries))
    try:
        with connection.transaction(force_rollback=True):
            row = connection.execute(together).fetchone() or ()
    except psycopg.OperationalError:
        raise
    except psycopg.Error:
        return [_is_true(connection, query) for query in queries]
    return [answer is True for answer in row]


def _privileges(connection: Connection, table: SecuredTable) -> list[str]:
    """What the login may do with the table, or with a column of it."""
    found = connection.execute(_MAY, {"table": table.oid, "privileges": list(_COMMANDS)}).fetchall()
    return [privilege for (privilege,) in found]
