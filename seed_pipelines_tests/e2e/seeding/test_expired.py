"""Datasets whose time to live is over, with the real servers: removed whole, or not at all."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tenacity import Retrying, stop_after_delay, wait_fixed

from seed_pipelines_tests.e2e.seeding.staging import (
    OVERRIDE,
    TENANT_A,
    TENANT_B,
    Finished,
    Staging,
    finish,
    write_manifest,
)

pytestmark = pytest.mark.e2e

BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'seed_app' AND wait_event_type = 'Lock'"


def start_purge(staging: Staging, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
    command = ["seed-data", "purge", "--expired", "--environment", "staging", *arguments]
    return staging.start_program(command, **variables)


def purge(staging: Staging, *arguments: str, **variables: str) -> Finished:
    """`seed-data purge --expired` for staging."""
    return finish(start_purge(staging, *arguments, **variables))


def loaded_days_ago(staging: Staging, days: float, *tenants: object) -> None:
    """As if the tenants' datasets had been loaded, and found right, some days earlier."""
    with staging.superuser() as connection:
        for table, moment in (("shard_checkpoint", "loaded_at"), ("shard_report", "recorded_at")):
            connection.execute(
                f"UPDATE seed.{table} SET {moment} = clock_timestamp() - make_interval(secs => %s)"  # noqa: S608 # ours
                " WHERE tenant_id = ANY(%s)".encode(),
                [days * 86_400, list(tenants)],
            )


def removals(staging: Staging) -> list[tuple[Any, ...]]:
    """What is on record, by tenant."""
    with staging.superuser() as connection:
        return connection.execute(
            "SELECT tenant_id, reason, subject, (rows->>'customers')::int, (rows->>'bank_accounts')::int"
            " FROM seed.dataset_removal ORDER BY removed_at"
        ).fetchall()


def files(staging: Staging) -> set[str]:
    """Tenants that have Parquet files."""
    return {path.parts[-4] for path in staging.data_dir.rglob("*.parquet")}


@pytest.fixture
def two_tenants(staging: Staging) -> Staging:
    """Both datasets loaded three days ago, with a time to live of one day."""
    for tenant in (TENANT_A, TENANT_B):
        done = staging.seed(*OVERRIDE, tenant=tenant)
        assert done.exit_code == 0, done.stderr
    loaded_days_ago(staging, 3, TENANT_A, TENANT_B)
    return staging


@contextmanager
def locked_customer(staging: Staging) -> Iterator[None]:
    """A session that holds a row of tenant-a, which a deletion waits for."""
    url = staging.stack.stack.postgres.provisioning_url("postgres", "seed_staging")
    with psycopg.connect(url) as holder:
        holder.execute("SELECT FROM banking.customer WHERE tenant_id = %s LIMIT 1 FOR UPDATE", [TENANT_A])
        yield


def test_what_has_expired_goes_and_what_has_not_stays(two_tenants: Staging) -> None:
    """Rows, checkpoints and files of one tenant; a row on record; the other tenant as it was."""
    loaded_days_ago(two_tenants, 0.9, TENANT_B)
    done = purge(two_tenants, "--yes")
    assert done.exit_code == 0, done.stderr
    assert "tenant-a, profile default: removed 220 rows" in done.stdout
    assert "tenant-b" not in done.stdout
    assert two_tenants.visible_rows(TENANT_A) == (0, 0)
    assert two_tenants.visible_rows(TENANT_B) == (250, 300)
    assert files(two_tenants) == {"tenant-b"}
    assert removals(two_tenants) == [(TENANT_A, "expired", "seed_operator", 100, 120)]
    assert two_tenants.contents().tables["seed.lease"][0] == 0
    again = purge(two_tenants, "--yes")
    assert (again.exit_code, again.stdout) == (0, "Nothing has expired in staging.\n")


def test_the_service_subject_may_remove_what_has_expired_and_nothing_else(two_tenants: Staging) -> None:
    """It is a seed-runner, as in the job of the code location."""
    service = two_tenants.stack.service_environment
    asked = ["seed-data", "purge", "--tenant-id", str(TENANT_A), "--environment", "staging", "--yes"]
    refused = finish(two_tenants.start_program(asked, **service))
    assert (refused.exit_code, refused.problem["code"]) == (6, "forbidden")
    done = purge(two_tenants, "--yes", "--json", **service)
    assert done.exit_code == 0, done.stderr
    assert [outcome["removed"]["customers"] for outcome in done.outcome["outcomes"]] == [100, 250]
    assert [row[:3] for row in removals(two_tenants)] == [
        (TENANT_A, "expired", "seed_service"),
        (TENANT_B, "expired", "seed_service"),
    ]


