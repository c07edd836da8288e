"""Writing a manifest's hash into its text, and nothing else."""

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines.domain.issues import Issue
from seed_pipelines.domain.manifest import HASH_POINTER, inspect, manifest_hash, refusal
from seed_pipelines.domain.manifest_document import Document, Syntax, read_document, yaml_span
from seed_pipelines.domain.manifest_rules import Seedable
from seed_pipelines.errors import ManifestInvalid

_PLACE: Final = ("integrity", "manifest_hash")
_JSON_MEMBER: Final = re.compile(r'"manifest_hash"\s*:\s*("(?:[^"\\]|\\.)*"|null)')
_NO_PLACE: Final = Issue(
    HASH_POINTER,
    "no_place",
    "there is no place for the hash",
    'integrity: {manifest_hash: ""} to be filled in',
)


@dataclass(frozen=True)
class Sealed:
    """The text of a sealed manifest."""

    source: bytes
    manifest_hash: str


def seal(source: bytes, syntax: Syntax, catalogue: Catalogue, generated: Collection[Seedable]) -> Sealed:
    """The same text with the right hash in it; the same bytes if it was there.

    Raises ManifestInvalid or CapExceeded if anything but the hash is wrong.
    """
    document = read_document(source, syntax)
    issues = inspect(document, catalogue, generated)
    if others := [issue for issue in issues if issue.pointer not in ("/integrity", HASH_POINTER)]:
        raise refusal(others)
    digest = manifest_hash({**document, "integrity": {}})
    if not issues:
        return Sealed(source, digest)
    edit = _edited_json if syntax == "json" else _edited_yaml
    edited = edit(source.decode(), document, digest).encode()
    _verify(edited, syntax, {**document, "integrity": {"manifest_hash": digest}})
    return Sealed(edited, digest)


def _edited_yaml(text: str, document: Document, digest: str) -> str:
    if "integrity" not in document:
        line_break = "\r\n" if "\r\n" in text else "\n"
        lines = (text.rstrip(), "integrity:", f'  manifest_hash: "{digest}"', "")
        return line_break.join(lines)
    span = yaml_span(text, _PLACE)
    if span is None:
        raise refusal((_NO_PLACE,))
    gap = " " if text[span.start - 1] == ":" else ""
    return f'{text[: span.start]}{gap}"{digest}"{text[span.end :]}'


def _edited_json(text: str, _document: Document, digest: str) -> str:
    places = list(_JSON_MEMBER.finditer(text))
    if len(places) != 1:
        raise refusal((_NO_PLACE,))
    start, end = places[0].span(1)
    return text[:start] + json.dumps(digest) + text[end:]


def _verify(source: bytes, syntax: Syntax, expected: Document) -> None:
    try:
        written = read_document(source, syntax)
    except ManifestInvalid:
        raise refusal((_NO_PLACE,)) from None
    if written != expected:
        raise refusal((_NO_PLACE,))
