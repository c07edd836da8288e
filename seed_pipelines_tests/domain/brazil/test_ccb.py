"""Contract numbers: their form, and check digits that an independent implementation agrees with."""

import numpy as np
import pyarrow as pa
import pytest
from stdnum import luhn

from seed_pipelines.domain.brazil import ccb


def test_numbers_hold_the_year_and_the_serial_and_a_luhn_digit() -> None:
    serials = np.asarray([0, 123, 99_999_999_999, 39_228_262_212], dtype=np.uint64)
    years = np.asarray([2024, 2024, 1999, 2031], dtype=np.uint64)
    numbers = ccb.numbers(years, serials)
    assert numbers.to_pylist()[:2] == ["CCB-2024-00000000000-8", "CCB-2024-00000000123-8"]
    assert all(luhn.is_valid(number.removeprefix("CCB-").replace("-", "")) for number in numbers.to_pylist())
    assert ccb.is_valid(numbers).to_pylist() == [True] * 4


def test_every_single_wrong_digit_is_noticed() -> None:
    number = "CCB-2024-00000000123-8"
    places = [place for place, character in enumerate(number) if character.isdigit()]
    wrong = [number[:at] + digit + number[at + 1 :] for at in places for digit in "0123456789" if digit != number[at]]
    assert len(wrong) == 16 * 9
    assert not any(ccb.is_valid(pa.array(wrong)).to_pylist())


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "CCB-2024-00000000123",
        "CCB-2024-00000000123-8\n",
        " CCB-2024-00000000123-8",
        "ccb-2024-00000000123-8",
        "2024000000001238",
        "CCB-2024-0000000123-8",
    ],
)
def test_other_forms_are_no_numbers(text: str | None) -> None:
    assert ccb.is_valid(pa.array([text], pa.string())).to_pylist() == [False]


def test_a_serial_or_year_with_too_many_digits_is_refused() -> None:
    for year, serial in ((2024, ccb.SERIALS), (10_000, 0)):
        with pytest.raises(ValueError, match="digits"):
            ccb.numbers(np.asarray([year], dtype=np.uint64), np.asarray([serial], dtype=np.uint64))
