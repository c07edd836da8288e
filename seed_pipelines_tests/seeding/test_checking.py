"""Each check goes red under its own planted fault."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from seed_pipelines.adapters.postgres.isolation.attempt import Attempt
from seed_pipelines.domain.checks import CHECKS
from seed_pipelines.domain.masking import unmasked_batch
from seed_pipelines.seeding.checking import check
from seed_pipelines.seeding.generation import generate
from seed_pipelines.seeding.loading import load
from seed_pipelines.seeding.seed_run import Session, enter
from seed_pipelines_tests.worlds import TENANT, World

Fault = Callable[[World, Session], None]


def seeded(world: World) -> Session:
    session = enter(world.services, world.request())
    (shard,) = session.plan.shards
    for entity in session.plan.entities:
        generate(session, entity, shard)
    load(session, shard)
    return session


def rows(world: World, entity: str) -> list[dict[str, Any]]:
    return world.tables.rows[TENANT.tenant_id, entity]


def missing_row(world: World, _: Session) -> None:
    rows(world, "bank_accounts").pop()


def surplus_row(world: World, _: Session) -> None:
    last = rows(world, "bank_accounts")[-1]
    rows(world, "bank_accounts").append(last | {"id": last["id"][:-1] + bytes([last["id"][-1] ^ 1])})


def shared_key(world: World, _: Session) -> None:
    rows(world, "customers")[0]["email"] = rows(world, "customers")[1]["email"]


def lost_parent(world: World, _: Session) -> None:
    rows(world, "bank_accounts")[0]["customer_id"] = bytes(16)


def wrong_check_digit(world: World, _: Session) -> None:
    account = rows(world, "bank_accounts")[0]
    account["account_check_digit"] = "X" if account["account_check_digit"] != "X" else "0"


def unmasked_value(world: World, session: Session) -> None:
    customers = session.plan.entities[0]
    drawn = unmasked_batch(customers, session.plan.portfolio, session.plan.entity_rows(customers, 0, 1)).to_pylist()
    rows(world, "customers")[0]["phone"] = drawn[0]["phone"]


def hole(world: World, _: Session) -> None:
    world.tables.holes = ["a policy lets everybody in"]


def open_view(world: World, _: Session) -> None:
    world.tables.found = [
        Attempt("banking.seen", "SELECT with row_security off", "no policy restricts it", "DROP VIEW")
    ]


def control_that_writes(world: World, _: Session) -> None:
    world.control.found = [Attempt("banking.customer", "DELETE", "it is let through", "REVOKE DELETE")]


def changed_amount(world: World, _: Session) -> None:
    rows(world, "bank_accounts")[0]["balance"] += Decimal("0.01")


@pytest.mark.parametrize(
    ("plant", "red"),
    [
        (missing_row, {"row_counts", "digests_equal"}),
        (surplus_row, {"row_counts", "unique_keys", "digests_equal"}),
        (shared_key, {"unique_keys", "digests_equal"}),
        (lost_parent, {"foreign_keys", "digests_equal"}),
        (wrong_check_digit, {"check_digits", "digests_equal"}),
        (unmasked_value, {"pii_masked", "digests_equal"}),
        (hole, {"rls_enforced"}),
        (open_view, {"rls_enforced"}),
        (control_that_writes, {"rls_enforced"}),
        (changed_amount, {"digests_equal"}),
    ],
)
def test_a_fault_turns_its_checks_red_and_no_other(world: World, plant: Fault, red: set[str]) -> None:
    session = seeded(world)
    plant(world, session)
    results = check(session, session.plan.shards[0])
    assert [result.name for result in results] == list(CHECKS)
    assert {result.name for result in results if not result.passed} == red


def test_everything_is_green_without_a_fault(world: World) -> None:
    session = seeded(world)
    assert all(result.passed for result in check(session, session.plan.shards[0]))


def test_facts_hold_counts_and_digests_and_no_value_of_a_row(world: World) -> None:
    session = seeded(world)
    shared_key(world, session)
    text = str([result.as_dict() for result in check(session, session.plan.shards[0])])
    for row in rows(world, "customers"):
        assert row["email"] not in text
        assert row["document_number"] not in text
