"""Numbers of bank credit bills (cédula de crédito bancário): CCB-<year>-<eleven digits>-<check digit>.

The check digit is that of the Luhn formula (ISO/IEC 7812-1, annex B) over the fifteen digits of year and serial.
"""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from seed_pipelines.domain.brazil.digits import Strings, decimal_strings, digits_of, flat, parsed

SERIALS: Final = 10**11
_YEAR_DIGITS: Final = 4
_SERIAL_DIGITS: Final = 11
_SHAPE: Final = r"^CCB-([0-9]{4})-([0-9]{11})-([0-9])$"


def numbers(years: NDArray[np.uint64], serials: NDArray[np.uint64]) -> pa.StringArray:
    """The number of each year, below 10,000, and serial, below SERIALS; ValueError beyond."""
    checks = _check_digits(years * np.uint64(SERIALS) + serials)
    return pc.binary_join_element_wise(
        decimal_strings(years, _YEAR_DIGITS, prefix="CCB-"),
        decimal_strings(serials, _SERIAL_DIGITS),
        decimal_strings(checks, 1),
        "-",
    )


def is_valid(strings: Strings) -> pa.BooleanArray:
    """Whether each is such a number with the right check digit; false for null."""
    shaped = pc.if_else(pc.match_substring_regex(flat(strings), _SHAPE), flat(strings), None)
    bare = pc.replace_substring_regex(shaped, _SHAPE, r"\1\2\3")
    values, valid = parsed(bare, _YEAR_DIGITS + _SERIAL_DIGITS + 1)
    rest, given = np.divmod(values, np.uint64(10))
    return pa.array(valid & (_check_digits(rest) == given), pa.bool_())


def _check_digits(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    total = np.zeros(len(values), dtype=np.uint64)
    for place, digit in enumerate(digits_of(values, _YEAR_DIGITS + _SERIAL_DIGITS)):
        doubled = np.where(digit > 4, 2 * digit - 9, 2 * digit)
        total += digit if place % 2 else doubled
    return (np.uint64(10) - total % np.uint64(10)) % np.uint64(10)
