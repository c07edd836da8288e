"""The strict subset of YAML that a manifest is written in, read from the parser's events."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from seed_pipelines.domain.issues import Issue, pointer, shown

Path = tuple[str | int, ...]

_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]*)")
_FRACTION: Final = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+")
_WORDS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None, "~": None, "": None}

LONGEST_NUMBER: Final = 40
"""Most characters of a number."""
LONGEST_KEY: Final = 200
"""Most characters of a key."""


@dataclass(frozen=True)
class Span:
    """Where a scalar stands in its text, in characters."""

    start: int
    end: int


class _LimitError(Exception):
    """The document is past a limit; the issue that says so is recorded."""


def decimal(written: str) -> int | float:
    """The number that digits denote; infinite beyond 40 characters, which no manifest allows."""
    if len(written) > LONGEST_NUMBER:
        return math.inf
    return int(written) if _INTEGER.fullmatch(written) else float(written)


def plain_scalar(written: str) -> bool | float | str | None:
    """What an unquoted scalar means: decimal integers and fractions, true, false, null; all else is text."""
    if written in _WORDS:
        return _WORDS[written]
    if _INTEGER.fullmatch(written) or _FRACTION.fullmatch(written):
        return decimal(written)
    return written


@dataclass
class YamlReader:
    """Reads one document and lists what is wrong in it; raises yaml.YAMLError on bad syntax."""

    deepest: int
    most_nodes: int
    most_issues: int
    issues: list[Issue] = field(default_factory=list)
    """What is wrong besides the syntax."""
    spans: dict[Path, Span] = field(default_factory=dict)
    """Where each scalar value stands."""
    nodes: int = 0

    def read(self, text: str) -> Any:
        """The document in `text`; None for one without content or past a limit."""
        events: Iterator[yaml.Event] = iter(yaml.parse(text, Loader=yaml.CSafeLoader))
        root: Any = None
        documents = 0
        try:
            for event in events:
                if isinstance(event, yaml.DocumentStartEvent):
                    documents += 1
                    if documents > 1:
                        self._add((), "several_documents", "another document starts", "one document", event)
                        break
                    root = self._node(next(events), (), events)
        except _LimitError:
            return None
        return root

    def _node(self, event: yaml.Event, path: Path, events: Iterator[yaml.Event]) -> Any:
        self._count(path, event)
        if isinstance(event, yaml.AliasEvent):
            self._add(path, "alias", f"alias *{shown(event.anchor)[1:-1]}", "the value itself", event)
            return None
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            self._add(path, "anchor", f"anchor &{shown(event.anchor)[1:-1]}", "values without anchors", event)
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
            self._add(path, "tag", f"tag {shown(event.tag)}", "values without tags", event)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path, events)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path, events)
        return self._scalar(event, path)

    def _scalar(self, event: yaml.Event, path: Path) -> bool | float | str | None:
        if not isinstance(event, yaml.ScalarEvent):
            raise yaml.YAMLError(f"unexpected {type(event).__name__}")
        if event.start_mark and event.end_mark:
            self.spans[path] = Span(event.start_mark.index, event.end_mark.index)
        written: str = event.value
        value = written if event.style else plain_scalar(written)
        if isinstance(value, float) and not math.isfinite(value):
            self._add(path, "not_a_number", "the number is too large or too long", "finite decimal numbers", event)
        return value

    def _sequence(self, path: Path, events: Iterator[yaml.Event]) -> list[Any]:
        items: list[Any] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._node(event, (*path, len(items)), events))
        return items

    def _mapping(self, path: Path, events: Iterator[yaml.Event]) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event, path, events)
            if key in mapping:
                self._add((*path, key), "duplicate_key", "the key stands twice", "each key once", event)
            mapping[key] = self._node(next(events), (*path, key), events)
        return mapping

    def _key(self, event: yaml.Event, path: Path, events: Iterator[yaml.Event]) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            self._node(event, (*path, "?"), events)
            self._add(path, "key_not_text", "a key that is not text", "keys of text", event)
            return f"(key {self.nodes})"
        key: str = event.value
        if len(key) > LONGEST_KEY:
            self._add(path, "key_too_long", f"the key {shown(key)}", f"at most {LONGEST_KEY} characters", event)
            key = shown(key)
        self._node(event, (*path, key), events)
        if key == "<<" and not event.style:
            self._add((*path, key), "merge_key", "a merge key", "the members themselves", event)
        return key

    def _count(self, path: Path, event: yaml.Event) -> None:
        self.nodes += 1
        if self.nodes > self.most_nodes:
            self._add((), "too_many_nodes", "too many keys, values and items", f"at most {self.most_nodes:,}", event)
            raise _LimitError
        if len(path) > self.deepest:
            self._add((), "too_deep", "nested too deeply", f"at most {self.deepest} levels", event)
            raise _LimitError

    def _add(self, path: Path, code: str, message: str, allowed: str, event: yaml.Event) -> None:
        mark = event.start_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        self.issues.append(Issue(pointer(path), code, message + place, allowed))
        if len(self.issues) >= self.most_issues:
            raise _LimitError
