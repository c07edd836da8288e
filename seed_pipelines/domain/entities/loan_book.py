"""How loans are drawn and repaid: what the entities that speak of loans share.

Terms and dates derive from the anchor; what has been paid is seen from the reference. A loan belongs to a payer who pays
on time or a little late, or, for most loans of delinquent customers, stops paying at some installment.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from seed_pipelines.domain.amortization import Book, Integers
from seed_pipelines.domain.children import POSITION_BITS, Rows
from seed_pipelines.domain.entities.customers import STATUSES, income_cents, registration_seconds, statuses
from seed_pipelines.domain.portfolio import CUSTOMERS, Portfolio
from seed_pipelines.domain.streams import Stream

LOANS: Final = "loans"
INSTALLMENTS: Final = "installments"

_DAY_SECONDS: Final = 86_400
_SAC_PER_CENT: Final = 25
_CANCELED_PER_MILLE: Final = 25
_DEFAULTING_PER_CENT: Final = 70
"""Of the loans of delinquent customers."""
_PARTIAL_PER_MILLE: Final = 20
_LOWEST_RATE: Final = 119
_RATE_SPREADS: Final = ((24, 480), (60, 180), (1 << 20, 30))
"""Longest term -> basis points above the lowest rate: long loans are cheap, and their rounding small."""
_SMALLEST_PRINCIPAL: Final = 50_000
_PRINCIPAL_STEP: Final = 10_000
_INCOME_QUARTERS: Final = 38
_USUAL_TERMS: Final = (6, 10, 12, 18, 24)
"""Of loans whose installments are not seeded."""
_DAYS_PER_INSTALLMENT: Final = 55
"""How far back a loan may begin for each of its installments: about half of them are over at the anchor."""
_LAST_DUE_DAY: Final = 28
_DELAYS: Final = ((-4, 12), (-1, 15), (0, 50), (2, 12), (6, 6), (17, 5))
"""Days from the due date to the payment, and how many per cent of payments."""
_REST_AFTER_DAYS: Final = 20
COLLECTED_AFTER_DAYS: Final = 90
NEVER: Final = 1 << 30
"""A day beyond all days."""


@dataclass(frozen=True)
class _Lineage:
    """What a portfolio needs to know of an entity, for those that are defined on top of this file."""

    name: str
    parent: "_Lineage | None" = None


_LOANS: Final = _Lineage(LOANS, _Lineage(CUSTOMERS))
_INSTALLMENTS: Final = _Lineage(INSTALLMENTS, _LOANS)


@dataclass(frozen=True)
class LoanBook:
    """Some loans of a portfolio, in id order, and all their installments."""

    portfolio: Portfolio
    loans: Rows
    book: Book
    disbursed: Integers
    """Day on which each loan was paid out, since 1970-01-01."""
    canceled: NDArray[np.bool_]
    """Loans that were canceled: their installments are never due."""
    stops: Integers
    """The number of the first installment that is never paid; NEVER for most loans."""

    @classmethod
    def of(cls, portfolio: Portfolio, loans: Rows) -> "LoanBook":
        """The book of some loans, in id order."""
        dataset, counters = portfolio.dataset, loans.counters

        def stream(column: str) -> Stream:
            return dataset.stream(LOANS, column)

        if INSTALLMENTS in portfolio.counts:
            term = portfolio.shares(_INSTALLMENTS, loans)
        else:
            term = np.asarray(_USUAL_TERMS)[stream("term").below(counters, len(_USUAL_TERMS)).astype(np.intp)]
        multiple = stream("principal").below(counters, _INCOME_QUARTERS).astype(np.int64) + 2
        wanted = income_cents(dataset, loans.customers) * multiple // 4
        principal = np.maximum(wanted // _PRINCIPAL_STEP * _PRINCIPAL_STEP, _SMALLEST_PRINCIPAL)
        spreads = np.asarray([spread for _, spread in _RATE_SPREADS])
        spread = spreads[np.searchsorted([longest for longest, _ in _RATE_SPREADS], term)]
        one, other = (stream(f"rate/{part}").within(counters, spread) for part in "ab")
        is_sac = stream("system").below(counters, 100) < _SAC_PER_CENT
        since = dataset.anchor_day - registration_seconds(dataset, loans.customers) // _DAY_SECONDS
        ago = stream("disbursed_on").within(counters, np.minimum(since, _DAYS_PER_INSTALLMENT * term))
        is_defaulting = (statuses(dataset, loans.customers) == STATUSES.index("DELINQUENT")) & (
            stream("default").below(counters, 100) < _DEFAULTING_PER_CENT
        )
        stops = stream("stops").within(counters, term) + 1
        return cls(
            portfolio,
            loans,
            Book(principal, _LOWEST_RATE + 1 + np.minimum(one, other), term, is_sac),
            dataset.anchor_day - 1 - ago,
            stream("canceled").below(counters, 1000) < _CANCELED_PER_MILLE,
            np.where(is_defaulting, stops, NEVER),
        )

    @classmethod
    def of_customers(cls, portfolio: Portfolio, first: int, end: int) -> "LoanBook":
        """The book of all loans of customers [first, end)."""
        return cls.of(portfolio, portfolio.rows(_LOANS, first, end))

    @cached_property
    def installments(self) -> Rows:
        """The rows of all installments, in id order."""
        loan, number = self.book.loan, self.book.number
        ordinals = (self.loans.ordinals[loan] << np.uint64(POSITION_BITS)) | (number - 1).astype(np.uint64)
        return Rows(self.loans.customers[loan], ordinals)

    @cached_property
    def due(self) -> Integers:
        """Day on which each installment is due: that of the payout, or the 28th, in the months after it."""
        paid_out = self.disbursed.astype("datetime64[D]")
        months = paid_out.astype("datetime64[M]")
        day = np.minimum((paid_out - months.astype("datetime64[D]")).astype(np.int64), _LAST_DUE_DAY - 1)
        due_months = months.astype(np.int64)[self.book.loan] + self.book.number
        first_days = due_months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
        due: Integers = first_days + day[self.book.loan]
        return due

    @cached_property
    def iof(self) -> Integers:
        """The tax of each loan, in cents; it is kept from the payout."""
        return self.book.iof(self.due - self.disbursed[self.book.loan])

    @cached_property
    def is_partial(self) -> NDArray[np.bool_]:
        """Installments of which half is paid when they are due, and the rest later."""
        return self._stream("partial").below(self.installments.counters, 1000) < _PARTIAL_PER_MILLE

    @cached_property
    def paid_day(self) -> Integers:
        """Day on which each installment is paid in full; NEVER for some."""
        shares = [share for _, share in _DELAYS]
        chosen = self._stream("delay").choice(self.installments.counters, shares)
        delay = np.asarray([days for days, _ in _DELAYS])[chosen]
        paid = self.due + np.where(self.is_partial, _REST_AFTER_DAYS, delay)
        never = self.canceled[self.book.loan] | (self.book.number >= self.stops[self.book.loan])
        return np.where(never, NEVER, paid)

    @cached_property
    def is_paid(self) -> NDArray[np.bool_]:
        """Installments that are paid in full, as seen from the reference."""
        return self.paid_day < self.portfolio.dataset.reference_day

    @cached_property
    def is_half_paid(self) -> NDArray[np.bool_]:
        """Installments of which half is paid, as seen from the reference."""
        stopped = self.book.number > self.stops[self.book.loan]
        possible = self.is_partial & ~self.is_paid & ~self.canceled[self.book.loan] & ~stopped
        return possible & (self.due < self.portfolio.dataset.reference_day)

    @cached_property
    def is_overdue(self) -> NDArray[np.bool_]:
        """Installments that were due and are not paid in full, as seen from the reference."""
        return ~self.is_paid & ~self.canceled[self.book.loan] & (self.due < self.portfolio.dataset.reference_day)

    @cached_property
    def is_paid_off(self) -> NDArray[np.bool_]:
        """Loans of which every installment is paid."""
        unpaid = self.book.sums((~self.is_paid).astype(np.int64))
        return np.equal(unpaid, 0)

    @cached_property
    def is_in_collection(self) -> NDArray[np.bool_]:
        """Loans with an installment that was due more than 90 days ago and is not paid in full."""
        late = self.is_overdue & (self.due < self.portfolio.dataset.reference_day - COLLECTED_AFTER_DAYS)
        return np.greater(self.book.sums(late.astype(np.int64)), 0)

    def _stream(self, column: str) -> Stream:
        return self.portfolio.dataset.stream(INSTALLMENTS, column)
