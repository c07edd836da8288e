"""The catalogue: its numbers, and files that are none."""

import json
import pickle
from typing import Any

import pytest

from seed_pipelines.domain.catalogue import ENVIRONMENTS, Catalogue
from seed_pipelines.errors import ManifestInvalid

BASE = {
    "tenant_users": 5,
    "customers": 100,
    "addresses": 150,
    "consultants": 10,
    "bank_accounts": 120,
    "account_categories": 20,
    "suppliers": 30,
    "loans": 200,
    "installments": 2_000,
    "financial_transactions": 4_000,
    "limits": 100,
    "contracts": 150,
}
OWN_LOAD_CAPS = {"tenant_users": 10, "consultants": 30, "account_categories": 60}
MULTIPLIERS = {"dev": 1, "homolog": 3, "staging": 5, "perf": 5, "dr": 5}


def packaged() -> dict[str, Any]:
    """The packaged catalogue as a JSON object."""
    document: dict[str, Any] = json.loads(Catalogue.packaged().model_dump_json())
    return document


@pytest.mark.parametrize("entity", BASE)
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_caps_are_those_of_q11(entity: str, environment: str) -> None:
    """Five times the base for load modes, but for three entities; times the environment's multiplier."""
    catalogue = Catalogue.packaged()
    for mode in ("baseline", "canary"):
        assert catalogue.cap(entity, mode, environment) == BASE[entity] * MULTIPLIERS[environment]
    for mode in ("carga", "dr"):
        load = OWN_LOAD_CAPS.get(entity, 5 * BASE[entity])
        assert catalogue.cap(entity, mode, environment) == load * MULTIPLIERS[environment]


def test_it_names_entities_profiles_and_shards() -> None:
    """Twelve entities; the default profile has the first slice."""
    catalogue = Catalogue.packaged()
    assert list(catalogue.entities) == list(BASE)
    assert catalogue.profiles["default"] == 0
    assert catalogue.rows_per_shard == 50_000
    assert pickle.loads(pickle.dumps(catalogue)) == catalogue  # noqa: S301 # our own bytes


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("profiles", {"default": 0, "smoke": 0}),
        ("profiles", {"default": 16}),
        ("profiles", {"default": "0"}),
        ("environments", {"dev": 1}),
        ("environments", {**MULTIPLIERS, "production": 1}),
        ("entities", {"customers": {"base": 0, "load": 1}}),
        ("entities", {"customers": {"base": 1.0, "load": 1}}),
        ("entities", {"customers": {"base": 1}}),
        ("entities", {"customers": {"base": 2**53, "load": 1}}),
        ("rows_per_shard", 0),
        ("surprise", 1),
    ],
)
def test_a_wrong_catalogue_is_refused(member: str, value: object) -> None:
    """With what is wrong in it."""
    with pytest.raises(ManifestInvalid, match="catalogue") as caught:
        Catalogue.from_json(json.dumps({**packaged(), member: value}).encode())
    assert caught.value.extensions["issues"]


@pytest.mark.parametrize("source", [b"", b"[]", b"{", b"\xff"])
def test_a_file_that_is_no_catalogue_is_refused(source: bytes) -> None:
    """Not a traceback of the parser."""
    with pytest.raises(ManifestInvalid):
        Catalogue.from_json(source)
