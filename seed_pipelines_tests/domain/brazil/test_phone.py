"""Mobile numbers, against the numbering plan as libphonenumber states it."""

import re

import numpy as np
import pyarrow as pa
import pytest

from seed_pipelines.domain.brazil import phone

# libphonenumber, PhoneNumberMetadata.xml, territory BR, mobile: the area codes in use and the leading 9.
PLAN = re.compile(r"\+55(?:[14689][1-9]|2[12478]|3[1-578]|5[13-5]|7[13-579])9[0-9]{8}")


def test_every_area_code_of_the_plan_is_there_and_no_other() -> None:
    """67 codes."""
    assert list(phone.AREA_CODES) == [code for code in range(100) if PLAN.fullmatch(f"+55{code:02d}900000000")]
    assert len(phone.AREA_CODES) == len(phone.AREA_WEIGHTS) == 67


def test_weights_are_the_population_of_the_country() -> None:
    """203.1 million people in 2022, in tens; no state is lost, and 11, of the city of São Paulo, leads."""
    assert sum(phone.AREA_WEIGHTS) == pytest.approx(20_308_100, rel=1e-4)
    assert max(zip(phone.AREA_WEIGHTS, phone.AREA_CODES, strict=True))[1] == 11
    assert min(phone.AREA_WEIGHTS) > 0


def test_numbers_follow_the_plan() -> None:
    """Area code by position, a 9, and the digits padded."""
    area = np.arange(67).repeat(3)
    digits = np.tile(np.array([0, 12_345_678, 99_999_999], dtype=np.uint64), 67)
    numbers = phone.mobile_numbers(area, digits)
    assert numbers[1].as_py() == "+5511912345678"
    assert all(PLAN.fullmatch(str(number)) for number in numbers.to_pylist())
    assert all(phone.is_valid(numbers).to_pylist())
    assert len(set(numbers.to_pylist())) == len(area)


@pytest.mark.parametrize(
    "text",
    [
        *("+5520912345678", "+5511812345678", "+5411912345678", "5511912345678", "+551191234567"),
        *("+55119123456789", "+5511 91234567", "(11)91234-5678", "", None),
    ],
)
def test_other_text_is_invalid(text: str | None) -> None:
    """An unused area code, no leading 9, another country, and other shapes."""
    assert phone.is_valid(pa.array(["+5511912345678", text], pa.string())).to_pylist() == [True, False]


def test_subscriber_numbers_of_nine_digits_are_refused() -> None:
    """A ninth digit would run into the leading 9."""
    with pytest.raises(ValueError, match="more than 8 digits"):
        phone.mobile_numbers(np.array([0]), np.array([10**8], dtype=np.uint64))
