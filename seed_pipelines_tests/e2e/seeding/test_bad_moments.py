"""What a run needs goes away, or is tampered with, between its steps: old rows or new rows, and a reason with a code."""

import dataclasses
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dagster import DagsterInstance

from seed_pipelines.adapters.row_files import RowFile, RowFileKey
from seed_pipelines.domain.manifest import Manifest
from seed_pipelines.errors import DatabaseUnavailable, LeaseLost, ParquetMismatch, StorageUnavailable, VaultUnavailable
from seed_pipelines.orchestration.resources import SeedingFromSettings
from seed_pipelines.orchestration.settings import Settings
from seed_pipelines.seeding.generation import generate
from seed_pipelines.seeding.loading import load
from seed_pipelines.seeding.request import SeedRequest
from seed_pipelines.seeding.seed_run import Session, enter
from seed_pipelines.seeding.services import Services
from seed_pipelines.seeding.target_database import RowFiles
from seed_pipelines_tests.e2e.seeding.conftest import Reference
from seed_pipelines_tests.e2e.seeding.staging import OVERRIDE, TENANT_A, Staging, finish, volumetry, write_manifest

pytestmark = pytest.mark.e2e


@dataclasses.dataclass(frozen=True)
class Steps:
    """The steps of a run of the real adapters in this process, so that a test can act between them."""

    staging: Staging
    instance: DagsterInstance
    directory: Path

    def services(self) -> Services:
        """The services of a new process: no key is known yet."""
        return SeedingFromSettings(Settings()).services("staging", self.instance)

    def manifest(self, customers: int) -> Manifest:
        """The staging manifest with other volumes."""
        path = write_manifest(self.directory / f"{customers}.json", volumetry=volumetry(customers, customers))
        return SeedingFromSettings(Settings()).read_manifest(path)

    def enter(self, customers: int, services: Services | None = None) -> Session:
        """A seed run that passed its guards."""
        origin = str(uuid4())
        request = SeedRequest(
            origin=origin,
            idempotency_key=origin,
            tenant=TENANT_A,
            environment="staging",
            read_manifest=lambda: self.manifest(customers),
            window_override="an end-to-end test",
        )
        return enter(services or self.services(), request)

    def loaded(self, customers: int) -> None:
        """A seed run from its start to its end."""
        session = self.generated(customers)
        load(session, session.plan.shards[0])
        session.finish("succeeded")
        assert self.staging.visible_rows(TENANT_A) == (customers, customers)

    def generated(self, customers: int, services: Services | None = None) -> Session:
        """A seed run whose Parquet files are written, and nothing more."""
        session = self.enter(customers, services)
        for entity in session.plan.entities:
            generate(session, entity, session.plan.shards[0])
        return session


