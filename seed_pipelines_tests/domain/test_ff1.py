"""FF1: NIST's samples, an independent implementation, and the properties of a permutation."""

from typing import Final

import fastfpe.ff1
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from seed_pipelines.domain.ff1 import FF1

DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
KEY: Final = bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94")
DECIMAL: Final = "0123456789"
BASE_36: Final = DIGITS[:19]
TWEAK_10: Final = bytes.fromhex("39383736353433323130")
TWEAK_11: Final = bytes.fromhex("3737373770717273373737")

# NIST, "FF1 Method for Format-Preserving Encryption", sample data (FF1samples.pdf), 1 to 9.
SAMPLES: Final = [
    (KEY[:16], b"", DECIMAL, "2433477484"),
    (KEY[:16], TWEAK_10, DECIMAL, "6124200773"),
    (KEY[:16], TWEAK_11, BASE_36, "a9tv40mll9kdu509eum"),
    (KEY[:24], b"", DECIMAL, "2830668132"),
    (KEY[:24], TWEAK_10, DECIMAL, "2496655549"),
    (KEY[:24], TWEAK_11, BASE_36, "xbj3kv35jrawxv32ysr"),
    (KEY, b"", DECIMAL, "6657667009"),
    (KEY, TWEAK_10, DECIMAL, "1001623463"),
    (KEY, TWEAK_11, BASE_36, "xs8a0azh2avyalyzuwd"),
]


def uint64(*values: int) -> NDArray[np.uint64]:
    """Give an array of the values."""
    return np.array(values, dtype=np.uint64)


