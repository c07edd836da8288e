"""Values that one schema allows and another does not (JSON Schema 2020-12, as OpenAPI 3.1 has it), found keyword by keyword."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Direction = Literal["request", "response"]

_LOWER: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_APPLICATORS: Final = ("properties", "additionalProperties", "items", "anyOf", "oneOf")
_ANNOTATIONS: Final = ("title", "description", "example", "examples", "deprecated", "externalDocs", "$comment", "$ref")
_OTHERWISE: Final = frozenset({"type", "enum", "const", "required", *_LOWER, *_UPPER, *_APPLICATORS, *_ANNOTATIONS})
"""Keywords that are compared each in its way, or not at all; any other one has to stay as it is."""
_TYPES: Final = ("null", "boolean", "integer", "number", "string", "array", "object")


@dataclass(frozen=True)
class Part:
    """A part of an OpenAPI document."""

    document: Mapping[str, Any]
    content: Mapping[str, Any]
    """With what it refers to."""
    reference: str = ""
    """Where it refers to, if it does."""

    @classmethod
    def of(cls, document: Mapping[str, Any], written: Any) -> "Part":
        """A part as it is written: an object, or a boolean schema; KeyError for a reference to nothing."""
        if isinstance(written, bool):
            return cls(document, {} if written else {"not": {}})
        if "$ref" not in written:
            return cls(document, written)
        found: Any = document
        for key in written["$ref"].removeprefix("#/").split("/"):
            found = found[key.replace("~1", "/").replace("~0", "~")]
        beside = {key: value for key, value in written.items() if key != "$ref"}
        return cls(document, {**cls.of(document, found).content, **beside}, written["$ref"])

    def below(self, written: Any) -> "Part":
        """A part of the same document."""
        return self.of(self.document, written)


@dataclass(frozen=True)
class Comparison:
    """What is sent against what is taken: for requests the old schema against the new, for responses the new against the old."""

    direction: Direction
    seen: frozenset[tuple[str, str]] = frozenset()
    """References that are being compared, as a schema may contain itself."""

    def refusals(self, sent: Part, taken: Part, place: str) -> Iterator[str]:
        """Why a value that `sent` allows may be none that `taken` allows; nothing if each is.

        Properties that only responses of the new schema have are no reason: clients ignore what they do not know.
        """
        pair = (sent.reference, taken.reference)
        if all(pair) and pair in self.seen:
            return
        inner = Comparison(self.direction, self.seen | {pair})
        reasons = (*_types(sent.content, taken.content), *_bounds(sent.content, taken.content))
        for reason in (*reasons, *_kept(sent.content, taken.content)):
            yield f"{place}: {reason}"
        yield from inner._properties(sent, taken, place)
        if "items" in taken.content:
            items = sent.below(sent.content.get("items", True))
            yield from inner.refusals(items, taken.below(taken.content["items"]), f"{place}[]")
        yield from inner._alternatives(sent, taken, place)

    def _properties(self, sent: Part, taken: Part, place: str) -> Iterator[str]:
        here, there = sent.content.get("properties", {}), taken.content.get("properties", {})
        for name in taken.content.get("required", ()):
            if name not in sent.content.get("required", ()):
                yield f"{place}.{name}: it is required, and need not be there"
        for name in here.keys() & there.keys():
            yield from self.refusals(sent.below(here[name]), taken.below(there[name]), f"{place}.{name}")
        gone = here.keys() - there.keys() if self.direction == "request" else there.keys() - here.keys()
        yield from (f"{place}.{name}: the property is gone" for name in gone)
        more = taken.content.get("additionalProperties", True)
        if more is not True:
            others = sent.below(sent.content.get("additionalProperties", True))
            yield from self.refusals(others, taken.below(more), f"{place}.*")

    def _alternatives(self, sent: Part, taken: Part, place: str) -> Iterator[str]:
        """Each alternative of what is sent must be one of those that are taken."""
        if not (sent.content.keys() | taken.content.keys()) & {"anyOf", "oneOf"}:
            return
        accepted = [taken.below(one) for one in _any_of(taken.content)]
        for number, one in enumerate(_any_of(sent.content)):
            alternative = sent.below(one)
            if all(any(self.refusals(alternative, other, place)) for other in accepted):
                yield f"{place}: alternative {number + 1} is none of those that are taken"


def _any_of(schema: Mapping[str, Any]) -> list[Any]:
    bare = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf")}
    return schema.get("anyOf") or schema.get("oneOf") or [bare]


def _types(sent: Mapping[str, Any], taken: Mapping[str, Any]) -> Iterator[str]:
    refused = _names(sent) - _names(taken)
    if refused and "anyOf" not in sent and "oneOf" not in sent:
        yield f"the type {' or '.join(sorted(refused))} is not taken"
    values = _listed(taken)
    if values is not None:
        others = [value for value in _listed(sent) or ["anything else"] if value not in values]
        if others:
            yield f"{', '.join(map(repr, others))} is not among the values that are taken"


def _names(schema: Mapping[str, Any]) -> set[str]:
    named = schema.get("type", _TYPES)
    names = {named} if isinstance(named, str) else set(named)
    return names | {"integer"} if "number" in names else names


def _listed(schema: Mapping[str, Any]) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _bounds(sent: Mapping[str, Any], taken: Mapping[str, Any]) -> Iterator[str]:
    for keyword in _LOWER:
        if keyword in taken and sent.get(keyword, float("-inf")) < taken[keyword]:
            yield f"{keyword} {taken[keyword]} is more than {sent.get(keyword, 'none')}"
    for keyword in _UPPER:
        if keyword in taken and sent.get(keyword, float("inf")) > taken[keyword]:
            yield f"{keyword} {taken[keyword]} is less than {sent.get(keyword, 'none')}"


def _kept(sent: Mapping[str, Any], taken: Mapping[str, Any]) -> Iterator[str]:
    """Patterns, formats and the like: which of two allows more nobody can say, but one that is dropped from `taken` does."""
    for keyword in sorted(taken.keys() - _OTHERWISE):
        if sent.get(keyword) != taken[keyword]:
            yield f"{keyword} {taken[keyword]} is not {sent.get(keyword, 'there')}"
