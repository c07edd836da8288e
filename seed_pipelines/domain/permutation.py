"""Keyed permutations of [0, size): the same on every machine and with every version of the libraries."""

import hashlib
from dataclasses import dataclass
from itertools import count
from math import gcd
from typing import Final

import numpy as np
from numpy.typing import NDArray

_LARGEST_TABLE: Final = 1 << 32
_LARGEST_AFFINE: Final = 1 << 48


def keyed_permutation(key: bytes, size: int) -> NDArray[np.uint32]:
    """A table of a permutation of [0, size) that is a single cycle, so that nothing stays in its place.

    It is uniform among the single cycles, drawn from SHAKE256 (FIPS 202) of the key and the size.
    Raises ValueError when `size` is not in 2..2^32.
    """
    if not 2 <= size <= _LARGEST_TABLE:
        raise ValueError(f"size must lie in 2..2^32, not {size}")
    expanded = hashlib.shake_256(_labelled("cycle", key, size)).digest(8 * size)
    order = np.argsort(np.frombuffer(expanded, dtype="<u8"), kind="stable").astype(np.uint32)
    table = np.empty(size, dtype=np.uint32)
    table[order] = np.roll(order, -1)
    return table


@dataclass(frozen=True)
class AffinePermutation:
    """index -> (multiplier * index + offset) mod size: a permutation of [0, size) without a table."""

    size: int
    multiplier: int
    offset: int

    @classmethod
    def of(cls, key: bytes, size: int) -> "AffinePermutation":
        """The permutation of a key; its multiplier has no factor in common with `size`.

        Raises ValueError when `size` is not in 2..2^48, where a product with 16 bits of the multiplier still
        fits 64 bits.
        """
        if not 2 <= size <= _LARGEST_AFFINE:
            raise ValueError(f"size must lie in 2..2^48, not {size}")
        offset = _number(key, size, 0) % size
        multipliers = (1 + _number(key, size, attempt) % (size - 1) for attempt in count(1))
        return cls(size, next(number for number in multipliers if gcd(number, size) == 1), offset)

    def apply(self, index: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Where each index goes."""
        return (self._times(index, self.multiplier) + np.uint64(self.offset)) % np.uint64(self.size)

    def invert(self, value: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Where each value came from; the inverse of `apply`."""
        shifted = (value + np.uint64(self.size - self.offset)) % np.uint64(self.size)
        return self._times(shifted, pow(self.multiplier, -1, self.size))

    def _times(self, values: NDArray[np.uint64], factor: int) -> NDArray[np.uint64]:
        """Multiply modulo `size`, by as many bits of the factor at a time as fit 64 bits."""
        bits = 64 - self.size.bit_length() - 1
        size = np.uint64(self.size)
        product = np.zeros_like(values)
        for shift in range((factor.bit_length() - 1) // bits * bits, -1, -bits):
            digit = np.uint64(factor >> shift & (1 << bits) - 1)
            product = ((product << np.uint64(bits)) + values * digit) % size
        return product


def _number(key: bytes, size: int, attempt: int) -> int:
    return int.from_bytes(hashlib.sha256(_labelled("affine", key, size, attempt)).digest(), "big")


def _labelled(purpose: str, key: bytes, *numbers: int) -> bytes:
    return b"\x1f".join((purpose.encode(), *(number.to_bytes(8, "big") for number in numbers), key))
