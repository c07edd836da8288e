"""The body of a loan contract: `contracts/loan-contract.schema.json`, in the canonical form of RFC 8785."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jsonschema import Draft202012Validator
from numpy.typing import NDArray

from seed_pipelines.contract_files import contract_file

TEMPLATE_VERSION: Final = "v1"
_FILE: Final = "loan-contract.schema.json"
_INTEGER: Final = "-?[1-9][0-9]{0,8}"
"""What is read at once of the integers but 0; others are left to the validator."""

Texts = Mapping[str, pa.StringArray]


@dataclass(frozen=True)
class ReadBodies:
    """What some bodies say."""

    members: Mapping[str, pa.StringArray]
    """The value of each member as text; null where the body is not valid and canonical."""
    breaks_schema: NDArray[np.bool_]
    """Bodies that are no JSON, or not as the schema says."""
    is_irregular: NDArray[np.bool_]
    """Bodies that the schema allows, but not in canonical form."""


def canonical(members: Texts) -> pa.StringArray:
    """The canonical body of each row of members; their values are as the schema says, integers as text."""
    names = sorted(members)
    opened = [f'{"," if position else "{"}"{name}":{_quote(name)}' for position, name in enumerate(names)]
    closed = ["", *map(_quote, names)]
    before = [end + start for end, start in zip(closed, opened, strict=False)]
    parts = chain.from_iterable(zip(before, (members[name] for name in names), strict=True))
    return pc.binary_join_element_wise(*parts, closed[-1] + "}", "")


def sha256_hex(bodies: pa.StringArray | pa.ChunkedArray) -> pa.StringArray:
    """SHA-256 of the UTF-8 bytes of each body, 64 hexadecimal digits."""
    return pa.array([hashlib.sha256(body).hexdigest() for body in bodies.cast(pa.binary()).to_pylist()], pa.string())


def read(bodies: pa.ChunkedArray) -> ReadBodies:
    """The members of some bodies, each held against the schema.

    Canonical ones are matched with the patterns of the schema, all at once, which says the same: the schema is closed,
    requires every member, and allows no character that JSON escapes. What does not match goes to a validator.
    """
    found = pc.extract_regex(bodies.combine_chunks(), _pattern())
    members = dict(zip(sorted(_schema()["properties"]), found.flatten(), strict=True))
    regular = np.asarray(found.is_valid())
    for name, member in _schema()["properties"].items():
        if _is_integer(name):
            number = np.asarray(members[name].cast(pa.int64()).fill_null(0))
            regular = regular & (number >= member["minimum"]) & (number <= member["maximum"])
    others = np.flatnonzero(~regular)
    breaks = np.zeros(len(regular), dtype=bool)
    breaks[others] = [not _is_valid(body) for body in bodies.take(pa.array(others)).to_pylist()]
    texts = {name: pc.if_else(pa.array(regular), text, None) for name, text in members.items()}
    return ReadBodies(texts, breaks, ~regular & ~breaks)


def _is_valid(body: str) -> bool:
    try:
        return _validator().is_valid(json.loads(body))
    except (ValueError, RecursionError):
        return False


def _quote(name: str) -> str:
    return "" if _is_integer(name) else '"'


def _is_integer(name: str) -> bool:
    return bool(_schema()["properties"][name].get("type") == "integer")


@cache
def _pattern() -> str:
    """What canonical bodies that the schema allows look like: a group for each member, integers of whatever size."""
    members = ",".join(
        f'"{name}":{_quote(name)}(?P<{name}>{_value_pattern(member)}){_quote(name)}'
        for name, member in sorted(_schema()["properties"].items())
    )
    return rf"\A\{{{members}\}}\z"


def _value_pattern(member: Mapping[str, Any]) -> str:
    if "$ref" in member:
        return _value_pattern(_schema()["$defs"][member["$ref"].removeprefix("#/$defs/")])
    if "enum" in member:
        return "|".join(map(re.escape, member["enum"]))
    return str(member["pattern"]).removeprefix("^").removesuffix("$") if "pattern" in member else _INTEGER


@cache
def _schema() -> Mapping[str, Any]:
    schema: Mapping[str, Any] = json.loads(contract_file(_FILE).read_bytes())
    return schema


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(_schema())
