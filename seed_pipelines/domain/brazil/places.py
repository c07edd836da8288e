"""Brazilian cities by area code, weighted by their people, and CEPs in their ranges."""

from functools import cache
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from seed_pipelines.domain.brazil import phone
from seed_pipelines.domain.brazil.digits import Strings, decimal_strings, flat
from seed_pipelines.domain.brazil.states import POSTAL_DIGITS, POSTAL_SUFFIXES
from seed_pipelines.domain.brazil.vocabularies import entries
from seed_pipelines.domain.streams import Stream

_CITIES: Final = entries("cities.v1.tsv")
_BETWEEN: Final = ", "
_STREET_SUFFIXES: Final = 900
"""CEPs of streets end in 000 to 899; the rest are those of post offices, campaigns and large recipients."""


def _numbers(column: str) -> NDArray[np.int64]:
    return np.array([int(row[column]) for row in _CITIES])


_AREAS: Final = np.searchsorted(phone.AREA_CODES, _numbers("area_code"))
_PEOPLE: Final = np.repeat(np.arange(len(_CITIES)), _numbers("population"))
"""The city of every thousand people, area code by area code."""
_PEOPLE_OF_AREA: Final = np.bincount(_AREAS, weights=_numbers("population")).astype(np.int64)
_FIRST_OF_AREA: Final = np.cumsum(_PEOPLE_OF_AREA) - _PEOPLE_OF_AREA
_FIRST_PREFIX: Final = _numbers("first").astype(np.uint64)
_STREET_CODES: Final = ((_numbers("last") - _numbers("first") + 1) * _STREET_SUFFIXES).astype(np.uint64)
"""How many CEPs the streets of each city have."""

PLACES: Final = 1 << 30
"""A CEP is drawn as one of as many places along the CEPs of its city."""

APART: Final = -(-PLACES // int(_STREET_CODES.min()))
"""Places that lie at least this far apart have different CEPs in every city."""


@cache
def city_names() -> pa.StringArray:
    """The name of each city."""
    return pa.array([row["name"] for row in _CITIES], pa.string())


@cache
def city_states() -> pa.StringArray:
    """The abbreviation of each city's state."""
    return pa.array([row["state"] for row in _CITIES], pa.string())


def cities(areas: NDArray[np.integer], rows: NDArray[np.uint64], stream: Stream) -> NDArray[np.int64]:
    """A city with each area code, by population; `areas` are positions in `phone.AREA_CODES`."""
    thousand = _FIRST_OF_AREA.take(areas) + stream.within(rows, _PEOPLE_OF_AREA.take(areas))
    return _PEOPLE.take(thousand)


def postal_codes(city: NDArray[np.integer], places: NDArray[np.integer]) -> pa.StringArray:
    """The CEP of a street at each of the PLACES of a city."""
    street = places.astype(np.uint64) * _STREET_CODES.take(city) // np.uint64(PLACES)
    sector, suffix = np.divmod(street, np.uint64(_STREET_SUFFIXES))
    return decimal_strings((_FIRST_PREFIX.take(city) + sector) * np.uint64(POSTAL_SUFFIXES) + suffix, POSTAL_DIGITS)


def is_city_of(names: Strings, states: Strings) -> pa.BooleanArray:
    """Whether each is the name of a city of the state beside it; false for null."""
    known = pc.binary_join_element_wise(city_names(), city_states(), _BETWEEN)
    return pc.is_in(pc.binary_join_element_wise(flat(names), flat(states), _BETWEEN), known)
