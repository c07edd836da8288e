"""Other people's assets that take seeded rows: what they get, for which partitions, and how refusals read."""

import runpy
import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import dagster as dg
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from seed_pipelines.orchestration.code_location import build_definitions
from seed_pipelines.orchestration.manifest_jobs import ManifestJob
from seed_pipelines.orchestration.row_io_manager import SEEDED_ROWS, SeededRowsIOManager
from seed_pipelines_tests.orchestration.dagster_worlds import FakeSeeding, execute, job_of, problem_of
from seed_pipelines_tests.worlds import World, catalogue, manifest

PROJECT_DIR = Path(__file__).parents[2]
SHARDS = ("0000", "0001", "0002")
CUSTOMERS = {"0000": 4_096, "0001": 4_096, "0002": 808}
VOLUMETRY = {"customers": {"cap": 9_000}, "bank_accounts": {"cap": 10_800}, "consultants": {"cap": 10}}
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Downstream:
    """Somebody's asset beside the seeding ones, and what it was given."""

    def __init__(self, directory: Path) -> None:
        self.world = World(directory, catalogue=catalogue(rows_per_shard=9_000))
        self.job: ManifestJob = job_of(self.world, manifest(in_catalogue=self.world.catalogue, volumetry=VOLUMETRY))
        self.got: list[Any] = []

    def seed(self) -> None:
        """Let the manifest's job write the files of every shard."""
        assert execute(self.world, self.job, span("0000", "0002")).success

    def asset(self, annotation: Any, entity: str = "customers", **options: Any) -> dg.AssetsDefinition:
        """An asset that keeps what it gets: of a stream, its batches."""

        def taken(rows: Any) -> None:
            self.got.append(list(rows) if isinstance(rows, pa.RecordBatchReader) else rows)

        taken.__annotations__["rows"] = annotation
        rows = dg.AssetIn(key=self.job.key(entity), input_manager_key=SEEDED_ROWS)
        decorated: dg.AssetsDefinition = dg.asset(ins={"rows": rows}, **options)(taken)
        return decorated

    def per_shard(self, annotation: Any, entity: str = "customers") -> dg.AssetsDefinition:
        """Such an asset with the partitions of the seeding ones."""
        return self.asset(annotation, entity, partitions_def=self.job.partitions)

    def mine(self, asset: dg.AssetsDefinition, *others: str) -> dg.Definitions:
        """A job for the asset, and for others of the manifest before it."""
        selection = dg.AssetSelection.assets(asset.key, *map(self.job.key, others))
        manager = SeededRowsIOManager(data_url=str(self.world.directory))
        jobs = [dg.define_asset_job("mine", selection)]
        return dg.Definitions(assets=[asset], jobs=jobs, resources={SEEDED_ROWS: manager})

    def run(
        self, asset: dg.AssetsDefinition, tags: dict[str, str] | None = None, *others: str
    ) -> dg.ExecuteInProcessResult:
        """Materialize the asset where the manifest's definitions are, and others of the manifest before it."""
        seeds = build_definitions([self.job], FakeSeeding(self.world))
        return run(dg.Definitions.merge(seeds, self.mine(asset, *others)), tags)

    def refusal(self, asset: dg.AssetsDefinition, tags: dict[str, str] | None = None) -> dict[str, object]:
        """The Problem Details of a run that must fail."""
        result = self.run(asset, tags)
        assert not result.success
        return problem_of(result)

    def file(self, shard: str, entity: str = "customers") -> Path:
        """The file of a shard."""
        return self.world.directory / "staging" / "tenant-a" / "default" / entity / f"{shard}.parquet"


def run(definitions: dg.Definitions, tags: dict[str, str] | None = None) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        return definitions.resolve_job_def("mine").execute_in_process(
            instance=instance, raise_on_error=False, run_config=QUIET, tags=tags or {}
        )


def one(shard: str) -> dict[str, str]:
    return {"dagster/partition": shard}


def span(first: str, last: str) -> dict[str, str]:
    return {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}


