"""What a Dagster run says of itself."""

import pytest

from seed_pipelines.domain.plan import Plan
from seed_pipelines.errors import PartitionsNotSelected
from seed_pipelines.orchestration.runs import origin_of, partition_tags, selected_shards
from seed_pipelines_tests.worlds import catalogue, manifest

RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


def plan(customers: int = 9_000) -> Plan:
    limits = catalogue(rows_per_shard=9_000)
    return Plan.of(manifest(customers, customers, in_catalogue=limits), limits)


@pytest.mark.parametrize(
    ("tags", "keys"),
    [
        ({"dagster/partition": "0001"}, ["0001"]),
        (dict(zip(RANGE, ("0001", "0002"), strict=True)), ["0001", "0002"]),
        (dict(zip(RANGE, ("0002", "0002"), strict=True)), ["0002"]),
    ],
)
def test_tags_name_shards(tags: dict[str, str], keys: list[str]) -> None:
    assert [shard.key for shard in selected_shards(tags, plan(), "job")] == keys


@pytest.mark.parametrize("tags", [{}, {RANGE[0]: "0000", RANGE[1]: "9999"}, {"dagster/partition": "base"}])
def test_no_shard_or_an_unknown_one_is_refused(tags: dict[str, str]) -> None:
    with pytest.raises(PartitionsNotSelected, match="0000 to 0002"):
        selected_shards(tags, plan(), "job")


def test_a_job_of_one_shard_needs_no_tags() -> None:
    one = plan(100)
    assert selected_shards({}, one, "job") == one.shards
    assert partition_tags(one) == {"dagster/partition": "0000"}


def test_the_tags_for_everything_select_everything() -> None:
    assert selected_shards(partition_tags(plan()), plan(), "job") == plan().shards


def test_half_a_range_is_refused() -> None:
    with pytest.raises(PartitionsNotSelected):
        selected_shards({RANGE[0]: "0000"}, plan(), "job")


def test_runs_of_one_backfill_have_one_origin() -> None:
    assert origin_of("a", {"dagster/backfill": "x"}) == origin_of("b", {"dagster/backfill": "x"}) == "backfill:x"
    assert origin_of("a", {}) == "a"
