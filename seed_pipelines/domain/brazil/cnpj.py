"""CNPJ, the Brazilian company number: a root of eight characters, a branch of four, and two check digits modulo 11.

Root and branch are digits, or since July 2026 digits and capital letters (Receita Federal, Instrução Normativa RFB
2.229/2024); the check digits stay numeric. A character counts as its ASCII code less 48. The number of a root of equal digits
is never made, and that of twelve zeros counts as invalid.
"""

from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from seed_pipelines.domain.brazil.digits import Strings, characters_of, joined

ROOT_CHARACTERS: Final = 8
RADIX: Final = 36
"""Of alphanumeric roots: the ten digits, then the 26 capital letters."""
LETTERS: Final = 26

FORBIDDEN_ROOTS: Final = tuple(11_111_111 * digit for digit in range(10))
"""The numeric roots of equal digits."""

NUMERIC_ROOTS: Final = 10**ROOT_CHARACTERS - len(FORBIDDEN_ROOTS)
"""How many numeric roots are not of equal digits."""

_BASE_CHARACTERS: Final = 12
_ALL_CHARACTERS: Final = 14
_BETWEEN: Final = np.uint64(11_111_110)
"""Roots between one of equal digits and the next."""
_WEIGHTS: Final = np.array([6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2], dtype=np.int64)
"""Of the second check digit; the first one's are the same without the foremost."""
_ZERO: Final = np.uint8(ord("0"))
_HEAD_OFFICE: Final = np.frombuffer(b"0001", dtype=np.uint8)
_CHARACTERS: Final = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", dtype=np.uint8)


def root_of_index(index: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The root at each position in [0, NUMERIC_ROOTS) of the ascending numeric roots without the forbidden ones."""
    return index + index // _BETWEEN + np.uint64(1)


def numeric_bases(roots: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Root and head office's branch, twelve ASCII characters a row, of numeric roots below 10^8."""
    return _bases(_places(roots, 10, ROOT_CHARACTERS))


def alphanumeric_bases(letters: NDArray[np.integer], rest: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """The same of roots that begin with a letter: its position in the alphabet, and a number below 36^7 in base 36."""
    initials = (letters.astype(np.int64) + (RADIX - LETTERS))[:, None]
    return _bases(np.hstack([initials, _places(rest, RADIX, ROOT_CHARACTERS - 1)]))


def check_digits(bases: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The two check digits, as numbers, of each row of twelve ASCII characters."""
    values = bases.astype(np.int64) - int(_ZERO)
    first = _check_digits(values @ _WEIGHTS[1:])
    second = _check_digits(values @ _WEIGHTS[:-1] + first * _WEIGHTS[-1])
    return np.column_stack([first, second]).astype(np.uint8)


def full(bases: NDArray[np.uint8]) -> pa.StringArray:
    """The fourteen characters of each row of twelve ASCII characters."""
    return joined(np.hstack([bases, check_digits(bases) + _ZERO]))


def is_valid(numbers: Strings) -> pa.BooleanArray:
    """Whether each string is fourteen characters with right check digits, not all zeros; false for null."""
    text, valid = characters_of(numbers, _ALL_CHARACTERS)
    bases, checks = text[:, :_BASE_CHARACTERS], text[:, _BASE_CHARACTERS:]
    valid = valid & np.isin(bases, _CHARACTERS).all(axis=1) & (bases != _ZERO).any(axis=1)
    return pa.array(valid & (checks == check_digits(bases) + _ZERO).all(axis=1), pa.bool_())


def _bases(root_places: NDArray[np.int64]) -> NDArray[np.uint8]:
    branches = np.broadcast_to(_HEAD_OFFICE, (len(root_places), len(_HEAD_OFFICE)))
    return np.hstack([_CHARACTERS[root_places], branches])


def _places(values: NDArray[np.uint64], radix: int, width: int) -> NDArray[np.int64]:
    """The digits of each value, most significant first; ValueError when it has more."""
    places = np.empty((len(values), width), dtype=np.int64)
    rest = values
    for place in range(width - 1, -1, -1):
        rest, digit = np.divmod(rest, np.uint64(radix))
        places[:, place] = digit
    if rest.any():
        raise ValueError(f"a value has more than {width} digits of radix {radix}")
    return places


def _check_digits(sums: NDArray[np.int64]) -> NDArray[np.int64]:
    """11 - sum mod 11, with ten and eleven written 0."""
    return -sums % 11 % 10
