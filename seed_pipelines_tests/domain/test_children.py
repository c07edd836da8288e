"""How children hang on customers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines.domain.children import GROUP, Children, one_each
from seed_pipelines.domain.streams import Stream

STREAM = Stream(42)
SIZES = st.integers(1, 400)
COUNTS = st.integers(0, 2000)


def pairs(children: Children, first: int, end: int) -> list[tuple[int, int]]:
    rows = children.rows(first, end, STREAM)
    return list(zip(rows.customers.tolist(), rows.ordinals.tolist(), strict=True))


@given(SIZES, COUNTS)
def test_there_are_exactly_as_many_as_planned(customers: int, count: int) -> None:
    children = Children(customers, count)
    found = pairs(children, 0, customers)
    assert len(found) == count == children.between(0, customers)
    assert len(set(found)) == count
    assert found == sorted(found)


@given(SIZES, COUNTS, st.data())
def test_any_range_gives_the_same_rows_as_the_whole(customers: int, count: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, customers))
    end = data.draw(st.integers(first, customers))
    children = Children(customers, count)
    whole = [pair for pair in pairs(children, 0, customers) if first <= pair[0] < end]
    assert pairs(children, first, end) == whole


@given(SIZES, COUNTS)
def test_ordinals_of_a_customer_have_no_gaps(customers: int, count: int) -> None:
    seen: dict[int, list[int]] = {}
    for customer, ordinal in pairs(Children(customers, count), 0, customers):
        seen.setdefault(customer, []).append(ordinal)
    assert all(ordinals == list(range(len(ordinals))) for ordinals in seen.values())


@given(SIZES, COUNTS, st.integers(2, 5))
def test_growing_in_proportion_only_adds_rows(customers: int, count: int, factor: int) -> None:
    small = set(pairs(Children(customers, count), 0, customers))
    assert small <= set(pairs(Children(customers * factor, count * factor), 0, customers * factor))


@given(st.integers(1, 40), COUNTS, st.data())
def test_group_borders_split_the_count_in_closed_form(groups: int, count: int, data: st.DataObject) -> None:
    children = Children(groups * GROUP, count)
    border = data.draw(st.integers(0, groups)) * GROUP
    assert len(pairs(children, 0, border)) == children.between(0, border)


def test_everybody_has_one_where_there_are_enough_and_some_have_several() -> None:
    owned = np.bincount(Children(10_000, 12_000).rows(0, 10_000, STREAM).customers.astype(np.intp))
    assert owned.min() == 1
    assert owned.max() >= 3


def test_nothing_overflows_at_the_largest_sizes() -> None:
    children = Children(62_499_999, 20 * 62_499_999 - 7)
    rows = children.rows(62_499_000, 62_499_999, STREAM)
    assert rows.customers.min() == 62_499_000
    assert len(rows) == pytest.approx(999 * 20, rel=0.01)


def test_one_each_is_the_customers_themselves() -> None:
    rows = one_each(3, 6)
    assert rows.customers.tolist() == [3, 4, 5]
    assert rows.ordinals.tolist() == [0, 0, 0]


@given(SIZES, st.integers(1, 2000))
def test_a_single_row_is_that_of_the_whole(customers: int, count: int) -> None:
    children = Children(customers, count)
    whole = pairs(children, 0, customers)
    for number in {0, count - 1, count // 2, count // 3}:
        row = children.row(number, STREAM)
        assert (row.customers.tolist(), row.ordinals.tolist()) == ([whole[number][0]], [whole[number][1]])


@pytest.mark.parametrize("number", [-1, 12])
def test_a_row_that_is_not_there_is_not_found(number: int) -> None:
    with pytest.raises(IndexError):
        Children(10, 12).row(number, STREAM)
