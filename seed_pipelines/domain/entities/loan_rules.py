"""What must hold between loans and their installments, recomputed from the rows as they landed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from seed_pipelines.domain.amortization import (
    IOF_ADDITIONAL_BASIS_POINTS,
    IOF_DAILY_MILLIONTHS,
    IOF_MOST_DAYS,
    Integers,
)
from seed_pipelines.domain.coherence import Landed, Rule, cents, days, equals, joined, offending, present
from seed_pipelines.domain.entities.loan_book import COLLECTED_AFTER_DAYS, INSTALLMENTS, LOANS

_EPOCH: Final = date(1970, 1, 1)
_HALF_A_BASIS_POINT: Final = 0.5
_CENT: Final = 1.0
"""What rounding the installment and the rate to what is stored may come to in the present value."""


@dataclass(frozen=True)
class _Schedules:
    """Installments in the order of their loans and numbers, each beside its loan."""

    loans: pa.Table
    installments: pa.Table
    loan: Integers
    """The position of each installment's loan."""

    @classmethod
    def of(cls, landed: Landed) -> "_Schedules":
        loans = landed.tables[LOANS]
        installments, loan = joined(landed.tables[INSTALLMENTS], "loan_id", loans)
        order = np.lexsort((np.asarray(installments.column("number")), loan))
        return cls(loans, installments.take(pa.array(order)), loan[order])

    @cached_property
    def number(self) -> Integers:
        return np.asarray(self.installments.column("number"), dtype=np.int64)

    @cached_property
    def first(self) -> NDArray[np.bool_]:
        """Installments with another loan before them."""
        return np.append(True, self.loan[1:] != self.loan[:-1])[: len(self.loan)]

    @cached_property
    def last(self) -> NDArray[np.bool_]:
        return np.append(self.loan[1:] != self.loan[:-1], True)[: len(self.loan)]

    def of_loan(self, column: str) -> Integers:
        """Cents of a column of each installment's loan."""
        return cents(self.loans.column(column))[self.loan]

    def own(self, column: str) -> Integers:
        """Cents of a column of each installment."""
        return cents(self.installments.column(column))

    def sums(self, values: NDArray[np.generic]) -> NDArray[np.float64]:
        """The sum over each loan's installments; exact up to 2^53."""
        return np.bincount(self.loan, weights=values, minlength=self.loans.num_rows).astype(np.float64)

    def before(self, values: Integers) -> Integers:
        """The sum over the earlier installments of the same loan."""
        running = np.cumsum(values) - values
        starts = np.flatnonzero(self.first)
        return running - np.repeat(running[starts], np.diff(np.append(starts, len(values))))

    @cached_property
    def months(self) -> Integers:
        """The month of each due date, counted since 1970."""
        return days(self.installments.column("due_on")).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def _schedules(landed: Landed) -> Mapping[str, int]:
    found = _Schedules.of(landed)
    amortised, interest, amount = found.own("principal_amount"), found.own("interest_amount"), found.own("amount")
    owed = found.of_loan("principal") - found.before(amortised)
    rate = found.of_loan("monthly_rate_pct")
    is_price = equals(found.loans.column("amortization_system"), "PRICE")[found.loan]
    level = np.where(is_price, amount, amortised)
    unlevel = ~found.first & ~found.last & (level != np.append(0, level[:-1])[: len(level)])
    term = np.asarray(found.loans.column("term"), dtype=np.int64)
    return offending(
        loans_with_fewer_or_more_installments_than_their_term=found.sums(np.ones(len(found.loan))) != term,
        numbers_with_a_gap=found.number != np.where(found.first, 1, np.append(0, found.number[:-1])[: len(level)] + 1),
        due_dates_not_a_month_apart=~found.first & (found.months != np.append(0, found.months[:-1])[: len(level)] + 1),
        amounts_other_than_principal_and_interest=amount != amortised + interest,
        interest_other_than_the_rate_on_the_balance=np.abs(interest * 20_000 - 2 * owed * rate) > 10_000,
        installments_that_are_not_level=unlevel,
        installments_other_than_the_formula=_off_formula(found, level, is_price),
        loans_not_repaid_to_the_cent=found.sums(amortised) != cents(found.loans.column("principal")),
    )


