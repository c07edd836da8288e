"""Bytes -> document: strict YAML and JSON, so that a manifest says one thing to every reader.

Only mappings with text keys, sequences, text, decimal integers and fractions, true, false and null come out.
In YAML anything else that is not quoted stays text as it was written: dates, `06:00`, `yes`, `0x1F`,
`1_000`.
"""

import json
import math
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal, NoReturn

import yaml

from seed_pipelines.domain.issues import Issue, pointer, shown
from seed_pipelines.domain.manifest_yaml import LONGEST_KEY, LONGEST_NUMBER, Span, YamlReader, decimal
from seed_pipelines.errors import ManifestInvalid

Document = dict[str, Any]
Syntax = Literal["yaml", "json"]

LARGEST_SOURCE: Final = 1 << 20
"""Largest manifest, in bytes."""
DEEPEST_NESTING: Final = 32
"""Most mappings and sequences inside one another."""
MOST_NODES: Final = 20_000
"""Most keys, values and items of a manifest."""
MOST_ISSUES: Final = 100
"""Issues that are listed before a document is given up."""

_JSON_STRUCTURE: Final = re.compile(r'\\.|["\[\]{}]', re.DOTALL)


def read_document(source: bytes, syntax: Syntax) -> Document:
    """The document in a manifest's bytes; raises ManifestInvalid with every issue that can be told."""
    reader = _json if syntax == "json" else _yaml
    return reader(_text(source))


def refuse(*issues: Issue) -> NoReturn:
    """Raise ManifestInvalid with these issues, the first of them in its detail."""
    first = issues[0]
    more = f" (and {len(issues) - 1} more)" if len(issues) > 1 else ""
    raise ManifestInvalid(
        f"{first.pointer or 'the manifest'}: {first.message}; allowed: {first.allowed}{more}",
        issues=[issue.as_dict() for issue in issues],
    )


def too_large(size: int) -> Issue:
    """The issue of a manifest that is not even read."""
    return Issue("", "too_large", f"at least {size:,} bytes", f"at most {LARGEST_SOURCE:,} bytes")


def _text(source: bytes) -> str:
    if len(source) > LARGEST_SOURCE:
        refuse(too_large(len(source)))
    if source.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        refuse(Issue("", "byte_order_mark", "starts with a byte order mark", "UTF-8 without one"))
    if b"\x00" in source:
        refuse(Issue("", "binary", f"binary: a zero byte at offset {source.index(0)}", "text in UTF-8"))
    try:
        text = source.decode()
    except UnicodeDecodeError as error:
        refuse(Issue("", "not_utf8", f"not UTF-8 at offset {error.start}", "text in UTF-8"))
    if not text.strip():
        refuse(_empty())
    return text


def _empty() -> Issue:
    return Issue("", "empty", "empty", "a manifest")


def _checked(root: object) -> Document:
    if root is None:
        refuse(_empty())
    if not isinstance(root, dict):
        refuse(Issue("", "not_a_mapping", f"{shown(root)} at the top level", "a mapping at the top level"))
    return root


