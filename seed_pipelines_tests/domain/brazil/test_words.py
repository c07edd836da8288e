"""Texts put together from words, against Python's own joining."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines.domain.brazil.words import put_together

WORDS = ["", "a", "São", " de ", "@example.com"]


@given(st.lists(st.tuples(*[st.integers(0, len(WORDS) - 1)] * 3), min_size=1, max_size=20), st.integers(0, 2))
def test_words_stand_one_after_another(rows: list[tuple[int, int, int]], skipped: int) -> None:
    """Each row has its own words, whatever their lengths and wherever in memory a list begins."""
    words = pa.array([*["x"] * skipped, *WORDS], pa.string()).slice(skipped)
    positions = np.array(rows, dtype=np.uint64)
    texts = put_together(*((words, positions[:, place]) for place in range(3)))
    texts.validate(full=True)
    assert texts.to_pylist() == ["".join(WORDS[position] for position in row) for row in rows]


def test_no_rows_give_no_texts() -> None:
    """No positions are fine."""
    nothing = (pa.array(WORDS), np.empty(0, dtype=np.int64))
    assert put_together(nothing, nothing).to_pylist() == []


@pytest.mark.parametrize("position", [-1, len(WORDS)])
def test_a_position_out_of_range_is_refused(position: int) -> None:
    """It would be a word of another list."""
    words = pa.array(WORDS)
    with pytest.raises(IndexError):
        put_together((words, np.array([0])), (words, np.array([position])), (words, np.array([0])))
