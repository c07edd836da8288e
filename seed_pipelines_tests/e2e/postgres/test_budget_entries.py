"""The ledger of seed runs on a real server."""

from dataclasses import replace
from decimal import Decimal
from uuid import uuid4

import psycopg
import pytest

from seed_pipelines.adapters.postgres.budget_entries import BudgetEntry, BudgetLedger, Spending
from seed_pipelines.adapters.postgres.control import PostgresControl
from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.leases import Lease
from seed_pipelines.adapters.postgres.seed_runs import NewSeedRun
from seed_pipelines.errors import LeaseLost
from seed_pipelines_tests.e2e.postgres.conftest import ENVIRONMENT, TENANT_A, TENANT_B, Server, never

pytestmark = pytest.mark.e2e

CUSTOMERS = BudgetEntry(
    piece="generate/customers/0000",
    kind="generate",
    entity="customers",
    shard_key="0000",
    rows=100,
    requests=3,
    bytes_written=9_191,
    seconds=Decimal("0.250"),
    cost_brl=Decimal("123456789012345678.000001"),
    cost_model_version="v1",
)
LOAD = replace(CUSTOMERS, piece="load/0000", kind="load", entity="", rows=220, cost_brl=Decimal("0.000002"))


@pytest.fixture
def opened(control: Database) -> PostgresControl:
    return PostgresControl(control, lease_ttl_seconds=60)


def running(control: PostgresControl, origin: str = "run-1") -> Lease:
    """The lease of a new seed run of tenant-a."""
    named = NewSeedRun(TENANT_A.tenant_id, ENVIRONMENT, "default", origin, "ab" * 32, "baseline", "key", "ana", {})
    run = control.open_run(named)
    return control.acquire(TENANT_A.tenant_id, ENVIRONMENT, run.seed_run_id, origin, never)


def test_a_piece_is_entered_once(opened: PostgresControl) -> None:
    """To the millionth of a real, and the first entry stands whatever comes after it."""
    lease = running(opened)
    assert opened.spending(lease.seed_run_id) == Spending(Decimal(0), frozenset())
    assert opened.charge(lease, CUSTOMERS) == Spending(CUSTOMERS.cost_brl, frozenset({CUSTOMERS.piece}))
    assert opened.charge(lease, replace(CUSTOMERS, cost_brl=Decimal(7))).cost_brl == CUSTOMERS.cost_brl
    both = opened.charge(lease, LOAD)
    assert both == Spending(Decimal("123456789012345678.000003"), frozenset({CUSTOMERS.piece, LOAD.piece}))
    assert opened.spending(lease.seed_run_id) == both
    assert opened.spending(uuid4()).cost_brl == 0


def test_what_was_done_is_added_up_over_the_shards(opened: PostgresControl) -> None:
    """By kind and entity, in the order in which it began."""
    lease = running(opened)
    for entry in (CUSTOMERS, LOAD, replace(CUSTOMERS, piece="generate/customers/0009", shard_key="0009")):
        opened.charge(lease, entry)
    made, loaded = opened.work_done(lease.seed_run_id)
    assert (made.kind, made.entity, made.shards, made.rows) == ("generate", "customers", 2, 2 * CUSTOMERS.rows)
    assert made.seconds == 2 * float(CUSTOMERS.seconds)
    assert (loaded.kind, loaded.entity, loaded.shards, loaded.rows) == ("load", "", 1, LOAD.rows)
    assert opened.work_done(uuid4()) == ()


def test_only_the_current_token_adds_to_the_ledger(opened: PostgresControl) -> None:
    """A run that lost its lease is told so, and nothing is written."""
    lease = running(opened)
    with pytest.raises(LeaseLost):
        opened.charge(replace(lease, token=lease.token - 1), CUSTOMERS)
    opened.release(lease)
    with pytest.raises(LeaseLost):
        opened.charge(lease, CUSTOMERS)
    assert opened.spending(lease.seed_run_id).pieces == frozenset()


@pytest.mark.parametrize(
    "change",
    ["UPDATE seed.budget_entry SET cost_brl = 0", "DELETE FROM seed.budget_entry", "TRUNCATE seed.budget_entry"],
)
def test_the_ledger_is_only_ever_added_to(stack: Server, opened: PostgresControl, change: str) -> None:
    """By the control role; nor does the owner of the table see a row, as its policies bind it too."""
    lease = running(opened)
    opened.charge(lease, CUSTOMERS)
    with (
        psycopg.connect(stack.url("seed_service")) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(change.encode())
    with psycopg.connect(stack.url("seed_migrator")) as connection:
        connection.execute("SET ROLE seed_owner")
        assert connection.execute("SELECT count(*) FROM seed.budget_entry").fetchone() == (0,)


def test_an_entry_belongs_to_a_seed_run_of_its_tenant(opened: PostgresControl) -> None:
    """Another tenant's seed run cannot be charged."""
    lease = running(opened)
    foreign = opened.acquire(TENANT_B.tenant_id, ENVIRONMENT, lease.seed_run_id, "run-1", never)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        opened.charge(foreign, CUSTOMERS)


def test_past_work_is_that_of_the_environment(control: Database, opened: PostgresControl) -> None:
    """Pieces that took time, checks by their reports, and what a run that succeeded took besides."""
    lease = running(opened)
    opened.charge(lease, CUSTOMERS)
    opened.charge(lease, LOAD)
    opened.charge(lease, replace(LOAD, piece="masking_keys/0000", kind="masking_keys", rows=0, seconds=Decimal(0)))
    report = {"passed": True, "rows": {"customers": 100, "bank_accounts": 120}, "check_seconds": 0.5}
    opened.record_shard(lease, "0000", report)
    ledger = BudgetLedger(control)
    found = {(work.kind, work.entity): (work.rows, work.seconds) for work in ledger.past_work(ENVIRONMENT)}
    assert found == {("generate", "customers"): (100, 0.25), ("load", ""): (220, 0.25), ("check", ""): (220, 0.5)}
    opened.finish_run(lease.seed_run_id, "succeeded", None)
    (remainder,) = (work for work in ledger.past_work(ENVIRONMENT) if work.kind == "remainder")
    assert remainder.seconds == 0
    assert ledger.past_work("perf") == []