@pytest.fixture
def steps(staging: Staging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    """Steps over staging with 100 customers loaded."""
    for name, value in staging.variables.items():
        monkeypatch.setenv(name, value)
    with DagsterInstance.ephemeral() as instance:
        steps = Steps(staging, instance, tmp_path)
        steps.loaded(100)
        yield steps


@dataclasses.dataclass(frozen=True)
class InterruptedFiles:
    """Row files that let something happen after the first batch of a file was read."""

    files: RowFiles
    interrupt: Callable[[], object]

    def write(self, *arguments: Any) -> RowFile:
        """As the files do."""
        return self.files.write(*arguments)

    def describe(self, key: RowFileKey) -> RowFile:
        """As the files do."""
        return self.files.describe(key)

    def read(self, key: RowFileKey, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """As the files do, but for the interruption."""
        for batch in self.files.read(key, schema):
            yield batch
            self.interrupt()

    def write_requests(self, size_bytes: int) -> int:
        """As the files do."""
        return self.files.write_requests(size_bytes)

    def delete_dataset(self, environment: str, tenant: str, profile: str) -> None:
        """As the files do."""
        self.files.delete_dataset(environment, tenant, profile)


def parquet(staging: Staging, entity: str = "customers") -> Path:
    """The one file of an entity."""
    (path,) = (staging.data_dir / "staging/tenant-a/default" / entity).glob("*.parquet")
    return path


class TestPostgres:
    def test_gone_between_generation_and_load(self, steps: Steps) -> None:
        """The old rows stay; once it is back, the load goes through."""
        session = steps.generated(90)
        before = steps.staging.contents()
        with steps.staging.postgres_away(), pytest.raises(DatabaseUnavailable):
            load(session, session.plan.shards[0])
        assert steps.staging.contents() == before
        load(session, session.plan.shards[0])
        assert steps.staging.visible_rows(TENANT_A) == (90, 90)

    def test_gone_in_the_middle_of_a_load(self, steps: Steps) -> None:
        """After the first table was staged: nothing of it is seen."""
        postgres = steps.staging.stack.stack.postgres
        services = steps.services()
        session = steps.generated(
            90, dataclasses.replace(services, row_files=InterruptedFiles(services.row_files, postgres.stop))
        )
        before = steps.staging.contents()
        try:
            with pytest.raises(DatabaseUnavailable):
                load(session, session.plan.shards[0])
        finally:
            postgres.start()
        assert steps.staging.contents() == before

    def test_lease_lost_in_the_middle_of_a_load(self, steps: Steps) -> None:
        """Another run took over before this one began to write: its rows never land."""
        session = steps.generated(90)
        with steps.staging.superuser() as connection:
            connection.execute("UPDATE seed.lease SET token = nextval('seed.fencing_token')")
        before = steps.staging.contents()
        with pytest.raises(LeaseLost):
            load(session, session.plan.shards[0])
        assert steps.staging.contents() == before

    def test_gone_under_the_command(self, reference: Reference) -> None:
        """With Dagster's storage, which it holds too: the command ends with a reason, and the old rows stay."""
        reference.restore()
        staging = reference.staging
        process = staging.start_stopped(*OVERRIDE)
        with staging.postgres_away():
            process.send_signal(signal.SIGCONT)
            ended = finish(process)
        assert staging.rows_digest() == reference.rows
        assert ended.exit_code == 4, ended.stderr
        assert ended.problem["code"] == "database_unavailable"


class TestVault:
    def test_sealed_between_steps(self, steps: Steps) -> None:
        """The process that has its keys ends its work; a step in a new process is refused before it writes anything."""
        session = steps.enter(90)
        customers, accounts = session.plan.entities
        generate(session, customers, session.plan.shards[0])
        before = steps.staging.contents()
        with steps.staging.vault_sealed():
            with pytest.raises(VaultUnavailable, match="sealed"):
                steps.enter(90)
            assert steps.staging.contents() == before
            generate(session, accounts, session.plan.shards[0])
            load(session, session.plan.shards[0])
        assert steps.staging.visible_rows(TENANT_A) == (90, 90)


class TestParquet:
    @pytest.mark.parametrize("entity", ["customers", "bank_accounts"])
    @pytest.mark.parametrize("damage", ["truncated", "deleted", "emptied", "a byte flipped"])
    def test_damaged_before_the_load(self, steps: Steps, entity: str, damage: str) -> None:
        """The load refuses, names the file and what to do, and the old rows stay."""
        session = steps.generated(90)
        path = parquet(steps.staging, entity)
        content = path.read_bytes()
        middle = len(content) // 3
        if damage == "deleted":
            path.unlink()
        else:
            flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
            path.write_bytes({"truncated": content[:middle], "emptied": b"", "a byte flipped": flipped}[damage])
        before = steps.staging.contents()
        with pytest.raises(ParquetMismatch, match=f"{entity}.*materialize {entity}"):
            load(session, session.plan.shards[0])
        assert steps.staging.contents() == before

    def test_swapped_for_another_manifests(self, steps: Steps) -> None:
        """A whole file of this program, of this tenant, and still not the one: refused by its footer."""
        steps.generated(80).finish("failed")
        other = parquet(steps.staging).read_bytes()
        session = steps.generated(90)
        parquet(steps.staging).write_bytes(other)
        before = steps.staging.contents()
        with pytest.raises(ParquetMismatch, match="materialize customers again"):
            load(session, session.plan.shards[0])
        assert steps.staging.contents() == before

    def test_rows_of_another_file_under_the_right_footer(self, steps: Steps) -> None:
        """The footer can be forged, the digests of the rows cannot."""
        steps.generated(80).finish("failed")
        others = pq.read_table(parquet(steps.staging))
        session = steps.generated(90)
        path = parquet(steps.staging)
        footer = pq.read_metadata(path).metadata
        forged = pa.concat_tables([others, others.slice(0, 10)]).replace_schema_metadata(None)
        with pq.ParquetWriter(path, forged.schema) as writer:
            writer.write_table(forged)
            writer.add_key_value_metadata({b"seed_pipelines": footer[b"seed_pipelines"]})
        before = steps.staging.contents()
        with pytest.raises(ParquetMismatch):
            load(session, session.plan.shards[0])
        assert steps.staging.contents() == before


class TestDisk:
    def test_full(self, seeded: Staging, tmp_path: Path) -> None:
        """No file may grow beyond 4 KiB: exit 4, no half file, and the old rows stay."""
        manifest = write_manifest(tmp_path / "more.json", volumetry=volumetry(110, 130), backoff=at_once())
        process = seeded.start("--manifest-path", manifest, *OVERRIDE)
        subprocess.run(["prlimit", f"--pid={process.pid}", "--fsize=4096"], check=True)
        ended = finish(process)
        assert ended.exit_code == 4, ended.stderr
        assert ended.problem["code"] == "storage_unavailable"
        assert "customers/0000.parquet" in ended.problem["detail"]

    def test_no_directory_to_write_to(self, seeded: Staging, tmp_path: Path) -> None:
        """A data directory that cannot be made: exit 4, and the old rows stay."""
        (tmp_path / "file").write_text("not a directory")
        manifest = write_manifest(tmp_path / "more.json", volumetry=volumetry(110, 130), backoff=at_once())
        data = str(tmp_path / "file" / "data")
        ended = seeded.seed("--manifest-path", manifest, *OVERRIDE, SEED_DATA_URL=data)
        assert ended.exit_code == 4, ended.stderr
        assert ended.problem["code"] == "storage_unavailable"
        assert data in ended.problem["detail"]

    def test_bucket_away(self, steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
        """No such bucket: a reason, and the old rows stay."""
        monkeypatch.setenv("SEED_DATA_URL", "s3://no-such-bucket/data")
        session = steps.enter(90)
        before = rows_of(steps.staging)
        with pytest.raises(StorageUnavailable, match="s3://no-such-bucket"):
            generate(session, session.plan.entities[0], session.plan.shards[0])
        assert rows_of(steps.staging) == before


def rows_of(staging: Staging) -> dict[str, tuple[int, str]]:
    """What the tables hold but for the lease, which is asked for before a file is stored."""
    return {table: held for table, held in staging.contents().tables.items() if table != "seed.lease"}


def at_once() -> dict[str, Any]:
    """The member `backoff` of a manifest that is tried again once, soon."""
    return {"base_seconds": 0.1, "jitter_factor": 0, "max_retries": 1, "max_interval_seconds": 1}
