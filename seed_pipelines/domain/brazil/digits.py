"""Decimal digits of integers, and strings of a fixed number of them."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Strings: TypeAlias = pa.Array | pa.ChunkedArray
"""A column of text, dictionary-encoded or not."""

_Number = TypeVar("_Number", np.int32, np.uint8)
_Unsigned = TypeVar("_Unsigned", np.uint64, np.uint32)
_TEN: Final = np.uint64(10)
_ZERO: Final = ord("0")
_GROUP: Final = 4
"""Digits that are looked up at once."""
_WORD: Final = 8
"""Digits that 32 bits hold as a number, and 64 bits as text."""
_FOLDS: Final = ((10, 8, 0x00FF00FF00FF00FF), (100, 16, 0x0000FFFF0000FFFF), (10_000, 32, 0x00000000FFFFFFFF))
"""How neighbours of 1, 2 and 4 digits become one number in their place: factor, bits of a place, bits to keep."""
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
    end = len(weights)
    for digits, numbers in _groups(values, len(weights)):
        sums += _group_sums(tuple(weights[end - digits : end])).take(numbers, mode="clip")
        end -= digits
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
    end = size
    for digits, numbers in _groups(values, width):
        numerals = _numerals(digits).take(numbers, mode="clip")
        text[:, end - digits : end].view(numerals.dtype)[:, 0] = numerals
        end -= digits
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
    digits = text - np.uint8(_ZERO)
    wrong = digits > 9
    wrong[:, : len(prefix)] = text[:, : len(prefix)] != np.frombuffer(prefix.encode("ascii"), dtype=np.uint8)
    valid = right_size & ~wrong.any(axis=1) if wrong.any() else right_size
    values = np.zeros(len(text), dtype=np.uint64)
    start = len(prefix)
    while start < len(prefix) + width:
        size = 1 << min(_WORD, len(prefix) + width - start).bit_length() - 1
        values *= np.uint64(10**size)
        values += _folded(digits[:, start : start + size].view(f"<u{size}")[:, 0])
        start += size
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


def _groups(values: NDArray[np.uint64], width: int) -> Iterator[tuple[int, NDArray[np.uint32]]]:
    """The decimal digits of each value in groups of at most four, units first: how many digits, and their number."""
    for digits, word in _divided(values, width, _WORD):
        yield from _divided(word.astype(np.uint32), digits, _GROUP)


def _divided(values: NDArray[_Unsigned], width: int, most: int) -> Iterator[tuple[int, NDArray[_Unsigned]]]:
    base = values.dtype.type(10**most)
    rest = values
    while width > most:
        upper = rest // base
        yield most, rest - upper * base
        rest, width = upper, width - most
    yield width, rest


def _folded(words: NDArray[Any]) -> NDArray[Any]:
    """The number that each word spells, one digit a byte, the first digit in the lowest byte."""
    kind = words.dtype.type
    for factor, bits, kept in _FOLDS[: words.itemsize.bit_length() - 1]:
        words = words * kind(factor << bits | 1)
        words >>= kind(bits)
        words &= kind(kept & (1 << 8 * words.itemsize) - 1)
    return words


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