def test_a_dry_run_shows_what_has_expired_and_touches_nothing(two_tenants: Staging) -> None:
    """And without --yes it asks; nobody answers here."""
    before = two_tenants.contents()
    shown = purge(two_tenants, "--dry-run")
    assert shown.exit_code == 0, shown.stderr
    for words in ("tenant-a", "tenant-b", "220", "550", "A dry run: nothing was removed."):
        assert words in shown.stdout
    unanswered = purge(two_tenants)
    assert (unanswered.exit_code, unanswered.problem["code"]) == (2, "request_invalid")
    assert (two_tenants.contents(), removals(two_tenants)) == (before, [])


def test_a_tenant_whose_lease_is_held_is_reported_and_the_other_goes(two_tenants: Staging) -> None:
    """The run that holds it goes on, and ends well."""
    running = two_tenants.start_stopped(*OVERRIDE)
    try:
        done = purge(two_tenants, "--yes")
    finally:
        running.send_signal(signal.SIGCONT)
        ended = finish(running)
    assert (done.exit_code, done.problem["code"]) == (3, "lease_held")
    assert "tenant-a, profile default: stays: lease_held." in done.stdout
    assert "tenant-b, profile default: removed 550 rows" in done.stdout
    assert ended.exit_code == 0, ended.stderr
    assert two_tenants.visible_rows(TENANT_A) == (100, 120)
    assert two_tenants.visible_rows(TENANT_B) == (0, 0)


def test_a_dataset_in_use_keeps_everything_and_the_other_goes(two_tenants: Staging) -> None:
    """Rows of the application refer to it."""
    with two_tenants.superuser() as connection:
        connection.execute(
            "INSERT INTO banking.bank_account SELECT tenant_id, gen_random_uuid(), customer_id, '9999',"
            " branch_check_digit, account_number, account_check_digit, account_type, status, balance, opened_at"
            " FROM banking.bank_account WHERE tenant_id = %s LIMIT 1",
            [TENANT_A],
        )
    done = purge(two_tenants, "--yes")
    assert (done.exit_code, done.problem["code"]) == (2, "dataset_in_use")
    assert two_tenants.visible_rows(TENANT_A) == (100, 121)
    assert two_tenants.visible_rows(TENANT_B) == (0, 0)
    assert files(two_tenants) == {"tenant-a"}


def test_killed_half_way_it_leaves_everything_and_the_next_one_removes_it(two_tenants: Staging) -> None:
    """Killed while it waits for a row, its accounts deleted already: nothing of that was committed."""
    loaded_days_ago(two_tenants, 0, TENANT_B)
    before = two_tenants.contents()
    with locked_customer(two_tenants):
        process = start_purge(two_tenants, "--yes", SEED_LEASE_TTL_SECONDS="1")
        with two_tenants.superuser() as connection:
            for attempt in Retrying(stop=stop_after_delay(60), wait=wait_fixed(0.1)):
                with attempt:
                    assert connection.execute(BLOCKED).fetchone() == (1,)
        process.kill()
        process.communicate()
    after = two_tenants.contents()
    assert after.files == before.files
    assert {name: rows for name, (rows, _) in after.tables.items() if name != "seed.lease"} == {
        name: rows for name, (rows, _) in before.tables.items() if name != "seed.lease"
    }
    assert removals(two_tenants) == []
    for attempt in Retrying(stop=stop_after_delay(30), wait=wait_fixed(0.5)):
        with attempt:
            done = purge(two_tenants, "--yes")
            assert done.exit_code == 0, done.stderr
    assert two_tenants.visible_rows(TENANT_A) == (0, 0)
    assert files(two_tenants) == {"tenant-b"}


def test_a_run_that_finds_a_dataset_right_keeps_it(two_tenants: Staging) -> None:
    """Nothing is written, and yet it has not expired any more: a nightly run keeps what it verifies."""
    done = two_tenants.seed("--json", *OVERRIDE)
    assert done.exit_code == 0, done.stderr
    assert "left alone" in two_tenants.materialization(done.outcome["dagster_run_id"], "database")
    shown = purge(two_tenants, "--dry-run", "--json", "--tenant-id", str(TENANT_A))
    assert shown.outcome == {"expired": [], "outcomes": []}


def test_the_days_are_those_of_the_manifest(staging: Staging, tmp_path: Path) -> None:
    """Thirty of them, not one."""
    manifest = write_manifest(tmp_path / "long.json", ttl={"baseline_days": 30})
    done = staging.seed("--manifest-path", manifest, *OVERRIDE)
    assert done.exit_code == 0, done.stderr
    loaded_days_ago(staging, 29.9, TENANT_A)
    assert purge(staging, "--dry-run", "--json").outcome["expired"] == []
    loaded_days_ago(staging, 30.1, TENANT_A)
    (expired,) = purge(staging, "--dry-run", "--json").outcome["expired"]
    assert (expired["tenant"], expired["rows"]) == ("tenant-a", 220)


def test_a_database_that_is_away_says_so(staging: Staging) -> None:
    """Exit 4."""
    with staging.postgres_away():
        done = purge(staging, "--yes")
    assert (done.exit_code, done.problem["code"]) == (4, "database_unavailable")
