"""What the requests of a run to the outside were like: how many, how fast, how many in vain."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from seed_pipelines.domain.evidence.facts import Measurement


@dataclass(frozen=True)
class IntegrationUse:
    """What a run had of one system for one shard."""

    integration: str
    shard_key: str
    requests: int
    """Sent, retries too."""
    failed: int
    """Of those: without an answer, with one that the contract does not promise, or with an error of the server."""
    refused: int
    """Of those: with 429 (RFC 6585, section 4), which is no failure."""
    held_back: int
    """How often the manifest's rate limit let a request wait before it was sent."""
    waited_seconds: float
    """For the rate limit and before retries."""
    elapsed_seconds: float
    """From the first request to the last answer, waiting included."""
    latencies_ms: tuple[float, ...] = ()
    """Of every request that was answered, in the order of sending."""
    outcomes: Mapping[str, int] = field(default_factory=dict)
    """What was decided, such as APPROVED -> how often."""


def totals(uses: Sequence[IntegrationUse]) -> tuple[IntegrationUse, ...]:
    """What was had of each system over all shards, in the order in which they were first called."""
    by_name: dict[str, list[IntegrationUse]] = {}
    for use in uses:
        by_name.setdefault(use.integration, []).append(use)
    return tuple(map(_total, by_name.values()))


def _total(uses: Sequence[IntegrationUse]) -> IntegrationUse:
    outcomes = Counter[str]()
    for use in uses:
        outcomes.update(use.outcomes)
    return IntegrationUse(
        integration=uses[0].integration,
        shard_key=" ".join(dict.fromkeys(use.shard_key for use in uses)),
        requests=sum(use.requests for use in uses),
        failed=sum(use.failed for use in uses),
        refused=sum(use.refused for use in uses),
        held_back=sum(use.held_back for use in uses),
        waited_seconds=sum(use.waited_seconds for use in uses),
        elapsed_seconds=sum(use.elapsed_seconds for use in uses),
        latencies_ms=tuple(latency for use in uses for latency in use.latencies_ms),
        outcomes=dict(outcomes),
    )


def percentile(values: Iterable[float], share: int) -> float | None:
    """The nearest-rank percentile, `share` in 1..100: the smallest value that so many percent do not exceed."""
    ordered = sorted(values)
    return ordered[-(-len(ordered) * share // 100) - 1] if ordered else None


def measured(uses: Sequence[IntegrationUse]) -> Measurement | None:
    """The service levels of a run over all systems and shards; None where it made no request."""
    requests = sum(use.requests for use in uses)
    if not requests:
        return None
    latencies = [latency for use in uses for latency in use.latencies_ms]
    elapsed = sum(use.elapsed_seconds for use in uses)
    return Measurement(
        requests=requests,
        failed=sum(use.failed for use in uses),
        p95_ms=percentile(latencies, 95),
        p99_ms=percentile(latencies, 99),
        throughput_rps=round(requests / elapsed, 3) if elapsed else None,
    )


@dataclass(frozen=True)
class ErrorBudget:
    """How many requests of a run may fail."""

    allowed_pct: Decimal
    planned: int
    """Requests that the run makes if none is repeated."""

    @property
    def allowed(self) -> Decimal:
        """How many may fail."""
        return self.allowed_pct * self.planned / 100

    def is_spent(self, failed: int) -> bool:
        """Whether more have failed than may."""
        return failed > self.allowed

    def is_nearly_spent(self, failed: int) -> bool:
        """Whether four fifths of them have failed."""
        return failed > 0 and failed >= self.allowed * Decimal("0.8")
