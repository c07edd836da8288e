"""FF1, the format-preserving encryption mode of NIST SP 800-38G, over arrays of integers.

A numeral string of `length` digits in base `radix` is held as an integer, most significant digit first, or as
its two halves. Ten rounds of a Feistel network exchange the halves; the round function is AES-CBC-MAC over a
string of which only the last block depends on the value, so a round is one batch of AES blocks.

Where a half has at most 131,072 values, the ten round functions are tabulated once enough values were asked
for (at most 5 MiB): the same permutation, faster.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

Integers = NDArray[np.uint64]
Half = NDArray[Any]
"""The left or the right halves of values: uint64, or uint32 where the rounds are tables."""
RoundFunction = Callable[[int, Half], Half]
"""(round number, half) -> NUM(S) mod radix^m in a new array: steps 6.i to 6.v of algorithm 7."""

ROUNDS: Final = 10
SMALLEST_DOMAIN: Final = 1_000_000
"""Fewest values that may be encrypted (draft of SP 800-38G revision 1, 2025)."""
LARGEST_RADIX: Final = 1 << 16
_LARGEST_DOMAIN: Final = 1 << 63
_LARGEST_HALF: Final = 1 << 56
_LARGEST_TABLE: Final = 1 << 17
_BLOCK: Final = 16
_BATCH: Final = 16384
"""Values worked on at a time, so that the buffers of a round stay in the processor's cache."""
_TABLE_BATCH: Final = 32768
"""The same where a round is a table, of which each batch reads the most into that cache."""


@dataclass(frozen=True)
class _Rounds:
    """The ten round functions, the type of the halves they work on, and how many at a time."""

    function: RoundFunction
    kind: type[np.uint64 | np.uint32]
    batch: int

    def batches(self, values: int) -> Iterator[slice]:
        return (slice(start, start + self.batch) for start in range(0, values, self.batch))


class FF1:
    """FF1 with AES under one key and tweak, for numeral strings of one radix and length.

    Raises ValueError for a key that is not of 16, 24 or 32 bytes, a radix outside 2..65,536, fewer than
    1,000,000 possible values, or halves of 2^56 values and more.
    """

    def __init__(self, key: bytes, tweak: bytes, *, radix: int, length: int) -> None:
        if not 2 <= radix <= LARGEST_RADIX:
            raise ValueError(f"radix must lie in 2..{LARGEST_RADIX}, not {radix}")
        if length < 2 or radix**length < SMALLEST_DOMAIN:
            raise ValueError(f"{length} digits of radix {radix} have fewer than {SMALLEST_DOMAIN} values")
        self.size: Final = radix**length
        """How many values there are: radix^length."""
        self._moduli = (radix ** (length // 2), radix ** (length - length // 2))
        if self._moduli[1] >= _LARGEST_HALF:
            raise ValueError(f"{length} digits of radix {radix} have halves of 2^56 values or more")
        self._aes = _AesRounds(key, tweak, radix, length, self._moduli)
        self._tables: tuple[NDArray[np.unsignedinteger], ...] | None = None
        self._asked = 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size})"

    def encrypt(self, values: Integers) -> Integers:
        """FF1.Encrypt (SP 800-38G, algorithm 7) of integers below `size`, one-dimensional, in a new array.

        Raises ValueError when a value is not below `size`, or `size` is over 2^63.
        """
        return self._on_integers(values, self.encrypt_halves)

    def decrypt(self, values: Integers) -> Integers:
        """FF1.Decrypt (SP 800-38G, algorithm 8), the inverse of `encrypt`."""
        return self._on_integers(values, self.decrypt_halves)

    def encrypt_within(self, values: Integers, forbidden: Integers) -> Integers:
        """Encrypt, walking past the `forbidden` values: a permutation of all the others.

        Cycle walking is method 2 of Black and Rogaway, "Ciphers with arbitrary finite domains" (CT-RSA 2002).
        Raises ValueError when a value is itself forbidden.
        """
        return _walked(values, forbidden, self.encrypt)

    def decrypt_within(self, values: Integers, forbidden: Integers) -> Integers:
        """The inverse of `encrypt_within` for the same `forbidden` values."""
        return _walked(values, forbidden, self.decrypt)

    def encrypt_halves(self, left: Integers, right: Integers) -> tuple[Integers, Integers]:
        """FF1.Encrypt of strings held as two numbers: their first floor(length / 2) digits, and the rest."""
        rounds = self._rounds(len(left))
        moduli = [rounds.kind(modulus) for modulus in self._moduli]
        halves = np.empty_like(left), np.empty_like(right)
        for part in rounds.batches(len(left)):
            a, b = (half[part].astype(rounds.kind, copy=False) for half in (left, right))
            for number in range(ROUNDS):
                c = rounds.function(number, b)
                c += a
                a, b = b, np.minimum(c, c - moduli[number % 2], out=c)
            halves[0][part], halves[1][part] = a, b
        return halves

    def decrypt_halves(self, left: Integers, right: Integers) -> tuple[Integers, Integers]:
        """FF1.Decrypt, the inverse of `encrypt_halves`."""
        rounds = self._rounds(len(left))
        moduli = [rounds.kind(modulus) for modulus in self._moduli]
        halves = np.empty_like(left), np.empty_like(right)
        for part in rounds.batches(len(left)):
            a, b = (half[part].astype(rounds.kind, copy=False) for half in (left, right))
            for number in reversed(range(ROUNDS)):
                c = rounds.function(number, a)
                np.subtract(b, c, out=c)
                a, b = np.minimum(c, c + moduli[number % 2], out=c), a
            halves[0][part], halves[1][part] = a, b
        return halves

    def _on_integers(
        self, values: Integers, cipher: Callable[[Integers, Integers], tuple[Integers, Integers]]
    ) -> Integers:
        if self.size > _LARGEST_DOMAIN:
            raise ValueError(f"{self.size} values do not fit integers of 63 bits; use the halves")
        if len(values) and int(values.max()) >= self.size:
            raise ValueError(f"a value is not below {self.size}")
        modulus = np.uint64(self._moduli[1])
        left = values // modulus
        left, right = cipher(left, values - left * modulus)
        left *= modulus
        left += right
        return left

    def _rounds(self, values: int) -> _Rounds:
        """Tables as soon as the work without them would have paid for them."""
        self._asked += values
        entries = sum(self._moduli[1 - number % 2] for number in range(ROUNDS))
        if self._moduli[1] > _LARGEST_TABLE or self._asked * ROUNDS < entries:
            return _Rounds(self._aes.function(min(values, _BATCH)), np.uint64, _BATCH)
        if self._tables is None:
            aes = self._aes.function(self._moduli[1])
            inputs = [np.arange(modulus, dtype=np.uint64) for modulus in reversed(self._moduli)]
            kinds = [np.min_scalar_type(modulus - 1) for modulus in self._moduli]
            self._tables = tuple(aes(n, inputs[n % 2]).astype(kinds[n % 2]) for n in range(ROUNDS))
        tables = self._tables

        def looked_up(number: int, half: Half) -> Half:
            return tables[number].take(half, mode="clip").astype(np.uint32, copy=False)

        return _Rounds(looked_up, np.uint32, _TABLE_BATCH)


