"""A dataset of many shards, by the real command on the real servers, in bounded memory."""

from pathlib import Path

import pytest

from seed_pipelines.local.environment import stack_environment
from seed_pipelines_tests.benchmarks.large_dataset import LargeDataset, run_seed_data
from seed_pipelines_tests.e2e.conftest import running_stack

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

CUSTOMERS = 300_000
MOST_RESIDENT_BYTES = 600_000_000


def test_all_shards_of_a_large_dataset_pass_through_one_process_of_bounded_memory(tmp_path: Path) -> None:
    dataset = LargeDataset(tmp_path, CUSTOMERS)
    dataset.write("staging")
    with running_stack(dataset.manifests) as stack:
        run = run_seed_data(dataset, "staging", stack_environment(stack.state_dir))
    assert run.outcome["rows"] == {"customers": CUSTOMERS, "bank_accounts": CUSTOMERS * 6 // 5}
    shards = {check["shard"] for check in run.outcome["checks"]}
    assert len(shards) > 10
    assert {check["passed"] for check in run.outcome["checks"]} == {True}
    assert run.peak_bytes < MOST_RESIDENT_BYTES
