"""Loading a shard from its Parquet files."""

from pathlib import Path

import pytest

from seed_pipelines.adapters.row_files import RowFileKey
from seed_pipelines.domain.manifest import Manifest
from seed_pipelines.domain.plan import Plan
from seed_pipelines.errors import ParquetMismatch
from seed_pipelines.seeding.generation import generate
from seed_pipelines.seeding.loading import load
from seed_pipelines.seeding.purging import loaded_dataset
from seed_pipelines.seeding.reporting import summarize
from seed_pipelines.seeding.seed_run import Session, enter
from seed_pipelines_tests.worlds import CALLER, TENANT, World, catalogue, manifest


def generated(world: World, wanted: Manifest | None = None, origin: str = "run-1") -> Session:
    world.finished.update({"run-1", "run-2", "run-3"} - {origin})
    session = enter(world.services, world.request(wanted, origin=origin))
    for shard in session.plan.shards:
        for entity in session.plan.entities:
            generate(session, entity, shard)
    return session


def file_of(world: World, entity: str) -> Path:
    return world.directory / RowFileKey("staging", "tenant-a", "default", entity, "0000").path


def test_absent_parquet_is_refused_with_what_to_do(world: World) -> None:
    session = enter(world.services, world.request())
    with pytest.raises(ParquetMismatch, match="materialize customers first"):
        load(session, session.plan.shards[0])


def test_parquet_of_another_manifest_is_refused(world: World) -> None:
    generated(world)
    other = enter(world.services, world.request(manifest(90, 90, in_catalogue=world.catalogue), origin="run-1"))
    with pytest.raises(ParquetMismatch, match="materialize customers again"):
        load(other, other.plan.shards[0])


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"no parquet at all"])
def test_damaged_parquet_is_refused_and_nothing_changes(world: World, damage: bytes) -> None:
    session = generated(world)
    file_of(world, "bank_accounts").write_bytes(damage)
    with pytest.raises(ParquetMismatch, match="bank_accounts"):
        load(session, session.plan.shards[0])
    assert world.tables.rows == {}


def test_rows_that_are_not_those_the_file_was_written_with_are_refused(world: World) -> None:
    limits = catalogue()
    session = generated(world)
    mine, other = session.plan.entities[0], Plan.of(manifest(100, 120, in_catalogue=limits, mode="baseline"), limits)
    (shard,) = other.shards
    rows = session.masker.batch(mine, other.portfolio, other.entity_rows(mine, 0, 100)).records
    swapped = rows.take([1, 0, *range(2, 100)])
    key = RowFileKey("staging", "tenant-a", "default", "customers", "0000")
    described = session.row_files.describe(key)
    session.row_files.write(key, mine.schema, [], [swapped], described.provenance, lambda: described.leaves)
    with pytest.raises(ParquetMismatch, match="does not hold the rows"):
        load(session, shard)
    assert world.tables.rows == {}


def test_a_changed_manifest_replaces_the_dataset_and_an_entity_it_no_longer_names(world: World) -> None:
    first = generated(world)
    load(first, first.plan.shards[0])
    only_customers = manifest(in_catalogue=world.catalogue, volumetry={"customers": {"cap": 50}})
    second = generated(world, only_customers, "run-2")
    load(second, second.plan.shards[0])
    assert len(world.tables.rows[TENANT.tenant_id, "customers"]) == 50
    assert world.tables.rows[TENANT.tenant_id, "bank_accounts"] == []


def test_another_shard_size_gives_the_same_digest_and_leaves_no_old_checkpoint(world: World) -> None:
    digests = []
    for number, rows_per_shard in enumerate((100_000, 9_000), start=1):
        world.catalogue = catalogue(rows_per_shard)
        session = generated(world, manifest(9_000, 10_800, in_catalogue=world.catalogue), f"run-{number}")
        for shard in session.plan.shards:
            load(session, shard)
        summary = summarize(session)
        assert summary.is_complete
        digests.append((len(session.plan.shards), summary.digest))
        assert len(world.tables.known) == len(session.plan.shards)
    (few, one), (many, other) = digests
    assert few < many
    assert one == other


def test_an_incomplete_dataset_says_so(world: World) -> None:
    world.catalogue = catalogue(9_000)
    session = generated(world, manifest(9_000, 10_800, in_catalogue=world.catalogue))
    load(session, session.plan.shards[1])
    summary = summarize(session)
    assert (summary.shards_loaded, summary.shards_planned, summary.is_complete) == (1, 3, False)
    loaded = loaded_dataset(world.services, TENANT.tenant_id, "staging", "default", CALLER)
    assert loaded.rows["customers"] == session.plan.shards[1].rows["customers"]
