"""`kill -9` of the real command at random moments: what a re-run leaves is what an undisturbed run leaves."""

import random
import re
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from seed_pipelines_tests.e2e.conftest import running_stack
from seed_pipelines_tests.e2e.seeding.staging import (
    OVERRIDE,
    TENANT_A,
    TENANT_B,
    Finished,
    Staging,
    finish,
    volumetry,
    write_catalogue,
    write_manifest,
)
from seed_pipelines_tests.manifest_examples import example

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

MOMENTS: Final = 10
SEED: Final = 20_250_101
TENANTS: Final = {"tenant-a": TENANT_A, "tenant-b": TENANT_B}
CUSTOMERS, ACCOUNTS, SHARDS = 20_000, 24_000, re.compile("shards loaded +│ 5 ")


@pytest.fixture(scope="module")
def staging() -> Iterator[Staging]:
    """Staging of a stack of its own."""
    with running_stack() as stack:
        yield Staging.of(stack)


@dataclass(frozen=True)
class Lane:
    """One tenant whose runs are killed, one after the other."""

    staging: Staging
    tenant: UUID
    manifest: Path
    catalogue: Path

    def start(self) -> "subprocess.Popen[str]":
        """A run, announced: it passed its guards and holds the lease."""
        process = self.staging.start(
            *("--manifest-path", self.manifest, *OVERRIDE),
            tenant=self.tenant,
            SEED_CATALOGUE_FILE=str(self.catalogue),
            SEED_LEASE_TTL_SECONDS="2",
        )
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("seed_run_id="):
                break
        return process

    def undisturbed(self) -> float:
        """Seed, and measure how long the work takes, in seconds after the lease is held."""
        process = self.start()
        started = time.monotonic()
        done = finish(process)
        assert done.exit_code == 0, done.stderr
        assert SHARDS.search(done.stdout), done.stdout
        return time.monotonic() - started

    def killed_after(self, seconds: float) -> None:
        """Start a run and kill it; sooner, where it was over by then."""
        process = self.start()
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return
        ended = finish(process)
        assert ended.exit_code == 0, ended.stderr
        self.killed_after(seconds / 2)

    def seeded_again(self) -> None:
        """Run until it succeeds: the lease of the killed run, or its place in the queue, has to expire first."""
        again = Retrying(
            retry=retry_if_result(lambda done: done.exit_code in (3, 5)),
            stop=stop_after_delay(60),
            wait=wait_fixed(0.2),
        )
        done: Finished = again(lambda: finish(self.start()))
        assert done.exit_code == 0, done.stderr

    def rows_and_checkpoints(self) -> tuple[Any, ...]:
        """Rows in both tables, and what the checkpoints say of them, in one snapshot."""
        query = sql.SQL(
            "SELECT (SELECT count(*) FROM banking.customer WHERE tenant_id = {tenant}),"
            " (SELECT count(*) FROM banking.bank_account WHERE tenant_id = {tenant}),"
            " coalesce(sum((rows->>'customers')::bigint), 0), coalesce(sum((rows->>'bank_accounts')::bigint), 0)"
            " FROM seed.shard_checkpoint WHERE tenant_id = {tenant}"
        )
        with self.staging.superuser() as connection:
            return connection.execute(query.format(tenant=sql.Literal(self.tenant))).fetchone() or ()

    def digest(self) -> tuple[Any, ...]:
        """Every value of every row of the tenant."""
        query = sql.SQL(
            "SELECT (SELECT md5(string_agg(c::text, E'\\n' ORDER BY id)) FROM banking.customer AS c WHERE {of_tenant}),"
            " (SELECT md5(string_agg(a::text, E'\\n' ORDER BY id)) FROM banking.bank_account AS a WHERE {of_tenant})"
        )
        of_tenant = sql.SQL("tenant_id = {}").format(sql.Literal(self.tenant))
        with self.staging.superuser() as connection:
            return connection.execute(query.format(of_tenant=of_tenant)).fetchone() or ()

    def emptied(self) -> None:
        """Take the tenant's rows and checkpoints away."""
        with self.staging.superuser() as connection:
            for table in ("banking.bank_account", "banking.customer", "seed.shard_checkpoint"):
                name = sql.Identifier(*table.split("."))
                connection.execute(sql.SQL("DELETE FROM {} WHERE tenant_id = %s").format(name), [self.tenant])


