"""Attempts on the tenant policies of one table, each rolled back; a policy that works refuses all but the first.

A row's WITH CHECK is asked before its constraints (PostgreSQL documentation, CREATE POLICY), so that a constraint that fails
means that the policies let the row pass.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from seed_pipelines.adapters.postgres.database import Connection
from seed_pipelines.adapters.postgres.undone import Asking, Statements, Tried, acting_for, tried

_CONSTRAINT_CLASS: Final = "23"
_CHECK_VIOLATION: Final = "23514"

_REQUIRED_COLUMNS: Final = """
SELECT attrelid::bigint, attname, typcategory, typname
FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
WHERE attrelid = ANY(%(tables)s::oid[]) AND attnum > 0 AND NOT attisdropped AND attnotnull AND NOT atthasdef
    AND attidentity = '' AND attgenerated = '' AND attname <> 'tenant_id'
ORDER BY attnum
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
SELECT polrelid::bigint, polcmd::text, polpermissive, pg_get_expr(polqual, polrelid),
    coalesce(pg_get_expr(polwithcheck, polrelid), pg_get_expr(polqual, polrelid))
FROM pg_policy
WHERE polrelid = ANY(%(tables)s::oid[]) AND EXISTS (
    SELECT FROM unnest(polroles) AS role
    WHERE CASE WHEN role = 0 THEN true ELSE pg_has_role(coalesce(%(role)s, current_user), role, 'USAGE') END
)
"""
_MAY: Final = """
SELECT relation::bigint, privilege
FROM unnest(%(tables)s::oid[]) AS relation
CROSS JOIN unnest(%(privileges)s::text[]) WITH ORDINALITY AS asked (privilege, place)
WHERE has_table_privilege(relation, privilege)
    OR CASE WHEN privilege = 'DELETE' THEN false ELSE has_any_column_privilege(relation, privilege) END