@pytest.fixture(scope="module")
def seeded_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of 9,000 customers and 10,800 bank accounts in three shards, as a run left them."""
    directory = tmp_path_factory.mktemp("seeded")
    Downstream(directory).seed()
    return directory


@pytest.fixture
def downstream(seeded_directory: Path) -> Downstream:
    """Reads those files; the test leaves them as they are."""
    return Downstream(seeded_directory)


@pytest.fixture
def own_files(seeded_directory: Path, tmp_path: Path) -> Downstream:
    """Reads a copy that the test may spoil."""
    shutil.copytree(seeded_directory, tmp_path, dirs_exist_ok=True)
    return Downstream(tmp_path)


def stored(downstream: Downstream, *shards: str) -> pa.Table:
    return pa.concat_tables(pq.read_table(downstream.file(shard)) for shard in shards)


def test_the_assets_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands there: over the manifests of this repository, and wherever SEED_DATA_URL says."""
    world = World(tmp_path / "data")
    assert execute(world, job_of(world, manifest(in_catalogue=world.catalogue))).success
    section = (PROJECT_DIR / "README.md").read_text(encoding="utf-8").partition("## Use the rows in your own assets")[2]
    module = tmp_path / "mine.py"
    module.write_text(section.partition("```python\n")[2].partition("```")[0], encoding="utf-8")
    monkeypatch.setenv("SEED_DATA_URL", str(world.directory))
    monkeypatch.setenv("SEED_MANIFESTS_DIR", str(PROJECT_DIR / "manifests"))
    defs = runpy.run_path(str(module))["defs"]
    jobs = [dg.define_asset_job("mine", dg.AssetSelection.assets("delinquent_income", "longest_name"))]
    result = run(dg.Definitions.merge(defs, dg.Definitions(jobs=jobs)), one("0000"))
    assert result.success
    (delinquent,) = result.asset_materializations_for_node("delinquent_income")
    (longest,) = result.asset_materializations_for_node("longest_name")
    rows = pq.read_table(world.directory / "staging/tenant-a/default/customers/0000.parquet")
    owing = rows.filter(pc.equal(rows.column("status"), "DELINQUENT"))
    assert delinquent.metadata["customers"].value == owing.num_rows > 0
    assert delinquent.metadata["BRL"].value == str(pc.sum(owing.column("monthly_income")).as_py())
    assert longest.metadata["characters"].value == pc.max(pc.utf8_length(rows.column("full_name"))).as_py()


class TestPartitions:
    @pytest.mark.parametrize("shard", SHARDS)
    def test_a_partition_gets_the_rows_of_its_shard(self, downstream: Downstream, shard: str) -> None:
        assert downstream.run(downstream.per_shard(pa.Table), one(shard)).success
        assert downstream.got[0].num_rows == CUSTOMERS[shard]
        assert downstream.got[0].equals(stored(downstream, shard))

    def test_a_run_over_a_range_gets_the_rows_of_its_shards(self, downstream: Downstream) -> None:
        assert downstream.run(downstream.per_shard(pa.Table), span("0001", "0002")).success
        assert downstream.got[0].equals(stored(downstream, "0001", "0002"))

    def test_an_asset_without_partitions_gets_every_row_in_order(self, downstream: Downstream) -> None:
        assert downstream.run(downstream.asset(pa.Table)).success
        assert downstream.got[0].equals(stored(downstream, *SHARDS))
        ids = downstream.got[0].column("id").to_pylist()
        assert ids == sorted(ids)

    @pytest.mark.parametrize(("shard", "rows"), [("0000", 10), ("0001", 0)])
    @pytest.mark.parametrize("annotation", [pd.DataFrame, pa.Table])
    def test_rows_of_the_tenant_come_with_the_first_partition(
        self, downstream: Downstream, annotation: Any, shard: str, rows: int
    ) -> None:
        assert downstream.run(downstream.per_shard(annotation, "consultants"), one(shard)).success
        assert len(downstream.got[0]) == rows
        names = pq.read_schema(downstream.file("0000", "consultants")).names
        assert [str(name) for name in getattr(downstream.got[0], "column_names", downstream.got[0])] == names

    def test_several_partitions_that_are_no_range(self, downstream: Downstream) -> None:
        chosen = dg.SpecificPartitionsPartitionMapping(["0002", "0000"])
        rows = dg.AssetIn(downstream.job.key("customers"), input_manager_key=SEEDED_ROWS, partition_mapping=chosen)

        @dg.asset(ins={"rows": rows})
        def taken(rows: pa.Table) -> None:
            downstream.got.append(rows)

        assert downstream.run(taken).success
        assert downstream.got[0].equals(stored(downstream, "0000", "0002"))

    def test_an_asset_that_runs_along_with_the_seeding_ones_gets_what_they_made(self, tmp_path: Path) -> None:
        fresh = Downstream(tmp_path)
        assert fresh.run(fresh.per_shard(pa.Table), one("0001"), "validated_manifest", "customers").success
        assert fresh.got[0].equals(stored(fresh, "0001"))

    def test_an_asset_of_a_location_of_its_own_needs_the_shards_of_what_it_takes(self, downstream: Downstream) -> None:
        asset, upstream = downstream.asset(pa.Table), dg.AssetSpec(downstream.job.key("customers"))

        def alone(upstream: dg.AssetSpec) -> dg.ExecuteInProcessResult:
            return run(dg.Definitions.merge(downstream.mine(asset), dg.Definitions(assets=[upstream])))

        assert alone(upstream.replace_attributes(partitions_def=dg.StaticPartitionsDefinition(SHARDS))).success
        assert downstream.got[0].equals(stored(downstream, *SHARDS))
        refused = problem_of(alone(upstream))
        assert refused["code"] == "request_invalid"
        assert "has no partitions here" in str(refused["detail"])


