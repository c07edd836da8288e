"""A document against `contracts/seed-profile.schema.json` (JSON Schema 2020-12), in words for people.

Stricter than the standard where it leaves room: 1.0 is no integer, `$` does not match before a line break,
formats are checked, and each missing or unknown key is an issue of its own.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache, partial
from typing import Any, Final
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from seed_pipelines.contract_files import contract_file
from seed_pipelines.domain.issues import Issue, pointer, shown
from seed_pipelines.domain.quick_schema import QuickSchema, Schema

_CODES: Final = {
    "type": "wrong_type",
    "required": "missing",
    "additionalProperties": "unknown_key",
    "enum": "not_allowed",
    "const": "not_allowed",
    "not": "not_allowed",
    "pattern": "malformed",
    "format": "malformed",
    "uniqueItems": "repeated",
}
_FORMATS: Final = FormatChecker(formats=())


def schema_issues(document: Mapping[str, Any]) -> tuple[Issue, ...]:
    """Every way in which the document breaks the schema, in the order of the document."""
    if _is_surely_valid(document):
        return ()
    return tuple(dict.fromkeys(map(_issue, _validator().iter_errors(document))))


def _is_surely_valid(document: Mapping[str, Any]) -> bool:
    """Whether the quick engine says so, and no number is one that the standard takes for an integer."""
    return _quick_schema().accepts(document) and not _holds_whole_float(document)


def _holds_whole_float(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_whole_float, value.values()))
    if isinstance(value, list):
        return any(map(_holds_whole_float, value))
    return isinstance(value, float) and value.is_integer()


def _issue(error: ValidationError) -> Issue:
    keyword = str(error.validator)
    schema: Schema = error.schema if isinstance(error.schema, dict) else {}
    return Issue(
        pointer(error.absolute_path),
        _CODES.get(keyword, "out_of_range"),
        _message(keyword, error),
        _allowed_keys(schema) if keyword in ("required", "additionalProperties") else _allowed(schema),
    )


def _message(keyword: str, error: ValidationError) -> str:
    if keyword in ("required", "additionalProperties"):
        return error.message
    if keyword == "minProperties":
        return "it is empty"
    if keyword == "maxProperties":
        return "it has too many members"
    if keyword == "uniqueItems":
        return "it holds an item twice"
    if keyword == "not":
        return "it must not be here"
    return f"it is {shown(error.instance)}"


def _allowed_keys(schema: Schema) -> str:
    return str(schema["allowed"])


def _allowed(schema: Schema) -> str:
    if "enum" in schema:
        choice = f"one of {', '.join(schema['enum'])}"
        return f"{choice}: {schema['description']}" if "description" in schema else choice
    if "const" in schema:
        return str(schema["const"])
    kind = schema.get("type")
    if kind in ("integer", "number"):
        noun = "a whole number" if kind == "integer" else "a number"
        if "exclusiveMinimum" in schema:
            return f"{noun} above {schema['exclusiveMinimum']}, at most {schema['maximum']:,}"
        return f"{noun} from {schema['minimum']} to {schema['maximum']:,}"
    if kind == "object" and schema.get("minProperties") != 1:
        return "an object"
    return str(schema["description"])


def _required(
    _validator: Validator, required: list[str], instance: object, schema: Schema
) -> Iterator[ValidationError]:
    for key in required:
        if isinstance(instance, dict) and key not in instance:
            member = schema.get("properties", {}).get(key)
            allowed = _allowed(_resolved(member)) if member else schema["description"]
            yield ValidationError("it is missing", path=(key,), schema={"allowed": allowed})


def _unknown(_validator: Validator, _forbidden: bool, instance: object, schema: Schema) -> Iterator[ValidationError]:
    known = schema.get("properties", {})
    for key in instance if isinstance(instance, dict) else ():
        if key not in known:
            allowed = f"one of {', '.join(known)}"
            yield ValidationError("the key is unknown", path=(key,), schema={"allowed": allowed})


def _pattern(_validator: Validator, pattern: str, instance: object, _schema: Schema) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), instance):
        yield ValidationError("it does not match")


def _resolved(schema: Schema) -> Schema:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    definitions: Mapping[str, Schema] = _schema()["$defs"]
    return definitions[reference.removeprefix("#/$defs/")]


@_FORMATS.checks("date-time", raises=ValueError)
def _real_datetime(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@_FORMATS.checks("uri", raises=ValueError)
def _real_address(value: object) -> bool:
    return not isinstance(value, str) or urlsplit(value).port != 0


@cache
def _schema() -> Schema:
    schema: Schema = json.loads(contract_file("seed-profile.schema.json").read_bytes())
    return schema


@cache
def _quick_schema() -> QuickSchema:
    return QuickSchema(_schema(), formats={name: partial(_FORMATS.conforms, format=name) for name in _FORMATS.checkers})


@cache
def _validator() -> Validator:
    types = Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    )
    keywords = {"required": _required, "additionalProperties": _unknown, "pattern": _pattern}
    strict: type[Validator] = extend(  # type: ignore[no-untyped-call] # its stub has no annotations
        Draft202012Validator, keywords, type_checker=types
    )
    return strict(_schema(), format_checker=_FORMATS)
