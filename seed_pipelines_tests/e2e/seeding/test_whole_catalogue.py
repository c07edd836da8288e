"""The rehearsal of a disaster recovery with every entity of the catalogue at its cap, and a fault for every check."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import psycopg
import pytest
from dagster import DagsterInstance

from seed_pipelines.adapters.manifest_files import load_file
from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines.domain.checks import checks_of
from seed_pipelines.domain.entities import ENTITIES
from seed_pipelines.domain.plan import Plan
from seed_pipelines.orchestration.resources import SeedingFromSettings
from seed_pipelines.orchestration.settings import Settings
from seed_pipelines.seeding.checking import check
from seed_pipelines.seeding.request import SeedRequest
from seed_pipelines.seeding.seed_run import Session, enter
from seed_pipelines_tests.e2e.conftest import PROJECT_DIR, RunningStack
from seed_pipelines_tests.e2e.seeding.staging import OVERRIDE, TENANT_A, Finished, Staging, finish, write_manifest
from seed_pipelines_tests.manifest_examples import example

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

MANIFEST: Final = PROJECT_DIR / "manifests/dr/tenant-a.yaml"
ALSO: Final = {
    "payments_match",
    "loan_states",
    "loan_charges",
    "contracts_sound",
    "contract_schedules",
    "limits_respected",
}
"""Checks that compare a changed value with another row, where there is one."""
ROWS: Final = {
    "tenant_users": 50,
    "customers": 2_500,
    "addresses": 3_750,
    "consultants": 150,
    "bank_accounts": 3_000,
    "account_categories": 300,
    "suppliers": 750,
    "loans": 5_000,
    "installments": 50_000,
    "financial_transactions": 100_000,
    "limits": 2_500,
    "contracts": 3_750,
}


def seed_perf(staging: Staging, *arguments: str | Path) -> Finished:
    """Seed perf of tenant-a on the session's stack."""
    command = ["seed_data", "--tenant-id", str(TENANT_A), "--environment", "perf", "--json"]
    done = finish(staging.start_program([*command, *map(str, arguments), *OVERRIDE]), 600)
    assert done.exit_code == 0, done.stderr
    return done


def test_every_entity_is_at_its_cap_and_every_check_green(shared_staging: Staging) -> None:
    """As many rows as the catalogue allows, and one result for each check of the plan."""
    outcome = seed_perf(shared_staging, "--mode", "dr", "--manifest-path", MANIFEST).outcome
    assert outcome["rows"] == ROWS
    limits = Catalogue.packaged()
    plan = Plan.of(load_file(MANIFEST, limits, ENTITIES).manifest, limits)
    assert plan.rows == ROWS
    assert {found["name"]: found["passed"] for found in outcome["checks"]} == dict.fromkeys(checks_of(plan), True)


@dataclass(frozen=True)
class Perf:
    """A smaller dataset of every entity in perf, and a session that can check it."""

    stack: RunningStack
    session: Session

    def red(self) -> set[str]:
        """The checks that are red now."""
        (shard,) = self.session.plan.shards
        return {result.name for result in check(self.session, shard) if not result.passed}

    def execute(self, statement: str, *values: object) -> tuple[object, ...] | None:
        """Run a statement as a superuser, without triggers, so that no constraint helps."""
        url = self.stack.stack.postgres.provisioning_url("postgres", "seed_perf")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchone() if cursor.description else None


