"""States and the ranges of their CEPs."""

import pyarrow as pa
import pytest

from seed_pipelines.domain.brazil.states import STATES, is_postal_code, is_postal_code_of, is_state


def test_there_are_27_and_no_two_share_a_cep() -> None:
    """26 states and the Federal District; ranges ascend and do not overlap."""
    assert len(STATES) == 27
    ranges = sorted(bounds for state in STATES.values() for bounds in state.prefixes)
    ends = [end for bounds in ranges for end in bounds]
    assert ends == sorted(ends)
    assert len(set(ranges)) == len(ranges) == 30


def test_the_country_has_203_million_people() -> None:
    """IBGE, Censo 2022: 203,080,756."""
    assert sum(state.population for state in STATES.values()) == pytest.approx(203_081, rel=1e-3)


@pytest.mark.parametrize(
    ("number", "state"),
    [
        *(("01310100", "SP"), ("19999999", "SP"), ("20040002", "RJ"), ("69250000", "AM"), ("69301000", "RR")),
        *(("69400000", "AM"), ("70040010", "DF"), ("72800000", "GO"), ("73010000", "DF"), ("73700000", "GO")),
        *(("77001002", "TO"), ("90010000", "RS"), ("99999999", "RS")),
    ],
)
def test_a_cep_belongs_to_its_state_alone(number: str, state: str) -> None:
    """Ranges are inclusive, and those of AM, DF and GO have others in between."""
    numbers = pa.array([number] * len(STATES))
    assert is_postal_code(numbers).to_pylist() == [True] * len(STATES)
    assert is_postal_code_of(numbers, pa.array(STATES)).to_pylist() == [name == state for name in STATES]


@pytest.mark.parametrize("number", ["00999999", "78900000", "0131010", "013101000", "01310-10", "O1310100", "", None])
def test_other_text_is_no_cep(number: str | None) -> None:
    """Outside of every range, or of another shape."""
    numbers = pa.array([number], pa.string())
    assert is_postal_code(numbers).to_pylist() == [False]
    assert is_postal_code_of(numbers, pa.array([None], pa.string())).to_pylist() == [False]


def test_abbreviations_are_known() -> None:
    """In capitals."""
    assert is_state(pa.array(["SP", "DF", "sp", "XX", None])).to_pylist() == [True, True, False, False, False]
