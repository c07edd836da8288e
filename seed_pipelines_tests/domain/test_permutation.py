"""Keyed permutations: bijections that depend on the key and on nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines.domain.permutation import AffinePermutation, keyed_permutation

KEYS = st.binary(max_size=64)
KEYED_10 = [1, 9, 5, 7, 2, 8, 0, 6, 3, 4]
AFFINE_12 = (286_748_944_909, 172_517_403_046)


@given(KEYS, st.integers(2, 2000))
def test_a_keyed_permutation_is_one_cycle(key: bytes, size: int) -> None:
    """Following it from 0 visits everything before it comes back."""
    table = keyed_permutation(key, size).tolist()
    position, steps = table[0], 1
    while position:
        position, steps = table[position], steps + 1
    assert steps == size


def test_a_keyed_permutation_never_changes_for_its_key() -> None:
    """Golden values: on another machine or with other libraries they are the same."""
    assert keyed_permutation(b"key", 10).tolist() == KEYED_10
    assert keyed_permutation(b"key", 10).dtype == np.uint32
    assert keyed_permutation(b"yek", 10).tolist() != KEYED_10


def test_every_cycle_of_four_is_drawn_about_equally_often() -> None:
    """There are six; 6,000 keys give each about a thousand times."""
    drawn = [tuple(keyed_permutation(str(key).encode(), 4).tolist()) for key in range(6000)]
    counts = [drawn.count(cycle) for cycle in set(drawn)]
    assert len(counts) == 6
    assert all(850 < count < 1150 for count in counts)


@given(KEYS, st.integers(2, 3000))
def test_an_affine_permutation_is_a_bijection(key: bytes, size: int) -> None:
    """Everything is given once, and inverting gives the index back."""
    permutation = AffinePermutation.of(key, size)
    index = np.arange(size, dtype=np.uint64)
    values = permutation.apply(index)
    assert np.array_equal(np.sort(values), index)
    assert np.array_equal(permutation.invert(values), index)


@given(KEYS, st.integers(2, 1 << 48), st.lists(st.integers(0, (1 << 48) - 1), min_size=1, max_size=20))
def test_products_never_overflow(key: bytes, size: int, seeds: list[int]) -> None:
    """For sizes up to the largest, arrays agree with Python's unbounded integers."""
    permutation = AffinePermutation.of(key, size)
    index = [seed % size for seed in [*seeds, -1]]
    expected = [(permutation.multiplier * i + permutation.offset) % size for i in index]
    values = permutation.apply(np.array(index, dtype=np.uint64))
    assert values.tolist() == expected
    assert permutation.invert(values).tolist() == index


def test_an_affine_permutation_never_changes_for_its_key() -> None:
    """Golden values."""
    assert AffinePermutation.of(b"key", 10**12) == AffinePermutation(10**12, *AFFINE_12)
    assert AffinePermutation.of(b"yek", 10**12) != AffinePermutation.of(b"key", 10**12)


@pytest.mark.parametrize("size", [-1, 0, 1])
def test_too_small_a_size_is_refused(size: int) -> None:
    """One thing cannot leave its place."""
    with pytest.raises(ValueError, match="size must lie"):
        keyed_permutation(b"key", size)
    with pytest.raises(ValueError, match="size must lie"):
        AffinePermutation.of(b"key", size)


def test_too_large_a_size_is_refused() -> None:
    """Beyond the documented bounds."""
    with pytest.raises(ValueError, match="size must lie"):
        keyed_permutation(b"key", (1 << 32) + 1)
    with pytest.raises(ValueError, match="size must lie"):
        AffinePermutation.of(b"key", (1 << 48) + 1)
