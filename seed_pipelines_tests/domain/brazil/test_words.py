"""Texts put together from words, against Python's own joining."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines.domain.brazil.words import put_together

WORDS = ["", "a", "São", " de ", "@example.com"]


@given(
    st.integers(1, 4).flatmap(
        lambda parts: st.lists(
            st.lists(st.integers(0, len(WORDS) - 1), min_size=parts, max_size=parts), min_size=1, max_size=20
        )
    ),
    st.integers(0, 2),
)
def test_words_stand_one_after_another(positions: list[list[int]], skipped: int) -> None:
    """Each row has its own words, whatever their lengths and wherever in memory the list begins."""
    words = pa.array([*["x"] * skipped, *WORDS], pa.string()).slice(skipped)
    texts = put_together(words, np.array(positions))
    texts.validate(full=True)
    assert texts.to_pylist() == ["".join(WORDS[position] for position in row) for row in positions]


def test_no_rows_give_no_texts() -> None:
    """An empty table of positions is fine."""
    assert put_together(pa.array(WORDS), np.empty((0, 3), dtype=np.int64)).to_pylist() == []


def test_a_position_out_of_range_is_refused() -> None:
    """Nothing is made of a word that is not there."""
    with pytest.raises(IndexError):
        put_together(pa.array(WORDS), np.array([[0, len(WORDS)]]))
