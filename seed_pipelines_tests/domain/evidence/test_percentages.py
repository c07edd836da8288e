"""Percentages."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines.domain.evidence.percentages import percent


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [(1, 3, 33.33), (2, 3, 66.66), (0, 5, 0.0), (5, 5, 100.0), (6, 5, 120.0), (0, 0, None), (Decimal("0.1"), 1, 10.0)],
)
def test_two_decimals_rounded_down(part: int, whole: int, expected: float | None) -> None:
    """None of nothing."""
    assert percent(part, whole) == expected


@given(st.integers(1, 10**12), st.data())
def test_only_everything_is_100(whole: int, data: st.DataObject) -> None:
    """However little is missing."""
    part = data.draw(st.integers(0, whole - 1))
    found = percent(part, whole)
    assert found is not None
    assert found < 100