class _AesRounds:
    """The round functions by their definition."""

    def __init__(self, key: bytes, tweak: bytes, radix: int, length: int, moduli: tuple[int, int]) -> None:
        self._moduli = moduli
        self._wide = moduli[1] > 1 << 32
        numeral_bytes = -(-(moduli[1] - 1).bit_length() // 8)
        head = bytes([1, 2, 1]) + radix.to_bytes(3, "big") + bytes([ROUNDS, length // 2 % 256])
        head += length.to_bytes(4, "big") + len(tweak).to_bytes(4, "big")
        head += tweak + bytes((-len(tweak) - numeral_bytes - 1) % _BLOCK)
        whole = len(head) // _BLOCK * _BLOCK
        # S305: FF1 is built from single AES blocks; no message is encrypted in ECB mode.
        self._ecb = Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305
        mac = Cipher(algorithms.AES(key), modes.CBC(bytes(_BLOCK))).encryptor().update(head[:whole])[-_BLOCK:]
        last_blocks = [_xor(mac, head[whole:] + bytes([number]) + bytes(numeral_bytes)) for number in range(ROUNDS)]
        self._first_words = np.uint64(int.from_bytes(last_blocks[0][:8], "big"))
        self._last_words = [np.uint64(int.from_bytes(block[8:], "big")) for block in last_blocks]

    def function(self, values: int) -> RoundFunction:
        """A round function for up to `values` values, with a cipher and buffers of its own."""
        encryptor = self._ecb.encryptor()
        blocks = np.empty((values, 2), dtype=">u8")
        output = np.empty(values * _BLOCK + _BLOCK - 1, dtype=np.uint8)
        encrypted = output[: values * _BLOCK].view(">u8").reshape(-1, 2)
        blocks[:, 0] = self._first_words

        def numbers(number: int, half: Integers) -> Integers:
            count = len(half)
            np.bitwise_xor(half, self._last_words[number], out=blocks[:count, 1])
            encryptor.update_into(blocks[:count].view(np.uint8).data, output.data)
            modulus = np.uint64(self._moduli[number % 2])
            result = _reduced(encrypted[:count, 0].astype(np.uint64), modulus)
            if self._wide:
                tail = encrypted[:count, 1].astype(np.uint64)
                for shift in (56, 48, 40, 32):
                    byte = (tail >> np.uint64(shift)) & np.uint64(0xFF)
                    result = _reduced((result << np.uint64(8)) | byte, modulus)
            return result

        return numbers


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _reduced(numbers: Integers, modulus: np.uint64) -> Integers:
    """Reduce in place by the modulus; numpy vectorises the division and not the remainder."""
    quotient = numbers // modulus
    quotient *= modulus
    numbers -= quotient
    return numbers


def _walked(values: Integers, forbidden: Integers, cipher: Callable[[Integers], Integers]) -> Integers:
    if np.isin(values, forbidden).any():
        raise ValueError("a value to encrypt or decrypt is one of the forbidden values")
    result = cipher(values)
    outside = np.flatnonzero(np.isin(result, forbidden))
    while len(outside):
        result[outside] = cipher(result[outside])
        outside = outside[np.isin(result[outside], forbidden)]
    return result
