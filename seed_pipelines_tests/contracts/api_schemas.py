"""The schemas of contracts/api.openapi.yaml, as validators."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final

import yaml
from jsonschema import Draft202012Validator, FormatChecker

from seed_pipelines.contract_files import contract_file

FORMATS: Final = FormatChecker()
"""Those of jsonschema, and the two that it leaves to others."""


@FORMATS.checks("date-time", raises=ValueError)
def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@FORMATS.checks("decimal", raises=ArithmeticError)
def _is_decimal(value: object) -> bool:
    return not isinstance(value, str) or Decimal(value).is_finite()


@cache
def document() -> Mapping[str, Any]:
    """The contract as written."""
    read: dict[str, Any] = yaml.safe_load(contract_file("api.openapi.yaml").read_bytes())
    return read


def schemas() -> Mapping[str, Any]:
    """Name -> schema."""
    found: dict[str, Any] = document()["components"]["schemas"]
    return found


def resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema with what it refers to."""
    if "$ref" not in schema:
        return schema
    return {**schemas()[schema["$ref"].rpartition("/")[2]], **schema}


@cache
def validator(name: str) -> Draft202012Validator:
    """Validates JSON values by the schema of a name; KeyError if there is none."""
    assert name in schemas()
    return Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas()}}, format_checker=FORMATS
    )