def survive(lane: Lane, moments: list[float]) -> None:
    """Kill a run at each moment, by turns over loaded and over empty tables, and compare what the re-run leaves."""
    duration = lane.undisturbed()
    expected = lane.digest()
    for number, moment in enumerate(moments):
        starts_empty = number % 2 == 1
        if starts_empty:
            lane.emptied()
        lane.killed_after(moment * duration)
        customers, accounts, *recorded = lane.rows_and_checkpoints()
        assert [customers, accounts] == recorded, f"a shard in halves after {moment:.2f} of the run"
        if not starts_empty:
            assert lane.digest() == expected, f"neither the old nor the new rows after {moment:.2f} of the run"
        lane.seeded_again()
        assert lane.digest() == expected, f"other rows after a kill at {moment:.2f} of the run"
        assert lane.rows_and_checkpoints() == (CUSTOMERS, ACCOUNTS, CUSTOMERS, ACCOUNTS)


@pytest.fixture(scope="module")
def survived(staging: Staging, tmp_path_factory: pytest.TempPathFactory) -> Staging:
    """Staging after ten kills, each followed by a run that succeeded; the comparisons are made on the way.

    Two tenants at a time, in mode carga, which rewrites every shard.
    """
    folder = tmp_path_factory.mktemp("chaos")
    catalogue = write_catalogue(folder / "catalogue.json", 11_000)
    lanes = []
    for slug, tenant in TENANTS.items():
        manifest = write_manifest(
            folder / f"{slug}.json",
            metadata={**example()["metadata"], "tenant": slug},
            mode="carga",
            volumetry=volumetry(CUSTOMERS, ACCOUNTS),
            ttl={"carga_days": 1},
            budget={"cost_cap_brl": 10, "error_budget_pct": 1},
        )
        lanes.append(Lane(staging, tenant, manifest, catalogue))
    drawn = random.Random(SEED)  # noqa: S311  # moments, not secrets
    moments = [drawn.random() for _ in range(MOMENTS)]
    with ThreadPoolExecutor(len(lanes)) as pool:
        survivors = [pool.submit(survive, lane, moments[first :: len(lanes)]) for first, lane in enumerate(lanes)]
    for survivor in survivors:
        survivor.result()
    return staging


def test_ten_kills_leave_nothing_behind(survived: Staging) -> None:
    """After the last run no lease, no temporary table, no connection, no half file, and no slot of a pool is left."""
    quiet = Retrying(
        retry=retry_if_result(bool),
        stop=stop_after_delay(15),
        wait=wait_fixed(0.1),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )
    assert quiet(left_behind, survived) == {}


def test_dagster_knows_that_killed_runs_are_over(survived: Staging) -> None:
    """None counts as running any more: such a run would take one of the two places of its environment for ever."""
    with psycopg.connect(survived.stack.stack.postgres.provisioning_url("postgres", "dagster")) as storage:
        found = storage.execute("SELECT status, count(*) FROM runs GROUP BY status").fetchall()
    assert {status for status, _ in found} <= {"SUCCESS", "FAILURE", "CANCELED"}, found


def left_behind(staging: Staging) -> dict[str, int]:
    """Whatever should not outlive a run, and is there."""
    storage_url = staging.stack.stack.postgres.provisioning_url("postgres", "dagster")
    with staging.superuser() as connection, psycopg.connect(storage_url) as storage:
        counts = {
            "leases": connection.execute("SELECT count(*) FROM seed.lease"),
            "queue entries": connection.execute("SELECT count(*) FROM seed.queue_entry"),
            "temporary tables": connection.execute("SELECT count(*) FROM pg_class WHERE relname LIKE 'seed_stage%'"),
            "connections": connection.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = 'seed_app'"),
            "slots": storage.execute("SELECT count(*) FROM concurrency_slots WHERE run_id IS NOT NULL AND NOT deleted"),
        }
        found = {what: int((cursor.fetchone() or (-1,))[0]) for what, cursor in counts.items()}
    found["half files"] = len(list(staging.data_dir.rglob("*.partial")))
    return {what: count for what, count in found.items() if count}
