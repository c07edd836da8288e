"""Cities, and the CEPs of their streets."""

import unicodedata

import numpy as np
import pyarrow as pa
import pytest

from seed_pipelines.domain.brazil import phone, places
from seed_pipelines.domain.brazil.states import STATES, is_postal_code_of
from seed_pipelines.domain.brazil.vocabularies import entries
from seed_pipelines.domain.streams import Stream

CITIES = entries("cities.v1.tsv")
EVERY = np.arange(len(CITIES))
CAPITALS = (
    "AC Rio Branco, AL Maceió, AM Manaus, AP Macapá, BA Salvador, CE Fortaleza, DF Brasília, ES Vitória, "
    "GO Goiânia, MA São Luís, MG Belo Horizonte, MS Campo Grande, MT Cuiabá, PA Belém, PB João Pessoa, "
    "PE Recife, PI Teresina, PR Curitiba, RJ Rio de Janeiro, RN Natal, RO Porto Velho, RR Boa Vista, "
    "RS Porto Alegre, SC Florianópolis, SE Aracaju, SP São Paulo, TO Palmas"
)


def test_every_state_has_its_capital_and_larger_cities() -> None:
    """Five at least; the Federal District is one city."""
    by_state = {state: {row["name"] for row in CITIES if row["state"] == state} for state in STATES}
    capitals = dict(pair.split(" ", 1) for pair in CAPITALS.split(", "))
    assert all(capitals[state] in found for state, found in by_state.items())
    assert {state for state, found in by_state.items() if len(found) < 5} == {"DF"}
    assert len({(row["name"], row["state"]) for row in CITIES}) == len(CITIES)
    assert all(unicodedata.is_normalized("NFC", row["name"]) for row in CITIES)


def test_every_area_code_has_a_city() -> None:
    """In ascending order, as the draw takes them."""
    areas = [int(row["area_code"]) for row in CITIES]
    assert areas == sorted(areas)
    assert set(areas) == set(phone.AREA_CODES)


def test_no_two_cities_share_a_cep_and_each_has_those_of_its_state() -> None:
    """Ranges of five-digit beginnings."""
    ranges = sorted((int(row["first"]), int(row["last"]), row["state"]) for row in CITIES)
    ends = [end for first, last, _ in ranges for end in (first, last + 1)]
    assert ends == sorted(ends)
    for first, last, state in ranges:
        assert any(low <= first <= last <= high for low, high in STATES[state].prefixes)


@pytest.mark.parametrize("place", [0, places.PLACES // 2, places.PLACES - 1])
def test_ceps_lie_in_the_range_of_their_city(place: int) -> None:
    """From the first street of the first sector to the last of the last."""
    numbers = places.postal_codes(EVERY, np.full(len(EVERY), place, dtype=np.uint64))
    assert all(is_postal_code_of(numbers, places.city_states()).to_pylist())
    for row, number in zip(CITIES, numbers.to_pylist(), strict=True):
        assert row["first"] <= number[:5] <= row["last"]
        assert number[5:] < "900"
    if place == 0:
        assert numbers.to_pylist() == [f"{row['first']}000" for row in CITIES]
    if place == places.PLACES - 1:
        assert numbers.to_pylist() == [f"{row['last']}899" for row in CITIES]


def test_places_apart_have_different_ceps_in_every_city() -> None:
    """What lies APART or more round the circle of places is another CEP, even in the smallest city."""
    random = np.random.default_rng(1)
    city = EVERY.repeat(100)
    one = random.integers(0, places.PLACES, len(city), dtype=np.uint64)
    step = random.choice([places.APART, places.PLACES - places.APART], len(city)).astype(np.uint64)
    other = (one + step) % np.uint64(places.PLACES)
    pairs = zip(places.postal_codes(city, one).to_pylist(), places.postal_codes(city, other).to_pylist(), strict=True)
    assert all(mine != theirs for mine, theirs in pairs)


def test_cities_have_the_area_code_asked_for_and_the_weight_of_their_people() -> None:
    """São Paulo has more than half of area 11's people here, and every city is drawn."""
    rows = np.arange(400_000, dtype=np.uint64)
    areas = (rows % np.uint64(len(phone.AREA_CODES))).astype(np.int64)
    drawn = places.cities(areas, rows, Stream(7))
    code_of = np.array([int(row["area_code"]) for row in CITIES])
    assert np.array_equal(code_of[drawn], np.array(phone.AREA_CODES)[areas])
    assert set(drawn.tolist()) == set(EVERY.tolist())
    for number, row in enumerate(CITIES):
        alike = [other for other in CITIES if other["area_code"] == row["area_code"]]
        share = int(row["population"]) / sum(int(other["population"]) for other in alike)
        assert np.mean(drawn[code_of[drawn] == int(row["area_code"])] == number) == pytest.approx(share, abs=0.03)


def test_a_city_is_known_with_its_state_only() -> None:
    """The same name in another state is no city of it."""
    names, states = pa.array(["São Paulo", "São Paulo", "Sao Paulo", None]), pa.array(["SP", "RJ", "SP", "SP"])
    assert places.is_city_of(names, states).to_pylist() == [True, False, False, False]
    assert all(places.is_city_of(places.city_names(), places.city_states()).to_pylist())
