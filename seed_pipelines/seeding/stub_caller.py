"""One call of a stub: held back by the rate limit, repeated by the backoff, counted whatever becomes of it."""

import secrets
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import uuid5

from tenacity import RetryCallState, Retrying

from seed_pipelines.adapters.outbound import Answer
from seed_pipelines.adapters.postgres.rate_limits import RateLimitKey
from seed_pipelines.domain.backoff import retry_after_seconds, wait_seconds
from seed_pipelines.domain.integration_calls import Call
from seed_pipelines.domain.outbound import Endpoint
from seed_pipelines.domain.plan import Shard
from seed_pipelines.domain.service_levels import ErrorBudget, IntegrationUse
from seed_pipelines.errors import BudgetExceeded, RateLimited, StubUnavailable
from seed_pipelines.seeding.seed_run import Session

CELL: Final = "integrations"
"""The rate limit that all calls of a tenant's runs in an environment share."""

_DECISIONS: Final = ("decision", "state")


@dataclass
class Tally:
    """What a system was asked so far."""

    requests: int = 0
    failed: int = 0
    refused: int = 0
    held_back: int = 0
    waited_seconds: float = 0.0
    elapsed_seconds: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)

    def use(self, integration: str, shard: Shard) -> IntegrationUse:
        """As it is recorded."""
        counted = vars(self) | {"latencies_ms": tuple(self.latencies_ms), "outcomes": dict(self.outcomes)}
        return IntegrationUse(integration=integration, shard_key=shard.key, **counted)


@dataclass(frozen=True)
class _Exchange:
    """One request and what came of it."""

    answer: Answer | None
    problem: StubUnavailable | None = None

    @property
    def is_to_be_repeated(self) -> bool:
        """Whether the same request may fare better later: no answer, 429, or an error of the server."""
        return self.answer is None or self.answer.status == 429 or self.answer.status >= 500

    def retry_after(self, now: datetime) -> float | None:
        """Seconds that the stub asked for."""
        asked = None if self.answer is None else self.answer.headers.get("retry-after")
        return None if asked is None else retry_after_seconds(asked, now)


@dataclass
class StubCaller:
    """Makes the calls of a run one after the other, within its rate limit, with its backoff, for as long as few fail."""

    session: Session
    endpoints: Mapping[str, Endpoint]
    tallies: Mapping[str, Tally]
    budget: ErrorBudget | None

    def __post_init__(self) -> None:
        earlier = self.session.services.control.integration_uses(self.session.run.seed_run_id)
        self._failed_before = sum(use.failed for use in earlier)

    def make(self, call: Call) -> None:
        """Make a call until it is answered; RateLimited, StubUnavailable, BudgetExceeded."""
        manifest, began = self.session.manifest, time.monotonic()
        retrying = Retrying(
            retry=lambda state: _exchange_of(state).is_to_be_repeated,
            stop=lambda state: state.attempt_number > manifest.backoff.max_retries or self._wait(call, state) is None,
            wait=lambda state: self._wait(call, state) or 0.0,
            sleep=lambda seconds: self._pause(call, seconds),
            retry_error_callback=lambda state: _give_up(call, _exchange_of(state), state.attempt_number),
        )
        try:
            exchange: _Exchange = retrying(self._send, call)
        finally:
            self.tallies[call.integration].elapsed_seconds += time.monotonic() - began
        if exchange.answer is not None:
            self._note(call, exchange.answer)
        self._require_budget(call)

    def _wait(self, call: Call, state: RetryCallState) -> float | None:
        services, backoff = self.session.services, self.session.manifest.backoff
        who = f"{self.session.run.seed_run_id}/{call.name}"
        return wait_seconds(backoff, state.attempt_number - 1, who, _exchange_of(state).retry_after(services.clock()))

    def _pause(self, call: Call, seconds: float) -> None:
        self.tallies[call.integration].waited_seconds += seconds
        self.session.services.integrations.pause(seconds)

    def _admit(self, call: Call) -> None:
        """Wait until the manifest's rate limit lets a request go."""
        limit, run = self.session.manifest.rate_limit, self.session.run
        key = RateLimitKey(run.tenant_id, run.environment, CELL)
        limits = self.session.services.integrations.limits
        while True:
            decision = limits.take(key, limit.limit, limit.window_seconds, limit.burst or limit.limit)
            if decision.allowed:
                return
            self.tallies[call.integration].held_back += 1
            self._pause(call, decision.retry_after_seconds)

    def _send(self, call: Call) -> _Exchange:
        self._admit(call)
        tally, began = self.tallies[call.integration], time.monotonic()
        tally.requests += 1
        try:
            answer = self.session.services.integrations.client.request(
                "POST", self.endpoints[call.integration], call.path, content=call.content, headers=self._fields(call)
            )
        except StubUnavailable as problem:
            tally.failed += 1
            return _Exchange(None, problem)
        tally.latencies_ms.append(round((time.monotonic() - began) * 1000, 3))
        if answer.status == 429:
            tally.refused += 1
        elif answer.status >= 500:
            tally.failed += 1
        return _Exchange(answer)

    def _fields(self, call: Call) -> Mapping[str, str]:
        run = self.session.run
        return {
            "Prefer": f"example={call.customer_status}",
            "Idempotency-Key": str(uuid5(run.seed_run_id, call.name)),
            "traceparent": f"00-{run.seed_run_id.hex}-{secrets.token_hex(8)}-01",
            "X-Tenant-ID": str(run.tenant_id),
            "X-Environment": run.environment,
        }

    def _note(self, call: Call, answer: Answer) -> None:
        """Count what was decided; an answer that the contract does not promise has failed."""
        if answer.status >= 500 or answer.status == 429:
            return
        told = _told(answer) if answer.status == call.answered_with else {}
        decision = next((told[name] for name in _DECISIONS if isinstance(told.get(name), str)), None)
        if decision is None or told.get("customer_status") != call.customer_status:
            self.tallies[call.integration].failed += 1
        else:
            self.tallies[call.integration].outcomes[decision] += 1

    def _require_budget(self, call: Call) -> None:
        """BudgetExceeded once more requests have failed than may; a stub that is away has said so before."""
        failed = self._failed_before + sum(tally.failed for tally in self.tallies.values())
        if self.budget is not None and self.budget.is_spent(failed):
            allowed = self.budget.allowed
            raise BudgetExceeded(
                f"{failed} requests to stubs failed, the last of them to {call.integration}; of {self.budget.planned} "
                f"the manifest lets {self.budget.allowed_pct}% fail, which is {allowed}. What was committed stays.",
                failed=failed,
                planned=self.budget.planned,
                error_budget_pct=str(self.budget.allowed_pct),
            )


def _exchange_of(state: RetryCallState) -> _Exchange:
    exchange: _Exchange = state.outcome.result() if state.outcome is not None else _Exchange(None)
    return exchange


def _give_up(call: Call, exchange: _Exchange, tries: int) -> _Exchange:
    """What a call ends with that was repeated in vain; RateLimited, StubUnavailable."""
    if exchange.problem is not None:
        raise exchange.problem
    status = exchange.answer.status if exchange.answer is not None else 0
    if status == 429:
        raise RateLimited(
            f"The stub of {call.integration} went on answering 429, {tries} times: nothing more was asked of it.",
            integration=call.integration,
            tries=tries,
        )
    raise StubUnavailable(
        f"The stub of {call.integration} answered {status}, {tries} times: nothing more was asked of it.",
        integration=call.integration,
        tries=tries,
    )


def _told(answer: Answer) -> Mapping[str, Any]:
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
