"""CPF, the Brazilian taxpayer number: nine digits, the base, and two check digits modulo 11.

Bases are integers below 10^9. The ten CPFs of eleven equal digits have right check digits and count as
invalid all the same, as they do for the applications that validate them.
"""

from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from seed_pipelines.domain.brazil.digits import Strings, parsed, weighted_sums

_BASE_DIGITS: Final = 9
_ALL_DIGITS: Final = 11
_REPEATED: Final = np.uint64(111_111_111)
_BETWEEN: Final = np.uint64(111_111_110)
"""Bases between one of equal digits and the next."""

_LARGEST_SUM: Final = 9 * sum(range(2, 12))
_CHECK_DIGIT: Final = np.array([-total % 11 % 10 for total in range(_LARGEST_SUM + 1)], dtype=np.uint64)
"""The check digit for each weighted sum: 11 - sum mod 11, with ten and eleven written 0."""

_SUM_BITS: Final = 16
_SUM_MASK: Final = (1 << _SUM_BITS) - 1
_BOTH_WEIGHTS: Final = tuple(first | first + 1 << _SUM_BITS for first in range(10, 1, -1))
"""The weights of both check digits, which add up side by side."""

FORBIDDEN: Final = tuple(int(_REPEATED) * digit for digit in range(10))
"""The bases of equal digits."""

BASES: Final = 10**_BASE_DIGITS - len(FORBIDDEN)
"""How many bases are not of equal digits."""


def base_of_index(index: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The base at each position in [0, BASES) of the ascending bases without the forbidden ones."""
    return index + index // _BETWEEN + np.uint64(1)


def index_of_base(base: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The position of each base; the inverse of `base_of_index`, meaningless for forbidden bases."""
    return base - base // _REPEATED - np.uint64(1)


def check_digits(base: NDArray[np.uint64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The first and second check digit of each base."""
    first, second = _check_digits(base)
    return first.astype(np.uint8), second.astype(np.uint8)


def full(base: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The eleven-digit number of each base."""
    first, second = _check_digits(base)
    return base * np.uint64(100) + first * np.uint64(10) + second


def is_valid(numbers: Strings) -> pa.BooleanArray:
    """Whether each string is eleven digits with right check digits, not all equal; false for null."""
    values, valid = parsed(numbers, _ALL_DIGITS)
    base = values // np.uint64(100)
    return pa.array(valid & (full(base) == values) & (base % _REPEATED != 0), pa.bool_())


def _check_digits(base: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    sums = weighted_sums(base, _BOTH_WEIGHTS)
    first = _CHECK_DIGIT.take((sums & np.uint64(_SUM_MASK)).view(np.int64))
    second_sums = (sums >> np.uint64(_SUM_BITS)) + first * np.uint64(2)
    return first, _CHECK_DIGIT.take(second_sums.view(np.int64))
