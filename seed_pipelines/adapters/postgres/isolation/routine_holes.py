"""Functions that run as somebody else, and functions and operators that run before the policies."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

from psycopg import sql
from psycopg.rows import TupleRow

from seed_pipelines.adapters.postgres.database import Connection
from seed_pipelines.adapters.postgres.isolation.attempt import ANY_TENANT, Attempt
from seed_pipelines.adapters.postgres.isolation.tenant_relations import CONTROL_SCHEMA, TenantRelation
from seed_pipelines.adapters.postgres.policy_trials import readable_by
from seed_pipelines.adapters.postgres.undone import tried
from seed_pipelines.contract_files import contract_file

_DEFINERS: Final = """
SELECT function.oid::bigint, function.oid::regprocedure::text, namespace.nspname, function.proname, function.prosrc,
    function.prokind::text, function.prorettype = 'trigger'::regtype, owner.rolname, owner.rolsuper OR owner.rolbypassrls,
    coalesce(array_to_string(function.proconfig, ',') ~ 'search_path=', false),
    ARRAY(
        SELECT format_type(argument, NULL) FROM unnest(function.proargtypes::oid[]) WITH ORDINALITY AS given (argument, place)
        WHERE place <= function.pronargs - function.pronargdefaults ORDER BY place
    ),
    ARRAY(
        SELECT relation::bigint FROM unnest(%(relations)s::oid[]) AS relation JOIN pg_class AS class ON class.oid = relation
        WHERE function.prosrc ~* ('\\m' || class.relname || '\\M') OR EXISTS (
            SELECT FROM pg_depend
            WHERE classid = 'pg_proc'::regclass AND objid = function.oid
                AND refclassid = 'pg_class'::regclass AND refobjid = relation
        )
    ),
    function.prosrc ~* '\\mexecute\\M'
FROM pg_proc AS function JOIN pg_namespace AS namespace ON namespace.oid = function.pronamespace
JOIN pg_roles AS owner ON owner.oid = function.proowner
WHERE function.prosecdef AND namespace.nspname NOT IN ('pg_catalog', 'information_schema')
    AND has_function_privilege(session_user, function.oid, 'EXECUTE')
    AND has_schema_privilege(session_user, namespace.oid, 'USAGE') AND owner.rolname <> session_user
"""
_LEAKPROOF: Final = """
SELECT function.oid::regprocedure::text, ARRAY(SELECT oid::regoperator::text FROM pg_operator WHERE oprcode = function.oid)
FROM pg_proc AS function
WHERE function.proleakproof AND function.pronamespace <> 'pg_catalog'::regnamespace
    AND has_function_privilege(session_user, function.oid, 'EXECUTE')
"""
_SAMPLES: Final = {"uuid": f"'{ANY_TENANT}'::uuid", "text": "''", "integer": "0", "bigint": "0", "boolean": "true"}
_READ_ONLY: Final = (sql.SQL("SET LOCAL transaction_read_only = on"), sql.SQL("SET LOCAL row_security = off"))


def routine_holes(connection: Connection, relations: Sequence[TenantRelation]) -> Iterator[Attempt]:
    """SECURITY DEFINER functions that the login may call, and functions that the planner trusts to leak nothing."""
    by_oid = {relation.oid: relation for relation in relations}
    parameters = {"relations": list(by_oid)}
    attack = "call a function that runs as another"
    for row in connection.execute(_DEFINERS, parameters).fetchall():
        _, name, schema, _, source, _, returns_trigger, owner, _, pinned, *_ = row
        finding = (
            "" if pinned else f"it runs as {owner} with the caller's search_path: a temporary table shadows its own"
        )
        yield Attempt(name, attack, finding, f"ALTER FUNCTION {name} SET search_path = pg_catalog, pg_temp")
        if returns_trigger or (schema == CONTROL_SCHEMA and source.strip() in _published()):
            continue
        yield _reads_as_another(connection, row, by_oid)
    attack = "run a function before the policies"
    yield Attempt("every LEAKPROOF function", attack)
    for name, operators in connection.execute(_LEAKPROOF).fetchall():
        also = f" (operator {', '.join(operators)})" if operators else ""
        finding = f"it is marked LEAKPROOF{also}: conditions with it see rows before the policies remove them"
        yield Attempt(name, attack, finding, f"ALTER FUNCTION {name} NOT LEAKPROOF, or REVOKE EXECUTE on it")


def _reads_as_another(connection: Connection, row: TupleRow, by_oid: dict[int, TenantRelation]) -> Attempt:
    _, name, _, _, _, kind, _, owner, bypasses, _, arguments, read, dynamic = row
    attack = "read or write through a function that runs as another"
    cure = f"ALTER FUNCTION {name} SECURITY INVOKER, or REVOKE EXECUTE ON FUNCTION {name} FROM PUBLIC"
    open_ones = [by_oid[oid] for oid in read if bypasses or not _held(connection, owner, by_oid[oid])]
    if open_ones:
        names = ", ".join(relation.name for relation in open_ones)
        called = (
            " (called: it answered with row_security off)"
            if kind == "f" and _answers(connection, row, arguments)
            else ""
        )
        return Attempt(name, attack, f"it runs as {owner}, whom no policy holds on {names}{called}", cure)
    owns = bypasses or any(relation.owner == owner for relation in by_oid.values())
    if dynamic and owns:
        return Attempt(
            name, attack, f"it runs statements made at run time as {owner}: what it reads cannot be told", cure
        )
    return Attempt(name, attack)


def _held(connection: Connection, owner: str, relation: TenantRelation) -> bool:
    """Whether row level security holds the owner of a function on a relation."""
    if not relation.is_table or not relation.enabled or (relation.owner == owner and not relation.forced):
        return False
    return not readable_by(connection, relation.secured, owner, ANY_TENANT)


def _answers(connection: Connection, row: TupleRow, arguments: Sequence[str]) -> bool:
    """Whether it answers in a transaction that may only read, and only what no policy would have to restrict."""
    given = sql.SQL(", ").join(sql.SQL(_SAMPLES.get(kind, "NULL")) for kind in arguments)
    called = sql.SQL("SELECT FROM {} ({}) LIMIT 1").format(sql.Identifier(row[2], row[3]), given)
    (answer,) = tried(connection, [(*_READ_ONLY, called)])
    return answer.succeeded


@cache
def _published() -> frozenset[str]:
    """Bodies of the published functions; a function of the control tables with another was made by somebody else."""
    scripts = (entry for entry in contract_file("database").iterdir() if entry.name.endswith(".sql"))
    text = "".join(script.read_text(encoding="utf-8") for script in scripts)
    return frozenset(body.strip() for _, body in re.findall(r"\$(\w*)\$(.*?)\$\1\$", text, re.DOTALL))
