"""Counter-based streams."""

import numpy as np
import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines.domain.streams import Stream, derive_key


def rows(*indices: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    return np.asarray(indices, dtype=np.uint64)


def test_words_are_those_of_splitmix64() -> None:
    """First outputs for seed 1234567, as published with the reference implementation (prng.di.unimi.it/splitmix64.c)."""
    expected = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert Stream(1234567).words(rows(0, 1, 2, 3, 4)).tolist() == expected


@given(st.lists(st.integers(0, 2**58 - 1), min_size=1, max_size=50), st.integers(0, 2**64 - 1))
def test_a_row_has_the_same_word_alone_in_any_order_and_in_any_company(indices: list[int], seed: int) -> None:
    stream = Stream(seed)
    together = stream.words(rows(*indices)).tolist()
    assert together == [stream.words(rows(index)).tolist()[0] for index in indices]
    assert together[::-1] == stream.words(rows(*reversed(indices))).tolist()


def test_the_rows_that_are_asked_for_are_not_changed() -> None:
    asked = rows(1, 2, 3)
    Stream(7).below(asked, 10)
    assert asked.tolist() == [1, 2, 3]


@pytest.mark.parametrize("bound", [0, -1, 2**31 + 1])
def test_a_bound_that_does_not_fit_is_refused(bound: int) -> None:
    with pytest.raises(ValueError, match="bound"):
        Stream(0).below(rows(1), bound)


def test_choices_have_their_shares() -> None:
    drawn = Stream.of(b"key", "customers", "status").choice(np.arange(200_000, dtype=np.uint64), (86, 4, 7, 3))
    shares = np.bincount(drawn, minlength=4) / len(drawn)
    assert shares.tolist() == pytest.approx([0.86, 0.04, 0.07, 0.03], abs=0.003)


def test_streams_of_different_columns_are_not_correlated() -> None:
    index = np.arange(100_000, dtype=np.uint64)
    one, other = (Stream.of(b"key", "customers", name).words(index).astype(np.float64) for name in ("a", "b"))
    assert abs(float(np.corrcoef(one, other)[0, 1])) < 0.01


def test_derived_keys_depend_on_where_the_context_is_cut() -> None:
    assert derive_key(b"key", "ab", "c") != derive_key(b"key", "a", "bc")
    assert len(derive_key(b"key", "ab", "c")) == 32


def test_derived_keys_are_hkdf_of_rfc_5869() -> None:

    oracle = HKDF(SHA256(), 32, salt=None, info=b"\x00\x00\x00\x05field").derive(b"input key")
    assert derive_key(b"input key", "field") == oracle
