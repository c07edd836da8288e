"""Where traces and metrics of runs go. No attribute holds a value of a row, a name of a person, or a secret."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal, Protocol

from seed_pipelines.domain.tracing import Trace

Metric = Literal["seed.rows", "seed.step.duration", "seed.budget.used_ratio", "seed.sealing.overdue", "seed.outcomes"]
Attributes = Mapping[str, str | int]


class Telemetry(Protocol):
    """Takes what happened; nothing but the check waits, and nothing else fails."""

    def check(self) -> None:
        """TelemetryUnavailable if nobody takes what is told."""

    def span(
        self, trace: Trace, name: str, began: datetime, seconds: float, attributes: Attributes, code: str | None
    ) -> None:
        """A step of a run that is over; `code` says what it failed for, None that it went well."""

    def run(self, trace: Trace, began: datetime, seconds: float, attributes: Attributes, code: str | None) -> None:
        """A run that is over, of which the steps are part."""

    def measure(self, metric: Metric, value: float, attributes: Attributes) -> None:
        """A measurement, of a counter what is added to it."""


class _Nowhere:
    """Takes everything and tells nobody."""

    def check(self) -> None:
        """Nothing."""

    def span(
        self, trace: Trace, name: str, began: datetime, seconds: float, attributes: Attributes, code: str | None
    ) -> None:
        """Nothing."""

    def run(self, trace: Trace, began: datetime, seconds: float, attributes: Attributes, code: str | None) -> None:
        """Nothing."""

    def measure(self, metric: Metric, value: float, attributes: Attributes) -> None:
        """Nothing."""


NOWHERE: Final[Telemetry] = _Nowhere()
