"""What was measured, and the table that shows it."""

import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

_LAPS = 3


@dataclass(frozen=True)
class Against:
    """What a measurement is compared with."""

    name: str = ""
    """Of another measurement; empty for the rate by itself."""
    goal: float = 0.0
    """The least ratio that is wanted, or the least rate; 0 for none."""


@dataclass(frozen=True)
class Measurement:
    """How long something took."""

    name: str
    rows: int
    seconds: float
    against: tuple[Against, ...] = ()
    note: str = ""

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.rows / self.seconds


class Stopwatch:
    """Seconds spent in its laps."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def lap(self) -> Iterator[None]:
        """Count the time that the block takes."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - started


def shortest(work: Callable[[], object]) -> float:
    """Seconds of the shortest of three laps: the one that other work on the machine disturbed least."""
    watches = [Stopwatch() for _ in range(_LAPS)]
    for watch in watches:
        with watch.lap():
            work()
    return min(watch.seconds for watch in watches)


def print_table(title: str, measurements: Sequence[Measurement], console: Console) -> None:
    """One line for each measurement, and one more for each further one it is compared with."""
    rates = {measurement.name: measurement.rate for measurement in measurements}
    table = Table(
        *("what", "rows", "seconds", "rows/s", "ratio", "goal", "met", "to", "note"),
        title=title,
        title_justify="left",
    )
    for column in table.columns[1:6]:
        column.justify = "right"
    for measurement in measurements:
        facts = (
            measurement.name,
            f"{measurement.rows:,}",
            f"{measurement.seconds:.2f}",
            f"{measurement.rate:,.0f}",
        )
        compared = [comparison(measurement.rate, against, rates) for against in measurement.against or (Against(),)]
        table.add_row(*facts, *compared[0], measurement.note)
        for more in compared[1:]:
            table.add_row("", "", "", "", *more, "")
    console.print(table)


def comparison(rate: float, against: Against, rates: Mapping[str, float]) -> tuple[str, str, str, str]:
    """Ratio, goal, whether it is met, and what it is the ratio to."""
    reached = rate / rates[against.name] if against.name else rate
    ratio = f"{reached:,.2f}" if against.name else ""
    if not against.goal:
        return ratio, "", "", against.name
    goal = f"{against.goal:,.2f}" if against.name else f"{against.goal:,.0f}/s"
    return ratio, goal, "yes" if reached >= against.goal else "no", against.name


def machine() -> str:
    """The machine, for the title of a table."""
    load = f", load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{platform.machine()}, {os.cpu_count()} cores{load}, Python {platform.python_version()}"
