"""Transactions: what they look like, that they pay what was paid, and that every rule sees its fault."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import uuid4

import pyarrow.compute as pc
import pytest

from seed_pipelines.domain.entities import BY_NAME
from seed_pipelines.errors import ManifestInvalid
from seed_pipelines_tests.domain.entities.families import (
    Rows,
    broken_by,
    generated,
    masker,
    offenders,
    plan_of,
)
from seed_pipelines_tests.worlds import manifest

ENTITIES: Final = (
    *("bank_accounts", "account_categories", "suppliers", "loans", "installments"),
    "financial_transactions",
)
PLAN: Final = plan_of(10, *ENTITIES)
TABLES: Final = generated(PLAN)
TRANSACTIONS: Final = TABLES["financial_transactions"].to_pandas()
ENTITY: Final = BY_NAME["financial_transactions"]


def test_the_rules_find_nothing_in_what_was_generated() -> None:
    assert offenders(PLAN, TABLES) == {}


def test_a_good_part_pays_installments() -> None:
    paid = TABLES["installments"].to_pandas()
    paying = TRANSACTIONS[TRANSACTIONS["installment_id"].notna()]
    assert 0.15 < len(paying) / len(TRANSACTIONS) < 0.4
    assert set(paying["description"]) == {"Pagamento de parcela"}
    assert paying["supplier_id"].isna().all()
    assert len(paying) > 0.5 * (paid["status"] == "PAID").sum()


def test_the_others_are_income_and_expenses_of_every_kind() -> None:
    others = TRANSACTIONS[TRANSACTIONS["installment_id"].isna()]
    assert 0.25 < (others["type"] == "INCOME").mean() < 0.32
    expenses = others[others["type"] == "EXPENSE"]
    assert expenses["supplier_id"].notna().all()
    assert others[others["type"] == "INCOME"]["supplier_id"].isna().all()
    assert expenses["amount"].map(float).median() < others[others["type"] == "INCOME"]["amount"].map(float).median()
    assert TRANSACTIONS["category_id"].nunique() > 150
    assert TRANSACTIONS["supplier_id"].nunique() > 200


def test_without_loans_and_suppliers_nothing_is_paid_to_anybody() -> None:
    plan = plan_of(2, "bank_accounts", "account_categories", "financial_transactions")
    tables = generated(plan)
    assert offenders(plan, tables) == {}
    alone = tables["financial_transactions"].to_pandas()
    assert alone["installment_id"].isna().all()
    assert alone["supplier_id"].isna().all()


@pytest.mark.parametrize(("first", "end"), [(0, 1), (15, 18), (900, 1000)])
def test_any_rows_made_alone_are_those_of_the_whole(first: int, end: int) -> None:
    whole = TABLES["financial_transactions"]
    alone = masker().batch(ENTITY, PLAN.portfolio, PLAN.entity_rows(ENTITY, first, end)).records
    position = pc.index_in(alone.column("id"), whole.column("id").combine_chunks())
    assert whole.take(position).to_pylist() == alone.to_pylist()


def test_growing_in_proportion_changes_no_transaction() -> None:
    small, large = plan_of(1, *ENTITIES), plan_of(3, *ENTITIES)
    grown = {row["id"]: row for row in generated(large)["financial_transactions"].to_pylist()}
    assert all(grown[row["id"]] == row for row in generated(small)["financial_transactions"].to_pylist())


def test_with_time_more_transactions_are_payments_and_payments_stay() -> None:
    changes = {"reference_datetime": "2025-04-01T00:00:00Z", "anchor_datetime": "2025-01-01T00:00:00Z"}
    plan = plan_of(10, *ENTITIES, **changes)
    tables = generated(plan)
    assert offenders(plan, tables) == {}
    later = tables["financial_transactions"].to_pandas()
    paid = TRANSACTIONS["installment_id"].notna()
    assert later[paid].equals(TRANSACTIONS[paid])
    assert later["installment_id"].notna().sum() > paid.sum()
    unpaid = later["installment_id"].isna()
    assert later[unpaid].equals(TRANSACTIONS[unpaid])


def payment(rows: Rows) -> dict[str, Any]:
    return next(row for row in rows if row["installment_id"])


def other(rows: Rows, kind: str) -> dict[str, Any]:
    return next(row for row in rows if row["type"] == kind and not row["installment_id"])


def pay_more(rows: Rows) -> None:
    payment(rows)["amount"] += Decimal("0.01")


def pay_later(rows: Rows) -> None:
    payment(rows)["occurred_at"] += timedelta(days=1)


def pay_as_income(rows: Rows) -> None:
    payment(rows)["type"] = "INCOME"


def pay_twice(rows: Rows) -> None:
    row = payment(rows)
    rows.append({**row, "id": uuid4().bytes})


def pay_for_another(rows: Rows) -> None:
    row = payment(rows)
    row["bank_account_id"] = next(one["bank_account_id"] for one in reversed(rows) if one is not row)


def pay_the_unpaid(rows: Rows) -> None:
    unpaid = next(row for row in TABLES["installments"].to_pylist() if row["status"] == "PENDING")
    payment(rows)["installment_id"] = unpaid["id"]


def file_elsewhere(rows: Rows) -> None:
    other(rows, "INCOME")["category_id"] = other(rows, "EXPENSE")["category_id"]


def cost_nothing(rows: Rows) -> None:
    other(rows, "EXPENSE")["amount"] = Decimal(0)


def come_from_a_supplier(rows: Rows) -> None:
    other(rows, "INCOME")["supplier_id"] = other(rows, "EXPENSE")["supplier_id"]


def happen_too_soon(rows: Rows) -> None:
    other(rows, "EXPENSE")["occurred_at"] = datetime(1990, 1, 1, tzinfo=UTC)


def happen_tomorrow(rows: Rows) -> None:
    other(rows, "EXPENSE")["occurred_at"] = PLAN.manifest.reference_datetime


@pytest.mark.parametrize(
    ("change", "rule", "aspect"),
    [
        (pay_more, "payments_match", "payments of another amount"),
        (pay_later, "payments_match", "payments on another day"),
        (pay_as_income, "payments_match", "payments that are no expense"),
        (pay_twice, "payments_match", "installments paid twice"),
        (pay_for_another, "payments_match", "payments from accounts of others"),
        (pay_the_unpaid, "payments_match", "payments of installments that are not paid"),
        (file_elsewhere, "transactions_sound", "transactions in a category of the other type"),
        (cost_nothing, "transactions_sound", "transactions without an amount"),
        (come_from_a_supplier, "transactions_sound", "income from a supplier"),
        (happen_too_soon, "transactions_sound", "transactions before the account was opened"),
        (happen_tomorrow, "transactions_sound", "transactions from the future"),
    ],
)
def test_a_fault_is_seen(change: Callable[[Rows], None], rule: str, aspect: str) -> None:
    found = broken_by(PLAN, TABLES, ENTITY.name, change)
    assert aspect in found.get(rule, {}), found


@pytest.mark.parametrize(
    ("volumes", "pointer", "allowed"),
    [
        ({"account_categories": 1, "bank_accounts": 10}, "/volumetry/account_categories/cap", "at least 2"),
        ({"bank_accounts": 10}, "/volumetry/account_categories", "refer to account_categories"),
        ({"account_categories": 2}, "/volumetry/bank_accounts", "hang on bank_accounts"),
        ({"account_categories": 2, "bank_accounts": 10, "installments": 5}, "/volumetry/loans", "hang on loans"),
        (
            {"account_categories": 2, "bank_accounts": 10, "loans": 9, "installments": 5},
            "/volumetry/installments/cap",
            "at least 1 for each of loans",
        ),
        (
            {"account_categories": 2, "bank_accounts": 10, "loans": 1, "installments": 100},
            "/volumetry/installments/cap",
            "at most 60 for each of loans",
        ),
    ],
)
def test_what_is_absent_or_too_few_is_named(volumes: dict[str, int], pointer: str, allowed: str) -> None:
    """A manifest that names transactions says on what they hang and what they refer to."""
    caps = {"customers": 10, "financial_transactions": 10, **volumes}
    with pytest.raises(ManifestInvalid) as refused:
        manifest(volumetry={name: {"cap": cap} for name, cap in caps.items()})
    (issue,) = refused.value.extensions["issues"]
    assert issue["pointer"] == pointer
    assert allowed in issue["allowed"]
