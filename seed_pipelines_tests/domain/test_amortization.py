"""Price, SAC, IOF and CET, against decimal arithmetic and published examples."""

from decimal import ROUND_HALF_UP, Decimal, getcontext
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines.domain.amortization import Book

ONE: Final = Decimal(1)
LOANS = st.lists(
    st.tuples(st.integers(50_000, 50_000_000), st.integers(100, 600), st.integers(1, 24), st.booleans()),
    min_size=1,
    max_size=20,
)


def book(*loans: tuple[int, int, int, bool]) -> Book:
    principal, rate, term, is_sac = zip(*loans, strict=True)
    integers = [np.asarray(column, dtype=np.int64) for column in (principal, rate, term)]
    return Book(integers[0], integers[1], integers[2], np.asarray(is_sac, dtype=bool))


def rounded(value: Decimal) -> int:
    return int(value.quantize(ONE, ROUND_HALF_UP))


def schedule(principal: int, rate: int, term: int, is_sac: bool) -> list[tuple[int, int]]:
    """Principal and interest of each installment, by the definitions, in decimals."""
    monthly = Decimal(rate) / 10_000
    level = rounded(principal * monthly / (ONE - (ONE + monthly) ** -term))
    owed, parts = principal, []
    for number in range(1, term + 1):
        interest = rounded(owed * monthly)
        amortised = owed if number == term else principal // term if is_sac else level - interest
        parts.append((amortised, interest))
        owed -= amortised
    return parts


@given(LOANS)
def test_schedules_are_those_of_decimal_arithmetic(loans: list[tuple[int, int, int, bool]]) -> None:
    found = book(*loans)
    amortised, interest = found.parts
    expected = [part for loan in loans for part in schedule(*loan)]
    assert list(zip(amortised.tolist(), interest.tolist(), strict=True)) == expected
    assert found.sums(amortised).tolist() == [loan[0] for loan in loans]


@given(LOANS)
def test_the_cet_makes_the_installments_worth_the_payout(loans: list[tuple[int, int, int, bool]]) -> None:
    getcontext().prec = 40
    found = book(*loans)
    received = found.principal - found.iof(30 * found.number)
    yearly = found.cet(received)
    for position, (_, _, term, _) in enumerate(loans):
        amounts = found.amount[found.starts[position] :][:term].tolist()
        low, high = (
            sum(Decimal(due) / (ONE + rate) ** Decimal(number / 12) for number, due in enumerate(amounts, 1))
            for rate in (
                (Decimal(int(yearly[position])) + half) / 10_000 for half in (Decimal("0.51"), Decimal("-0.51"))
            )
        )
        assert low <= int(received[position]) <= high


def test_the_textbook_price_table() -> None:
    """BRL 10,000.00 at 1 % in 12 installments: 888.49 a month, the last one the residue."""
    found = book((1_000_000, 100, 12, False))
    assert found.payment.tolist() == [88_849]
    assert found.amount[:11].tolist() == [88_849] * 11
    assert found.parts[1][0] == 10_000
    assert abs(int(found.amount[11]) - 88_849) <= 6


def test_the_textbook_sac() -> None:
    """BRL 1,000.00 at 2 % in 3: amortisation of a third, the cent left over on the last; interest on what is owed."""
    amortised, interest = book((100_000, 200, 3, True)).parts
    assert amortised.tolist() == [33_333, 33_333, 33_334]
    assert interest.tolist() == [2_000, 1_333, 667]


def test_tax_is_charged_by_the_day_for_at_most_a_year_and_once() -> None:
    """0.0082 % a day on what each installment amortises, and 0.38 % of the principal."""
    found = book((100_000, 200, 1, False), (100_000, 200, 1, False))
    assert found.iof(np.asarray([30, 1000])).tolist() == [380 + 246, 380 + 2_993]


def test_cet_of_a_single_installment_is_its_own_rate_with_the_tax() -> None:
    found = book((100_000, 200, 1, False))
    assert found.cet(np.asarray([100_000])).tolist() == [round(((1.02**12) - 1) * 10_000)]
    assert found.cet(np.asarray([99_374]))[0] > 2_682


def test_no_loans_are_no_trouble() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    found = Book(nothing, nothing, nothing, np.zeros(0, dtype=bool))
    assert len(found.amount) == len(found.iof(nothing)) == len(found.cet(nothing)) == 0


@pytest.mark.parametrize(("highest", "longest"), [(600, 24), (300, 60), (150, 119)])
def test_the_residue_never_swallows_the_last_installment(highest: int, longest: int) -> None:
    """At the rates at which loans of a length are drawn, the smallest loan ends with an installment above zero."""
    loans = [(50_000, rate, term, False) for rate in (120, highest) for term in range(1, longest + 1)]
    assert book(*loans).amount.min() > 0
