"""What addresses look like, and that each incoherence turns their check red."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from seed_pipelines.domain.brazil.states import STATES
from seed_pipelines.domain.brazil.vocabularies import entries
from seed_pipelines.domain.checks import CHECKS
from seed_pipelines.domain.coherence import Landed
from seed_pipelines.domain.entities import BY_NAME
from seed_pipelines.domain.plan import Plan
from seed_pipelines.seeding.checking import check
from seed_pipelines.seeding.generation import generate
from seed_pipelines.seeding.loading import load
from seed_pipelines.seeding.seed_run import Session, enter
from seed_pipelines_tests.domain.entities.test_entities import masker
from seed_pipelines_tests.worlds import REFERENCE, TENANT, World, catalogue, manifest

CUSTOMERS, ADDRESSES = BY_NAME["customers"], BY_NAME["addresses"]
(RULE,) = ADDRESSES.rules
COUNT = 20_000


def tables(addresses: int) -> dict[str, pa.Table]:
    limits = catalogue()
    volumetry = {"customers": {"cap": COUNT}, "addresses": {"cap": addresses}}
    plan = Plan.of(manifest(in_catalogue=limits, volumetry=volumetry), limits)
    batches = {e.name: masker().batch(e, plan.portfolio, plan.entity_rows(e, 0, COUNT)).records for e in plan.entities}
    return {name: pa.table(batch) for name, batch in batches.items()}


TABLES = tables(30_000)
ROWS: pd.DataFrame = TABLES["addresses"].to_pandas()
OWNED = ROWS.merge(TABLES["customers"].to_pandas(), left_on="customer_id", right_on="id", suffixes=("", "_owner"))


@pytest.mark.parametrize("count", [1, 5_000, 20_000, 90_000])
def test_whoever_has_addresses_has_one_primary_whatever_the_ratio(count: int) -> None:
    rows = tables(count)["addresses"].to_pandas()
    assert len(rows) == count
    assert set(rows.groupby("customer_id")["is_primary"].sum()) == {1}
    assert not rows.duplicated("customer_id", keep="first")[rows["is_primary"]].any()


def test_people_live_at_their_first_address() -> None:
    assert set(ROWS[ROWS["is_primary"]]["kind"]) == {"RESIDENTIAL"}
    shares = ROWS[~ROWS["is_primary"]]["kind"].value_counts(normalize=True)
    assert shares["BUSINESS"] == pytest.approx(0.45, abs=0.02)
    assert shares["MAILING"] == pytest.approx(0.35, abs=0.02)


def test_states_have_the_shares_of_their_people() -> None:
    people = sum(state.population for state in STATES.values())
    shares = ROWS["state"].value_counts(normalize=True)
    assert set(shares.index) == set(STATES)
    for name, state in STATES.items():
        assert shares[name] == pytest.approx(state.population / people, abs=0.012)


def test_homes_are_in_the_area_of_the_phone_and_most_other_addresses_too() -> None:
    code = {(row["name"], row["state"]): row["area_code"] for row in entries("cities.v1.tsv")}
    areas = pd.Series([code[pair] for pair in zip(OWNED["city"], OWNED["state"], strict=True)])
    near = areas == OWNED["phone"].str[3:5]
    assert near[OWNED["is_primary"]].all()
    assert near[~OWNED["is_primary"]].mean() == pytest.approx(0.85, abs=0.04)


def test_ceps_are_in_the_range_of_their_city() -> None:
    ranges = {(row["name"], row["state"]): (row["first"], row["last"]) for row in entries("cities.v1.tsv")}
    for city, state, number in zip(ROWS["city"], ROWS["state"], ROWS["postal_code"], strict=True):
        first, last = ranges[city, state]
        assert first <= number[:5] <= last
    assert ROWS["postal_code"].str.fullmatch(r"[0-9]{8}").all()


def test_addresses_are_recorded_after_their_customers_and_homes_at_once() -> None:
    seconds = (OWNED["created_at"] - OWNED["registered_at"]).dt.total_seconds()
    assert seconds.min() >= 0
    assert seconds[OWNED["is_primary"]].max() <= 3600
    assert seconds[~OWNED["is_primary"]].median() > 90 * 86_400
    assert ROWS["created_at"].max() < REFERENCE


def test_complements_fit_the_kind_and_less_than_half_have_one() -> None:
    given = ROWS[ROWS["complement"].notna()]
    assert len(given) / len(ROWS) == pytest.approx(0.45, abs=0.02)
    kinds = given["complement"].str.split().str[0]
    assert set(kinds[given["kind"] == "BUSINESS"]) == {"Sala", "Conjunto", "Loja", "Galpão", "Térreo"}
    assert set(kinds[given["kind"] != "BUSINESS"]) == {"Apto", "Bloco", "Casa", "Fundos", "Sobrado"}


def test_numbers_and_streets_are_many() -> None:
    assert ROWS["street"].nunique() > 600
    assert ROWS["street_number"].nunique() > 1_900
    assert ROWS["street_number"].value_counts(normalize=True).max() < 0.002
    assert ROWS["district"].nunique() > 100


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("postal_code", "0131010", "CEP that is no eight digits of a state's range"),
        ("postal_code", "00000000", "CEP that is no eight digits of a state's range"),
        ("state", "XX", "state that does not exist"),
        ("street_number", "S/N", "street number that is no number"),
        ("street_number", "012", "street number that is no number"),
    ],
)
def test_a_wrong_format_is_counted(column: str, value: str, rule: str) -> None:
    rows = TABLES["addresses"].slice(0, 100).to_pylist()
    rows[3][column] = value
    found = ADDRESSES.invalid_values(pa.Table.from_pylist(rows, ADDRESSES.schema))
    assert {name: count for name, count in found.items() if count} == {rule: 1}


Row = dict[str, Any]
Fault = Callable[[list[Row]], None]

CEP = "addresses: CEP outside the ranges of its state"
CITY = "addresses: city of another state"
PRIMARY = "customers: addresses without exactly one primary"
CREATED = "addresses: created before the customer registered"


def cep_of_another_state(rows: list[Row]) -> None:
    rows[5]["postal_code"] = "01310100" if rows[5]["state"] != "SP" else "20040002"


def city_of_another_state(rows: list[Row]) -> None:
    rows[5]["city"] = "São Paulo" if rows[5]["state"] != "SP" else "Rio de Janeiro"


def two_primaries(rows: list[Row]) -> None:
    next(row for row in rows if not row["is_primary"])["is_primary"] = True


def no_primary(rows: list[Row]) -> None:
    next(row for row in rows if row["is_primary"])["is_primary"] = False


def created_too_early(rows: list[Row]) -> None:
    rows[5]["created_at"] -= timedelta(days=30 * 365)


FAULTS = pytest.mark.parametrize(
    ("plant", "aspect"),
    [
        (cep_of_another_state, CEP),
        (city_of_another_state, CITY),
        (two_primaries, PRIMARY),
        (no_primary, PRIMARY),
        (created_too_early, CREATED),
    ],
)


def seeded(world: World) -> Session:
    caps = {"customers": {"cap": 100}, "addresses": {"cap": 150}, "bank_accounts": {"cap": 120}}
    session = enter(world.services, world.request(manifest(in_catalogue=world.catalogue, volumetry=caps)))
    (shard,) = session.plan.shards
    for entity in session.plan.entities:
        generate(session, entity, shard)
    load(session, shard)
    return session


@FAULTS
def test_a_fault_turns_the_rule_red_and_names_its_aspect(world: World, plant: Fault, aspect: str) -> None:
    session = seeded(world)
    plant(world.tables.rows[TENANT.tenant_id, "addresses"])
    results = check(session, session.plan.shards[0])
    assert [result.name for result in results] == [*CHECKS, RULE.name]
    assert {result.name for result in results if not result.passed} == {RULE.name, "digests_equal"}
    assert results[-1].facts["offending_rows"] == dict.fromkeys((CEP, CITY, PRIMARY, CREATED), 0) | {aspect: 1}


def test_everything_is_green_without_a_fault(world: World) -> None:
    session = seeded(world)
    assert all(result.passed for result in check(session, session.plan.shards[0]))


def test_the_rule_names_every_aspect_where_there_is_no_row() -> None:
    nothing = {name: table.slice(0, 0) for name, table in TABLES.items()}
    empty = {entity.name: entity.schema.empty_table() for entity in (CUSTOMERS, ADDRESSES)}
    for landed in (nothing, empty):
        assert RULE.offenders(Landed(landed, REFERENCE)) == dict.fromkeys((CEP, CITY, PRIMARY, CREATED), 0)


def test_an_address_of_nobody_is_left_to_the_foreign_keys() -> None:
    found = RULE.offenders(Landed({**TABLES, "customers": TABLES["customers"].slice(100)}, REFERENCE))
    assert not any(found.values())
