"""The ports that calling the outside systems takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from seed_pipelines.adapters.outbound import Answer
from seed_pipelines.adapters.postgres.rate_limits import RateLimitKey
from seed_pipelines.domain.outbound import Endpoint
from seed_pipelines.domain.rate_limit import Decision
from seed_pipelines.domain.stub_addresses import StubAddresses


class RateLimits(Protocol):
    """Cells that all processes share."""

    def take(self, key: RateLimitKey, limit: int, window_seconds: int, burst: int, cost: int = 1) -> Decision:
        """Admit a request or say when to come back; ValueError for numbers that never admit it."""


class StubClient(Protocol):
    """HTTP to the stubs, and to nothing else."""

    def request(
        self,
        method: str,
        endpoint: Endpoint,
        path: str,
        *,
        content: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer of any status to a request with `content` as JSON; ExternalCallsBlocked, StubUnavailable."""


@dataclass(frozen=True)
class IntegrationServices:
    """What calling the outside systems takes."""

    addresses: StubAddresses
    """Where the stubs are."""
    client: StubClient
    limits: RateLimits
    pause: Callable[[float], None]
    """Returns after so many seconds."""
