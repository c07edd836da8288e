"""What was measured, and the table that shows it."""

import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Measurement:
    """How long something took."""

    name: str
    rows: int
    seconds: float
    against: str = ""
    """The name of the measurement it is compared with; empty for none."""
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


def print_table(title: str, measurements: Sequence[Measurement], console: Console) -> None:
    """One line for each measurement, with its rate over that of the one it is compared with."""
    rates = {measurement.name: measurement.rate for measurement in measurements}
    table = Table("what", "rows", "seconds", "rows/s", "ratio", "to", "note", title=title, title_justify="left")
    for column in table.columns[1:5]:
        column.justify = "right"
    for measurement in measurements:
        table.add_row(
            measurement.name,
            f"{measurement.rows:,}",
            f"{measurement.seconds:.2f}",
            f"{measurement.rate:,.0f}",
            f"{measurement.rate / rates[measurement.against]:,.2f}" if measurement.against else "",
            measurement.against,
            measurement.note,
        )
    console.print(table)


def machine() -> str:
    """The machine, for the title of a table."""
    load = f", load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{platform.machine()}, {os.cpu_count()} cores{load}, Python {platform.python_version()}"
