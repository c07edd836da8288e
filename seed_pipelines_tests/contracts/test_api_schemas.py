"""The written schemas of the API: at one with the entities' columns, the reference schema and the rows."""

import re
from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa
import pytest
from jsonschema import Draft202012Validator, ValidationError

from seed_pipelines.contract_files import contract_file
from seed_pipelines.domain.entities import ENTITIES, Column, Entity
from seed_pipelines.domain.masking import Masker
from seed_pipelines.domain.masking_keys import masking_keys
from seed_pipelines.domain.plan import Plan
from seed_pipelines.domain.row_values import json_values, row_values
from seed_pipelines.factories import baseline_manifest
from seed_pipelines.factories.record import RECORDS
from seed_pipelines_tests.contracts.api_schemas import document, resolved, schemas, validator
from seed_pipelines_tests.fakes import FakeKeys
from seed_pipelines_tests.worlds import catalogue

PLAN: Final = Plan.of(baseline_manifest(), catalogue())
SAMPLED: Final = 250
"""Rows of an entity that are validated, spread over all of them."""

each_entity = pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)


def schema_of(entity: Entity) -> Mapping[str, Any]:
    name = RECORDS[entity.name].__name__
    assert name in schemas(), f"contracts/api.openapi.yaml has no schema {name} for the entity {entity.name}: write it"
    found: Mapping[str, Any] = schemas()[name]
    return found


def pipeline_rows(entity: Entity) -> list[dict[str, Any]]:
    end = PLAN.rows[entity.name] if entity.of_tenant else PLAN.rows["customers"]
    masker = Masker(masking_keys(FakeKeys(), PLAN))
    rows = masker.batch(entity, PLAN.portfolio, PLAN.entity_rows(entity, 0, end)).records
    spread = row_values(rows.take(pa.array(range(0, len(rows), -(-len(rows) // SAMPLED)))))
    return list(map(json_values, spread))


def test_the_document_is_openapi_3_1() -> None:
    """Its paths are held against the application in the tests of the API."""
    assert document()["openapi"].startswith("3.1.")
    assert {"title", "version"} <= set(document()["info"])


def test_there_is_a_schema_for_each_entity_and_none_besides() -> None:
    """A schema of something that is not seeded would promise it."""
    objects = {name for name, schema in schemas().items() if schema["type"] == "object"}
    served = set(re.findall(r"#/components/schemas/(\w+)", str({**document(), "components": served_parts()})))
    assert objects - served == {RECORDS[entity.name].__name__ for entity in ENTITIES}


def served_parts() -> dict[str, Any]:
    """The components but the rows of entities: what requests and responses are made of."""
    records = {RECORDS[entity.name].__name__ for entity in ENTITIES}
    others = {name: schema for name, schema in schemas().items() if name not in records}
    return {**document()["components"], "schemas": others}


@pytest.mark.parametrize("name", schemas())
def test_each_schema_is_one_of_2020_12_and_described(name: str) -> None:
    """By the meta-schema that OpenAPI 3.1 builds on."""
    Draft202012Validator.check_schema(schemas()[name])
    assert schemas()[name]["description"].endswith(".")


@each_entity
def test_the_properties_are_the_columns(entity: Entity) -> None:
    """In their order, all required, closed, each with a description."""
    schema = schema_of(entity)
    names = [column.name for column in entity.columns]
    assert list(schema["properties"]) == names
    assert schema["required"] == names
    assert schema["additionalProperties"] is False
    assert all(resolved(part)["description"].endswith(".") for part in schema["properties"].values())


@each_entity
def test_each_property_has_the_type_of_its_column(entity: Entity) -> None:
    """And allows null where the column does."""
    properties = schema_of(entity)["properties"]
    for column in entity.columns:
        kinds = [resolved(kind) for kind in properties[column.name].get("oneOf", [properties[column.name]])]
        types = [one for kind in kinds for one in (kind["type"] if isinstance(kind["type"], list) else [kind["type"]])]
        wanted, wanted_format = json_type(column)
        assert types == ([wanted, "null"] if column.nullable else [wanted]), column.name
        if wanted_format:
            assert kinds[0]["format"] == wanted_format, column.name


def json_type(column: Column) -> tuple[str, str]:
    kinds = {
        "uuid": pa.types.is_fixed_size_binary,
        "decimal": pa.types.is_decimal,
        "date-time": pa.types.is_timestamp,
        "date": pa.types.is_date,
    }
    for name, is_kind in kinds.items():
        if is_kind(column.type):
            return "string", name
    if pa.types.is_integer(column.type):
        return "integer", ""
    return ("boolean", "") if pa.types.is_boolean(column.type) else ("string", "")


@each_entity
def test_the_states_are_those_of_the_reference_schema(entity: Entity) -> None:
    """What the table's CHECK allows, the schema lists, and the other way round."""
    sql = "".join(part.read_text() for part in contract_file("database").iterdir() if part.name.endswith(".sql"))
    (table,) = re.findall(rf"CREATE TABLE {re.escape(entity.table)} \((.*?)^\);", sql, re.DOTALL | re.MULTILINE)
    checks = re.findall(r"CHECK\s*\(\s*(\w+) IN \(([^)]*)\)\s*\)", table)
    allowed = {column: re.findall(r"'([^']*)'", values) for column, values in checks}
    properties = schema_of(entity)["properties"]
    listed = {name: part["enum"] for name, part in properties.items() if "enum" in part}
    assert {name: allowed.get(name) for name in listed} == listed
    for name in allowed.keys() - listed:
        assert all(re.fullmatch(properties[name]["pattern"], value) for value in allowed[name]), name


@each_entity
def test_the_rows_of_the_pipeline_are_valid(entity: Entity) -> None:
    """Whatever the row."""
    schema_of(entity)
    one = validator(RECORDS[entity.name].__name__)
    for row in pipeline_rows(entity):
        one.validate(row)


@each_entity
def test_other_rows_are_not(entity: Entity) -> None:
    """A column too many, one too few, an id of another version."""
    schema_of(entity)
    one, row = validator(RECORDS[entity.name].__name__), pipeline_rows(entity)[0]
    without_last = {name: row[name] for name in list(row)[:-1]}
    for wrong in ({**row, "tenant_id": row["id"]}, without_last, {**row, "id": row["id"][:14] + "4" + row["id"][15:]}):
        with pytest.raises(ValidationError):
            one.validate(wrong)


@pytest.mark.parametrize(
    ("name", "value"),
    [("Moment", "2024-03-18T14:21:07"), ("Moment", "2024-13-18T14:21:07Z"), ("Amount", "1.5"), ("Amount", "1,518.00")],
)
def test_formats_are_checked(name: str, value: str) -> None:
    """Values that only look right are refused."""
    with pytest.raises(ValidationError):
        validator(name).validate(value)
