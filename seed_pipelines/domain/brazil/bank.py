"""Check digits of branches and accounts by the modulo 11 rule of Banco do Brasil, where ten is written X."""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from seed_pipelines.domain.brazil.digits import Strings, flat, parsed, weighted_sums

_BRANCH_WEIGHTS: Final = (5, 4, 3, 2)
_ACCOUNT_WEIGHTS: Final = (9, 8, 7, 6, 5, 4, 3, 2)
_BY_REMAINDER: Final = pa.array(tuple("0X987654321"), pa.string())
"""11 - remainder, with 11 written 0 and 10 written X."""


def branch_check_digits(branch: NDArray[np.uint64]) -> pa.StringArray:
    """The check digit, 0 to 9 or X, of each four-digit branch."""
    return _check_digits(branch, _BRANCH_WEIGHTS)


def account_check_digits(account: NDArray[np.uint64]) -> pa.StringArray:
    """The check digit, 0 to 9 or X, of each eight-digit account."""
    return _check_digits(account, _ACCOUNT_WEIGHTS)


def is_valid_branch(numbers: Strings, check_digits: Strings) -> pa.BooleanArray:
    """Whether each branch is four digits with the right check digit; false for null."""
    return _is_valid(numbers, check_digits, _BRANCH_WEIGHTS)


def is_valid_account(numbers: Strings, check_digits: Strings) -> pa.BooleanArray:
    """Whether each account is eight digits with the right check digit; false for null."""
    return _is_valid(numbers, check_digits, _ACCOUNT_WEIGHTS)


def _check_digits(numbers: NDArray[np.uint64], weights: tuple[int, ...]) -> pa.StringArray:
    return _BY_REMAINDER.take(_remainders(numbers, weights))


def _remainders(numbers: NDArray[np.uint64], weights: tuple[int, ...]) -> NDArray[np.uint64]:
    return weighted_sums(numbers, weights) % np.uint64(11)


def _is_valid(numbers: Strings, check_digits: Strings, weights: tuple[int, ...]) -> pa.BooleanArray:
    values, valid = parsed(numbers, len(weights))
    given = pc.index_in(flat(check_digits), _BY_REMAINDER).fill_null(len(_BY_REMAINDER)).to_numpy()
    return pa.array(valid & (given == _remainders(values, weights)), pa.bool_())
