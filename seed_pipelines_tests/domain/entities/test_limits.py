"""Limits: their values, how they follow accounts and customers, and what the rule of coherence notices."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pandas as pd
import pyarrow.compute as pc
import pytest

from seed_pipelines.domain.entities import BY_NAME
from seed_pipelines.domain.entities.limit_rules import LIMITS_RESPECTED
from seed_pipelines.errors import ManifestInvalid
from seed_pipelines_tests.domain.entities.landed_rows import (
    Tables,
    landed,
    plan_of,
    row_of,
    row_where,
    rows_of,
    tables_of,
    with_value,
)

LIMITS = BY_NAME["limits"]
ROWS = {"customers": 9_008, "bank_accounts": 11_000, "limits": 8_250}
PLAN = plan_of(ROWS)
TABLES = tables_of(PLAN)

Fault = Callable[[Tables], Tables]


@pytest.fixture(scope="module")
def joined() -> pd.DataFrame:
    """Limits beside their accounts and customers."""
    limits, accounts, customers = (TABLES[name].to_pandas() for name in ("limits", "bank_accounts", "customers"))
    accounts = accounts.merge(customers, left_on="customer_id", right_on="id", suffixes=("_account", "_owner"))
    found: pd.DataFrame = limits.merge(accounts, left_on="bank_account_id", right_on="id_account")
    return found


def test_every_limit_belongs_to_an_account_of_its_own(joined: pd.DataFrame) -> None:
    assert len(joined) == ROWS["limits"]
    assert joined["bank_account_id"].is_unique
    assert (joined["granted_at"] >= joined["opened_at"]).all()
    assert joined["granted_at"].max() < PLAN.manifest.anchor_datetime


def test_amounts_follow_the_income_in_whole_hundreds(joined: pd.DataFrame) -> None:
    times = (joined["total_amount"] / joined["monthly_income"]).astype(float)
    by_kind = times.groupby(joined["kind"])
    assert (joined["total_amount"] % 100 == 0).all()
    assert joined["total_amount"].min() >= 100
    assert by_kind.max()["OVERDRAFT"] <= 1.5 < by_kind.max()["CREDIT_CARD"] <= 3.5
    assert by_kind.median()["OVERDRAFT"] < by_kind.median()["CREDIT_CARD"]


def test_most_limits_are_little_used_and_those_of_delinquent_customers_nearly_used_up(joined: pd.DataFrame) -> None:
    share = (joined["used_amount"] / joined["total_amount"]).astype(float)
    active = share[joined["status"] == "ACTIVE"]
    assert joined["used_amount"].min() >= 0
    assert share.max() <= 1
    assert 0.2 < (active == 0).mean() < 0.3
    assert active.mean() > 1.2 * active.median()
    assert share[joined["status_owner"] == "DELINQUENT"].median() > 0.7
    assert (joined.loc[joined["status"] == "CANCELED", "used_amount"] == 0).all()


def test_states_follow_the_customer_and_the_account(joined: pd.DataFrame) -> None:
    states = joined.groupby("status_owner")["status"].agg(set)
    assert states["CANCELED"] == {"CANCELED"}
    assert states["BLOCKED"] == states["DELINQUENT"] == {"FROZEN"}
    assert states["ACTIVE"] == {"ACTIVE", "FROZEN", "CANCELED"}
    assert (joined.loc[joined["status_owner"] == "ACTIVE", "status"] == "ACTIVE").mean() > 0.9
    assert "ACTIVE" not in set(joined.loc[joined["status_account"] == "BLOCKED", "status"])


def test_savings_accounts_have_no_overdraft_and_checking_accounts_either_kind(joined: pd.DataFrame) -> None:
    is_card = (joined["kind"] == "CREDIT_CARD").groupby(joined["account_type"]).mean()
    assert is_card["SAVINGS"] == 1
    assert 0.5 < is_card["CHECKING"] < 0.6


@pytest.mark.parametrize(("first", "end"), [(0, 1), (4095, 4099), (7, 8), (8_500, 9_008)])
def test_rows_made_alone_are_those_of_the_whole(first: int, end: int) -> None:
    alone, whole = rows_of(LIMITS, PLAN, first, end), TABLES["limits"].to_batches()[0]
    assert alone.equals(whole.take(pc.index_in(alone.column("id"), whole.column("id"))))


@pytest.mark.parametrize("number", [0, 1, 4_321, 8_249])
def test_a_row_is_found_by_its_number(number: int) -> None:
    assert row_of(LIMITS, PLAN, number).to_pylist() == TABLES["limits"].slice(number, 1).to_pylist()


def test_growing_in_proportion_only_adds_rows() -> None:
    large = rows_of(LIMITS, plan_of({name: 2 * count for name, count in ROWS.items()}))
    found = pc.index_in(TABLES["limits"].column("id").combine_chunks(), large.column("id"))
    assert large.take(found).equals(TABLES["limits"].to_batches()[0])


def test_every_account_may_have_one_but_no_account_two() -> None:
    full = dict.fromkeys(ROWS, 320)
    assert rows_of(LIMITS, plan_of(full)).num_rows == 320
    with pytest.raises(ManifestInvalid) as refused:
        plan_of(full | {"limits": 321})
    assert [issue["pointer"] for issue in refused.value.extensions["issues"]] == ["/volumetry/limits/cap"]


def test_a_later_reference_changes_nothing() -> None:
    later = {"reference_datetime": "2026-01-01T00:00:00Z", "anchor_datetime": "2025-01-01T00:00:00Z"}
    assert rows_of(LIMITS, plan_of(ROWS, **later)).equals(TABLES["limits"].to_batches()[0])


def test_generated_rows_keep_the_rule() -> None:
    found = LIMITS_RESPECTED.offenders(landed(PLAN, TABLES))
    assert len(found) == 8
    assert not any(found.values())


def _on(wanted: str, limit: dict[str, object], **other: dict[str, object]) -> Fault:
    """Change the first limit of a status; `other` changes rows of the account's or customer's table."""

    def plant(tables: Tables) -> Tables:
        row = row_where(tables, "limits", lambda found: found["status"] == wanted and found["used_amount"] > 0)
        limit_row = tables["limits"].slice(row, 1).to_pylist()[0]
        account = row_where(tables, "bank_accounts", lambda found: found["id"] == limit_row["bank_account_id"])
        owner_id = tables["bank_accounts"].slice(account, 1).to_pylist()[0]["customer_id"]
        owner = row_where(tables, "customers", lambda found: found["id"] == owner_id)
        tables = with_value(tables, "limits", row, **limit)
        for entity, position in (("bank_accounts", account), ("customers", owner)):
            tables = with_value(tables, entity, position, **other.get(entity, {}))
        return tables

    return plant


def _double(tables: Tables) -> Tables:
    """Two limits of active customers' accounts of one type and state, moved to one account."""
    row = row_where(tables, "limits", lambda found: found["kind"] == "CREDIT_CARD" and found["status"] == "CANCELED")
    wanted = tables["limits"].slice(row + 1, 1).to_pylist()[0]
    return with_value(tables, "limits", row, bank_account_id=wanted["bank_account_id"], granted_at=wanted["granted_at"])


