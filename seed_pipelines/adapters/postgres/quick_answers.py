"""Requests over HTTP whose answers are worked out in no time: those that come together are admitted and answered together.

One exchange with the database takes them from the allowances, locks their keys and finds what these stand for; the answers and
the decisions are stored by another, which is the only one that waits for the disk.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol
from uuid import UUID

from seed_pipelines.adapters.postgres.access_decisions import AccessDecision
from seed_pipelines.adapters.postgres.admissions import Admission, Admissions, Asking, admission, apart, asked
from seed_pipelines.adapters.postgres.answer_statements import begin_together, store
from seed_pipelines.adapters.postgres.async_database import AsyncConnection, AsyncDatabase, Rows, in_one_message, sent
from seed_pipelines.adapters.postgres.idempotency import Claim
from seed_pipelines.adapters.postgres.request_answers import Given, answer_found
from seed_pipelines.adapters.postgres.shared_exchanges import Shared
from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.errors import SeedError, TenantUnknown

_ANSWER: Final = 3
"""Where a row of FOUND has the response."""


class Permission(Protocol):
    """Whether the subject may have the answer."""

    @property
    def decision(self) -> AccessDecision:
        """What is recorded; its origin is a UUID, which the answer is stored with as well."""

    @property
    def refusal(self) -> SeedError | None:
        """What is raised to whoever may not."""


@dataclass(frozen=True)
class QuickRequest:
    """A request whose answer is worked out in no time."""

    asking: Asking
    claim: Claim
    permission: Callable[[Admission, bool], Permission]
    """Whether the subject may have the answer, which was given before or is to be given now; raises what is not recorded."""
    answer: Callable[[Tenant], str]
    """The answer, if it was not given before."""


Outcome = Given | Admission | Exception
"""An answer, or what is raised to whoever asked; the admission where somebody else has the key, and is to be waited for."""

_Admitted = Admission | TenantUnknown


class QuickAnswers:
    """The answers of one database, reached by the control login; belongs to one event loop."""

    def __init__(self, exchanges: AsyncDatabase, admissions: Admissions) -> None:
        self._exchanges = exchanges
        self._admissions = admissions
        self._shared: Shared[QuickRequest, Outcome] = Shared(self._together)

    async def ask(self, request: QuickRequest) -> Given | Admission:
        """Take a request from the allowance and answer it; the permission is recorded together with the answer.

        The answer is the one that was given under the key, if there is one. Where somebody else has the key, nothing is
        recorded and answered, and what the request was admitted with is given back. Raises what the request's functions
        raise, IdempotencyConflict, TenantUnknown.
        """
        outcome = await self._shared.ask(request)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def _together(self, requests: Sequence[QuickRequest]) -> Sequence[Outcome]:
        costs = Counter(request.asking for request in requests)
        begun = begin_together([request.claim for request in requests])
        fitting = {asking: cost for asking, cost in costs.items() if cost <= asking.burst}
        message = in_one_message([*(asked(asking, cost) for asking, cost in fitting.items()), begun])
        admitted: dict[Asking, Iterator[_Admitted]] = {}
        async with self._exchanges.exchange(*message) as (connection, results):
            for (asking, cost), rows in zip(fitting.items(), results, strict=False):
                answers = _admissions(asking, cost, rows)
                if answers is not None:
                    admitted[asking] = iter(answers)
            if len(admitted) == len(costs):
                return await self._answered(connection, requests, admitted, results)
        # Some of those who are too many together may fit: nobody's keys are held while that is asked.
        for asking in costs.keys() - admitted.keys():
            admitted[asking] = iter(await self._admissions.in_parts(asking, costs[asking]))
        async with self._exchanges.exchange(*begun) as (connection, results):
            return await self._answered(connection, requests, admitted, results)

    async def _answered(
        self,
        connection: AsyncConnection,
        requests: Sequence[QuickRequest],
        admitted: Mapping[Asking, Iterator[_Admitted]],
        results: Sequence[Rows],
    ) -> Sequence[Outcome]:
        *_, free, found = results
        ours = {position for (position,) in free}
        turn = _Turn({tuple(requests[position - 1].claim.identity): row for position, *row in found})
        outcomes: list[Outcome] = []
        for position, request in enumerate(requests, 1):
            answer = next(admitted[request.asking])
            if position in ours and isinstance(answer, Admission):
                outcomes.append(turn.outcome(request, answer))
            else:
                outcomes.append(answer)
        await sent(connection, *store(turn.answers, turn.decisions))
        return outcomes


def _admissions(asking: Asking, cost: int, rows: Rows) -> Sequence[_Admitted] | None:
    """None where they have to be asked for in parts."""
    try:
        return apart(admission(asking, cost, rows), asking, cost)
    except TenantUnknown as error:
        return [error] * cost


@dataclass(frozen=True)
class _Turn:
    """Requests that are answered one after the other by the transaction that holds their keys."""

    found: dict[tuple[object, ...], Sequence[Any]]
    """What a claim's key stands for, as FOUND has it."""
    answers: list[tuple[Claim, UUID, str]] = field(default_factory=list)
    """What is to be stored."""
    decisions: list[AccessDecision] = field(default_factory=list)
    """What is to be recorded."""

    def outcome(self, request: QuickRequest, admission: Admission) -> Outcome:
        """The answer to one of them."""
        claim, identity = request.claim, tuple(request.claim.identity)
        row = self.found.get(identity)
        try:
            permission = request.permission(admission, row is not None and row[_ANSWER] is not None)
            self.decisions.append(permission.decision)
            if permission.refusal is not None:
                return permission.refusal
            replay = answer_found(row, claim)
            text = request.answer(admission.tenant) if replay is None else replay.response
        except Exception as error:  # noqa: BLE001  # raised to whoever asked, and no matter of the others
            return error
        if replay is None:
            origin = UUID(permission.decision.origin)
            self.answers.append((claim, origin, text))
            self.found[identity] = (claim.manifest_hash, origin, datetime.now(UTC), text, None, None, None)
        return Given(text, repeated=replay is not None)
