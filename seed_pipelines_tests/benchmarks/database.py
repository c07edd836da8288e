"""Stages that need the real servers: load, read back and check; COPY of a prepared file beside them."""

from collections.abc import Iterator
from typing import Final
from uuid import uuid4

from dagster import DagsterInstance

from seed_pipelines.domain.plan import Plan
from seed_pipelines.errors import ChecksFailed
from seed_pipelines.orchestration.resources import SeedingFromSettings
from seed_pipelines.orchestration.settings import Settings
from seed_pipelines.seeding.checking import check
from seed_pipelines.seeding.generation import generate
from seed_pipelines.seeding.loading import load
from seed_pipelines.seeding.request import SeedRequest
from seed_pipelines.seeding.seed_run import Session, enter, held
from seed_pipelines_tests.benchmarks.copies import INDEXED, LOAD, copies
from seed_pipelines_tests.benchmarks.large_dataset import TENANT_ID, LargeDataset, run_seed_data
from seed_pipelines_tests.benchmarks.measurement import Against, Measurement, Stopwatch
from seed_pipelines_tests.benchmarks.other_generators import FAKER
from seed_pipelines_tests.e2e.conftest import RunningStack

STAGED: Final = "staging"
"""The environment whose stages are measured one by one."""
WHOLE: Final = "dev"
"""The environment that one command seeds."""


def measure(stack: RunningStack, dataset: LargeDataset) -> Iterator[Measurement]:
    """Load, check, COPY, and the whole command."""
    session = _session(dataset)
    loaded, checked = Stopwatch(), Stopwatch()
    rows = session.plan.total_rows
    with held(session):
        _generate(session)
        with loaded.lap():
            for shard in session.plan.shards:
                load(session, shard)
        yield from copies(stack.stack.postgres.provisioning_url("postgres", f"seed_{STAGED}"), TENANT_ID)
        against = (Against(INDEXED, 0.85),)
        yield Measurement(LOAD, rows, loaded.seconds, against, "from Parquet, staged, verified")
        with checked.lap():
            results = [result for shard in session.plan.shards for result in check(session, shard)]
    session.finish("succeeded")
    if not all(result.passed for result in results):
        raise ChecksFailed("What was loaded does not pass its checks.")
    yield Measurement("read back, all checks", rows, checked.seconds, (Against(LOAD),))
    run = run_seed_data(dataset, WHOLE, stack.environment)
    note = f"one process, {run.peak_bytes / 1e6:,.0f} MB resident"
    yield Measurement("seed_data, start to end", rows, run.seconds, (Against(FAKER),), note)


def plan_of(dataset: LargeDataset) -> Plan:
    """The plan of the environment whose stages are measured one by one."""
    seeding = SeedingFromSettings(Settings(catalogue_file=dataset.catalogue_file))
    return Plan.of(seeding.read_manifest(dataset.manifest(STAGED)), dataset.catalogue)


def _session(dataset: LargeDataset) -> Session:
    seeding = SeedingFromSettings(Settings(catalogue_file=dataset.catalogue_file))
    services = seeding.services(STAGED, DagsterInstance.ephemeral())
    request = SeedRequest(
        origin=str(uuid4()),
        tenant=TENANT_ID,
        environment=STAGED,
        read_manifest=lambda: seeding.read_manifest(dataset.manifest(STAGED)),
        window_override="benchmarks",
    )
    return enter(services, request)


def _generate(session: Session) -> None:
    for shard in session.plan.shards:
        for entity in session.plan.entities:
            generate(session, entity, shard)
