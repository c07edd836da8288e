"""`python -m seed_pipelines_tests.benchmarks.guards`: what the guards cost, call by call, and a run beside an empty one."""

import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, cast
from uuid import uuid4

import click
import dagster as dg
from rich.console import Console
from rich.table import Table

from seed_pipelines.domain.checks import checks_of
from seed_pipelines.domain.plan import Plan
from seed_pipelines.orchestration.instance import dagster_instance
from seed_pipelines.orchestration.launch import launch
from seed_pipelines.orchestration.manifest_jobs import ManifestJob
from seed_pipelines.orchestration.resources import SeedingFromSettings
from seed_pipelines.orchestration.settings import Settings
from seed_pipelines.seeding.control_database import ControlDatabase
from seed_pipelines.seeding.request import SeedRequest
from seed_pipelines.seeding.seed_run import Session, enter, held
from seed_pipelines.seeding.services import Services
from seed_pipelines.seeding.target_database import TargetDatabase
from seed_pipelines_tests.benchmarks.measurement import machine
from seed_pipelines_tests.e2e.conftest import PROJECT_DIR, running_stack
from seed_pipelines_tests.e2e.seeding.staging import TENANT_A

MANIFEST: Final = PROJECT_DIR / "manifests/staging/tenant-a.yaml"
EMPTY_ASSETS: Final = 4
GOAL: Final = 1.3
_SEEDED: Final = "staging manifest of tenant-a, every guard at every step"
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
    """Runs one after the other in turn, so that what else the machine does falls on all of them alike."""
    job = _manifest_job(seeding)
    as_many = (len(job.steps), len(checks_of(job.plan)) + 1)
    with _shipped_instance() as shipped:
        kinds: dict[str, Callable[[], float]] = {
            f"{EMPTY_ASSETS} empty assets, Dagster's own storage": lambda: empty_run(shipped, EMPTY_ASSETS, 0),
            f"{EMPTY_ASSETS} empty assets": lambda: empty_run(instance, EMPTY_ASSETS, 0),
            "as many empty steps, with checks, Dagster's own storage": lambda: empty_run(shipped, *as_many),
            "as many empty steps, with checks": lambda: empty_run(instance, *as_many),
            _SEEDED: lambda: seed_run(seeding, instance),
        }
        taken: dict[str, list[float]] = {kind: [] for kind in kinds}
        for kind, run in [*kinds.items()] * (times + 1):
            taken[kind].append(run())
    middle = {kind: statistics.median(seconds[1:]) for kind, seconds in taken.items()}
    table = Table(
        "run in process", "seconds", "staging run to it", "goal", title=f"median of {times}", title_justify="left"
    )
    for kind, seconds in middle.items():
        ratio = "" if kind == _SEEDED else f"{middle[_SEEDED] / seconds:.2f}"
        table.add_row(kind, f"{seconds:.2f}", ratio, f"{GOAL}" if ratio else "")
    Console(width=120).print(table)


def _manifest_job(seeding: SeedingFromSettings) -> ManifestJob:
    manifest = seeding.read_manifest(MANIFEST)
    return ManifestJob(manifest, Plan.of(manifest, Settings().catalogue), MANIFEST)


@contextmanager
def _shipped_instance() -> Iterator[dg.DagsterInstance]:
    """The same database through Dagster's storage as it is shipped, with everything else as Dagster has it."""
    storage = {"storage": {"postgres": {"postgres_url": {"env": "SEED_DAGSTER_POSTGRES_URL"}}}}
    with TemporaryDirectory() as home:
        (Path(home) / "dagster.yaml").write_text(json.dumps({**storage, "telemetry": {"enabled": False}}))
        with dg.DagsterInstance.from_config(home) as instance:
            yield instance


def empty_run(instance: dg.DagsterInstance, steps: int, checks: int) -> float:
    """Seconds that Dagster takes for assets that do nothing, one after the other, the last of which has checks that pass."""
    names = [f"empty_{number}" for number in range(steps)]
    assets = []
    for number, name in enumerate(names):
        specs = [dg.AssetCheckSpec(f"check_{one}", asset=name) for one in range(checks if number == steps - 1 else 0)]

        @dg.multi_asset(name=name, specs=[dg.AssetSpec(name, deps=names[number - 1 : number])], check_specs=specs)
        def empty(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
            yield dg.MaterializeResult()
            for spec in context.selected_asset_check_keys:
                yield dg.AssetCheckResult(asset_key=spec.asset_key, check_name=spec.name, passed=True)

        assets.append(empty)
    definitions = dg.Definitions(assets, jobs=[dg.define_asset_job("empty", dg.AssetSelection.all())])
    job = definitions.resolve_job_def("empty")
    started = time.perf_counter()
    if not job.execute_in_process(run_config=_QUIET, instance=instance).success:
        raise RuntimeError("the empty job failed")
    return time.perf_counter() - started


def seed_run(seeding: SeedingFromSettings, instance: dg.DagsterInstance) -> float:
    """Seconds that seeding takes once its guards let it in: launched and sealed, every step entering anew."""
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
