"""Digits: the text of numbers and the numbers of text, against Python's own formatting."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines.domain.brazil.digits import decimal_strings, parsed, weighted_sums

WIDTHS_AND_VALUES = st.integers(1, 18).flatmap(
    lambda width: st.tuples(st.just(width), st.lists(st.integers(0, 10**width - 1), max_size=30))
)


@given(WIDTHS_AND_VALUES, st.sampled_from(["", "+", "BR-"]))
def test_numbers_become_padded_text_and_back(case: tuple[int, list[int]], prefix: str) -> None:
    """Formatting agrees with Python's, and parsing gives the numbers back."""
    width, values = case
    numbers = np.array(values, dtype=np.uint64)
    strings = decimal_strings(numbers, width, prefix=prefix)
    strings.validate(full=True)
    assert strings.to_pylist() == [f"{prefix}{value:0{width}d}" for value in values]
    again, valid = parsed(strings, width, prefix=prefix)
    assert valid.all()
    assert np.array_equal(again, numbers)


@given(st.lists(st.one_of(st.none(), st.text(max_size=4), st.from_regex(r"[0-9]{3}", fullmatch=True))))
def test_only_ascii_digits_of_the_right_length_are_read(texts: list[str | None]) -> None:
    """Null, other lengths, letters and digits of other scripts are told apart, and read as 0."""
    values, valid = parsed(pa.array(texts, pa.string()), 3)
    right = [text is not None and len(text) == 3 and text.isascii() and text.isdigit() for text in texts]
    assert valid.tolist() == right
    assert values.tolist() == [int(text or 0) if ok else 0 for text, ok in zip(texts, right, strict=True)]


def test_slices_chunks_and_dictionaries_are_read() -> None:
    """A column is read wherever in memory it lies."""
    strings = pa.array(["001", "002", "x", "004", None], pa.string())
    columns = (
        strings.slice(1),
        pa.chunked_array([strings.slice(1, 1), strings.slice(2)]),
        strings.slice(1).dictionary_encode(),
        strings.slice(1).cast(pa.large_string()),
    )
    for column in columns:
        values, valid = parsed(column, 3)
        assert values.tolist() == [2, 0, 4, 0]
        assert valid.tolist() == [True, False, True, False]
    values, valid = parsed(strings.slice(1, 1), 3)
    assert (values.tolist(), valid.tolist()) == ([2], [True])


@pytest.mark.parametrize("texts", [[], [None, None], ["", ""]])
def test_columns_without_a_character_are_read(texts: list[str | None]) -> None:
    """Empty and all-null columns are no special case for the caller."""
    values, valid = parsed(pa.array(texts, pa.string()), 3)
    assert values.tolist() == [0] * len(texts)
    assert not valid.any()


def test_what_lies_beneath_a_null_is_not_read() -> None:
    """Arrow leaves the bytes of a null slot undefined; they may well be digits."""
    digits = pa.array(["001", "002"], pa.string())
    _, offsets, data = digits.buffers()
    hidden = pa.StringArray.from_buffers(2, offsets, data, pa.py_buffer(b"\x01"), 1)
    values, valid = parsed(hidden, 3)
    assert (values.tolist(), valid.tolist()) == ([1, 0], [True, False])


def test_numbers_of_too_many_digits_are_refused() -> None:
    """Nothing is cut off in silence."""
    for write in (lambda: decimal_strings(np.array([1000], dtype=np.uint64), 3), sum_of_too_many):
        with pytest.raises(ValueError, match="more than 3 digits"):
            write()


def sum_of_too_many() -> None:
    """Ask for the weighted sum of four digits with three weights."""
    weighted_sums(np.array([1000], dtype=np.uint64), (3, 2, 1))


def test_more_text_than_one_array_holds_is_refused() -> None:
    """Offsets of 32 bits would wrap around."""
    with pytest.raises(ValueError, match="exceed one array"):
        decimal_strings(np.broadcast_to(np.uint64(1), 10**9), 9)


@given(WIDTHS_AND_VALUES)
def test_weighted_sums_are_those_of_the_digits(case: tuple[int, list[int]]) -> None:
    """The tables of four digits add up to the plain sum."""
    width, values = case
    weights = [place * place + 1 for place in range(width)]
    expected = [
        sum(int(digit) * weight for digit, weight in zip(f"{value:0{width}d}", weights, strict=True))
        for value in values
    ]
    assert weighted_sums(np.array(values, dtype=np.uint64), weights).tolist() == expected
