"""Reads and writes of every relation of tenants, as every other tenant, as none, and as roles that may be set."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

import psycopg
from psycopg import sql

from seed_pipelines.adapters.postgres.database import Connection, set_tenant
from seed_pipelines.adapters.postgres.isolation.attempt import ANY_TENANT, Attempt, accepted, rolled_back
from seed_pipelines.adapters.postgres.isolation.tenant_relations import GRANTS, TenantRelation, statements
from seed_pipelines.adapters.postgres.policy_trials import SEE_OTHERS, policy_outcomes, trials
from seed_pipelines.adapters.postgres.tenants import Tenant

_NOBODY: Final = ("without a tenant", "while no tenant is set")
"""How trials end that set no tenant."""
_PAST_POLICIES: Final = "SET LOCAL row_security = off"
_POLICY_CURE: Final = (
    "let every policy of {0} say USING (tenant_id = (SELECT seed.current_tenant())) and WITH CHECK the same;"
    " drop those that do not"
)
_REVOKE: Final = "REVOKE ALL ON {0} FROM {1}, its roles and PUBLIC"
_CURES: Final = {
    "v": "ALTER VIEW {0} SET (security_invoker = true)",
    "m": f"{_REVOKE}: a materialized view has no policies; give a view with security_invoker in its place",
    "f": f"{_REVOKE}: a foreign table has no policies here",
    "leaf": f"{_REVOKE}: read and write through its parent, whose policies hold",
    "bare": f"{_REVOKE}, or give it a tenant_id, ENABLE and FORCE ROW LEVEL SECURITY and the tenant policy",
    "table": "ALTER TABLE {0} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; and its policies for {1}",
}


@dataclass(frozen=True)
class Attackers:
    """Who attacks whose rows."""

    granted: tuple[Tenant, ...]
    """Tenants that the login may act for."""
    refused: tuple[Tenant, ...]
    """Registered tenants that it may not act for."""
    victim: Tenant | None
    """Whose rows are attacked; None for those of everybody."""

    def victims_of(self, attacker: UUID) -> tuple[UUID, ...]:
        """The tenants whose rows an attacker is to be refused, the next one first; one that nobody knows stands for any other."""
        wanted = [tenant.tenant_id for tenant in ((self.victim,) if self.victim else (*self.granted, *self.refused))]
        following = wanted.index(attacker) + 1 if attacker in wanted else 0
        return (*(known for known in (*wanted[following:], *wanted[:following]) if known != attacker), ANY_TENANT)


def past_policies(
    connection: Connection, login: str, relation: TenantRelation, granted: frozenset[str]
) -> Iterator[Attempt]:
    """With row_security off the server refuses whatever a policy would have to restrict, and says so: nothing else is safe."""
    for privilege, statement in statements(relation).items():
        if privilege not in granted:
            continue
        passed = accepted(connection, statement, _PAST_POLICIES)
        attack = f"{privilege} with row_security off"
        kind = relation.kind if relation.kind in _CURES else "leaf" if relation.is_partition else "table"
        kind = kind if relation.has_tenant or kind != "table" else "bare"
        yield _attempt(relation, attack, "no policy restricts it" if passed else "", _CURES[kind], login)


def relation_trials(
    connection: Connection, login: str, relation: TenantRelation, granted: frozenset[str], attackers: Attackers
) -> Iterator[Attempt]:
    """Act for each tenant, for none, and for some that may not be acted for; the transaction acts for none at the end."""
    if not relation.has_tenant or relation.name == GRANTS:
        return
    try:
        for tenant in attackers.granted:
            set_tenant(connection, tenant.tenant_id)
            yield from _as_tenant(connection, login, relation, granted, attackers, tenant)
        for who, tenant_id in _impostors(attackers):
            set_tenant(connection, tenant_id)
            yield from _as_impostor(connection, relation, granted, f"{login} {who}", tenant_id)
        yield from _garbage(connection, login, relation, granted)
    finally:
        set_tenant(connection, None)


def without_rows(connection: Connection, relations: Sequence[TenantRelation], attackers: Attackers) -> tuple[str, ...]:
    """Relations in which no tenant that is attacked sees a row of its own: there was nothing to come back."""
    empty = {relation.name: relation for relation in relations if relation.has_tenant and relation.name != GRANTS}
    for tenant in attackers.granted:
        set_tenant(connection, tenant.tenant_id)
        for relation in () if attackers.victim not in (None, tenant) else tuple(empty.values()):
            own = sql.SQL("SELECT FROM {} WHERE tenant_id = {} LIMIT 1")
            if _rows(connection, own.format(relation.identifier, sql.Literal(tenant.tenant_id))):
                del empty[relation.name]
    set_tenant(connection, None)
    return tuple(empty)


def _as_tenant(
    connection: Connection,
    login: str,
    relation: TenantRelation,
    granted: frozenset[str],
    attackers: Attackers,
    tenant: Tenant,
) -> Iterator[Attempt]:
    who = f"{login} as {tenant.slug}"
    if "SELECT" in granted:
        seen = _others_rows(connection, relation, tenant.tenant_id, attackers.victim)
        finding = "rows of another tenant came back" if seen else ""
        yield _attempt(relation, "read rows of another tenant", finding, _cure_of(relation), login, who)
    if not relation.is_table:
        return
    for outcome in trials(connection, relation.secured, tenant.tenant_id, attackers.victims_of(tenant.tenant_id)):
        if outcome.trial != SEE_OTHERS:
            acting = f"{login} without a tenant" if outcome.trial.endswith(_NOBODY) else who
            yield _attempt(relation, outcome.trial, outcome.hole, _POLICY_CURE, login, acting)


def _impostors(attackers: Attackers) -> Iterator[tuple[str, UUID | None]]:
    yield "without a tenant", None
    for tenant in attackers.refused:
        yield f"as {tenant.slug}, which it was not granted", tenant.tenant_id
    yield "as a tenant that is not registered", ANY_TENANT


def _as_impostor(
    connection: Connection, relation: TenantRelation, granted: frozenset[str], who: str, tenant_id: UUID | None
) -> Iterator[Attempt]:
    login = who.partition(" ")[0]
    if "SELECT" in granted:
        seen = _rows(connection, sql.SQL("SELECT FROM {} LIMIT 1").format(relation.identifier))
        finding = "rows came back" if seen else ""
        yield _attempt(relation, "read rows", finding, _cure_of(relation), login, who)
    if relation.is_table and tenant_id is not None:
        for outcome in policy_outcomes(connection, relation.secured, (tenant_id,), "of a tenant that was not granted"):
            yield _attempt(relation, outcome.trial, outcome.hole, _POLICY_CURE, login, who)


def _garbage(
    connection: Connection, login: str, relation: TenantRelation, granted: frozenset[str]
) -> Iterator[Attempt]:
    """A setting that is no UUID must come to nothing: no rows, or an error."""
    if "SELECT" not in granted:
        return
    connection.execute("SELECT set_config('app.tenant_id', '%', true)")
    seen = _rows(connection, sql.SQL("SELECT FROM {} LIMIT 1").format(relation.identifier))
    set_tenant(connection, None)
    who = f"{login} with app.tenant_id '%'"
    yield _attempt(relation, "read rows", "rows came back" if seen else "", _cure_of(relation), login, who)


def _others_rows(connection: Connection, relation: TenantRelation, tenant_id: UUID, victim: Tenant | None) -> bool:
    if victim is not None:
        if victim.tenant_id == tenant_id:
            return False
        query = sql.SQL("SELECT FROM {} WHERE tenant_id = {} LIMIT 1")
        return _rows(connection, query.format(relation.identifier, sql.Literal(victim.tenant_id)))
    query = sql.SQL(
        "(SELECT FROM {0} WHERE tenant_id < {1} LIMIT 1) UNION ALL (SELECT FROM {0} WHERE tenant_id > {1} LIMIT 1)"
    )
    return _rows(connection, query.format(relation.identifier, sql.Literal(tenant_id)))


def _rows(connection: Connection, query: sql.Composed) -> bool:
    """Whether a query answers with a row; one that fails shows none."""
    try:
        with rolled_back(connection):
            answers = connection.execute(sql.SQL("SET LOCAL enable_seqscan = off; {}").format(query))
            answers.nextset()
            return answers.rowcount > 0
    except psycopg.OperationalError:
        raise
    except psycopg.Error:
        return False


def _cure_of(relation: TenantRelation) -> str:
    return _POLICY_CURE if relation.is_table else _CURES[relation.kind]


def _attempt(relation: TenantRelation, attack: str, finding: str, cure: str, login: str, who: str = "") -> Attempt:
    made = Attempt(relation.name, attack, who=who or login)
    return replace(made, finding=finding, cure=cure.format(relation.name, login)) if finding else made