def _off_formula(found: _Schedules, level: Integers, is_price: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """First installments of several that are not P i / (1 - (1 + i)^-n), or amortise other than P / n."""
    principal, rate = found.of_loan("principal"), found.of_loan("monthly_rate_pct") / 10_000
    term = np.asarray(found.loans.column("term"), dtype=np.int64)[found.loan]
    discounted = -np.expm1(-term * np.log1p(rate))
    price = np.divide(principal * rate, discounted, out=np.zeros(len(rate)), where=discounted > 0)
    wanted = np.where(is_price, price, principal // np.maximum(term, 1))
    return found.first & ~found.last & (np.abs(level - wanted) > 0.5 + 1e-6)


def _charges(landed: Landed) -> Mapping[str, int]:
    found = _Schedules.of(landed)
    principal, iof = cents(found.loans.column("principal")), cents(found.loans.column("iof"))
    net = cents(found.loans.column("net_amount"))
    waited = days(found.installments.column("due_on")) - days(found.loans.column("disbursed_on"))[found.loan]
    daily = found.sums(found.own("principal_amount") * np.minimum(waited, IOF_MOST_DAYS)) * IOF_DAILY_MILLIONTHS / 1e6
    expected = np.floor(daily + 0.5) + np.floor(principal * (IOF_ADDITIONAL_BASIS_POINTS / 1e4) + 0.5 + 1e-9)
    yearly = cents(found.loans.column("cet_yearly_pct"))
    return offending(
        tax_other_than_that_of_the_schedule=np.abs(iof - expected) > _CENT,
        payouts_other_than_principal_less_tax=net != principal - iof,
        cet_at_which_the_installments_are_not_worth_the_payout=(
            (_worth(found, yearly - _HALF_A_BASIS_POINT) < net - _CENT)
            | (_worth(found, yearly + _HALF_A_BASIS_POINT) > net + _CENT)
        ),
    )


def _worth(found: _Schedules, yearly: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """What the installments of each loan are worth at the payout, at basis points a year."""
    monthly = np.log1p(yearly / 1e4) / 12
    return found.sums(found.own("amount") * np.exp(-monthly[found.loan] * found.number))


def _states(landed: Landed) -> Mapping[str, int]:
    found = _Schedules.of(landed)
    today = (landed.reference_datetime.date() - _EPOCH).days
    due, paid_on = days(found.installments.column("due_on")), days(found.installments.column("paid_on"))
    amount, paid = found.own("amount"), found.own("paid_amount")
    state = {name: equals(found.installments.column("status"), name) for name in ("PAID", "OVERDUE", "PENDING")}
    partial = equals(found.installments.column("status"), "PARTIALLY_PAID")
    loan_state = found.loans.column("status")
    canceled = equals(loan_state, "CANCELED")
    unpaid = found.sums(~state["PAID"])
    collected = found.sums(~state["PAID"] & (due < today - COLLECTED_AFTER_DAYS)) > 0
    wanted = {
        "PAID_OFF": ~canceled & (unpaid == 0),
        "IN_COLLECTION": ~canceled & collected,
        "IN_PROGRESS": ~canceled & (unpaid > 0) & ~collected,
    }
    return offending(
        paid_installments_not_paid_in_full=state["PAID"] & (paid != amount),
        partially_paid_installments_paid_in_full_or_not_at_all=partial & ((paid <= 0) | (paid >= amount)),
        unpaid_installments_with_a_payment=(state["PENDING"] | state["OVERDUE"]) & (paid != 0),
        payments_without_a_date_or_dates_without_a_payment=present(found.installments.column("paid_on")) != (paid != 0),
        payments_from_the_future=(paid != 0) & (paid_on >= today),
        pending_installments_that_were_due=state["PENDING"] & (due < today) & ~canceled[found.loan],
        overdue_installments_that_are_not_due=state["OVERDUE"] & (due >= today),
        installments_of_canceled_loans_not_pending=canceled[found.loan] & ~state["PENDING"],
        loans_in_another_state_than_their_installments=sum(
            (rows != equals(loan_state, name) for name, rows in wanted.items()), start=np.zeros(len(unpaid), dtype=bool)
        ),
    )


_ENTITIES: Final = (LOANS, INSTALLMENTS)

SCHEDULES: Final = Rule(
    "loan_schedules",
    "Installments repay their loan to the cent, by the Price table or by SAC, with monthly due dates.",
    _ENTITIES,
    _schedules,
)
CHARGES: Final = Rule(
    "loan_charges",
    "Tax (IOF), payout and total effective cost (CET) are those of the loan's schedule, computed anew.",
    _ENTITIES,
    _charges,
)
STATES_OF_LOANS: Final = Rule(
    "loan_states",
    "States and payments of installments and loans fit their due dates and reference_datetime.",
    _ENTITIES,
    _states,
)
