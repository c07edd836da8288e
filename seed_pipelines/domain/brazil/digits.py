"""Decimal digits of integers, and strings of a fixed number of them."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Strings: TypeAlias = pa.Array | pa.ChunkedArray
"""A column of text, dictionary-encoded or not."""

_Number = TypeVar("_Number", np.int32, np.uint8)
_TEN: Final = np.uint64(10)
_ZERO: Final = ord("0")
_GROUP: Final = 4
"""Digits that are looked up at once."""
_LARGEST_OFFSET: Final = (1 << 31) - 1


def digits_of(values: NDArray[np.uint64], width: int) -> Iterator[NDArray[np.uint64]]:
    """The `width` decimal digits of each value, one array per place, units first.

    Raises ValueError when a value has more digits.
    """
    _check_width(values, width)
    rest = values
    for _ in range(width):
        tens = rest // _TEN
        yield rest - tens * _TEN
        rest = tens


def weighted_sums(values: NDArray[np.uint64], weights: Sequence[int]) -> NDArray[np.uint64]:
    """The sum of each value's digits times the weights, both most significant first and equally many.

    Raises ValueError when a value has more digits than there are weights.
    """
    _check_width(values, len(weights))
    sums = np.zeros(len(values), dtype=np.uint64)
    rest = values
    for end in range(len(weights), 0, -_GROUP):
        group = tuple(weights[max(0, end - _GROUP) : end])
        upper = rest // np.uint64(10 ** len(group))
        lower = rest - upper * np.uint64(10 ** len(group))
        sums += _group_sums(group).take(lower.view(np.int64), mode="clip")
        rest = upper
    return sums


def decimal_strings(values: NDArray[np.uint64], width: int, *, prefix: str = "") -> pa.StringArray:
    """An ASCII prefix and `width` digits, padded with zeros, for each value.

    Raises ValueError when a value has more digits, or the strings together exceed 2^31 - 1 bytes.
    """
    _check_width(values, width)
    size = len(prefix) + width
    _check_size(len(values), size)
    text = np.empty((len(values), size), dtype=np.uint8)
    text[:, : len(prefix)] = np.frombuffer(prefix.encode("ascii"), dtype=np.uint8)
    rest = values
    for end in range(size, len(prefix), -_GROUP):
        group = min(_GROUP, end - len(prefix))
        upper = rest // np.uint64(10**group)
        lower = rest - upper * np.uint64(10**group)
        numerals = _numerals(group).take(lower.view(np.int64), mode="clip")
        text[:, end - group : end].view(numerals.dtype)[:, 0] = numerals
        rest = upper
    return joined(text)


def joined(characters: NDArray[np.uint8]) -> pa.StringArray:
    """One string for each row of ASCII characters.

    Raises ValueError when the strings together exceed 2^31 - 1 bytes.
    """
    count, size = characters.shape
    _check_size(count, size)
    text = np.ascontiguousarray(characters)
    offsets = np.arange(count + 1, dtype=np.int32) * np.int32(size)
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets.data), pa.py_buffer(text.data))


def parsed(strings: Strings, width: int, *, prefix: str = "") -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """The value of each string, and whether it is the prefix and exactly `width` ASCII digits.

    A string of another shape, or null, has the value 0.
    """
    text, right_size = characters_of(strings, len(prefix) + width)
    valid = right_size & (text[:, : len(prefix)] == np.frombuffer(prefix.encode("ascii"), dtype=np.uint8)).all(axis=1)
    values = np.zeros(len(text), dtype=np.uint64)
    for column in range(len(prefix), len(prefix) + width):
        digit = text[:, column] - np.uint8(_ZERO)
        valid &= digit < 10
        values *= _TEN
        values += digit
    values[~valid] = 0
    return values, valid


def characters_of(strings: Strings, size: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The bytes of each string as a row, zeros if they are not `size` bytes, and whether they are; false for null."""
    text = flat(strings)
    if not len(text):
        return np.empty((0, size), dtype=np.uint8), np.empty(0, dtype=np.bool_)
    _, starts, data = text.buffers()
    offsets = _numbers(starts, np.int32)[text.offset : text.offset + len(text) + 1]
    characters = _numbers(data, np.uint8)
    right_size = (np.diff(offsets) == size) & text.is_valid().to_numpy(zero_copy_only=False)
    if right_size.all():
        return characters[offsets[0] : offsets[-1]].reshape(-1, size), right_size
    rows = np.zeros((len(text), size), dtype=np.uint8)
    rows[right_size] = characters[offsets[:-1][right_size, None] + np.arange(size)]
    return rows, right_size


def flat(strings: Strings) -> pa.StringArray:
    """A column as one array of plain strings."""
    whole = strings.combine_chunks() if isinstance(strings, pa.ChunkedArray) else strings
    return whole.cast(pa.string())


@lru_cache
def _group_sums(weights: tuple[int, ...]) -> NDArray[np.uint64]:
    """A table of the weighted sums of all numbers of a few digits."""
    numbers = np.arange(10 ** len(weights), dtype=np.uint64)
    places = zip(digits_of(numbers, len(weights)), reversed(weights), strict=True)
    return sum((digit * np.uint64(weight) for digit, weight in places), start=np.zeros_like(numbers))


@lru_cache
def _numerals(width: int) -> NDArray[np.void]:
    """The ASCII digits of all numbers of a few digits, each as one item of `width` bytes."""
    numbers = np.arange(10**width, dtype=np.uint64)
    units_first = [digit.astype(np.uint8) + np.uint8(_ZERO) for digit in digits_of(numbers, width)]
    return np.column_stack(units_first[::-1]).view(f"V{width}")[:, 0]


def _check_width(values: NDArray[np.uint64], width: int) -> None:
    if len(values) and int(values.max()) >= 10**width:
        raise ValueError(f"a value has more than {width} digits")


def _check_size(strings: int, size: int) -> None:
    if strings * size > _LARGEST_OFFSET:
        raise ValueError(f"{strings} strings of {size} bytes exceed one array")


def _numbers(buffer: pa.Buffer | None, dtype: type[_Number]) -> NDArray[_Number]:
    return np.frombuffer(memoryview(buffer), dtype=dtype) if buffer else np.empty(0, dtype=dtype)
