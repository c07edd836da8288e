"""The examination of a database by its two logins: every relation, every attack."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Final

from psycopg import sql

from seed_pipelines.adapters.postgres.database import Connection, Database
from seed_pipelines.adapters.postgres.isolation.attempt import Attempt, Examination, accepted, rolled_back
from seed_pipelines.adapters.postgres.isolation.catalogue_rows import CatalogueRows
from seed_pipelines.adapters.postgres.isolation.key_holes import ModelKeys, key_holes, model_holes
from seed_pipelines.adapters.postgres.isolation.login_holes import (
    differs,
    is_unbound,
    role_holes,
    server_holes,
    session_holes,
    settable_roles,
)
from seed_pipelines.adapters.postgres.isolation.relation_holes import Reach, ownership, relation_holes
from seed_pipelines.adapters.postgres.isolation.relation_trials import (
    Attackers,
    Trial,
    past_policies,
    relation_trials,
    without_rows,
)
from seed_pipelines.adapters.postgres.isolation.routine_holes import routine_holes
from seed_pipelines.adapters.postgres.isolation.tenant_relations import (
    COMMANDS,
    GRANTS,
    TenantRelation,
    privileges,
    statements,
    tenant_relations,
)
from seed_pipelines.adapters.postgres.policy_trials import TableAccess
from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.adapters.postgres.undone import answered

_LIMITS: Final = "SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = '60s'"
_DATA_ROLES: Final = frozenset({"seed_loader"})
_CONTROL_ROLES: Final = frozenset({"seed_control"})
_RIGHTS: Final = ("seed.tenant", "seed.tenant_grant", "seed.role_grant")
"""Who may do what: only the migrator writes it."""
_LEASING: Final = ("seed.lease", "seed.seed_run", "seed.shard_report")
_GRANTS_OF_OTHERS: Final = sql.SQL(
    "SELECT EXISTS (SELECT FROM seed.tenant_grant WHERE role_name <> session_user::text)"
)
_WRITES: Final = ("INSERT", "UPDATE", "DELETE")

Wanted = Callable[[TenantRelation], bool]


def examine_data_login(
    database: Database,
    tenants: Sequence[Tenant],
    victim: Tenant | None,
    keys: ModelKeys,
    wanted: Wanted = lambda _: True,
) -> Examination:
    """Every attack of the data login; `tenants` are all that are registered, `victim` the one whose rows count, None for all.

    `keys` are those that the tables of the entities need. Every trial is rolled back; a sequence that a column's default asks
    moves on. DatabaseUnavailable if the server goes away or a lock is not given within seconds.
    """
    attempts = list(session_holes(database))
    with _examined(database) as connection:
        login, *others = settable_roles(connection)
        relations = [found for found in tenant_relations(connection, list(keys)) if wanted(found)]
        reached = {role: privileges(connection, role, relations) for role in (login, *others)}
        reachable = [found for found in relations if any(found.oid in of_role for of_role in reached.values())]
        attackers = _attackers(connection, tenants, victim)
        attempts += [*role_holes(connection, may_become=_DATA_ROLES), *server_holes(connection)]
        attempts += [*routine_holes(connection, relations), *ownership(connection, relations)]
        attempts += model_holes(connection, {name: found for name, found in keys.items() if _named(relations, name)})
        attempts += _rights_of_others(connection, relations)
        rows = CatalogueRows(connection, reachable)
        for relation in reachable:
            granted = frozenset[str]().union(*(of_role.get(relation.oid, ()) for of_role in reached.values()))
            attempts += relation_holes(rows, relation, Reach(granted))
            attempts += key_holes(rows, relation, granted)
        for role in (role for role in (login, *others) if not is_unbound(connection, role)):
            may_differ = role == login or differs(connection, role)
            with _acting_as(connection, login, role):
                access = TableAccess.of(connection, [relation.secured for relation in reachable] if may_differ else [])
                asking: list[Trial] = []
                for relation in reachable:
                    granted = reached[role].get(relation.oid, frozenset())
                    asking.append(past_policies(role, relation, granted))
                    if may_differ:
                        of_table = access[relation.oid]
                        asking += relation_trials(connection, role, relation, granted, of_table, attackers)
                attempts += chain.from_iterable(answered(connection, asking))
        without = without_rows(connection, reachable, attackers)
    return Examination.of(login, reachable, attempts, without)


def examine_control_login(database: Database, named: Sequence[str], wanted: Wanted = lambda _: True) -> Examination:
    """Every attack of the control login: rows of the tenants, and the tables that say who may do what."""
    with _examined(database) as connection:
        login, *others = settable_roles(connection)
        relations = [found for found in tenant_relations(connection, named) if wanted(found)]
        reached = privileges(connection, login, relations)
        attempts = list(role_holes(connection, may_become=_CONTROL_ROLES))
        attempts += ownership(connection, relations)
        rows = CatalogueRows(connection, relations)
        for relation in relations:
            if relation.is_control and relation.oid in reached:
                attempts += relation_holes(rows, relation, Reach(frozenset(), reached[relation.oid]))
        for role in (login, *others):
            with _acting_as(connection, login, role):
                attempts += _rows_of_tenants(connection, role, relations)
                attempts += _tried(
                    connection, role, relations, _RIGHTS, _WRITES, "only seed_migrator says who may do what"
                )
    return Examination.of(login, relations, attempts)


@contextmanager
def _examined(database: Database) -> Iterator[Connection]:
    with database.connection() as connection, rolled_back(connection, _LIMITS):
        yield connection


@contextmanager
def _acting_as(connection: Connection, login: str, role: str) -> Iterator[None]:
    if role == login:
        yield
        return
    with rolled_back(connection):
        connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
        yield


def _attackers(connection: Connection, tenants: Sequence[Tenant], victim: Tenant | None) -> Attackers:
    found = connection.execute("SELECT tenant_id FROM seed.tenant_grant WHERE role_name = session_user::text")
    may = {tenant_id for (tenant_id,) in found}
    granted = tuple(tenant for tenant in tenants if tenant.tenant_id in may)
    refused = tuple(tenant for tenant in tenants if tenant.tenant_id not in may)
    return Attackers(granted, refused, victim)


def _rights_of_others(connection: Connection, relations: Sequence[TenantRelation]) -> Iterator[Attempt]:
    """The data login reads no lease, run or right of others, and writes none at all."""
    login = str(connection.execute("SELECT session_user::text").fetchall()[0][0])
    tables = (*_RIGHTS, *_LEASING)
    yield from _tried(connection, login, relations, tables, _WRITES, "only the control login and the migrator write it")
    unread = tuple(name for name in tables if name != GRANTS)
    yield from _tried(connection, login, relations, unread, ("SELECT",), "it is the control login's to read")
    if _named(relations, GRANTS):
        ((may_ask,),) = answered(connection, [accepted([_GRANTS_OF_OTHERS])])
        seen = may_ask and connection.execute(_GRANTS_OF_OTHERS).fetchone() == (True,)
        finding = "grants of other logins are visible" if seen else ""
        cure = f"let the policies of {GRANTS} say role_name = session_user::text"
        yield Attempt(GRANTS, "read the grants of other logins", finding, cure)


def _rows_of_tenants(connection: Connection, role: str, relations: Sequence[TenantRelation]) -> Iterator[Attempt]:
    names = [relation.name for relation in relations if not relation.is_control]
    meaning = "rows of tenants are the data login's alone"
    yield from _tried(connection, role, relations, names, COMMANDS, meaning)


def _tried(
    connection: Connection,
    role: str,
    relations: Sequence[TenantRelation],
    names: Iterable[str],
    commands: Sequence[str],
    meaning: str,
) -> Iterator[Attempt]:
    by_name = {relation.name: relation for relation in relations}
    attacked = [by_name[name] for name in names if name in by_name]
    planned = [statements(relation) for relation in attacked]
    asking = [accepted([of_relation[privilege] for privilege in commands]) for of_relation in planned]
    for relation, found in zip(attacked, answered(connection, asking), strict=True):
        for privilege, passed in zip(commands, found, strict=True):
            finding = f"{role} is let through: {meaning}" if passed else ""
            yield Attempt(
                relation.name,
                f"{privilege} as {role}",
                finding,
                f"REVOKE {privilege} ON {relation.name} FROM {role}, its roles and PUBLIC",
            )


def _named(relations: Sequence[TenantRelation], name: str) -> bool:
    return any(relation.name == name for relation in relations)
