"""When datasets expire, by the clock of a real database, and the record of their removal."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from seed_pipelines.adapters.postgres.checkpoints import replace_checkpoint
from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.dataset_expiries import DatasetExpiry, dataset_expiries
from seed_pipelines.adapters.postgres.dataset_removals import record_removal
from seed_pipelines.adapters.postgres.leases import Lease
from seed_pipelines.adapters.postgres.loading import load_shard
from seed_pipelines.errors import StorageUnavailable
from seed_pipelines_tests.e2e.postgres.conftest import ENVIRONMENT, TENANT_A, TENANT_B, Server, checkpoint
from seed_pipelines_tests.e2e.postgres.rows import REMOVAL, generated
from seed_pipelines_tests.e2e.postgres.test_loading import purge

pytestmark = pytest.mark.e2e


def loaded(stack: Server, data: Database, lease: Lease, *, hours_ago: float, ttl_days: int | None) -> None:
    """A checkpoint of ten rows of each table, loaded some time ago."""
    made = replace(checkpoint(lease, generated(10)), ttl_days=ttl_days)
    with data.tenant_transaction(lease.tenant_id) as connection:
        replace_checkpoint(connection, made)
    with stack.superuser() as connection:
        connection.execute(
            "UPDATE seed.shard_checkpoint SET loaded_at = clock_timestamp() - %s", [timedelta(hours=hours_ago)]
        )


def found_right(stack: Server, *, hours_ago: float, passed: bool = True, shard: str = "0000") -> None:
    """A run that read a shard back."""
    with stack.superuser() as connection:
        run = uuid4()
        connection.execute(
            "INSERT INTO seed.seed_run (tenant_id, seed_run_id, environment, profile, origin, manifest_hash, mode,"
            " idempotency_key, subject, requested_by, claimed_roles)"
            " VALUES (%s, %s, %s, 'default', 'a run', repeat('ab', 32), 'baseline', 'k', 's', '', '{}')",
            [TENANT_A.tenant_id, run, ENVIRONMENT],
        )
        connection.execute(
            "INSERT INTO seed.shard_report (tenant_id, seed_run_id, shard_key, passed, report, recorded_at)"
            " VALUES (%s, %s, %s, %s, %s, clock_timestamp() - %s)",
            [TENANT_A.tenant_id, run, shard, passed, Jsonb({}), timedelta(hours=hours_ago)],
        )


def expiry(control: Database) -> DatasetExpiry:
    (found,) = dataset_expiries(control)
    return found


@pytest.mark.parametrize(("hours_ago", "expired"), [(23.9, False), (24.1, True)])
def test_a_dataset_expires_its_days_after_it_was_loaded(
    stack: Server, data: Database, control: Database, lease: Lease, hours_ago: float, expired: bool
) -> None:
    """By the clock of the database."""
    loaded(stack, data, lease, hours_ago=hours_ago, ttl_days=1)
    found = expiry(control)
    assert found.is_expired is expired
    assert found.expires_at == found.loaded_at + timedelta(days=1)
    assert (found.tenant, found.environment, found.profile, found.rows) == ("tenant-a", ENVIRONMENT, "default", 20)


def test_one_without_a_limit_never_expires(stack: Server, data: Database, control: Database, lease: Lease) -> None:
    """As those do that were loaded before there was one."""
    loaded(stack, data, lease, hours_ago=100_000, ttl_days=None)
    assert (expiry(control).expires_at, expiry(control).is_expired) == (None, False)


def test_a_run_that_finds_it_right_renews_it(stack: Server, data: Database, control: Database, lease: Lease) -> None:
    """A report of a failed check, or of another shard, does not."""
    loaded(stack, data, lease, hours_ago=30, ttl_days=1)
    found_right(stack, hours_ago=1, shard="0001")
    with stack.superuser() as connection:
        connection.execute("UPDATE seed.seed_run SET origin = 'another'")
    found_right(stack, hours_ago=1, passed=False)
    assert expiry(control).is_expired
    with stack.superuser() as connection:
        connection.execute("UPDATE seed.shard_report SET passed = true")
    assert not expiry(control).is_expired


def test_a_removal_is_recorded_with_its_rows(stack: Server, data: Database, lease: Lease) -> None:
    """Who removed what, why and when, in the transaction that did."""
    load_shard(
        data, TENANT_A.tenant_id, lease=lease, checkpoint=checkpoint(lease, generated(10)), tables=generated(10).loads()
    )
    purge(data, lease)
    with stack.superuser() as connection:
        found = connection.execute(
            "SELECT tenant_id, environment, profile, reason, subject, rows, fencing_token FROM seed.dataset_removal"
        ).fetchall()
    rows = {"customers": 10, "bank_accounts": 10}
    assert found == [(TENANT_A.tenant_id, ENVIRONMENT, "default", "asked", "seed_operator", rows, lease.token)]


def test_files_that_cannot_be_removed_keep_the_rows(stack: Server, data: Database, lease: Lease) -> None:
    """And nothing is recorded."""

    def away() -> None:
        raise StorageUnavailable("The bucket is away.")

    load_shard(
        data, TENANT_A.tenant_id, lease=lease, checkpoint=checkpoint(lease, generated(10)), tables=generated(10).loads()
    )
    with pytest.raises(StorageUnavailable):
        purge(data, lease, away)
    with stack.superuser() as connection:
        counts = connection.execute(
            "SELECT (SELECT count(*) FROM banking.customer), (SELECT count(*) FROM seed.shard_checkpoint),"
            " (SELECT count(*) FROM seed.dataset_removal)"
        ).fetchone()
    assert counts == (10, 1, 0)


def test_nobody_writes_a_removal_for_another_tenant(data: Database, lease: Lease) -> None:
    """Nor reads one with the data login."""
    with data.tenant_transaction(TENANT_A.tenant_id) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        record_removal(connection, replace(lease, tenant_id=TENANT_B.tenant_id), REMOVAL, {})
    with data.tenant_transaction(TENANT_A.tenant_id) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SELECT FROM seed.dataset_removal")