ORDER BY place
"""
_COMMANDS: Final = {"SELECT": "r", "INSERT": "a", "UPDATE": "w", "DELETE": "d"}
WITH_INDEXES: Final = sql.SQL("SET LOCAL enable_seqscan = off")
"""Attempts are quick where there are indexes."""
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


class Policy(NamedTuple):
    """A policy of a table."""

    command: str
    """As pg_policy has it; `*` for all."""
    is_permissive: bool
    using: str | None
    with_check: str | None


@dataclass(frozen=True)
class TableAccess:
    """What the role that a transaction acts as may do with a table, and what holds it."""

    table: SecuredTable
    privileges: tuple[str, ...]
    """SELECT, INSERT, UPDATE, DELETE: on the table, or on a column of it."""
    policies: tuple[Policy, ...]
    """Those for the role."""
    required_columns: tuple[tuple[str, str, str], ...]
    """Name, category and type of what a row must give."""

    @classmethod
    def of(cls, connection: Connection, tables: Sequence[SecuredTable]) -> "dict[int, TableAccess]":
        """The oid of each table -> what the catalogue says of it."""
        asked = {"tables": [table.oid for table in tables], "privileges": list(_COMMANDS), "role": None}
        may, policies, columns = (
            _by_table(connection.execute(query, asked)) for query in (_MAY, _POLICIES, _REQUIRED_COLUMNS)
        )
        return {
            table.oid: cls(
                table,
                tuple(privilege for (privilege,) in may[table.oid]),
                tuple(Policy(*found) for found in policies[table.oid]),
                tuple(columns[table.oid]),
            )
            for table in tables
        }


def _by_table(rows: Iterable[tuple[Any, ...]]) -> Mapping[int, list[tuple[Any, ...]]]:
    found: defaultdict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for oid, *rest in rows:
        found[oid].append(tuple(rest))
    return found


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
    connection: Connection, access: TableAccess, tenant_id: UUID, others: Sequence[UUID] = ()
) -> Asking[list[Outcome]]:
    """Try the policies as the tenant, and as none.

    Rows of the first of `others` are written, and the policies asked about all of them; without any, about a tenant that is
    registered nowhere.
    """
    others = others or (uuid4(),)
    other, table, mine, nobody = others[0], access.table, acting_for(tenant_id), acting_for("")
    of_others, of_none = _questions(access, mine, others), _questions(access, nobody, (tenant_id,))
    visible = (
        "SELECT WHERE EXISTS (SELECT FROM {0} WHERE tenant_id < {1}) OR EXISTS (SELECT FROM {0} WHERE tenant_id > {1})"
    )
    own_row, others_row, moved, seen, seen_by_none, *answers = yield [
        (mine, _insertion(access, tenant_id)),
        (mine, _insertion(access, other)),
        (mine, WITH_INDEXES, _move(table, other)),
        (mine, WITH_INDEXES, sql.SQL(visible).format(table.identifier, sql.Literal(tenant_id))),
        (nobody, WITH_INDEXES, sql.SQL("SELECT FROM {} LIMIT 1").format(table.identifier)),
        *of_others.values(),
        *of_none.values(),
    ]
    found = []
    if table.is_root and "INSERT" in access.privileges:
        granted = _answer(own_row, table) is not _Answer.REFUSED
        found.append(Outcome("a row of the tenant is let in", "" if granted else _NOT_GRANTED))
    answer = _answer(others_row, table)
    if answer is _Answer.UNROUTED:
        answer = yield from _insert_routed(connection, access, tenant_id)
    may_move = "UPDATE" in access.privileges
    return [
        *found,
        _outcome("insert a row of another tenant", answer),
        _outcome("move a row to another tenant", _answer(moved, table) if may_move else _Answer.REFUSED),
        Outcome(SEE_OTHERS, "rows of another tenant are visible" if seen.shows_rows else ""),
        *_findings(of_others, answers[: len(of_others)], "of another tenant"),
        Outcome(
            "see rows without a tenant", "rows are visible while no tenant is set" if seen_by_none.shows_rows else ""
        ),
        *_findings(of_none, answers[len(of_others) :], "while no tenant is set"),
    ]


_NOT_GRANTED: Final = "the policies refuse the tenant's own rows: the login was not granted the tenant"


def _outcome(trial: str, answer: _Answer) -> Outcome:
    if answer is _Answer.REFUSED:
        return Outcome(trial)
    return Outcome(trial, f"{trial}: " + ("not refused" if answer is _Answer.PASSED else "could not be tried"))


def _insert_routed(connection: Connection, access: TableAccess, tenant_id: UUID) -> Asking[_Answer]:
    """What comes of a row of another tenant for which there is a partition."""
    bounds = [bound for (bound,) in connection.execute(_BOUNDS, [access.table.oid]) if bound != tenant_id]
    found = yield [(acting_for(tenant_id), _insertion(access, bound)) for bound in bounds]
    answers = [_answer(one, access.table) for one in found]
    routed = [answer for answer in answers if answer is not _Answer.UNROUTED]
    if routed:
        return next((answer for answer in routed if answer is not _Answer.REFUSED), _Answer.REFUSED)
    alone = connection.execute(_PARTITIONED_BY_TENANT_ALONE, [access.table.oid]).fetchone() == (True,)
    return _Answer.REFUSED if alone else _Answer.UNCLEAR


def _insertion(access: TableAccess, tenant_id: UUID) -> sql.Composed:
    row = {"tenant_id": str(tenant_id)}
    for name, category, kind in access.required_columns:
        if kind == "uuid":
            row[name] = str(uuid4())
        elif category in _SAMPLE_VALUES:
            row[name] = _SAMPLE_VALUES[category]
    return sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        access.table.identifier,
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(map(sql.Literal, row.values())),
    )


def _move(table: SecuredTable, other: UUID) -> sql.Composed:
    statement = "UPDATE {0} SET tenant_id = {1} WHERE ctid IN (SELECT ctid FROM {0} LIMIT 1 FOR UPDATE SKIP LOCKED)"
    return sql.SQL(statement).format(table.identifier, sql.Literal(other))


def _answer(found: Tried, table: SecuredTable) -> _Answer:
    """What a write shows; raises OperationalError where the server had enough."""
    match found.error:
        case None:
            return _Answer.PASSED if found.rows else _Answer.REFUSED
        case psycopg.errors.InsufficientPrivilege():
            return _Answer.REFUSED
        case psycopg.IntegrityError(sqlstate=code):
            routing = code == _CHECK_VIOLATION and not found.constraint
            return _Answer.UNROUTED if routing and table.is_partitioned else _Answer.PASSED
        case psycopg.OperationalError():
            raise found.error
        case _:
            return _Answer.UNCLEAR


def policies_for(access: TableAccess, tenant_id: UUID, whose: str) -> Asking[list[Outcome]]:
    """The policies' own expressions for who acts for a tenant, about a row of that tenant, which need not exist."""
    questions = _questions(access, acting_for(tenant_id), (tenant_id,))
    answers = yield [*questions.values()]
    return [*_findings(questions, answers, whose)]


