"""Loans and installments: what they look like, how they age, and that every rule sees its fault."""

from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pytest

from seed_pipelines.domain.plan import Plan
from seed_pipelines_tests.domain.entities.families import Rows, broken_by, generated, offenders, plan_of

ENTITIES: Final = ("loans", "installments")
PLAN: Final = plan_of(20, *ENTITIES)
TABLES: Final = generated(PLAN)
LOANS, INSTALLMENTS = (TABLES[name].to_pandas() for name in ENTITIES)
CENT: Final = Decimal("0.01")


def test_the_rules_find_nothing_in_what_was_generated() -> None:
    assert offenders(PLAN, TABLES) == {}


def test_loans_have_sensible_terms() -> None:
    states = LOANS["status"].value_counts(normalize=True)
    assert set(states.index) == {"IN_PROGRESS", "PAID_OFF", "IN_COLLECTION", "CANCELED"}
    assert 0.25 < states["PAID_OFF"] < 0.5
    assert 0.005 < states["IN_COLLECTION"] < 0.06
    assert 0.2 < (LOANS["amortization_system"] == "SAC").mean() < 0.3
    assert LOANS["principal"].min() >= Decimal(500)
    assert (LOANS["principal"] % 100 == 0).all()
    assert LOANS["monthly_rate_pct"].between(Decimal("1.2"), Decimal(6)).all()
    assert (
        LOANS["cet_yearly_pct"].map(float) > (1 + LOANS["monthly_rate_pct"].map(float) / 100) ** 12 * 100 - 100
    ).all()
    assert LOANS["term"].nunique() > 10


def test_loans_are_paid_out_to_customers_who_are_there() -> None:
    customers = TABLES["customers"].to_pandas()
    joined = LOANS.merge(customers, left_on="customer_id", right_on="id", suffixes=("", "_of_customer"))
    assert len(joined) == len(LOANS)
    assert (joined["disbursed_on"] >= joined["registered_at"].dt.date).all()
    assert joined["disbursed_on"].max() < PLAN.manifest.anchor_datetime.date()


def test_only_delinquent_customers_default() -> None:
    customers = TABLES["customers"].to_pandas().set_index("id")["status"]
    collected = LOANS[LOANS["status"] == "IN_COLLECTION"]
    assert set(collected["customer_id"].map(customers)) == {"DELINQUENT"}


def test_installments_have_every_state() -> None:
    assert set(INSTALLMENTS["status"]) == {"PENDING", "PAID", "OVERDUE", "PARTIALLY_PAID"}
    late = INSTALLMENTS[INSTALLMENTS["status"] == "PAID"]
    delays = (pd.to_datetime(late["paid_on"]) - pd.to_datetime(late["due_on"])).dt.days
    assert (delays == 0).mean() > 0.4
    assert delays.min() < 0 < delays.max()


def test_without_consultants_nobody_sold_the_loan() -> None:
    assert LOANS["consultant_id"].isna().all()


def test_loans_without_installments_have_usual_terms() -> None:
    alone = generated(plan_of(2, "loans"))["loans"].to_pandas()
    assert set(alone["term"]) == {6, 10, 12, 18, 24}


def aged(months: int) -> tuple[Plan, dict[str, pa.Table]]:
    """The same anchor, seen some months later."""
    moment = PLAN.manifest.reference_datetime + timedelta(days=30 * months)
    later = plan_of(
        20,
        *ENTITIES,
        reference_datetime=f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        anchor_datetime=f"{PLAN.manifest.anchor_datetime:%Y-%m-%dT%H:%M:%SZ}",
    )
    return later, generated(later)


def test_loans_age_with_the_reference() -> None:
    """The same people and loans; more of it paid or overdue, and nothing that was paid is unpaid again."""
    before = INSTALLMENTS
    for months in (1, 6, 30):
        plan, tables = aged(months)
        assert offenders(plan, tables) == {}
        assert tables["customers"].equals(TABLES["customers"])
        terms = [name for name in LOANS.columns if name != "status"]
        assert tables["loans"].select(terms).equals(TABLES["loans"].select(terms))
        after = tables["installments"].to_pandas()
        schedule = ["id", "loan_id", "number", "due_on", "principal_amount", "interest_amount", "amount"]
        assert after[schedule].equals(before[schedule])
        assert (after["paid_amount"] >= before["paid_amount"]).all()
        was_paid = before["status"] == "PAID"
        assert after[was_paid].equals(before[was_paid])
        assert (after["status"] == "PAID").sum() > was_paid.sum()
        before = after
    assert (
        not (before["status"] == "PENDING").to_numpy()[before["due_on"] < plan.manifest.reference_datetime.date()].all()
    )


