"""A rate limit in memory."""

from dataclasses import dataclass, field

from seed_pipelines.adapters.postgres.rate_limits import RateLimitKey
from seed_pipelines.domain.rate_limit import Decision


@dataclass
class FakeLimits:
    """So many requests, and no more until the test says so."""

    left: int = 1_000
    asked: list[RateLimitKey] = field(default_factory=list)

    def take(self, key: RateLimitKey, limit: int, window_seconds: int, burst: int, cost: int = 1) -> Decision:
        self.asked.append(key)
        if self.left < cost:
            return Decision(allowed=False, remaining=0, retry_after_seconds=0.4, reset_seconds=59.5)
        self.left -= cost
        return Decision(allowed=True, remaining=self.left, retry_after_seconds=0, reset_seconds=0.5)
