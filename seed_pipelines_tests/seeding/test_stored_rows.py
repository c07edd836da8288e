"""Rows as their files have them, of one shard or of several."""

import pytest

from seed_pipelines.adapters.row_files import RowFileKey
from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines.domain.entities import Entity
from seed_pipelines.domain.entities.consultants import Consultants
from seed_pipelines.domain.entities.customers import Customers
from seed_pipelines.domain.manifest import Manifest
from seed_pipelines.errors import ParquetMismatch
from seed_pipelines.seeding.generation import generate
from seed_pipelines.seeding.seed_run import enter
from seed_pipelines.seeding.stored_rows import StoredRows
from seed_pipelines_tests.worlds import World, catalogue, manifest

DATASET = ("staging", "tenant-a", "default")
THREE_SHARDS = catalogue(rows_per_shard=4_096)
SHARDS = ("0000", "0001", "0002")
VOLUMETRY = {"customers": {"cap": 9_000}, "consultants": {"cap": 10}}


def write(world: World, *shards: str, limits: Catalogue = THREE_SHARDS, wanted: Manifest | None = None) -> None:
    """Generate what some shards have."""
    world.catalogue = limits
    read = wanted or manifest(in_catalogue=limits, volumetry=VOLUMETRY)
    session = enter(world.services, world.request(read))
    for shard in map(session.plan.shard, shards):
        for entity in session.plan.entities_of(shard):
            generate(session, entity, shard)


def rows(world: World, *shards: str, entity: Entity | None = None) -> StoredRows:
    return StoredRows.of(world.services.row_files, entity or Customers(), DATASET, shards)


def count(stored: StoredRows) -> int:
    return sum(batch.num_rows for batch in stored.batches())


def test_rows_come_in_the_order_of_the_shards_however_they_are_asked_for(world: World) -> None:
    write(world, *SHARDS)
    stored = rows(world, "0002", "0000", "0001")
    ids = [value for batch in stored.batches() for value in batch.column("id").to_pylist()]
    assert len(ids) == 9_000
    assert ids == sorted(ids)


def test_no_row_is_read_before_it_is_asked_for(world: World) -> None:
    write(world, *SHARDS)
    batches = rows(world, *SHARDS).batches()
    assert next(batches).num_rows == 4_096
    (world.directory / RowFileKey(*DATASET, "customers", "0001").path).unlink()
    with pytest.raises(ParquetMismatch, match=r"0001\.parquet does not exist"):
        next(batches)


def test_rows_of_the_tenant_are_in_the_first_shard_alone(world: World) -> None:
    write(world, *SHARDS)
    assert count(rows(world, *SHARDS, entity=Consultants())) == 10
    assert count(rows(world, "0000", entity=Consultants())) == 10
    assert count(rows(world, "0001", "0002", entity=Consultants())) == 0


def test_rows_of_the_tenant_that_were_not_made_are_missed(world: World) -> None:
    with pytest.raises(ParquetMismatch, match="materialize consultants first"):
        rows(world, "0000", entity=Consultants())


def test_shards_of_two_manifests_are_no_dataset(world: World) -> None:
    write(world, *SHARDS)
    write(world, "0001", wanted=manifest(9_001, 9_001, in_catalogue=THREE_SHARDS))
    with pytest.raises(ParquetMismatch, match=r"0000\.parquet and .*0001\.parquet were made from different manifests"):
        rows(world, *SHARDS)
    assert count(rows(world, "0001")) == 4_096


def test_shards_that_share_customers_are_no_dataset(world: World) -> None:
    """After the catalogue's size of a shard changed: the manifest, and its hash, are the same."""
    write(world, *SHARDS)
    write(world, "0000", limits=catalogue())
    assert count(rows(world, "0000")) == 9_000
    with pytest.raises(ParquetMismatch, match="shard border"):
        rows(world, "0000", "0001")
