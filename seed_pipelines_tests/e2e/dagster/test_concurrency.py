"""What may run at once, with the real daemon and webserver: one run of a tenant, two of an environment."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from tenacity import Retrying, stop_after_delay, wait_fixed

from seed_pipelines.local.logins import database_of
from seed_pipelines.local.postgres_server import SUPERUSER
from seed_pipelines_tests.e2e.conftest import PROJECT_DIR, RunningStack
from seed_pipelines_tests.e2e.dagster.conftest import CROWD, ONE_SHARD, PROGRAM, THREE_SHARDS
from seed_pipelines_tests.e2e.dagster.test_launches import ASSETS, dagster_job_execute, keys
from seed_pipelines_tests.e2e.dagster.webserver import PARTITION, Run, Webserver
from seed_pipelines_tests.e2e.suspension import suspend

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

TENANT_TAG, ENVIRONMENT_TAG = "seed/tenant", "seed/environment"
_HELD = "UPDATE seed.lease SET expires_at = clock_timestamp() + interval '10 minutes' RETURNING token"
"""The lease of a process that is stopped, however long the others take."""


@pytest.fixture(scope="module", autouse=True)
def limited_pools(dagster_stack: RunningStack) -> None:
    """As a deployment does it."""
    environment = {**os.environ, **dagster_stack.service_environment}
    subprocess.run([*PROGRAM, "pools"], env=environment, cwd=PROJECT_DIR, check=True, capture_output=True)


def asked(stack: RunningStack, database: str, query: str) -> list[tuple[Any, ...]]:
    """What the superuser reads, or is told of what it changes."""
    url = stack.stack.postgres.provisioning_url(SUPERUSER, database)
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def at_once(runs: Sequence[Run]) -> int:
    """The most runs that were at work at one moment."""
    changes = sorted([(run.period[0], 1) for run in runs] + [(run.period[1], -1) for run in runs])
    most = now = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most


def left_behind(stack: RunningStack, environment: str) -> tuple[int, int]:
    """Leases of the environment, and slots of pools that a run holds."""
    ((leases,),) = asked(stack, database_of(environment), "SELECT count(*) FROM seed.lease")
    query = "SELECT count(*) FROM concurrency_slots WHERE run_id IS NOT NULL AND NOT deleted"
    ((slots,),) = asked(stack, "dagster", query)
    return leases, slots


def test_launches_of_every_kind_wait_for_their_turn(webserver: Webserver, dagster_stack: RunningStack) -> None:
    """Jobs, assets of the graph and a backfill, all at once: none of a tenant's overlap, two of the environment at most."""
    submitted = [
        webserver.submit("homolog", "__ASSET_JOB", "0000", keys("homolog", tenant, "validated_manifest", "customers"))
        for tenant in CROWD
    ]
    submitted.append(webserver.submit("homolog", "seed__homolog__tenant_a", "0000"))
    status, of_backfill = webserver.backfill(keys("homolog", "tenant-b", *ASSETS), ["0000"])
    runs = [webserver.finished(run_id) for run_id in [*submitted, *(run.run_id for run in of_backfill)]]

    assert status == "COMPLETED_SUCCESS"
    assert {run.status for run in runs} == {"SUCCESS"}, runs
    assert {run.tags[ENVIRONMENT_TAG] for run in runs} == {"homolog"}
    assert at_once(runs) <= 2  # whether two meet at all is up to the pace of the daemon
    for tenant in CROWD:
        own = [run for run in runs if run.tags[TENANT_TAG] == tenant]
        assert len(own) == (1 if tenant == "tenant-c" else 2)
        assert at_once(own) == 1
    assert left_behind(dagster_stack, "homolog") == (0, 0)


def test_the_queue_waits_for_a_command_and_a_second_command_is_refused(
    webserver: Webserver, dagster_stack: RunningStack
) -> None:
    """`dagster job execute` passes by the queue: its lease keeps others out, and its run counts in its tenant's pool."""
    command = [sys.executable, "-m", "dagster", "job", "execute", "-m", "seed_pipelines.definitions", "-j", ONE_SHARD]
    environment = {**os.environ, **dagster_stack.service_environment}
    first = subprocess.Popen(command, env=environment, cwd=PROJECT_DIR, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        for attempt in Retrying(stop=stop_after_delay(120), wait=wait_fixed(0.05)):
            with attempt:
                leased = asked(dagster_stack, "seed_staging", "SELECT holder FROM seed.lease")
                assert len(leased) == 1
        suspend(first, dagster_stack)
        asked(dagster_stack, "seed_staging", _HELD)
        ((holder,),) = leased
        waiting = webserver.submit("staging", ONE_SHARD, "0000")
        second = dagster_job_execute(dagster_stack, ONE_SHARD, {})
        assert webserver.status(waiting) == "QUEUED"
    finally:
        first.send_signal(signal.SIGCONT)
        _, stderr = first.communicate(timeout=240)

    assert first.returncode == 0, stderr[-2_000:]
    assert second.returncode != 0
    assert '"code": "lease_held"' in second.stderr
    runs = [webserver.finished(run_id) for run_id in (holder, waiting)]
    assert [run.status for run in runs] == ["SUCCESS", "SUCCESS"]
    assert at_once(runs) == 1


def test_a_cancelled_run_leaves_nothing_half_done_and_can_be_executed_again(
    webserver: Webserver, dagster_stack: RunningStack
) -> None:
    """No lease, no slot, no part of a shard; the run that goes on is a seed run of its own, with Dagster's lineage."""
    cancelled = webserver.submit("perf", THREE_SHARDS, "0001")
    webserver.await_step(cancelled, "customers")
    webserver.cancel(cancelled)
    ended = webserver.finished(cancelled)

    assert ended.status == "CANCELED"
    assert asked(dagster_stack, "seed_perf", "SELECT count(*) FROM seed.lease") == [(0,)]
    for attempt in Retrying(stop=stop_after_delay(120), wait=wait_fixed(0.5)):
        with attempt:  # the daemon frees its slot in its own time
            assert left_behind(dagster_stack, "perf") == (0, 0)
    counts = asked(
        dagster_stack,
        "seed_perf",
        "SELECT (SELECT count(*) FROM banking.customer), (SELECT count(*) FROM banking.bank_account),"
        " coalesce(sum((rows->>'customers')::int), 0), coalesce(sum((rows->>'bank_accounts')::int), 0)"
        " FROM seed.shard_checkpoint",
    )
    ((customers, accounts, *recorded),) = counts
    assert [customers, accounts] == recorded

    again = webserver.again(cancelled, "FROM_FAILURE")
    assert again.status == "SUCCESS", again
    assert again.tags["dagster/parent_run_id"] == again.tags["dagster/root_run_id"] == cancelled
    assert again.tags[PARTITION] == "0001"
    seed_runs = asked(dagster_stack, "seed_perf", "SELECT origin, status, problem->>'code' FROM seed.seed_run")
    assert [(status, code) for origin, status, code in seed_runs if origin == cancelled] == [("aborted", "interrupted")]
    assert (again.run_id, "partial", None) in seed_runs
