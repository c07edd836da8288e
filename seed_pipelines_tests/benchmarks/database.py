"""Stages that need the real servers: load, read back and check; COPY of a prepared file beside them."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from uuid import uuid4

import psycopg
from dagster import DagsterInstance
from psycopg import sql

from seed_pipelines.adapters.postgres.database import Connection
from seed_pipelines.domain.plan import Plan
from seed_pipelines.errors import ChecksFailed
from seed_pipelines.orchestration.resources import SeedingFromSettings
from seed_pipelines.orchestration.settings import Settings
from seed_pipelines.seeding.checking import check
from seed_pipelines.seeding.generation import generate
from seed_pipelines.seeding.loading import load
from seed_pipelines.seeding.request import SeedRequest
from seed_pipelines.seeding.seed_run import Session, enter, held
from seed_pipelines_tests.benchmarks.generation import FAKER
from seed_pipelines_tests.benchmarks.large_dataset import TENANT_ID, LargeDataset, run_seed_data
from seed_pipelines_tests.benchmarks.measurement import Measurement, Stopwatch
from seed_pipelines_tests.e2e.conftest import RunningStack

STAGED: Final = "staging"
"""The environment whose stages are measured one by one."""
WHOLE: Final = "dev"
"""The environment that one command seeds."""

LOAD: Final = "load, row level security"
_BARE: Final = "binary COPY, bare tables"
_INDEXED: Final = "binary COPY, indexed tables"
_TABLES: Final = ("customer", "bank_account")
_PIECE: Final = 1 << 20


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
        yield from _copies(stack)
        yield Measurement(LOAD, rows, loaded.seconds, _INDEXED, "from Parquet, staged, verified")
        with checked.lap():
            results = [result for shard in session.plan.shards for result in check(session, shard)]
    session.finish("succeeded")
    if not all(result.passed for result in results):
        raise ChecksFailed("What was loaded does not pass its checks.")
    yield Measurement("read back, all checks", rows, checked.seconds, LOAD)
    run = run_seed_data(dataset, WHOLE, stack.environment)
    note = f"one process, {run.peak_bytes / 1e6:,.0f} MB resident"
    yield Measurement("seed_data, start to end", rows, run.seconds, FAKER, note)


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


def _copies(stack: RunningStack) -> Iterator[Measurement]:
    """The loaded rows as files in PostgreSQL's binary format, into tables of the superuser's own."""
    url = stack.stack.postgres.provisioning_url("postgres", f"seed_{STAGED}")
    with psycopg.connect(url) as connection, tempfile.TemporaryDirectory() as directory:
        files = {table: Path(directory) / table for table in _TABLES}
        for table, file in files.items():
            _export(connection, table, file)
        bare = _copy(connection, files, "")
        yield Measurement(_BARE, *bare, note="the floor")
        indexed = _copy(connection, files, "INCLUDING ALL")
        yield Measurement(_INDEXED, *indexed, _BARE, "the same rules, no row security")


def _copy(connection: Connection, files: Mapping[str, Path], like: str) -> tuple[int, float]:
    """Rows and seconds of filling tables made like those of the schema; nothing is left of them."""
    connection.execute("CREATE SCHEMA bench")
    for table in _TABLES:
        names = sql.Identifier("bench", table), sql.Identifier("banking", table), sql.SQL(like)
        connection.execute(sql.SQL("CREATE TABLE {} (LIKE {} {})").format(*names))
    if like:
        connection.execute(
            "ALTER TABLE bench.bank_account ADD FOREIGN KEY (tenant_id, customer_id) REFERENCES bench.customer"
        )
    connection.commit()
    watch, rows = Stopwatch(), 0
    with watch.lap():
        for table, file in files.items():
            rows += _import(connection, table, file)
        connection.commit()
    connection.execute("DROP SCHEMA bench CASCADE")
    connection.commit()
    return rows, watch.seconds


def _export(connection: Connection, table: str, file: Path) -> None:
    query = sql.SQL("COPY (SELECT * FROM {} ORDER BY id) TO STDOUT (FORMAT binary)")
    with (
        connection.cursor().copy(query.format(sql.Identifier("banking", table))) as copy,
        file.open("wb") as out,
    ):
        out.writelines(copy)


def _import(connection: Connection, table: str, file: Path) -> int:
    cursor = connection.cursor()
    statement = sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(sql.Identifier("bench", table))
    with cursor.copy(statement) as copy, file.open("rb") as source:
        while piece := source.read(_PIECE):
            copy.write(piece)
    return cursor.rowcount