FAULTS: dict[str, Fault] = {
    "limits used beyond their total or below zero": _on("ACTIVE", {"total_amount": Decimal("0.00")}),
    "accounts with more than one limit": _double,
    "canceled limits in use": _on("ACTIVE", {"status": "CANCELED"}),
    "limits granted before the account was opened": _on("ACTIVE", {"granted_at": datetime(1999, 1, 1, tzinfo=UTC)}),
    "limits granted in the future": _on(
        "ACTIVE", {"granted_at": PLAN.manifest.reference_datetime + timedelta(seconds=1)}
    ),
    "limits in another state than their customers": _on("ACTIVE", {}, customers={"status": "DELINQUENT"}),
    "active limits of blocked accounts": _on("ACTIVE", {}, bank_accounts={"status": "BLOCKED"}),
    "overdrafts of savings accounts": _on("ACTIVE", {"kind": "OVERDRAFT"}, bank_accounts={"account_type": "SAVINGS"}),
}


@pytest.mark.parametrize("aspect", FAULTS)
def test_a_planted_fault_is_the_one_that_is_found(aspect: str) -> None:
    found = LIMITS_RESPECTED.offenders(landed(PLAN, FAULTS[aspect](TABLES)))
    assert {name for name, count in found.items() if count} == {aspect}


def test_every_aspect_has_a_planted_fault() -> None:
    assert set(LIMITS_RESPECTED.offenders(landed(PLAN, TABLES))) == set(FAULTS)
