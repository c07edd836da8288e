"""Reads and writes of every relation of tenants, as every other tenant, as none, and as roles that may be set."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from psycopg import sql

from seed_pipelines.adapters.postgres.database import Connection
from seed_pipelines.adapters.postgres.isolation.attempt import ANY_TENANT, Attempt, accepted
from seed_pipelines.adapters.postgres.isolation.tenant_relations import GRANTS, TenantRelation, statements
from seed_pipelines.adapters.postgres.policy_trials import (
    SEE_OTHERS,
    WITH_INDEXES,
    TableAccess,
    policies_for,
    trials,
)
from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.adapters.postgres.undone import Asking, acting_for, tried

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


Trial = Asking[list[Attempt]]


def past_policies(login: str, relation: TenantRelation, granted: frozenset[str]) -> Trial:
    """With row_security off the server refuses whatever a policy would have to restrict, and says so: nothing else is safe."""
    asked = {privilege: statement for privilege, statement in statements(relation).items() if privilege in granted}
    answers = yield from accepted([*asked.values()], _PAST_POLICIES)
    kind = relation.kind if relation.kind in _CURES else "leaf" if relation.is_partition else "table"
    cure = _CURES[kind if relation.has_tenant or kind != "table" else "bare"]
    return [
        _attempt(
            relation, f"{privilege} with row_security off", "no policy restricts it" if passed else "", cure, login
        )
        for privilege, passed in zip(asked, answers, strict=True)
    ]


def relation_trials(
    connection: Connection,
    login: str,
    relation: TenantRelation,
    granted: frozenset[str],
    access: TableAccess,
    attackers: Attackers,
) -> Iterator[Trial]:
    """Act for each tenant, for none, for some that may not be acted for, and for what is no tenant."""
    if not relation.has_tenant or relation.name == GRANTS:
        return
    if "SELECT" in granted:
        yield _reads(login, relation, attackers)
    if relation.is_table:
        for tenant in attackers.granted:
            yield _as_tenant(connection, login, relation, access, attackers, tenant)
        for who, tenant_id in _impostors(attackers):
            if tenant_id is not None:
                yield _as_impostor(login, relation, access, who, tenant_id)


def without_rows(connection: Connection, relations: Sequence[TenantRelation], attackers: Attackers) -> tuple[str, ...]:
    """Relations in which no tenant that is attacked sees a row of its own: there was nothing to come back."""
    asked = [relation for relation in relations if relation.has_tenant and relation.name != GRANTS]
    victims = [tenant for tenant in attackers.granted if attackers.victim in (None, tenant)]
    own = sql.SQL("SELECT FROM {} WHERE tenant_id = {} LIMIT 1")
    questions = [
        (acting_for(tenant.tenant_id), WITH_INDEXES, own.format(relation.identifier, sql.Literal(tenant.tenant_id)))
        for relation in asked
        for tenant in victims
    ]
    seen = [answer.shows_rows for answer in tried(connection, questions)]
    per_relation = len(victims)
    return tuple(
        relation.name
        for place, relation in enumerate(asked)
        if not any(seen[place * per_relation : (place + 1) * per_relation])
    )


def _reads(login: str, relation: TenantRelation, attackers: Attackers) -> Trial:
    """What comes back to each who asks: nothing of another tenant's, and nothing at all to who acts for none."""
    anything = sql.SQL("SELECT FROM {} LIMIT 1").format(relation.identifier)
    others = "read rows of another tenant", "rows of another tenant came back"
    rows = "read rows", "rows came back"
    asked: list[tuple[str, UUID | str, tuple[str, str], sql.Composed]] = [
        (f"{login} as {tenant.slug}", tenant.tenant_id, others, _rows_of_others(relation, tenant, attackers.victim))
        for tenant in attackers.granted
    ]
    asked += [(f"{login} {who}", tenant_id or "", rows, anything) for who, tenant_id in _impostors(attackers)]
    # A setting that is no UUID must come to nothing: no rows, or an error.
    asked.append((f"{login} with app.tenant_id '%'", "%", rows, anything))
    answers = yield [(acting_for(tenant), WITH_INDEXES, query) for _, tenant, _, query in asked]
    return [
        _attempt(relation, attack, finding if answer.shows_rows else "", _cure_of(relation), login, who)
        for (who, _, (attack, finding), _), answer in zip(asked, answers, strict=True)
    ]


def _as_tenant(
    connection: Connection,
    login: str,
    relation: TenantRelation,
    access: TableAccess,
    attackers: Attackers,
    tenant: Tenant,
) -> Trial:
    acting, nobody = f"{login} as {tenant.slug}", f"{login} without a tenant"
    found = yield from trials(connection, access, tenant.tenant_id, attackers.victims_of(tenant.tenant_id))
    return [
        _attempt(
            relation,
            outcome.trial,
            outcome.hole,
            _POLICY_CURE,
            login,
            nobody if outcome.trial.endswith(_NOBODY) else acting,
        )
        for outcome in found
        if outcome.trial != SEE_OTHERS
    ]


def _impostors(attackers: Attackers) -> Iterator[tuple[str, UUID | None]]:
    yield "without a tenant", None
    for tenant in attackers.refused:
        yield f"as {tenant.slug}, which it was not granted", tenant.tenant_id
    yield "as a tenant that is not registered", ANY_TENANT


def _as_impostor(login: str, relation: TenantRelation, access: TableAccess, who: str, tenant_id: UUID) -> Trial:
    found = yield from policies_for(access, tenant_id, "of a tenant that was not granted")
    return [_attempt(relation, outcome.trial, outcome.hole, _POLICY_CURE, login, f"{login} {who}") for outcome in found]


def _rows_of_others(relation: TenantRelation, tenant: Tenant, victim: Tenant | None) -> sql.Composed:
    """Rows that are not the tenant's; of the victim alone, if there is one."""
    if victim is None:
        either = (
            "(SELECT FROM {0} WHERE tenant_id < {1} LIMIT 1) UNION ALL (SELECT FROM {0} WHERE tenant_id > {1} LIMIT 1)"
        )
        return sql.SQL(either).format(relation.identifier, sql.Literal(tenant.tenant_id))
    others = sql.SQL("SELECT FROM {} WHERE tenant_id = {} AND tenant_id <> {} LIMIT 1")
    return others.format(relation.identifier, sql.Literal(victim.tenant_id), sql.Literal(tenant.tenant_id))


def _cure_of(relation: TenantRelation) -> str:
    return _POLICY_CURE if relation.is_table else _CURES[relation.kind]


def _attempt(relation: TenantRelation, attack: str, finding: str, cure: str, login: str, who: str = "") -> Attempt:
    made = Attempt(relation.name, attack, who=who or login)
    return replace(made, finding=finding, cure=cure.format(relation.name, login)) if finding else made
