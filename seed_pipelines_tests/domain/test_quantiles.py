"""Skewed amounts."""

import numpy as np
import pytest

from seed_pipelines.domain.quantiles import amounts
from seed_pipelines.domain.streams import Stream

TABLES = ["monthly_income", "account_balance"]


@pytest.mark.parametrize("table", TABLES)
def test_amounts_grow_with_the_word(table: str) -> None:
    words = np.linspace(0, 2**64 - 2**12, 5000).astype(np.uint64)
    assert np.all(np.diff(amounts(table, words)) >= 0)


@pytest.mark.parametrize("table", TABLES)
def test_the_smallest_and_largest_words_give_the_ends(table: str) -> None:
    low, high = amounts(table, np.asarray([0, 2**64 - 1], dtype=np.uint64)).tolist()
    assert low == {"monthly_income": 151_800, "account_balance": -500_000}[table]
    assert high > {"monthly_income": 2_000_000, "account_balance": 10_000_000}[table]


def test_the_median_is_that_of_the_distribution() -> None:
    words = Stream(5).words(np.arange(100_000, dtype=np.uint64))
    assert np.median(amounts("monthly_income", words)) == pytest.approx(290_000, rel=0.02)