def _yaml(text: str) -> Document:
    reader = _yaml_reader()
    try:
        root = reader.read(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = error.problem or error.context or "it cannot be parsed"
        refuse(*reader.issues, Issue("", "syntax", f"not YAML: {problem}{place}", "well-formed YAML"))
    except yaml.reader.ReaderError as error:
        refuse(Issue("", "syntax", f"not YAML: {error.reason} at offset {error.position}", "printable text"))
    if reader.issues:
        refuse(*reader.issues)
    return _checked(root)


class _PeculiarError(Exception):
    """There may be something about the text that has to be told with its place."""


def _found_once(pairs: list[tuple[str, Any]]) -> Document:
    members = dict(pairs)
    if len(members) < len(pairs) or any(len(key) > LONGEST_KEY for key in members):
        raise _PeculiarError
    return members


def _whole(written: str) -> int:
    if len(written) > LONGEST_NUMBER:
        raise _PeculiarError
    return int(written)


def _fraction(written: str) -> int | float:
    number = decimal(written)
    if not math.isfinite(number):
        raise _PeculiarError
    return number


_SOUND: Final = json.JSONDecoder(
    object_pairs_hook=_found_once, parse_int=_whole, parse_float=_fraction, parse_constant=_fraction
)


@dataclass(frozen=True)
class _Members:
    pairs: tuple[tuple[str, Any], ...]


def _json(text: str) -> Document:
    _refuse_deep_json(text)
    if len(text) <= MOST_NODES and "\\u" not in text:  # which may be half of a surrogate pair
        with suppress(_PeculiarError, json.JSONDecodeError):
            return _checked(_SOUND.decode(text))
    return _checked(_json_with_places(text))


def _json_with_places(text: str) -> object:
    """The same, where what is wrong is told by its place."""
    try:
        raw = json.loads(
            text,
            object_pairs_hook=lambda pairs: _Members(tuple(pairs)),
            parse_int=decimal,
            parse_float=decimal,
            parse_constant=_refuse_constant,
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        refuse(Issue("", "syntax", f"not JSON: {error.msg} at {place}", "well-formed JSON"))
    issues: list[Issue] = []
    root = _plain(raw, (), issues, iter(range(MOST_NODES)))
    if issues:
        refuse(*issues[:MOST_ISSUES])
    return root


def _refuse_deep_json(text: str) -> None:
    if text.count("[") + text.count("{") <= DEEPEST_NESTING:
        return
    depth, quoted = 0, False
    for match in _JSON_STRUCTURE.finditer(text):
        mark = match.group()
        if mark == '"':
            quoted = not quoted
        elif not quoted and mark in "[{":
            depth += 1
        elif not quoted and mark in "]}":
            depth -= 1
        if depth > DEEPEST_NESTING:
            line = text.count("\n", 0, match.start()) + 1
            refuse(Issue("", "too_deep", f"nested too deeply at line {line}", f"at most {DEEPEST_NESTING} levels"))


def _refuse_constant(name: str) -> NoReturn:
    refuse(Issue("", "not_a_number", f"{name} is not a JSON number", "finite decimal numbers"))


def _plain(value: object, path: tuple[str | int, ...], issues: list[Issue], budget: Iterator[int]) -> Any:
    if next(budget, None) is None:
        refuse(Issue("", "too_many_nodes", "too many keys, values and items", f"at most {MOST_NODES:,}"))
    if isinstance(value, _Members):
        mapping: Document = {}
        for written, member in value.pairs:
            key = written if len(written) <= LONGEST_KEY else shown(written)
            place = (*path, key)
            if key != written:
                allowed = f"at most {LONGEST_KEY} characters"
                issues.append(Issue(pointer(path), "key_too_long", f"the key {key}", allowed))
            if key in mapping:
                issues.append(Issue(pointer(place), "duplicate_key", "the key stands twice", "each key once"))
            _check_text(key, place, issues)
            mapping[key] = _plain(member, place, issues, budget)
        return mapping
    if isinstance(value, list):
        return [_plain(item, (*path, index), issues, budget) for index, item in enumerate(value)]
    if isinstance(value, str):
        _check_text(value, path, issues)
    elif isinstance(value, float) and not math.isfinite(value):
        issues.append(Issue(pointer(path), "not_a_number", "the number is too large", "finite decimal numbers"))
    return value


def _check_text(text: str, path: tuple[str | int, ...], issues: list[Issue]) -> None:
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        issues.append(Issue(pointer(path), "not_unicode", "half of a surrogate pair", "Unicode text"))


def yaml_span(text: str, path: tuple[str, ...]) -> Span | None:
    """Where the scalar at a path of a sound YAML document stands; None if there is none."""
    reader = _yaml_reader()
    reader.read(text)
    return reader.spans.get(path)


def _yaml_reader() -> YamlReader:
    return YamlReader(deepest=DEEPEST_NESTING, most_nodes=MOST_NODES, most_issues=MOST_ISSUES)
