"""The published schema: itself valid, and at one with the program and the canonical manifests."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from seed_pipelines.adapters.manifest_files import load_folder
from seed_pipelines.contract_files import contract_file
from seed_pipelines.domain.catalogue import ENVIRONMENTS, LARGEST_INTEGER, MODES
from seed_pipelines_tests.manifest_examples import CATALOGUE, GENERATED, UNSEALED, example

MANIFESTS = Path(__file__).parents[2] / "manifests"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """The schema as published."""
    document: dict[str, Any] = json.loads(contract_file("seed-profile.schema.json").read_bytes())
    return document


def test_the_schema_is_one_of_2020_12(schema: dict[str, Any]) -> None:
    """By its own meta-schema."""
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)


def test_its_example_is_the_sealed_example(schema: dict[str, Any]) -> None:
    """Valid for any validator, hash included."""
    assert schema["examples"] == [example()]
    Draft202012Validator(schema).validate(schema["examples"][0])


def test_it_names_what_the_program_knows(schema: dict[str, Any]) -> None:
    """Modes, environments, entities and the largest cap."""
    properties = schema["properties"]
    assert properties["mode"]["enum"] == list(MODES)
    assert properties["metadata"]["properties"]["environment"]["enum"] == list(ENVIRONMENTS)
    assert list(properties["volumetry"]["properties"]) == list(CATALOGUE.entities)
    assert schema["$defs"]["volume"]["properties"]["cap"]["maximum"] == LARGEST_INTEGER


def test_every_object_is_closed(schema: dict[str, Any]) -> None:
    """Unknown keys are errors everywhere."""

    def objects(part: object) -> list[dict[str, Any]]:
        members = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
        found = [one for member in members for one in objects(member)]
        return [part, *found] if isinstance(part, dict) and "properties" in part else found

    conditions = [id(part) for rule in schema["allOf"] for part in objects(rule)]
    closed = [part["additionalProperties"] for part in objects(schema) if id(part) not in conditions]
    assert len(closed) == 13
    assert not any(closed)


def test_the_canonical_manifests_are_valid() -> None:
    """All of them, at their places."""
    folder = load_folder(MANIFESTS, CATALOGUE, GENERATED)
    assert folder.broken == ()
    found = {str(one.path.relative_to(MANIFESTS)): one.manifest for one in folder.manifests}
    assert sorted(found) == [
        "dev/tenant-a.yaml",
        "dev/tenant-b.yaml",
        "dr/tenant-a.yaml",
        "homolog/tenant-a.yaml",
        "perf/tenant-a.yaml",
        "staging/tenant-a.yaml",
        "staging/tenant-b.yaml",
    ]
    rehearsal = found["dr/tenant-a.yaml"]
    assert (rehearsal.mode, rehearsal.metadata.environment) == ("dr", "perf")
    assert found["perf/tenant-a.yaml"].mode == "carga"


def test_the_staging_manifest_is_the_example_with_its_hash() -> None:
    """And nothing else is different."""
    digest = example()["integrity"]["manifest_hash"]
    text = (MANIFESTS / "staging" / "tenant-a.yaml").read_text(encoding="utf-8")
    assert text == UNSEALED.replace("<preenchido pelo pipeline>", digest)


def test_a_contract_that_is_not_there_is_told() -> None:
    """By name."""
    with pytest.raises(FileNotFoundError, match="nothing"):
        contract_file("nothing.json")
