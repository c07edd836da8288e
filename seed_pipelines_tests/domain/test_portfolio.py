"""What rows hang on: customers, rows of customers, the tenant."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines.domain.dataset import Dataset
from seed_pipelines.domain.portfolio import Portfolio
from seed_pipelines_tests.worlds import REFERENCE


@dataclass(frozen=True)
class Kind:
    name: str
    parent: "Kind | None" = None


CUSTOMERS: Final = Kind("customers")
LOANS: Final = Kind("loans", CUSTOMERS)
INSTALLMENTS: Final = Kind("installments", LOANS)
USERS: Final = Kind("tenant_users")

SIZES = st.tuples(st.integers(1, 120), st.integers(1, 300)).flatmap(
    lambda sizes: st.tuples(st.just(sizes[0]), st.just(sizes[1]), st.integers(0, min(2000, 500 * sizes[1])))
)


def portfolio(customers: int, loans: int, installments: int) -> Portfolio:
    dataset = Dataset("tenant-a", "staging", "default", "v1", 0, REFERENCE, REFERENCE)
    counts = {"customers": customers, "loans": loans, "installments": installments, "tenant_users": 7}
    return Portfolio(dataset, counts)


def pairs(found: Portfolio, kind: Kind, first: int, end: int) -> list[tuple[int, int]]:
    rows = found.rows(kind, first, end)
    return list(zip(rows.customers.tolist(), rows.ordinals.tolist(), strict=True))


@given(SIZES)
def test_grandchildren_are_as_many_as_planned_and_hang_on_parents_that_exist(sizes: tuple[int, int, int]) -> None:
    found = portfolio(*sizes)
    loans = set(pairs(found, LOANS, 0, sizes[0]))
    rows = found.rows(INSTALLMENTS, 0, sizes[0])
    assert len(rows) == sizes[2] == found.between(INSTALLMENTS, 0, sizes[0])
    numbered = pairs(found, INSTALLMENTS, 0, sizes[0])
    assert numbered == sorted(set(numbered))
    assert set(zip(rows.parents.customers.tolist(), rows.parents.ordinals.tolist(), strict=True)) <= loans


@given(SIZES, st.data())
def test_any_range_gives_the_same_rows_as_the_whole(sizes: tuple[int, int, int], data: st.DataObject) -> None:
    found = portfolio(*sizes)
    first = data.draw(st.integers(0, sizes[0]))
    end = data.draw(st.integers(first, sizes[0]))
    whole = [pair for pair in pairs(found, INSTALLMENTS, 0, sizes[0]) if first <= pair[0] < end]
    assert pairs(found, INSTALLMENTS, first, end) == whole


@given(SIZES)
def test_a_single_row_is_that_of_the_whole(sizes: tuple[int, int, int]) -> None:
    found = portfolio(*sizes)
    whole = pairs(found, INSTALLMENTS, 0, sizes[0])
    for number in {0, len(whole) - 1, len(whole) // 2} if whole else ():
        row = found.row(INSTALLMENTS, number)
        assert (row.customers.tolist(), row.ordinals.tolist()) == ([whole[number][0]], [whole[number][1]])
    with pytest.raises(IndexError):
        found.row(INSTALLMENTS, len(whole))


@given(SIZES, st.integers(2, 4))
def test_growing_in_proportion_only_adds_rows(sizes: tuple[int, int, int], factor: int) -> None:
    customers, loans, installments = sizes
    larger = portfolio(customers * factor, loans * factor, installments * factor)
    small = pairs(portfolio(customers, loans, installments), INSTALLMENTS, 0, customers)
    assert set(small) <= set(pairs(larger, INSTALLMENTS, 0, customers * factor))


@given(SIZES, st.data())
def test_shares_are_what_hangs_on_each_parent(sizes: tuple[int, int, int], data: st.DataObject) -> None:
    found = portfolio(*sizes)
    loans = found.rows(LOANS, 0, sizes[0])
    start = data.draw(st.integers(0, len(loans)))
    some = loans.select(start, data.draw(st.integers(start, len(loans))))
    counters = found.rows(INSTALLMENTS, 0, sizes[0]).parents.counters
    assert found.shares(INSTALLMENTS, some).tolist() == [int((counters == one).sum()) for one in some.counters]


@given(SIZES, st.integers(2, 4))
def test_growing_in_proportion_changes_no_parents_share(sizes: tuple[int, int, int], factor: int) -> None:
    small, large = portfolio(*sizes), portfolio(*(size * factor for size in sizes))
    loans = small.rows(LOANS, 0, sizes[0])
    assert large.shares(INSTALLMENTS, loans).tolist() == small.shares(INSTALLMENTS, loans).tolist()


def test_parents_of_a_customer_share_unevenly_and_nobody_goes_without() -> None:
    found = portfolio(1000, 2000, 20_000)
    shares = found.shares(INSTALLMENTS, found.rows(LOANS, 0, 1000))
    assert shares.sum() == 20_000
    assert shares.min() == 1
    assert shares.max() == 19
    assert len(np.unique(shares)) == 19


def test_borders_of_groups_split_the_count_in_closed_form() -> None:
    found = portfolio(160, 333, 4321)
    for border in range(0, 161, 16):
        assert len(found.rows(INSTALLMENTS, 0, border)) == found.between(INSTALLMENTS, 0, border)


def test_rows_of_the_tenant_are_numbered_from_0() -> None:
    found = portfolio(100, 10, 10)
    assert pairs(found, USERS, 2, 5) == [(2, 0), (3, 0), (4, 0)]
    assert found.row(USERS, 6).customers.tolist() == [6]
    assert found.between(USERS, 0, 7) == 7