class TestTypes:
    def test_a_table_is_as_stored(self, downstream: Downstream) -> None:
        downstream.run(downstream.asset(pa.Table, "bank_accounts"))
        assert downstream.got[0].schema.field("customer_id").type == pa.binary(16)

    def test_a_stream_has_the_rows_of_a_table(self, downstream: Downstream) -> None:
        assert downstream.run(downstream.asset(pa.RecordBatchReader)).success
        assert pa.Table.from_batches(downstream.got[0]).equals(stored(downstream, *SHARDS))

    def test_a_data_frame_has_exact_types_and_ids_as_text(self, downstream: Downstream) -> None:
        downstream.run(downstream.asset(pd.DataFrame))
        downstream.run(downstream.asset(pd.DataFrame, "bank_accounts"))
        customers, accounts = downstream.got
        rows = stored(downstream, *SHARDS)
        assert customers["id"].tolist() == [str(UUID(bytes=value)) for value in rows.column("id").to_pylist()]
        assert customers["monthly_income"].sum() == sum(rows.column("monthly_income").to_pylist(), Decimal())
        assert isinstance(customers["birth_date"].iloc[0], date)
        assert str(customers["registered_at"].dt.tz) == "UTC"
        assert customers.dtypes["monthly_income"] == pd.ArrowDtype(pa.decimal128(14, 2))
        joined = accounts.merge(customers, left_on="customer_id", right_on="id")
        assert len(joined) == 10_800

    @pytest.mark.parametrize("annotation", [dict, Any, pa.RecordBatch])
    def test_another_annotation_is_refused_with_those_there_are(self, downstream: Downstream, annotation: Any) -> None:
        refused = downstream.refusal(downstream.asset(annotation))
        assert refused["code"] == "request_invalid"
        assert "pandas.DataFrame, a pyarrow.Table or a pyarrow.RecordBatchReader" in str(refused["detail"])
        assert downstream.got == []


class TestRefusals:
    @pytest.mark.parametrize("annotation", [pd.DataFrame, pa.Table, pa.RecordBatchReader])
    def test_a_file_that_is_not_there(self, own_files: Downstream, annotation: Any) -> None:
        own_files.file("0001").unlink()
        refused = own_files.refusal(own_files.asset(annotation))
        assert (refused["code"], refused["exit_code"]) == ("parquet_mismatch", 2)
        assert "0001.parquet does not exist: materialize customers first" in str(refused["detail"])
        assert own_files.got == []

    @pytest.mark.parametrize("annotation", [pd.DataFrame, pa.Table, pa.RecordBatchReader])
    def test_a_file_that_is_damaged_where_only_reading_shows_it(self, own_files: Downstream, annotation: Any) -> None:
        """Of a stream too, in the midst of the asset's own work."""
        file = own_files.file("0002")
        content = bytearray(file.read_bytes())
        content[200:400] = bytes(200)
        file.write_bytes(content)
        refused = own_files.refusal(own_files.asset(annotation))
        assert refused["code"] == "parquet_mismatch"
        assert "0002.parquet" in str(refused["detail"])
        assert own_files.got == []

    def test_shards_of_two_manifests(self, own_files: Downstream) -> None:
        other = manifest(9_100, 10_800, in_catalogue=own_files.world.catalogue)
        changed = execute(own_files.world, job_of(own_files.world, other), one("0001"))
        assert changed.success
        refused = own_files.refusal(own_files.asset(pa.Table))
        assert refused["code"] == "parquet_mismatch"
        assert "were made from different manifests" in str(refused["detail"])
        assert own_files.run(own_files.per_shard(pa.Table), one("0001")).success

    def test_storage_that_is_away_may_be_retried(self, tmp_path: Path) -> None:
        (tmp_path / "staging").write_text("in the way")
        away = Downstream(tmp_path)
        asset = away.asset(pa.Table, retry_policy=dg.RetryPolicy(max_retries=1))
        result = away.run(asset)
        assert problem_of(result)["code"] == "storage_unavailable"
        assert sum(event.is_step_restarted for event in result.all_events) == 1

    def test_an_asset_that_is_no_entity(self, downstream: Downstream) -> None:
        refused = downstream.refusal(downstream.asset(pa.Table, "integrity_report"))
        assert refused["code"] == "request_invalid"
        assert "staging/tenant-a/default/integrity_report" in str(refused["detail"])

    def test_an_output_is_not_written(self, downstream: Downstream) -> None:
        @dg.asset(io_manager_key=SEEDED_ROWS)
        def written() -> int:
            return 1

        refused = downstream.refusal(written)
        assert refused["code"] == "request_invalid"
        assert "only reads" in str(refused["detail"])