def _questions(
    access: TableAccess, acting: sql.Composed, tenant_ids: Sequence[UUID]
) -> Mapping[tuple[str, str], Statements]:
    """Privilege and what it would be let do -> whether policies let one of the tenants' rows pass."""
    asked: dict[tuple[str, str], Statements] = {}
    for privilege in access.privileges:
        command = _COMMANDS[privilege]
        relevant = [policy for policy in access.policies if policy.command in (command, "*")]
        if command != "a":
            using = [(policy.is_permissive, policy.using) for policy in relevant]
            asked[privilege, "let through"] = (acting, WITH_INDEXES, _passing(access.table, tenant_ids, using))
        if command in "aw":
            checked = [(policy.is_permissive, policy.with_check) for policy in relevant]
            asked[privilege, "let in"] = (acting, WITH_INDEXES, _passing(access.table, tenant_ids, checked))
    return asked


def _findings(
    questions: Mapping[tuple[str, str], Statements], answers: Sequence[Tried], whose: str
) -> Iterator[Outcome]:
    for (privilege, verb), answer in zip(questions, answers, strict=True):
        trial = f"policies for {privilege} asked about a row {whose}"
        yield Outcome(trial, f"policies for {privilege}: a row {whose} is {verb}" if answer.shows_rows else "")


def readable_by(connection: Connection, table: SecuredTable, role: str, tenant_id: UUID) -> bool:
    """Whether the policies would let a role read a row of a tenant, whatever tenant the transaction acts for."""
    policies = connection.execute(_POLICIES, {"tables": [table.oid], "role": role}).fetchall()
    relevant = [(is_permissive, using) for _, command, is_permissive, using, _ in policies if command in ("r", "*")]
    (answer,) = tried(connection, [(_passing(table, (tenant_id,), relevant),)])
    return answer.shows_rows


def _passing(table: SecuredTable, tenant_ids: Sequence[UUID], policies: list[tuple[bool, str | None]]) -> sql.Composed:
    """The question whether policies, permissive or not and with their expressions, let a row of one of the tenants pass."""
    permissive = [_asked(expression) for is_permissive, expression in policies if is_permissive]
    restrictive = [_asked(expression) for is_permissive, expression in policies if not is_permissive]
    if not permissive:
        return sql.Composed([sql.SQL("SELECT WHERE false")])
    return sql.SQL("SELECT FROM jsonb_populate_recordset(NULL::{}, {}) AS {} WHERE ({}) AND {} LIMIT 1").format(
        table.identifier,
        sql.Literal(Jsonb([{"tenant_id": str(tenant_id)} for tenant_id in tenant_ids])),
        sql.Identifier(table.relation),
        sql.SQL(" OR ").join(permissive),
        sql.SQL(" AND ").join([*restrictive, sql.SQL("true")]),
    )


def _asked(expression: str | None) -> sql.Composable:
    """A policy's expression as the server prints it; an absent one restricts nothing."""
    return sql.SQL("coalesce(({}), false)").format(sql.SQL(expression or "true"))
