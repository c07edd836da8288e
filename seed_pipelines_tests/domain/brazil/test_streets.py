"""Streets, numbers, complements and districts."""

import unicodedata
from collections import Counter

import numpy as np
import pytest

from seed_pipelines.domain.brazil import streets

STREETS = streets.streets().to_pylist()
DISTRICTS = streets.districts().to_pylist()


@pytest.mark.parametrize(("vocabulary", "least"), [(STREETS, 300), (DISTRICTS, 100)])
def test_vocabularies_are_sorted_and_distinct(vocabulary: list[str], least: int) -> None:
    """Composed accents, single spaces."""
    assert len(vocabulary) >= least
    assert vocabulary == sorted(set(vocabulary))
    assert all(unicodedata.is_normalized("NFC", name) and " ".join(name.split()) == name for name in vocabulary)


def test_most_streets_are_a_rua() -> None:
    """And each begins with what kind of street it is."""
    kinds = Counter(name.split()[0] for name in STREETS)
    assert set(kinds) == {"Rua", "Avenida", "Travessa", "Praça", "Alameda"}
    assert kinds["Rua"] > len(STREETS) / 2
    assert {"Rua dos Ipês", "Avenida Sete de Setembro", "Praça da Matriz"} <= set(STREETS)


def test_street_numbers_differ_and_the_low_ones_are_denser() -> None:
    """Digits without zeros in front, from 1 to below 4,000."""
    numbers = [int(number) for number in streets.street_numbers(np.arange(streets.NUMBERS)).to_pylist()]
    assert numbers == sorted(set(numbers))
    assert (numbers[0], numbers[-1]) == (1, 3998)
    assert sum(number < 2000 for number in numbers) > 0.6 * len(numbers)


def test_complements_are_of_homes_then_of_places_of_work() -> None:
    """Code 0 is none."""
    found = streets.complements(np.arange(1 + streets.HOME + streets.WORK)).to_pylist()
    homes, workplaces = found[1 : 1 + streets.HOME], found[1 + streets.HOME :]
    assert found[0] is None
    assert len(set(homes) | set(workplaces)) == streets.HOME + streets.WORK
    assert {name.split()[0] for name in homes} == {"Apto", "Bloco", "Casa", "Fundos", "Sobrado"}
    assert {name.split()[0] for name in workplaces} == {"Sala", "Conjunto", "Loja", "Galpão", "Térreo"}


def test_a_code_too_large_is_refused() -> None:
    """There is no number, and no complement, beyond the last."""
    with pytest.raises(IndexError):
        streets.street_numbers(np.array([streets.NUMBERS]))
    with pytest.raises(IndexError):
        streets.complements(np.array([1 + streets.HOME + streets.WORK]))