def halves(numeral: str, radix: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Split a numeral string as FF1 does."""
    middle = len(numeral) // 2
    return uint64(int(numeral[:middle], radix)), uint64(int(numeral[middle:], radix))


def spread(count: int, size: int) -> NDArray[np.uint64]:
    """`count` different values below `size`, the first and the last among them."""
    steps = np.linspace(0, size - 1, count, dtype=np.uint64)
    steps[-1] = size - 1
    return steps


def without_tables(cipher: FF1) -> FF1:
    """Keep a cipher from ever building tables."""
    cipher._asked = -(10**18)
    return cipher


@pytest.mark.parametrize(("key", "tweak", "plaintext", "ciphertext"), SAMPLES)
def test_gives_the_ciphertexts_of_the_nist_samples(key: bytes, tweak: bytes, plaintext: str, ciphertext: str) -> None:
    """All nine samples pass through the rounds in both directions."""
    radix = 36 if plaintext == BASE_36 else 10
    cipher = FF1(key, tweak, radix=radix, length=len(plaintext))
    assert cipher.encrypt_halves(*halves(plaintext, radix)) == halves(ciphertext, radix)
    assert cipher.decrypt_halves(*halves(ciphertext, radix)) == halves(plaintext, radix)


@pytest.mark.parametrize(("key", "tweak", "plaintext", "ciphertext"), [s for s in SAMPLES if s[2] == DECIMAL])
def test_gives_the_decimal_nist_samples_through_tables_too(
    key: bytes, tweak: bytes, plaintext: str, ciphertext: str
) -> None:
    """Tabulated round functions give the samples as well."""
    cipher = FF1(key, tweak, radix=10, length=10)
    cipher.encrypt(spread(200_000, cipher.size))
    assert cipher._tables is not None
    assert cipher.encrypt(uint64(int(plaintext))) == uint64(int(ciphertext))
    assert cipher.decrypt(uint64(int(ciphertext))) == uint64(int(plaintext))


@pytest.mark.parametrize(("radix", "length"), [(10, n) for n in range(6, 19)] + [(2, 20), (2, 63), (7, 9), (36, 11)])
@pytest.mark.parametrize("key_bytes", [16, 24, 32])
def test_agrees_with_an_independent_implementation(radix: int, length: int, key_bytes: int) -> None:
    """Radixes, lengths, key sizes and tweaks of several blocks agree with the Rust implementation fastfpe."""
    alphabet = DIGITS[:radix]
    for tweak in (b"", b"tenant-a", bytes(range(40))):
        cipher = FF1(KEY[:key_bytes], tweak, radix=radix, length=length)
        values = spread(200, cipher.size)
        for value, ours in zip(values.tolist(), cipher.encrypt(values).tolist(), strict=True):
            theirs = fastfpe.ff1.encrypt(KEY[:key_bytes].hex(), tweak.hex(), alphabet, numeral(value, alphabet, length))
            assert numeral(ours, alphabet, length) == theirs


@pytest.mark.parametrize("length", [13, 16, 19, 20])
def test_agrees_with_an_independent_implementation_beyond_63_bits(length: int) -> None:
    """Halves over 2^32 need a third word of the round function's output."""
    cipher = FF1(KEY, b"tenant-a", radix=36, length=length)
    left_digits, right_digits = length // 2, length - length // 2
    left, right = spread(200, 36**left_digits), spread(200, 36**right_digits)[::-1]
    encrypted = cipher.encrypt_halves(left, right)
    assert [half.tolist() for half in cipher.decrypt_halves(*encrypted)] == [left.tolist(), right.tolist()]
    for a, b, c, d in zip(left.tolist(), right.tolist(), *(half.tolist() for half in encrypted), strict=True):
        plaintext = numeral(a, DIGITS, left_digits) + numeral(b, DIGITS, right_digits)
        ciphertext = numeral(c, DIGITS, left_digits) + numeral(d, DIGITS, right_digits)
        assert fastfpe.ff1.encrypt(KEY.hex(), b"tenant-a".hex(), DIGITS, plaintext) == ciphertext


def numeral(value: int, alphabet: str, length: int) -> str:
    """Write a value in an alphabet, padded to a length."""
    digits = []
    for _ in range(length):
        value, digit = divmod(value, len(alphabet))
        digits.append(alphabet[digit])
    return "".join(reversed(digits))


def test_is_a_bijection_of_the_smallest_domain() -> None:
    """Every one of 10^6 values is given exactly once."""
    cipher = FF1(KEY, b"tweak", radix=10, length=6)
    everything = np.arange(cipher.size, dtype=np.uint64)
    encrypted = cipher.encrypt(everything)
    assert np.array_equal(np.sort(encrypted), everything)
    assert np.array_equal(cipher.decrypt(encrypted), everything)


@given(
    key=st.binary(min_size=32, max_size=32),
    tweak=st.binary(max_size=48),
    length=st.integers(6, 18),
    fractions=st.lists(st.integers(0, 10**18 - 1), max_size=20),
)
def test_decrypting_undoes_encrypting(key: bytes, tweak: bytes, length: int, fractions: list[int]) -> None:
    """Decryption is the inverse under any key, tweak and length."""
    cipher = FF1(key, tweak, radix=10, length=length)
    values = uint64(*(fraction % cipher.size for fraction in fractions))
    assert np.array_equal(cipher.decrypt(cipher.encrypt(values)), values)


@pytest.mark.parametrize("length", [6, 7, 8, 9, 10])
def test_tables_and_definition_agree(length: int) -> None:
    """The tables are the same permutation."""
    tabled = FF1(KEY, b"tweak", radix=10, length=length)
    direct = without_tables(FF1(KEY, b"tweak", radix=10, length=length))
    values = spread(150_000, tabled.size)
    encrypted = tabled.encrypt(values)
    assert tabled._tables is not None
    assert np.array_equal(encrypted, direct.encrypt(values))
    assert np.array_equal(tabled.decrypt(encrypted), direct.decrypt(encrypted))
    assert direct._tables is None


def test_tables_are_not_built_for_few_values_nor_for_wide_halves() -> None:
    """Tables are built only where they pay and stay small."""
    few, wide = (FF1(KEY, b"", radix=10, length=length) for length in (9, 12))
    few.encrypt(spread(1_000, few.size))
    wide.encrypt(spread(1_000_000, wide.size))
    assert few._tables is None
    assert wide._tables is None


def test_the_values_asked_for_are_left_as_they_were() -> None:
    """No argument is changed in place."""
    cipher = FF1(KEY, b"", radix=10, length=9)
    values = spread(1_000, cipher.size)
    cipher.encrypt(values)
    cipher.encrypt_within(values, uint64())
    assert np.array_equal(values, spread(1_000, cipher.size))


def test_key_and_tweak_change_every_part() -> None:
    """Another key or tweak is another permutation."""
    values = spread(1_000, 10**9)
    one, other_key, other_tweak = (
        FF1(key, tweak, radix=10, length=9).encrypt(values)
        for key, tweak in ((KEY, b"a"), (KEY[::-1], b"a"), (KEY, b"b"))
    )
    assert (one == other_key).sum() < 3
    assert (one == other_tweak).sum() < 3


def test_walking_cycles_is_a_bijection_of_what_is_not_forbidden() -> None:
    """With a third of the domain forbidden, the rest is permuted."""
    cipher = FF1(KEY, b"tweak", radix=10, length=6)
    forbidden = np.arange(0, cipher.size, 3, dtype=np.uint64)
    allowed = np.setdiff1d(np.arange(cipher.size, dtype=np.uint64), forbidden)
    encrypted = cipher.encrypt_within(allowed, forbidden)
    assert np.array_equal(np.sort(encrypted), allowed)
    assert np.array_equal(cipher.decrypt_within(encrypted, forbidden), allowed)


def test_walking_cycles_changes_only_what_fell_on_a_forbidden_value() -> None:
    """Values that miss the forbidden ones are encrypted once."""
    cipher = FF1(KEY, b"tweak", radix=10, length=9)
    values = spread(10_000, cipher.size)
    plain = cipher.encrypt(values)
    walked = cipher.encrypt_within(values, plain[5:6])
    assert np.flatnonzero(plain != walked).tolist() == [5]
    assert walked[5] == cipher.encrypt(plain[5:6])[0]


def test_refuses_to_walk_from_a_forbidden_value() -> None:
    """A forbidden value has no place in the permutation."""
    cipher = FF1(KEY, b"", radix=10, length=9)
    with pytest.raises(ValueError, match="forbidden"):
        cipher.encrypt_within(uint64(1, 7), uint64(7))
    with pytest.raises(ValueError, match="forbidden"):
        cipher.decrypt_within(uint64(1, 7), uint64(7))


@pytest.mark.parametrize(
    ("key", "radix", "length", "reason"),
    [
        (KEY, 10, 5, "fewer than 1000000 values"),
        (KEY, 10, 1, "fewer than"),
        (KEY, 1_000_000, 1, "radix must lie"),
        (KEY, 1, 30, "radix must lie"),
        (KEY, 10, 34, "halves of 2\\^56"),
        (KEY[:31], 10, 9, "key"),
    ],
)
def test_refuses_what_the_standard_or_the_arrays_cannot_hold(key: bytes, radix: int, length: int, reason: str) -> None:
    """Keys, radixes and lengths out of range are refused."""
    with pytest.raises(ValueError, match=reason):
        FF1(key, b"", radix=radix, length=length)


def test_refuses_values_outside_the_domain() -> None:
    """A value that is no numeral string of the length is refused."""
    with pytest.raises(ValueError, match="not below 1000000000"):
        FF1(KEY, b"", radix=10, length=9).encrypt(uint64(10**9))
    with pytest.raises(ValueError, match="use the halves"):
        FF1(KEY, b"", radix=36, length=19).encrypt(uint64(1))


def test_no_values_give_no_values() -> None:
    """An empty array is fine."""
    assert len(FF1(KEY, b"", radix=10, length=9).encrypt(uint64())) == 0


def test_its_text_does_not_hold_the_key() -> None:
    """The key is never shown."""
    assert repr(FF1(KEY, b"", radix=10, length=9)) == "FF1(size=1000000000)"
