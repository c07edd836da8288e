"""Whether a subject may do something, and the record of the answer."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from seed_pipelines.adapters.postgres.access_decisions import AccessDecision, Action
from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.errors import Forbidden, RequestInvalid
from seed_pipelines.seeding import guards


class Subject(Protocol):
    """Whoever was authenticated: by the control database, whose session it has, or by a token."""

    def subject(self) -> str:
        """Its name in the grants."""

    def roles(self, tenant_id: UUID, environment: str) -> frozenset[str]:
        """The roles granted to it."""

    def record_decision(self, decision: AccessDecision) -> None:
        """Add a decision to the record, whatever becomes of the request."""


@dataclass(frozen=True)
class Caller:
    """What a request says of whoever made it: claims, which the grants of the session's subject must bear out."""

    origin: str
    """The Dagster run id, `backfill:<id>`, or the id of a command."""
    requested_by: str = ""
    claimed_roles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Permission:
    """The answer, which is to be recorded before it is given."""

    decision: AccessDecision
    refusal: Forbidden | RequestInvalid | None


def authorize(asking: Subject, tenant: Tenant, environment: str, action: Action, caller: Caller) -> None:
    """The subject may do it; Forbidden, RequestInvalid. The answer is recorded before it is given."""
    granted = asking.roles(tenant.tenant_id, environment)
    permission = permission_of(asking.subject(), granted, tenant, environment, action, caller)
    asking.record_decision(permission.decision)
    if permission.refusal is not None:
        raise permission.refusal


def permission_of(
    subject: str, granted: frozenset[str], tenant: Tenant, environment: str, action: Action, caller: Caller
) -> Permission:
    """Whether a subject with these grants may do it."""
    counted = guards.counted_roles(caller.claimed_roles, granted)
    refusal: Forbidden | RequestInvalid | None = None
    try:
        guards.claims_granted(subject, caller.claimed_roles, granted, tenant.slug, environment)
        guards.may(action, subject, counted, tenant.slug, environment)
    except (Forbidden, RequestInvalid) as error:
        refusal = error
    decision = AccessDecision(
        tenant_id=tenant.tenant_id,
        environment=environment,
        action=action,
        claimed_roles=caller.claimed_roles,
        counted_roles=tuple(sorted(counted)),
        problem_code=None if refusal is None else refusal.code,
        requested_by=caller.requested_by,
        origin=caller.origin,
    )
    return Permission(decision, refusal)
