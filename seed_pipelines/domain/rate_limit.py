"""Rate limits by the generic cell rate algorithm (GCRA, ITU-T I.371): its numbers and its answers."""

from dataclasses import dataclass
from typing import Final

_SECOND: Final = 1_000_000
"""In microseconds."""


@dataclass(frozen=True)
class Decision:
    """The answer to one request."""

    allowed: bool
    remaining: int
    """Requests of cost 1 that would be admitted at once."""
    retry_after_seconds: float
    """When the same request would be admitted, if nobody else asks; 0 where it was."""
    reset_seconds: float
    """When the whole burst is there again, if nobody asks."""


@dataclass(frozen=True)
class Cell:
    """The numbers of one request, in whole microseconds."""

    step: int
    """What the request takes from the cell."""
    tolerance: int
    """What the cell holds."""
    interval: int
    """Between two requests at the sustained rate, rounded up: never more than the limit."""

    @classmethod
    def of(cls, limit: int, window_seconds: int, burst: int, cost: int) -> "Cell":
        """`limit` requests in `window_seconds`, `burst` of them at once; ValueError unless all are positive, cost <= burst."""
        if min(limit, window_seconds, burst, cost) < 1 or cost > burst:
            raise ValueError(f"limit {limit}, window {window_seconds} s, burst {burst} never admit a cost of {cost}")
        interval = -(-window_seconds * _SECOND // limit)
        return cls(cost * interval, burst * interval, interval)

    def decision(self, allowed: bool, debt: int) -> Decision:
        """The answer, where what was admitted is paid for in `debt` microseconds."""
        debt = max(0, debt)
        wait = 0 if allowed else max(0, debt + self.step - self.tolerance)
        remaining = max(0, self.tolerance - debt) // self.interval
        return Decision(allowed, remaining, wait / _SECOND, debt / _SECOND)