def first(rows: Rows, **values: Any) -> dict[str, Any]:
    """The first row with these values."""
    return next(row for row in rows if all(row[name] == value for name, value in values.items()))


def cheaper(rows: Rows) -> None:
    row = first(rows, number=2)
    row["principal_amount"] -= CENT
    row["interest_amount"] += CENT


def twice(rows: Rows) -> None:
    first(rows, number=2)["number"] = 1


def postponed(rows: Rows) -> None:
    first(rows, number=2)["due_on"] += timedelta(days=62)


def more_due(rows: Rows) -> None:
    first(rows, number=1)["amount"] += CENT


def more_in_between(rows: Rows) -> None:
    price = set(LOANS[(LOANS["amortization_system"] == "PRICE") & (LOANS["term"] > 3)]["id"])
    next(row for row in rows if row["loan_id"] in price and row["number"] == 2)["amount"] += CENT


def other_principal(rows: Rows) -> None:
    first(rows, amortization_system="PRICE")["principal"] += 1


def shorter(rows: Rows) -> None:
    rows[0]["term"] += 1


def other_tax(rows: Rows) -> None:
    rows[0]["iof"] += 10 * CENT


def other_cet(rows: Rows) -> None:
    rows[0]["cet_yearly_pct"] += Decimal("0.5")


def paid_short(rows: Rows) -> None:
    first(rows, status="PAID")["paid_amount"] -= CENT


def partly_in_full(rows: Rows) -> None:
    row = first(rows, status="PARTIALLY_PAID")
    row["paid_amount"] = row["amount"]


def paid_without_a_date(rows: Rows) -> None:
    first(rows, status="PAID")["paid_on"] = None


def paid_tomorrow(rows: Rows) -> None:
    first(rows, status="PAID")["paid_on"] = PLAN.manifest.reference_datetime.date()


def still_pending(rows: Rows) -> None:
    first(rows, status="OVERDUE")["status"] = "PENDING"


def overdue_too_soon(rows: Rows) -> None:
    first(rows, status="PENDING")["status"] = "OVERDUE"


def pending_with_a_payment(rows: Rows) -> None:
    row = first(rows, status="PENDING")
    row["paid_amount"], row["paid_on"] = CENT, row["due_on"]


def collected_for_nothing(rows: Rows) -> None:
    first(rows, status="IN_PROGRESS")["status"] = "IN_COLLECTION"


@pytest.mark.parametrize(
    ("entity", "change", "rule", "aspect"),
    [
        ("installments", cheaper, "loan_schedules", "loans not repaid to the cent"),
        ("installments", cheaper, "loan_schedules", "interest other than the rate on the balance"),
        ("installments", twice, "loan_schedules", "numbers with a gap"),
        ("installments", postponed, "loan_schedules", "due dates not a month apart"),
        ("installments", more_due, "loan_schedules", "amounts other than principal and interest"),
        ("installments", more_in_between, "loan_schedules", "installments that are not level"),
        ("loans", other_principal, "loan_schedules", "installments other than the formula"),
        ("loans", shorter, "loan_schedules", "loans with fewer or more installments than their term"),
        ("loans", other_tax, "loan_charges", "tax other than that of the schedule"),
        ("loans", other_tax, "loan_charges", "payouts other than principal less tax"),
        ("loans", other_cet, "loan_charges", "cet at which the installments are not worth the payout"),
        ("installments", paid_short, "loan_states", "paid installments not paid in full"),
        ("installments", partly_in_full, "loan_states", "partially paid installments paid in full or not at all"),
        ("installments", paid_without_a_date, "loan_states", "payments without a date or dates without a payment"),
        ("installments", paid_tomorrow, "loan_states", "payments from the future"),
        ("installments", still_pending, "loan_states", "pending installments that were due"),
        ("installments", overdue_too_soon, "loan_states", "overdue installments that are not due"),
        ("installments", pending_with_a_payment, "loan_states", "unpaid installments with a payment"),
        ("loans", collected_for_nothing, "loan_states", "loans in another state than their installments"),
    ],
)
def test_a_fault_is_seen(entity: str, change: Any, rule: str, aspect: str) -> None:
    found = broken_by(PLAN, TABLES, entity, change)
    assert aspect in found.get(rule, {}), found


def test_an_installment_of_a_canceled_loan_that_is_paid_is_seen() -> None:
    canceled = set(LOANS[LOANS["status"] == "CANCELED"]["id"])

    def pay(rows: Rows) -> None:
        next(row for row in rows if row["loan_id"] in canceled)["status"] = "OVERDUE"

    found = broken_by(PLAN, TABLES, "installments", pay)
    assert "installments of canceled loans not pending" in found["loan_states"]
