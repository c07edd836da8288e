"""Counter-based random streams: a value is a function of (seed key, entity, column, row), never of what was drawn before.

A stream is SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014)
addressed by index: draw `i` is the `i`-th output of the generator whose state starts at the stream's own seed, which
SHA-256 derives from the seed key and the stream's name. Any draw of any row can therefore be made alone.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

_GAMMA: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)
_BUCKET_BITS: Final = 12


def derive_key(key: bytes, *context: str) -> bytes:
    """32 bytes for one purpose: HKDF-SHA256 (RFC 5869) with `key` as input and the context as info, one block.

    The parts of the context are length-prefixed, so ("ab", "c") and ("a", "bc") differ.
    """
    info = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in context)
    pseudorandom_key = hmac.digest(bytes(32), key, hashlib.sha256)
    return hmac.digest(pseudorandom_key, info + b"\x01", hashlib.sha256)


@dataclass(frozen=True)
class Stream:
    """One column's source of random 64-bit words, addressed by row index."""

    seed: int

    @classmethod
    def of(cls, key: bytes, *context: str) -> "Stream":
        """The stream that belongs to `context` under `key`."""
        return cls(int.from_bytes(derive_key(key, *context)[:8], "big"))

    def words(self, rows: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Uniform 64-bit words, one for each row index (shape kept)."""
        z = rows + np.uint64(1)
        z *= _GAMMA
        z += np.uint64(self.seed)
        z ^= z >> np.uint64(30)
        z *= _MIX_1
        z ^= z >> np.uint64(27)
        z *= _MIX_2
        z ^= z >> np.uint64(31)
        return z

    def below(self, rows: NDArray[np.uint64], bound: int) -> NDArray[np.uint64]:
        """Uniform integers in [0, bound) by multiply-shift on the upper 32 bits; `bound` is at most 2^31.

        The bias is below bound / 2^32 (Lemire, "Fast random integer generation in an interval", 2019, without rejection,
        because a rejected draw would need a second counter).
        """
        if not 0 < bound <= 1 << 31:
            raise ValueError(f"bound must lie in 1..2^31, not {bound}")
        words = self.words(rows)
        words >>= np.uint64(32)
        words *= np.uint64(bound)
        words >>= np.uint64(32)
        return words

    def within(self, rows: NDArray[np.uint64], bounds: NDArray[np.integer]) -> NDArray[np.int64]:
        """Uniform integers in [0, bound) for bounds of one's own, each from 1 to 2^31; as `below` gives them."""
        words = self.words(rows) >> np.uint64(32)
        return (words * bounds.astype(np.uint64) >> np.uint64(32)).astype(np.int64)

    def choice(self, rows: NDArray[np.uint64], weights: Sequence[int]) -> NDArray[np.uint8]:
        """Indices into `weights` (parts of their sum, at most 256 of them), drawn with those shares."""
        draws = self.below(rows, int(sum(weights)))
        shares = _Shares.of(tuple(weights))
        bucket = (draws >> shares.shift).view(np.int64)
        chosen = shares.by_bucket.take(bucket)
        divided = np.flatnonzero(chosen != shares.by_bucket[1:].take(bucket))
        chosen[divided] = np.searchsorted(shares.edges, draws[divided], side="right")
        return chosen


@dataclass(frozen=True)
class _Shares:
    """Which draw falls to which weight, and what is the same for all draws of a bucket of 2^shift."""

    edges: NDArray[np.uint64]
    """The first draw beyond each weight but the last."""
    shift: np.uint64
    by_bucket: NDArray[np.uint8]
    """The index for the first draw of each bucket."""

    @classmethod
    @lru_cache
    def of(cls, weights: tuple[int, ...]) -> "_Shares":
        """The shares of some weights."""
        edges = np.cumsum(np.asarray(weights, dtype=np.uint64))[:-1]
        total = int(sum(weights))
        shift = np.uint64(max(0, total.bit_length() - _BUCKET_BITS))
        firsts = np.arange((total >> int(shift)) + 2, dtype=np.uint64) << shift
        return cls(edges, shift, np.searchsorted(edges, firsts, side="right").astype(np.uint8))
