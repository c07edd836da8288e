"""The 26 states and the Federal District: their people, and the first five digits of their CEPs."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from seed_pipelines.domain.brazil.digits import Strings, flat, parsed

POSTAL_DIGITS: Final = 8
"""Digits of a CEP."""
POSTAL_SUFFIXES: Final = 1_000
"""CEPs that have their first five digits in common."""

_PREFIXES: Final = 100_000
_NONE: Final = -1


@dataclass(frozen=True)
class State:
    """One federative unit."""

    population: int
    """Thousands of people (IBGE, Censo 2022)."""
    prefixes: tuple[tuple[int, int], ...]
    """First and last number of five digits that its CEPs begin with (Correios), range by range."""


STATES: Final[dict[str, State]] = {
    "SP": State(44_411, ((1_000, 19_999),)),
    "RJ": State(16_055, ((20_000, 28_999),)),
    "ES": State(3_834, ((29_000, 29_999),)),
    "MG": State(20_540, ((30_000, 39_999),)),
    "BA": State(14_142, ((40_000, 48_999),)),
    "SE": State(2_210, ((49_000, 49_999),)),
    "PE": State(9_059, ((50_000, 56_999),)),
    "AL": State(3_128, ((57_000, 57_999),)),
    "PB": State(3_975, ((58_000, 58_999),)),
    "RN": State(3_303, ((59_000, 59_999),)),
    "CE": State(8_795, ((60_000, 63_999),)),
    "PI": State(3_271, ((64_000, 64_999),)),
    "MA": State(6_777, ((65_000, 65_999),)),
    "PA": State(8_121, ((66_000, 68_899),)),
    "AP": State(734, ((68_900, 68_999),)),
    "AM": State(3_942, ((69_000, 69_299), (69_400, 69_899))),
    "RR": State(637, ((69_300, 69_399),)),
    "AC": State(830, ((69_900, 69_999),)),
    "DF": State(2_817, ((70_000, 72_799), (73_000, 73_699))),
    "GO": State(7_056, ((72_800, 72_999), (73_700, 76_799))),
    "RO": State(1_581, ((76_800, 76_999),)),
    "TO": State(1_511, ((77_000, 77_999),)),
    "MT": State(3_659, ((78_000, 78_899),)),
    "MS": State(2_757, ((79_000, 79_999),)),
    "PR": State(11_444, ((80_000, 87_999),)),
    "SC": State(7_610, ((88_000, 89_999),)),
    "RS": State(10_883, ((90_000, 99_999),)),
}
"""By abbreviation, in the order of their CEPs."""


def _states_of_prefixes() -> NDArray[np.int64]:
    table = np.full(_PREFIXES, _NONE)
    for number, state in enumerate(STATES.values()):
        for first, last in state.prefixes:
            table[first : last + 1] = number
    return table


_STATE_OF_PREFIX: Final = _states_of_prefixes()
_ABBREVIATIONS: Final = pa.array(STATES, pa.string())


def is_state(abbreviations: Strings) -> pa.BooleanArray:
    """Whether each is the abbreviation of a state; false for null."""
    return pc.is_in(flat(abbreviations), _ABBREVIATIONS)


def is_postal_code(numbers: Strings) -> pa.BooleanArray:
    """Whether each string is a CEP, eight digits in the range of some state; false for null."""
    return pa.array(_states_of(numbers) != _NONE, pa.bool_())


def is_postal_code_of(numbers: Strings, abbreviations: Strings) -> pa.BooleanArray:
    """Whether each string is a CEP in the range of the state beside it; false for null."""
    found = _states_of(numbers)
    states = pc.index_in(flat(abbreviations), _ABBREVIATIONS).fill_null(_NONE)
    return pa.array((found != _NONE) & (found == np.asarray(states)), pa.bool_())


def _states_of(numbers: Strings) -> NDArray[np.int64]:
    """The position in STATES of the state of each CEP, or -1."""
    values, valid = parsed(numbers, POSTAL_DIGITS)
    prefixes = (values // np.uint64(POSTAL_SUFFIXES)).astype(np.int64)
    return np.where(valid, _STATE_OF_PREFIX.take(prefixes), _NONE)
