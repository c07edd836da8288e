"""Plans."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines.domain.digest import BLOCK
from seed_pipelines.domain.plan import CHUNK_CUSTOMERS, Plan, is_first_shard
from seed_pipelines_tests.worlds import catalogue, manifest


def plan(customers: int, bank_accounts: int, rows_per_shard: int = 50_000, **changes: object) -> Plan:
    limits = catalogue(rows_per_shard)
    return Plan.of(manifest(customers, bank_accounts, in_catalogue=limits, **changes), limits)


@given(st.integers(1, 300_000), st.integers(1, 300_000), st.sampled_from([9_000, 50_000, 200_000]))
def test_shards_tile_the_customers_and_their_ids(customers: int, accounts: int, rows_per_shard: int) -> None:
    accounts = min(accounts, 20 * customers)
    found = plan(customers, accounts, rows_per_shard)
    assert found.shards[0].first_customer == 0
    assert found.shards[-1].end_customer == customers
    assert [shard.is_last for shard in found.shards] == [False] * (len(found.shards) - 1) + [True]
    for one, following in pairwise(found.shards):
        assert one.end_customer == following.first_customer
        assert one.end_customer % BLOCK == 0
        assert one.id_high == following.id_low
        assert one.key < following.key
    totals = [sum(shard.rows[name] for shard in found.shards) for name in found.rows]
    assert totals == list(found.rows.values()) == [customers, accounts]


@pytest.mark.parametrize("customers", [100, 9_000, 10_001 * BLOCK])
def test_the_first_shard_is_known_by_its_key(customers: int) -> None:
    limits = catalogue(rows_per_shard=1, caps=50_000_000)
    shards = Plan.of(manifest(customers, 1, in_catalogue=limits), limits).shards
    assert [shard.is_first for shard in shards] == [is_first_shard(shard.key) for shard in shards]


def test_a_shard_holds_about_as_many_rows_as_the_catalogue_says() -> None:
    shards = plan(1_000_000, 1_200_000).shards
    assert all(40_000 < shard.total_rows < 60_000 for shard in shards[:-1])


def test_a_small_manifest_has_one_shard() -> None:
    assert plan(100, 120).shard_keys == ("0000",)


def test_chunks_tile_a_shard_and_end_where_it_does() -> None:
    found = plan(100_000, 1, 90_000)
    shard = found.shards[0]
    chunks = list(found.chunks(shard))
    assert [end - first for first, end in chunks[:-1]] == [CHUNK_CUSTOMERS] * (len(chunks) - 1)
    assert found.chunk_ids(shard, chunks[0])[0] == shard.id_low
    assert found.chunk_ids(shard, chunks[-1])[1] == shard.id_high
    for one, following in pairwise(chunks):
        assert found.chunk_ids(shard, one)[1] == found.chunk_ids(shard, following)[0]


def test_rows_of_the_tenant_belong_to_the_first_shard_and_end_with_the_last_of_them() -> None:
    volumes = {"customers": 20_000, "suppliers": 5_000}
    found = plan(1, 1, 4_096, volumetry={name: {"cap": rows} for name, rows in volumes.items()})
    (suppliers,) = (entity for entity in found.entities if entity.of_tenant)
    first, *others = found.shards
    assert (len(others), first.rows["suppliers"]) == (4, 5_000)
    assert all("suppliers" not in shard.rows and not list(found.chunks(shard, suppliers)) for shard in others)
    chunks = list(found.chunks(first, suppliers))
    assert (chunks[0][0], chunks[-1][1]) == (0, 5_000)
    ids = [found.chunk_ids(first, chunk, suppliers) for chunk in chunks]
    assert (ids[0][0], ids[-1][1]) == (first.id_low, found.surplus_ids(suppliers)[0])
    assert all(one[1] == following[0] for one, following in pairwise(ids))
    assert found.surplus_ids(suppliers)[1] == found.shards[-1].id_high


def test_target_pct_and_canary_take_part_of_the_cap() -> None:
    volumes = {"customers": {"cap": 1000, "target_pct": 50}, "bank_accounts": {"cap": 1200}}
    assert plan(1, 1, volumetry=volumes).rows == {"customers": 500, "bank_accounts": 1200}
    canary = plan(
        1000,
        1200,
        mode="canary",
        canary={"percentage": 10},
        ttl={"canary_days": 1},
        budget={"cost_cap_brl": 10, "error_budget_pct": 1},
    )
    assert canary.rows == {"customers": 100, "bank_accounts": 120}


def test_a_shard_that_is_not_there_is_not_found() -> None:
    with pytest.raises(KeyError):
        plan(100, 120).shard("0001")
