"""`python -m seed_pipelines_tests.benchmarks.evidence`: what building, signing and sealing a report costs of a run."""

import os
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast
from unittest import mock

import click
from dagster import DagsterInstance
from rich.console import Console
from rich.table import Table

from seed_pipelines.domain.manifest import Manifest
from seed_pipelines.orchestration import steps
from seed_pipelines.orchestration.instance import dagster_instance
from seed_pipelines.orchestration.resources import SeedingFromSettings
from seed_pipelines.orchestration.settings import Settings
from seed_pipelines.seeding import sealing
from seed_pipelines.seeding.services import Services
from seed_pipelines_tests.benchmarks.guards import Timed, seed_run
from seed_pipelines_tests.benchmarks.measurement import machine
from seed_pipelines_tests.e2e.conftest import running_stack

GOAL: Final = 0.05
_STAGES: Final = {
    "evidence.reports.compose": "build, sign and keep the report",
    "evidence.signer.sign": "of which Transit signs",
    "evidence.bucket.seal": "seal page, envelope and public key, and read them back",
    "evidence.reports.record_evidence": "end the run",
    "evidence.bucket.preflight": "preflight: a probe object",
    "evidence.signer.public_keys": "ask for the public keys",
}

_ALL: Final = "all that ends a run: read what it did, build, sign, seal"


class TimedSeeding:
    """The real outside systems, those of the evidence with a clock."""

    def __init__(self, inside: SeedingFromSettings, seconds: dict[str, float]) -> None:
        self._inside, self._seconds = inside, seconds

    def services(self, environment: str, instance: DagsterInstance) -> Services:
        """The outside systems of one environment."""
        services = self._inside.services(environment, instance)
        evidence = services.evidence
        timed = {
            name: cast(Any, Timed(getattr(evidence, name), self._seconds, f"evidence.{name}"))
            for name in ("reports", "bucket", "signer")
        }
        return replace(services, evidence=replace(evidence, **timed))

    def read_manifest(self, path: Path) -> Manifest:
        """The manifest in a file."""
        return self._inside.read_manifest(path)

    def now(self) -> Any:
        """The time, in UTC."""
        return self._inside.now()


@click.command()
@click.option(
    "--times", default=5, show_default=True, type=click.IntRange(min=1), help="Runs of which the median counts."
)
def evidence(times: int) -> None:
    """Measure on a local stack that is removed afterwards."""
    found, runs = [], []
    with running_stack() as stack:
        os.environ.update(stack.environment)
        with dagster_instance() as instance:
            for _ in range(times):
                seconds: dict[str, float] = {}
                timed = TimedSeeding(SeedingFromSettings(Settings()), seconds)
                with mock.patch.object(steps, "finish", Timed(sealing, seconds, "").finish):
                    started = time.perf_counter()
                    seed_run(cast(SeedingFromSettings, timed), instance)
                    runs.append(time.perf_counter() - started)
                found.append(seconds)
    whole = statistics.median(runs)
    table = Table(
        "stage", "ms", "share of the run", title=f"evidence of one run of {whole:.2f} s, median of {times}; {machine()}"
    )
    for name, words in _STAGES.items():
        middle = statistics.median(seconds.get(name, 0.0) for seconds in found)
        table.add_row(words, f"{middle * 1000:.0f}", f"{middle / whole:.1%}")
    summed = statistics.median(seconds[".finish"] for seconds in found)
    table.add_row(f"{_ALL} (goal: under {GOAL:.0%})", f"{summed * 1000:.0f}", f"{summed / whole:.1%}")
    Console(width=120).print(table)


if __name__ == "__main__":
    evidence()
