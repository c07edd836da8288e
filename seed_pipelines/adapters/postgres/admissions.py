"""What is known of whoever sends a request, and the allowance that the request takes from: one exchange for each request."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID
from weakref import WeakValueDictionary

from seed_pipelines.adapters.postgres.async_database import AsyncDatabase
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


@dataclass(frozen=True)
class _Asked:
    """Requests of one kind, which are answered together."""

    asking: Asking
    limit: int
    window_seconds: int
    burst: int

    def cell(self, cost: int) -> Cell:
        return Cell.of(self.limit, self.window_seconds, self.burst, cost)


class Admissions:
    """Tenants, grants and rate limits of one database, reached by the control login; belongs to one event loop.

    Requests of one subject, tenant and environment that come while an exchange is under way share the next one.
    """

    def __init__(self, control: AsyncDatabase) -> None:
        self._control = control
        self._shared: WeakValueDictionary[_Asked, Shared[None, Admission]] = WeakValueDictionary()

    async def ask(self, asking: Asking, limit: int, window_seconds: int, burst: int) -> Admission:
        """Look the subject and the tenant up, and take a request from the tenant's allowance; TenantUnknown.

        ValueError for numbers that never admit one.
        """
        asked = _Asked(asking, limit, window_seconds, burst)
        shared = self._shared.get(asked)
        if shared is None:
            shared = self._shared[asked] = Shared(lambda group: self._answers(asked, len(group)))
        return await shared.ask(None)

    async def _answers(self, asked: _Asked, number: int) -> Sequence[Admission]:
        if 1 < number <= asked.burst:
            together = await self._taken(asked, number)
            if together.decision is None or together.decision.allowed:
                return _apart(together, asked, number)
        return await self._one_by_one(asked, number)

    async def _one_by_one(self, asked: _Asked, number: int) -> Sequence[Admission]:
        """Answers until one is refused, which stands for those behind it too: they were asked at the same time."""
        found: list[Admission] = []
        while len(found) < number:
            found.append(await self._taken(asked, 1))
            if found[-1].decision is None or not found[-1].decision.allowed:
                break
        return found + [found[-1]] * (number - len(found))

    async def _taken(self, asked: _Asked, cost: int) -> Admission:
        asking, cell = asked.asking, asked.cell(cost)
        key = RateLimitKey(asking.tenant_id, asking.environment, asking.purpose)
        parameters = {**take_parameters(key, cell), "named": asking.named, "login": asking.subject}
        async with self._control.exchange(_ASK, parameters) as (_, (rows,)):
            pass
        if not rows:
            raise TenantUnknown(f"{self._control.location} has no tenant {asking.tenant_id}.")
        ((slug, admitted, debt, is_service, roles),) = rows
        return Admission(
            Tenant(asking.tenant_id, slug),
            counted_grants(roles, is_service=is_service),
            None if admitted is None else cell.decision(admitted, int(debt)),
            int(debt or 0),
        )


def _apart(together: Admission, asked: _Asked, number: int) -> Sequence[Admission]:
    """The answers to requests that were admitted together, as if one had come after the other in that moment."""
    if together.decision is None:
        return [together] * number
    cell, debt = asked.cell(1), together.debt
    return [
        replace(together, decision=cell.decision(True, debt - cell.step * after)) for after in reversed(range(number))
    ]
