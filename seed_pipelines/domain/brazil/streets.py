"""What stands in an address above the city: street, number, complement, district; of fixed vocabularies."""

from functools import cache
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from seed_pipelines.domain.brazil.vocabularies import entries

NUMBERS: Final = 2_000
"""How many different street numbers there are."""

_FLOORS: Final = range(1, 19)
_DOORS: Final = range(1, 5)


@cache
def streets() -> pa.StringArray:
    """Streets with their kind in front, as in "Rua dos Ipês", sorted by code point."""
    return pa.array([row["name"] for row in entries("streets.v1.tsv")], pa.string())


@cache
def districts() -> pa.StringArray:
    """Districts, sorted by code point."""
    return pa.array([row["name"] for row in entries("districts.v1.tsv")], pa.string())


def street_numbers(codes: NDArray[np.integer]) -> pa.StringArray:
    """The street number of each code in [0, NUMBERS): different ones from 1 to almost 4,000, the low ones denser."""
    return _street_numbers().take(pa.array(codes))


def complements(codes: NDArray[np.integer]) -> pa.StringArray:
    """The complement of each code: null for 0, one of a home for the next HOME, then one of a place of work for WORK."""
    return pa.array([None, *_HOMES, *_WORKPLACES], pa.string()).take(pa.array(codes))


@cache
def _street_numbers() -> pa.StringArray:
    codes = np.arange(NUMBERS)
    return pa.array(1 + codes + codes * codes // NUMBERS).cast(pa.string())


_HOMES: Final = (
    *(f"Apto {floor}{door}" for floor in _FLOORS for door in _DOORS),
    *(f"Bloco {block} Apto {floor}{door}" for block in "ABCD" for floor in _FLOORS[:5] for door in _DOORS),
    *(f"Casa {number}" for number in range(1, 13)),
    *("Fundos", "Sobrado"),
)
_WORKPLACES: Final = (
    *(f"Sala {floor}0{door}" for floor in _FLOORS for door in _DOORS),
    *(f"Conjunto {floor}{door}" for floor in _FLOORS for door in _DOORS[:2]),
    *(f"Loja {number}" for number in range(1, 21)),
    *("Galpão", "Térreo"),
)

HOME: Final = len(_HOMES)
"""How many complements of homes there are."""
WORK: Final = len(_WORKPLACES)
"""How many complements of places of work there are."""
