"""What is known of whoever sends a request, and the allowance that the request takes from: one exchange for each request."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID
from weakref import WeakValueDictionary

from seed_pipelines.adapters.postgres.async_database import AsyncDatabase, Rows, Statement
from seed_pipelines.adapters.postgres.rate_limits import TAKE_WHERE, RateLimitKey, take_parameters
from seed_pipelines.adapters.postgres.shared_exchanges import Shared
from seed_pipelines.adapters.postgres.tenants import IS_SERVICE, Tenant, counted_grants
from seed_pipelines.domain.rate_limit import Cell, Decision
from seed_pipelines.errors import TenantUnknown

_TAKEN: Final = TAKE_WHERE.format(
    condition="EXISTS (SELECT FROM known WHERE %(named)s IN (known.tenant_id::text, known.slug))"
)
_ASK: Final = f"""
BEGIN;
SET LOCAL synchronous_commit = off;
WITH known AS MATERIALIZED (SELECT tenant_id, slug FROM seed.tenant WHERE tenant_id = %(tenant_id)s),
taken AS ({_TAKEN})
SELECT known.slug, taken.admitted, taken.debt, ({IS_SERVICE}), ARRAY(
    SELECT role FROM seed.role_grant
    WHERE subject = %(login)s AND role_grant.tenant_id = known.tenant_id AND environment = %(environment)s
) FROM known LEFT JOIN taken ON true;
COMMIT
"""  # noqa: S608  # put together of constants
"""Does not wait for the disk: a server that crashes right after it may give the request back to the allowance."""


@dataclass(frozen=True)
class Asking:
    """Who asks, and for whom."""

    subject: str
    """As it stands in the grants."""
    tenant_id: UUID
    named: str
    """The id or the slug of the tenant that the request names."""
    environment: str
    purpose: str
    """What the allowance is for."""
    limit: int
    """Requests in the window, on the long run."""
    window_seconds: int
    burst: int
    """Requests at once."""


@dataclass(frozen=True)
class Admission:
    """What the database says to it."""

    tenant: Tenant
    roles: frozenset[str]
    """Granted to the subject; never seed-admin where it is a service."""
    decision: Decision | None
    """Of the rate limiter; None where the request names another tenant, and nothing was taken."""
    debt: int = 0
    """What has been taken and not come back, in microseconds."""


class Admissions:
    """Tenants, grants and rate limits of one database, reached by the control login; belongs to one event loop.

    Requests of one subject, tenant and environment that come while an exchange is under way share the next one.
    """

    def __init__(self, control: AsyncDatabase) -> None:
        self._control = control
        self._shared: WeakValueDictionary[Asking, Shared[None, Admission]] = WeakValueDictionary()

    async def ask(self, asking: Asking) -> Admission:
        """Look the subject and the tenant up, and take a request from the tenant's allowance; TenantUnknown.

        ValueError for numbers that never admit one.
        """
        shared = self._shared.get(asking)
        if shared is None:
            shared = self._shared[asking] = Shared(lambda group: self.in_parts(asking, len(group)))
        return await shared.ask(None)

    async def in_parts(self, asking: Asking, number: int) -> Sequence[Admission]:
        """Answers to requests that may be too many together: to as many as fit, and a refusal for the rest of them."""
        found: list[Admission] = []
        fitting = asking.burst
        while len(found) < number:
            cost = min(number - len(found), fitting)
            taken = await self._taken(asking, cost)
            answers = apart(taken, asking, cost)
            if answers is None:
                left = 0 if taken.decision is None else taken.decision.remaining
                fitting = max(1, min(left, cost - 1))
                continue
            found += answers
            if taken.decision is None or not taken.decision.allowed:
                break
        # Those behind the one that was refused asked at the same time.
        return found + [found[-1]] * (number - len(found))

    async def _taken(self, asking: Asking, cost: int) -> Admission:
        async with self._control.exchange(*asked(asking, cost)) as (_, (rows,)):
            pass
        return admission(asking, cost, rows)


def asked(asking: Asking, cost: int) -> Statement:
    """Looks the subject and the tenant up, and takes so many requests from the allowance or none: one result."""
    cell = _cell(asking, cost)
    key = RateLimitKey(asking.tenant_id, asking.environment, asking.purpose)
    return _ASK, {**take_parameters(key, cell), "named": asking.named, "login": asking.subject}


def admission(asking: Asking, cost: int, rows: Rows) -> Admission:
    """What the result of `asked` says; TenantUnknown."""
    if not rows:
        raise TenantUnknown(f"There is no tenant {asking.tenant_id}.")
    ((slug, admitted, debt, is_service, roles),) = rows
    return Admission(
        Tenant(asking.tenant_id, slug),
        counted_grants(roles, is_service=is_service),
        None if admitted is None else _cell(asking, cost).decision(admitted, int(debt)),
        int(debt or 0),
    )


def apart(together: Admission, asking: Asking, number: int) -> Sequence[Admission] | None:
    """The answers to requests that were asked for together, as if one had come after the other in that moment.

    None where all of them are too many: some may fit.
    """
    if together.decision is None or number == 1:
        return [together] * number
    if not together.decision.allowed:
        return None
    cell, debt = _cell(asking, 1), together.debt
    return [
        replace(together, decision=cell.decision(True, debt - cell.step * after)) for after in reversed(range(number))
    ]


def _cell(asking: Asking, cost: int) -> Cell:
    return Cell.of(asking.limit, asking.window_seconds, asking.burst, cost)
