"""Every way to start a run in Dagster, with the real webserver, daemon, PostgreSQL and Vault."""

import json
import os
import subprocess
import sys

import psycopg
import pytest

from seed_pipelines.local.logins import database_of
from seed_pipelines.local.postgres_server import SUPERUSER
from seed_pipelines_tests.e2e.conftest import PROJECT_DIR, RunningStack
from seed_pipelines_tests.e2e.dagster.conftest import BANK_ACCOUNTS, CLOSED, CUSTOMERS, ONE_SHARD, THREE_SHARDS
from seed_pipelines_tests.e2e.dagster.webserver import PARTITION, Webserver

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
ASSETS = ("validated_manifest", "customers", "bank_accounts", "database", "integrity_report")


def keys(environment: str, tenant: str, *names: str) -> list[list[str]]:
    return [[environment, tenant, "default", name] for name in names]


def dagster_job_execute(stack: RunningStack, job: str, tags: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dagster", "job", "execute", "-m", "seed_pipelines.definitions", "-j", job]
    environment = {**os.environ, **stack.service_environment}
    with_tags = ["--tags", json.dumps(tags)] if tags else []
    return subprocess.run(
        [*command, *with_tags],
        env=environment,
        cwd=PROJECT_DIR,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def landed(stack: RunningStack, environment: str) -> tuple[int, ...]:
    """Rows of every tenant, counted by the superuser."""
    url = stack.stack.postgres.provisioning_url(SUPERUSER, database_of(environment))
    with psycopg.connect(url) as connection:
        tables = ("banking.customer", "banking.bank_account")
        found = [connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in tables]  # noqa: S608 # ours
    return tuple(row[0] for row in found if row)


def test_a_job_launched_with_its_partition(webserver: Webserver, dagster_stack: RunningStack) -> None:
    run = webserver.launch("staging", ONE_SHARD, "0000")

    assert run.status == "SUCCESS", run
    assert run.tags["seed/tenant"] == "tenant-a"
    assert landed(dagster_stack, "staging") == (100, 120)


def test_a_job_launched_outside_its_window_says_when_it_opens(webserver: Webserver) -> None:
    run = webserver.launch("staging", CLOSED, "0000")

    assert run.status == "FAILURE"
    assert run.problem is not None
    assert (run.problem["code"], run.problem["exit_code"]) == ("outside_window", 5)
    assert "opens next at" in run.problem["detail"]


def test_one_asset_of_the_graph_passes_the_guards_and_leaves_the_lease_to_the_next(webserver: Webserver) -> None:
    alone = webserver.launch("staging", "__ASSET_JOB", "0000", keys("staging", "tenant-a", "customers"))
    refused = webserver.launch("staging", "__ASSET_JOB", "0000", keys("staging", "tenant-b", "customers"))
    after = webserver.launch("staging", ONE_SHARD, "0000")

    assert alone.status == "SUCCESS", alone
    assert refused.problem is not None
    assert refused.problem["code"] == "outside_window"
    assert after.status == "SUCCESS", after


def test_a_backfill_loads_every_shard(webserver: Webserver, dagster_stack: RunningStack) -> None:
    status, runs = webserver.backfill(keys("perf", "tenant-a", *ASSETS), ["0000", "0001", "0002"])

    assert status == "COMPLETED_SUCCESS", runs
    assert sorted(run.tags[PARTITION] for run in runs) == ["0000", "0001", "0002"]
    assert landed(dagster_stack, "perf") == (CUSTOMERS, BANK_ACCOUNTS)


def test_job_execute_runs_a_single_shard_without_tags(dagster_stack: RunningStack) -> None:
    done = dagster_job_execute(dagster_stack, ONE_SHARD, {})

    assert done.returncode == 0, done.stderr[-2_000:]


@pytest.mark.parametrize("tags", [{PARTITION: "0001"}, dict(zip(RANGE, ("0000", "0002"), strict=True))], ids=str)
def test_job_execute_runs_the_shards_that_its_tags_name(dagster_stack: RunningStack, tags: dict[str, str]) -> None:
    done = dagster_job_execute(dagster_stack, THREE_SHARDS, tags)

    assert done.returncode == 0, done.stderr[-2_000:]


@pytest.mark.parametrize(
    ("tags", "answer"),
    [({}, '\'{"dagster/partition": "0000"}\' for one'), ({PARTITION: "0099"}, "has no partition 0099")],
    ids=["without tags", "an unknown partition"],
)
def test_job_execute_refuses_shards_it_cannot_tell(
    dagster_stack: RunningStack, tags: dict[str, str], answer: str
) -> None:
    done = dagster_job_execute(dagster_stack, THREE_SHARDS, tags)

    assert done.returncode != 0
    assert answer in done.stderr
    assert '"code": "partitions_not_selected"' in done.stderr