@pytest.fixture(scope="module")
def perf(shared_staging: Staging, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Perf]:
    """Profile regression of perf, with as many rows as the catalogue's base caps."""
    file = write_manifest(
        tmp_path_factory.mktemp("perf") / "tenant-a.json",
        metadata={**example()["metadata"], "environment": "perf", "profile": "regression"},
        volumetry={name: {"cap": caps.base} for name, caps in Catalogue.packaged().entities.items()},
    )
    seed_perf(shared_staging, "--manifest-path", file)
    with pytest.MonkeyPatch.context() as patch, DagsterInstance.ephemeral() as instance:
        for name, value in shared_staging.variables.items():
            patch.setenv(name, value)
        seeding = SeedingFromSettings(Settings())
        manifest = seeding.read_manifest(file)
        origin = str(uuid4())
        request = SeedRequest(
            origin=origin,
            idempotency_key=origin,
            tenant=TENANT_A,
            environment="perf",
            read_manifest=lambda: manifest,
            window_override=OVERRIDE[1],
        )
        session = enter(seeding.services("perf", instance), request)
        session.finish("partial")
        yield Perf(shared_staging.stack, session)


@pytest.mark.parametrize(
    ("table", "column", "value", "red"),
    [
        ("customer", "document_number", "'11111111111'", {"check_digits"}),
        ("supplier", "document_number", "'00000000000000'", {"check_digits"}),
        ("bank_account", "customer_id", "gen_random_uuid()", {"foreign_keys"}),
        ("financial_transaction", "supplier_id", "gen_random_uuid()", {"foreign_keys"}),
        ("address", "postal_code", "'01310100'", {"addresses_coherent"}),
        ("installment", "due_on", "due_on + 40", {"loan_schedules"}),
        ("loan", "cet_yearly_pct", "cet_yearly_pct + 1", {"loan_charges"}),
        ("installment", "status", "'PENDING'", {"loan_states"}),
        ("financial_transaction", "amount", "amount + 0.01", {"payments_match"}),
        ("financial_transaction", "occurred_at", "'1990-01-01Z'", {"transactions_sound"}),
        ("credit_limit", "granted_at", "'1990-01-01Z'", {"limits_respected"}),
        ("contract", "payload_hash", "repeat('0', 64)", {"contracts_sound"}),
        ("customer", "monthly_income", "monthly_income + 1", set()),
    ],
)
def test_a_fault_in_the_database_turns_its_check_red(
    perf: Perf, table: str, column: str, value: str, red: set[str]
) -> None:
    """One value of one row is enough; nothing but the checks that look at it and the digest turns red."""
    chosen = {
        "installment": "status = 'OVERDUE'",
        "financial_transaction": "supplier_id IS NOT NULL" if column == "supplier_id" else "installment_id IS NOT NULL",
        "address": "state <> 'SP'",
    }
    (shard,) = perf.session.plan.shards
    low, high = (UUID(bytes=border) for border in (shard.id_low, shard.id_high or bytes(16)))
    where = f"tenant_id = '{TENANT_A}' AND id >= '{low}' AND id < '{high}' AND {chosen.get(table, 'true')}"
    row = perf.execute(f"SELECT id, {column} FROM banking.{table} WHERE {where} ORDER BY id LIMIT 1")  # noqa: S608  # constants
    assert row is not None
    row_id, old = row
    perf.execute(f"UPDATE banking.{table} SET {column} = {value} WHERE id = %s", row_id)  # noqa: S608  # constants
    try:
        found = perf.red()
    finally:
        perf.execute(f"UPDATE banking.{table} SET {column} = %s WHERE id = %s", old, row_id)  # noqa: S608  # constants
    assert "digests_equal" in found
    assert red <= found <= red | {"digests_equal", *ALSO}


def test_a_row_too_few_is_counted(perf: Perf) -> None:
    """And no other check but the digest minds."""
    row = perf.execute(
        "DELETE FROM banking.credit_limit WHERE id = "
        "(SELECT id FROM banking.credit_limit WHERE id >= %s ORDER BY id LIMIT 1)"
        " RETURNING to_jsonb(credit_limit)::text",
        UUID(bytes=perf.session.plan.shards[0].id_low),
    )
    assert row is not None
    try:
        assert perf.red() == {"row_counts", "digests_equal"}
    finally:
        perf.execute(
            "INSERT INTO banking.credit_limit SELECT * FROM jsonb_populate_record(NULL::banking.credit_limit, %s::jsonb)",
            row[0],
        )
    assert perf.red() == set()
