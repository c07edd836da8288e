"""The tags that the queue gives to runs from the asset graph."""

import dagster as dg
import pytest
from dagster import DagsterRun

from seed_pipelines.orchestration.run_coordinator import tags_of_assets

ONE = ["staging", "tenant-a", "default", "customers"]
SAME_TENANT = ["staging", "tenant-a", "smoke", "database"]
OTHER_TENANT = ["staging", "tenant-b", "default", "customers"]
ELSEWHERE = ["perf", "tenant-a", "default", "customers"]
FOREIGN = ["reports", "tenant-a", "default", "customers"]


@pytest.mark.parametrize(
    ("paths", "tags"),
    [
        ([ONE], {"seed/environment": "staging", "seed/tenant": "tenant-a"}),
        ([ONE, SAME_TENANT], {"seed/environment": "staging", "seed/tenant": "tenant-a"}),
        ([ONE, FOREIGN], {"seed/environment": "staging"}),
        ([ONE, OTHER_TENANT], {"seed/environment": "staging"}),
        ([ONE, ELSEWHERE], {}),
        ([FOREIGN, ["customers"]], {}),
    ],
)
def test_the_assets_of_a_run_say_whose_they_are(paths: list[list[str]], tags: dict[str, str]) -> None:
    """The environment where it is one only, and the tenant where all of it is one tenant's: else its lease says nothing."""
    run = DagsterRun("__ASSET_JOB", asset_selection=frozenset(dg.AssetKey(path) for path in paths))
    assert tags_of_assets(run) == tags


def test_a_run_without_assets_has_none() -> None:
    assert tags_of_assets(DagsterRun("seed_dry_run")) == {}
