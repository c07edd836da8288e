"""`python -m seed_pipelines_tests.benchmarks.guards`: what the guards cost, call by call, and a run beside an empty one."""

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, cast
from uuid import uuid4

import click
import dagster as dg
from rich.console import Console
from rich.table import Table

from seed_pipelines.orchestration.instance import dagster_instance
from seed_pipelines.orchestration.launch import launch
from seed_pipelines.orchestration.manifest_jobs import ManifestJob
from seed_pipelines.orchestration.resources import SeedingFromSettings
from seed_pipelines.orchestration.settings import Settings
from seed_pipelines.seeding.request import SeedRequest
from seed_pipelines.seeding.seed_run import Session, enter, held
from seed_pipelines.seeding.services import ControlDatabase, Services, TargetDatabase
from seed_pipelines_tests.benchmarks.measurement import machine
from seed_pipelines_tests.e2e.conftest import PROJECT_DIR, running_stack
from seed_pipelines_tests.e2e.seeding.staging import TENANT_A

MANIFEST: Final = PROJECT_DIR / "manifests/staging/tenant-a.yaml"
EMPTY_ASSETS: Final = 4
GOAL: Final = 1.3
_QUIET: Final = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Timed:
    """Passes every call on, and keeps how long it took under the name of the call."""

    def __init__(self, inside: object, seconds: dict[str, float], prefix: str) -> None:
        self._inside, self._seconds, self._prefix = inside, seconds, prefix

    def __getattr__(self, name: str) -> Any:
        """The method of the same name."""
        method: Callable[..., Any] = getattr(self._inside, name)

        def timed(*arguments: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return method(*arguments, **named)
            finally:
                key = f"{self._prefix}.{name}"
                self._seconds[key] = self._seconds.get(key, 0.0) + time.perf_counter() - started

        return timed


@click.command()
@click.option(
    "--times", default=5, show_default=True, type=click.IntRange(min=1), help="Runs of which the median counts."
)
def guards(times: int) -> None:
    """Measure on a local stack that is removed afterwards."""
    with running_stack() as stack:
        os.environ.update(stack.environment)
        seeding = SeedingFromSettings(Settings())
        with dagster_instance() as instance:
            _stages(seeding, instance, times)
            _runs(seeding, instance, times)


def _stages(seeding: SeedingFromSettings, instance: dg.DagsterInstance, times: int) -> None:
    found: list[dict[str, float]] = []
    for _ in range(times):
        seconds: dict[str, float] = {}
        started = time.perf_counter()
        services = seeding.services("staging", instance)
        with services.connections_kept():
            session = _entered(seeding, _timed(services, seconds))
            seconds["all, with what lies between"] = time.perf_counter() - started
            session.finish("aborted")
        found.append(seconds)
    whole = statistics.median(seconds["all, with what lies between"] for seconds in found)
    table = Table(
        "call", "ms", "share", title=f"guards of one run, median of {times}; {machine()}", title_justify="left"
    )
    for name in found[-1]:
        middle = statistics.median(seconds[name] for seconds in found)
        table.add_row(name, f"{middle * 1000:.1f}", f"{middle / whole:.0%}")
    Console(width=120).print(table)


def _timed(services: Services, seconds: dict[str, float]) -> Services:
    return replace(
        services,
        control=cast(ControlDatabase, Timed(services.control, seconds, "control")),
        target=cast(TargetDatabase, Timed(services.target, seconds, "target")),
        keys=cast(Any, Timed(services.keys, seconds, "vault")),
    )


def _entered(seeding: SeedingFromSettings, services: Services) -> Session:
    origin = str(uuid4())
    return enter(
        services,
        SeedRequest(
            origin=origin,
            tenant=TENANT_A,
            environment="staging",
            read_manifest=lambda: seeding.read_manifest(MANIFEST),
            idempotency_key=origin,
            window_override="benchmarks",
        ),
    )


def _runs(seeding: SeedingFromSettings, instance: dg.DagsterInstance, times: int) -> None:
    empty = statistics.median(_empty_run(instance) for _ in range(times))
    seeded = statistics.median(seed_run(seeding, instance) for _ in range(times))
    table = Table("run in process", "seconds", "ratio", "goal", title=f"median of {times}", title_justify="left")
    table.add_row(f"Dagster job of {EMPTY_ASSETS} empty assets", f"{empty:.2f}", "", "")
    table.add_row(
        "staging manifest of tenant-a, every guard at every step", f"{seeded:.2f}", f"{seeded / empty:.2f}", f"{GOAL}"
    )
    Console(width=120).print(table)


def _empty_run(instance: dg.DagsterInstance) -> float:
    names = [f"empty_{number}" for number in range(EMPTY_ASSETS)]
    assets = []
    for number, name in enumerate(names):

        @dg.asset(name=name, deps=names[number - 1 : number])
        def empty() -> None:
            pass

        assets.append(empty)
    definitions = dg.Definitions(assets, jobs=[dg.define_asset_job("empty", dg.AssetSelection.all())])
    job = definitions.resolve_job_def("empty")
    started = time.perf_counter()
    if not job.execute_in_process(run_config=_QUIET, instance=instance).success:
        raise RuntimeError("the empty job failed")
    return time.perf_counter() - started


def seed_run(seeding: SeedingFromSettings, instance: dg.DagsterInstance) -> float:
    services = seeding.services("staging", instance)
    session = _entered(seeding, services)
    job = ManifestJob(session.manifest, session.plan, MANIFEST)
    started = time.perf_counter()
    with services.connections_kept(), held(session):
        problem = launch(job, seeding, instance, session.run.origin)
    if problem is not None:
        raise RuntimeError(problem["detail"])
    return time.perf_counter() - started


if __name__ == "__main__":
    guards()
