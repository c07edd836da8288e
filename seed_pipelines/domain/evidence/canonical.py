"""Canonical JSON (RFC 8785), read so strictly that one object has one sequence of bytes."""

import json
from collections.abc import Mapping
from typing import Any

import rfc8785

from seed_pipelines.domain.issues import shown
from seed_pipelines.errors import EvidenceInvalid


def canonical_object(data: bytes, what: str) -> dict[str, Any]:
    """The JSON object in `data`; EvidenceInvalid, with `what` it was to be, unless it is exactly the canonical form."""
    if not data:
        raise EvidenceInvalid(f"The {what} is empty.")
    try:
        found = json.loads(data.decode(), object_pairs_hook=_once, parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise EvidenceInvalid(f"The {what} is not UTF-8 at byte {error.start}.") from error
    except json.JSONDecodeError as error:
        raise EvidenceInvalid(f"The {what} is not JSON at character {error.pos}: {error.msg}.") from error
    except (_Refused, RecursionError) as error:
        raise EvidenceInvalid(f"The {what} is not JSON that can be trusted: {error}.") from error
    if not isinstance(found, dict):
        raise EvidenceInvalid(f"The {what} is no JSON object.")
    try:
        canonical = rfc8785.dumps(found)
    except (rfc8785.CanonicalizationError, RecursionError) as error:
        raise EvidenceInvalid(f"The {what} has no canonical form: {error}.") from error
    if canonical != data:
        raise EvidenceInvalid(
            f"The {what} is not in its canonical form (RFC 8785): it differs at byte {_first_difference(canonical, data)}."
        )
    return found


def canonical_bytes(document: Mapping[str, Any], what: str) -> bytes:
    """The RFC 8785 bytes of a JSON object; EvidenceInvalid, with `what` it is, for a number that JSON does not keep."""
    try:
        return rfc8785.dumps(dict(document))
    except rfc8785.CanonicalizationError as error:
        raise EvidenceInvalid(f"The {what} has no canonical form: {error}.") from error


class _Refused(ValueError):
    """What JSON parsers read in different ways."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _Refused(f"the member {shown(name)} is there twice")
        found[name] = value
    return found


def _no_number(name: str) -> Any:
    raise _Refused(f"{name} is no number")


def _first_difference(one: bytes, other: bytes) -> int:
    alike = (position for position, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(alike, min(len(one), len(other)))
