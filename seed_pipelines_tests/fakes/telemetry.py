"""Spans and measurements in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from seed_pipelines.domain.tracing import Trace
from seed_pipelines.errors import TelemetryUnavailable


@dataclass(frozen=True)
class ToldSpan:
    """A span that was told."""

    trace: Trace
    name: str
    attributes: Mapping[str, str | int]
    code: str | None


@dataclass
class FakeTelemetry:
    """Keeps what it is told."""

    away: bool = False
    spans: list[ToldSpan] = field(default_factory=list)
    runs: list[ToldSpan] = field(default_factory=list)
    measured: list[tuple[str, float, Mapping[str, str | int]]] = field(default_factory=list)

    def check(self) -> None:
        if self.away:
            raise TelemetryUnavailable("The fake is away.")

    def span(
        self,
        trace: Trace,
        name: str,
        began: datetime,
        seconds: float,
        attributes: Mapping[str, str | int],
        code: str | None,
    ) -> None:
        self.spans.append(ToldSpan(trace, name, attributes, code))

    def run(
        self, trace: Trace, began: datetime, seconds: float, attributes: Mapping[str, str | int], code: str | None
    ) -> None:
        self.runs.append(ToldSpan(trace, "seed run", attributes, code))

    def measure(self, metric: str, value: float, attributes: Mapping[str, str | int]) -> None:
        self.measured.append((metric, value, attributes))

    def values(self, metric: str) -> list[float]:
        """What was measured of a metric, in order."""
        return [value for name, value, _ in self.measured if name == metric]

    def outcomes(self) -> list[str]:
        """How runs and requests ended, in order."""
        return [str(of["seed.outcome"]) for name, _, of in self.measured if name == "seed.outcomes"]
