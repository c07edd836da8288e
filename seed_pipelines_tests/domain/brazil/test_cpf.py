"""CPF, against python-stdnum."""

import numpy as np
import pyarrow as pa
import pytest
from stdnum.br import cpf as stdnum_cpf

from seed_pipelines.domain.brazil import cpf
from seed_pipelines.domain.brazil.digits import decimal_strings

SPREAD = np.linspace(0, cpf.BASES - 1, 100_000, dtype=np.uint64)


def test_agrees_with_stdnum_on_a_hundred_thousand_numbers() -> None:
    """Every number made passes an independent validator, and ours."""
    numbers = decimal_strings(cpf.full(cpf.base_of_index(SPREAD)), 11)
    assert all(stdnum_cpf.is_valid(str(number)) for number in numbers.to_pylist())
    assert cpf.is_valid(numbers).to_pylist() == [True] * len(SPREAD)


def test_check_digits_are_the_last_two() -> None:
    """111.444.777-35 and 529.982.247-25 are the usual worked examples."""
    first, second = cpf.check_digits(np.array([111_444_777, 529_982_247], dtype=np.uint64))
    assert (first.tolist(), second.tolist()) == ([3, 2], [5, 5])
    assert first.dtype == second.dtype == np.uint8


@pytest.mark.parametrize("position", range(11))
def test_one_wrong_digit_is_found(position: int) -> None:
    """Each place of a number counts, as stdnum says."""
    digits = "11144477735"
    changed = [digits[:position] + other + digits[position + 1 :] for other in "0123456789"]
    assert cpf.is_valid(pa.array(changed)).to_pylist() == [stdnum_cpf.is_valid(number) for number in changed]
    assert cpf.is_valid(pa.array(changed)).true_count == 1


def test_equal_digits_and_other_shapes_are_invalid() -> None:
    """The ten numbers of equal digits, punctuation, letters, lengths and null all count as invalid."""
    equal = [str(digit) * 11 for digit in range(10)]
    other = ["111.444.777-35", "1114447773", "111444777350", "1114447773X", "", None]
    assert not any(cpf.is_valid(pa.array(equal + other)).to_pylist())


def test_forbidden_bases_are_exactly_those_of_equal_digits() -> None:
    """They complete to eleven equal digits."""
    assert cpf.full(np.array(cpf.FORBIDDEN, dtype=np.uint64)).tolist() == [int(str(d) * 11) for d in range(10)]


def test_index_and_base_are_inverse_and_pass_over_the_forbidden_bases() -> None:
    """Around each forbidden base, and at both ends, the sequence goes on without a gap."""
    around = np.array(
        sorted({base + step for base in cpf.FORBIDDEN for step in range(-3, 4)} - set(cpf.FORBIDDEN)),
        dtype=np.int64,
    )
    bases = around[(around >= 0) & (around < 10**9)].astype(np.uint64)
    index = cpf.index_of_base(bases)
    assert np.array_equal(cpf.base_of_index(index), bases)
    assert (index[0], index[-1]) == (0, cpf.BASES - 1)
    steps = np.diff(bases.astype(np.int64))
    assert np.diff(index.astype(np.int64))[steps <= 2].tolist() == [1] * int((steps <= 2).sum())
    assert not np.isin(cpf.base_of_index(SPREAD), cpf.FORBIDDEN).any()
    assert np.array_equal(cpf.index_of_base(cpf.base_of_index(SPREAD)), SPREAD)
