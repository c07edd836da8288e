"""Loans in whole cents: repayment by the Price table and by SAC, IOF, and CET.

A *book* is a number of loans at once. What belongs to single installments is one long array, loan after loan, each loan's
installments in order. Rates are basis points (hundredths of a percent) a month. Interest and tax are rounded half up to the
cent, installment by installment; what rounding leaves over falls on the last installment. Only additions, multiplications and
divisions of IEEE 754 are used, so that every machine gives the same cents.

Sources: Price (equal installments) and SAC (equal amortisation) as taught by every Brazilian textbook of financial mathematics;
IOF on credit to natural persons, Decreto 6.306/2007, article 7 (0.0082 % a day for at most 365 days, and 0.38 % once);
CET, Resolução CMN 4.881/2020: the rate at which the installments are worth what the borrower got.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

_BASIS_POINTS: Final = 10_000
_MONTHS: Final = 12

IOF_DAILY_MILLIONTHS: Final = 82
IOF_ADDITIONAL_BASIS_POINTS: Final = 38
IOF_MOST_DAYS: Final = 365

_NEWTON_STEPS: Final = 9
"""Each doubles the number of right digits; the first guess is the loan's own rate."""


@dataclass(frozen=True)
class Book:
    """Some loans and their schedules."""

    principal: Integers
    """Cents, for each loan."""
    rate: Integers
    """Basis points a month."""
    term: Integers
    """Installments; at least one."""
    is_sac: NDArray[np.bool_]
    """SAC where true, Price where false."""

    @cached_property
    def loan(self) -> Integers:
        """The position of each installment's loan."""
        return np.repeat(np.arange(len(self.term)), self.term)

    @cached_property
    def number(self) -> Integers:
        """Of each installment, from 1."""
        return np.arange(len(self.loan)) - self.starts[self.loan] + 1

    @cached_property
    def starts(self) -> Integers:
        """The position of each loan's first installment."""
        return np.cumsum(self.term) - self.term

    @cached_property
    def payment(self) -> Integers:
        """The Price installment of each loan: cents, rounded half up."""
        rate = self.rate / _BASIS_POINTS
        growth = np.ones(len(rate))
        for _, active in self._rounds:
            growth[active] *= 1.0 + rate[active]
        return np.floor(self.principal * rate * growth / (growth - 1.0) + 0.5).astype(np.int64)

    @cached_property
    def parts(self) -> tuple[Integers, Integers]:
        """Principal and interest of each installment, in cents."""
        amortised, interest = np.zeros((2, len(self.loan)), dtype=np.int64)
        balance = self.principal.copy()
        for number, active in self._rounds:
            place = self.starts[active] + number
            owed = balance[active]
            charged = (owed * self.rate[active] + _BASIS_POINTS // 2) // _BASIS_POINTS
            level = np.where(
                self.is_sac[active], self.principal[active] // self.term[active], self.payment[active] - charged
            )
            amortised[place] = np.where(number + 1 == self.term[active], owed, level)
            interest[place] = charged
            balance[active] = owed - amortised[place]
        return amortised, interest

    @cached_property
    def amount(self) -> Integers:
        """Principal and interest of each installment together."""
        amortised, interest = self.parts
        return amortised + interest

    def iof(self, days: Integers) -> Integers:
        """The tax of each loan, in cents; `days` are those from the payout to each installment's due date."""
        weighted = self.sums(self.parts[0] * np.minimum(days, IOF_MOST_DAYS))
        daily = (weighted * IOF_DAILY_MILLIONTHS + 500_000) // 1_000_000
        return daily + (self.principal * IOF_ADDITIONAL_BASIS_POINTS + _BASIS_POINTS // 2) // _BASIS_POINTS

    def cet(self, received: Integers) -> Integers:
        """CET of each loan, in basis points a year: what the installments cost somebody who received so many cents.

        The period is the month, whatever its days; `received` is less than the sum of the installments.
        """
        monthly = self.rate / _BASIS_POINTS
        for _ in range(_NEWTON_STEPS):
            value, slope = self._present_value(1.0 / (1.0 + monthly))
            monthly += (value - received) / slope
        yearly = 1.0 + monthly
        yearly *= yearly
        yearly *= yearly
        yearly *= yearly * yearly
        return np.floor((yearly - 1.0) * _BASIS_POINTS + 0.5).astype(np.int64)

    def sums(self, values: Integers) -> Integers:
        """The sum over each loan's installments."""
        return np.add.reduceat(values, self.starts) if len(values) else values

    def _present_value(self, discount: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What the installments are worth at a discount a month, and how fast that falls with the rate."""
        value, moment = np.zeros((2, len(discount)))
        for number, active in reversed(self._rounds):
            due = self.amount[self.starts[active] + number]
            moment[active] = (moment[active] + (number + 1) * due) * discount[active]
            value[active] = (value[active] + due) * discount[active]
        return value, moment * discount

    @cached_property
    def _rounds(self) -> tuple[tuple[int, Integers], ...]:
        """Each installment number from 0, and the loans that have it."""
        by_term = np.argsort(-self.term, kind="stable")
        counts = np.searchsorted(-self.term[by_term], -np.arange(int(self.term.max(initial=0))), side="left")
        return tuple((number, by_term[:count]) for number, count in enumerate(counts))
