"""Check digits of branches and accounts, against worked examples and a scalar implementation."""

import numpy as np
import pyarrow as pa
import pytest

from seed_pipelines.domain.brazil import bank
from seed_pipelines.domain.brazil.digits import decimal_strings


def scalar_check_digit(number: str) -> str:
    """Multiply from the right by 2, 3, 4, ...; 11 minus the remainder; X for 10, 0 for 11."""
    total = sum(int(digit) * weight for weight, digit in enumerate(reversed(number), start=2))
    digit = 11 - total % 11
    return {10: "X", 11: "0"}.get(digit, str(digit))


def test_gives_the_published_examples() -> None:
    """Branch 1584-9 and account 00210169-6, the example in Portuguese guides to Banco do Brasil's rule."""
    assert bank.branch_check_digits(np.array([1584], dtype=np.uint64)).to_pylist() == ["9"]
    assert bank.account_check_digits(np.array([210_169], dtype=np.uint64)).to_pylist() == ["6"]


def test_agrees_with_the_scalar_rule_on_every_branch() -> None:
    """All 10,000 branches, of which some have X and some 0."""
    branches = np.arange(10_000, dtype=np.uint64)
    digits = bank.branch_check_digits(branches).to_pylist()
    assert digits == [scalar_check_digit(f"{branch:04d}") for branch in range(10_000)]
    assert set(digits) == set("0123456789X")


def test_agrees_with_the_scalar_rule_on_accounts() -> None:
    """Twenty thousand accounts over the whole range."""
    accounts = np.linspace(0, 99_999_999, 20_000, dtype=np.uint64)
    expected = [scalar_check_digit(f"{account:08d}") for account in accounts.tolist()]
    assert bank.account_check_digits(accounts).to_pylist() == expected


@pytest.mark.parametrize("wrong", ["8", "x", "", "99", None, "é"])
def test_a_wrong_check_digit_is_invalid(wrong: str | None) -> None:
    """Only the one right digit passes, and no row hides another."""
    branches, digits = pa.array(["1584", "1584"]), pa.array(["9", wrong], pa.string())
    assert bank.is_valid_branch(branches, digits).to_pylist() == [True, False]


def test_numbers_of_another_shape_are_invalid() -> None:
    """A number must have its digits, whatever its check digit."""
    accounts = pa.array(["00210169", "210169", "0021016A", "000210169", None])
    assert bank.is_valid_account(accounts, pa.array(["6"] * 5)).to_pylist() == [True, *[False] * 4]
    assert not any(bank.is_valid_account(accounts, pa.array(["0"] * 5)).to_pylist())


def test_dictionaries_and_chunks_are_read() -> None:
    """Columns as Parquet gives them back."""
    numbers = np.arange(1000, dtype=np.uint64)
    columns = pa.table(
        {
            "number": decimal_strings(numbers, 8),
            "digit": bank.account_check_digits(numbers).dictionary_encode(),
        }
    )
    table = pa.concat_tables([columns.slice(0, 300), columns.slice(300)])
    assert all(bank.is_valid_account(table.column("number"), table.column("digit")).to_pylist())
