"""Mobile numbers in E.164: +55, area code, 9 and eight digits (Anatel, Resolução 749/2022).

Each state weighs its population; the split among the area codes of a state is a rounded estimate.
"""

from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from seed_pipelines.domain.brazil.digits import Strings, decimal_strings, parsed
from seed_pipelines.domain.brazil.states import STATES

_SUBSCRIBER_DIGITS: Final = 8
_DIGITS: Final = 13
_SHARES: Final[dict[str, dict[int, int]]] = {
    "SP": {11: 49, 12: 6, 13: 5, 14: 5, 15: 7, 16: 7, 17: 5, 18: 4, 19: 12},
    "RJ": {21: 78, 22: 11, 24: 11},
    "ES": {27: 82, 28: 18},
    "MG": {31: 37, 32: 11, 33: 8, 34: 13, 35: 14, 37: 8, 38: 9},
    "PR": {41: 35, 42: 10, 43: 19, 44: 17, 45: 13, 46: 6},
    "SC": {47: 47, 48: 31, 49: 22},
    "RS": {51: 55, 53: 10, 54: 20, 55: 15},
    "DF": {61: 100},
    "GO": {61: 14, 62: 62, 64: 24},
    "TO": {63: 100},
    "MT": {65: 55, 66: 45},
    "MS": {67: 100},
    "AC": {68: 100},
    "RO": {69: 100},
    "BA": {71: 30, 73: 14, 74: 13, 75: 25, 77: 18},
    "SE": {79: 100},
    "PE": {81: 75, 87: 25},
    "AL": {82: 100},
    "PB": {83: 100},
    "RN": {84: 100},
    "CE": {85: 61, 88: 39},
    "PI": {86: 67, 89: 33},
    "PA": {91: 57, 93: 17, 94: 26},
    "AM": {92: 84, 97: 16},
    "RR": {95: 100},
    "AP": {96: 100},
    "MA": {98: 53, 99: 47},
}
"""State -> area code -> its percentage of the state's population."""


def _weights() -> dict[int, int]:
    weights: dict[int, int] = {}
    for state, shares in _SHARES.items():
        for code, share in shares.items():
            weights[code] = weights.get(code, 0) + STATES[state].population * share
    return dict(sorted(weights.items()))


AREA_CODES: Final = tuple(_weights())
"""The 67 area codes in use, ascending."""

AREA_WEIGHTS: Final = tuple(_weights().values())
"""The population served by each of AREA_CODES, in tens of people."""

_CODES: Final = np.array(AREA_CODES, dtype=np.uint64)


def mobile_numbers(area: NDArray[np.integer], digits: NDArray[np.uint64]) -> pa.StringArray:
    """E.164 numbers from positions in AREA_CODES and numbers of eight digits.

    Raises ValueError when a number has more than eight digits.
    """
    if len(digits) and int(digits.max()) >= 10**_SUBSCRIBER_DIGITS:
        raise ValueError(f"a subscriber number has more than {_SUBSCRIBER_DIGITS} digits")
    national = (_CODES[area] * np.uint64(10) + np.uint64(9)) * np.uint64(10**_SUBSCRIBER_DIGITS) + digits
    return decimal_strings(national + np.uint64(55 * 10**11), _DIGITS, prefix="+")


def is_valid(numbers: Strings) -> pa.BooleanArray:
    """Whether each string is a mobile number in E.164 with an area code in use; false for null."""
    values, valid = parsed(numbers, _DIGITS, prefix="+")
    country_and_area, subscriber = np.divmod(values, np.uint64(10**9))
    country, area = np.divmod(country_and_area, np.uint64(100))
    is_mobile = subscriber // np.uint64(10**_SUBSCRIBER_DIGITS) == 9
    return pa.array(valid & (country == 55) & is_mobile & np.isin(area, _CODES), pa.bool_())
