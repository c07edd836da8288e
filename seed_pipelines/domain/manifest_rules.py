"""What a schema cannot say about a manifest: comparisons between its members, and the catalogue's limits."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, Final, Protocol

from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines.domain.issues import Issue, pointer

CAP_EXCEEDED: Final = "cap_exceeded"


def rows_of(cap: int, target_pct: Decimal) -> int:
    """Rows that a volume asks for: floor(cap * target_pct / 100)."""
    return int(Decimal(cap) * target_pct // 100)


class Seedable(Protocol):
    """What the rules need to know of an entity that this version can generate."""

    @property
    def name(self) -> str:
        """Plural, as in a manifest's volumetry."""

    @property
    def parent(self) -> "Seedable | None":
        """What its rows hang on; None for customers and entities of the tenant."""

    @property
    def most_per_parent(self) -> int:
        """Rows per row of the parent, on average, above which a manifest is refused."""

    @property
    def fewest_per_parent(self) -> int:
        """Likewise, below which it is refused."""

    @property
    def most_rows(self) -> int:
        """Rows above which a manifest is refused, of what hangs on nothing."""

    @property
    def requires(self) -> Mapping[str, int]:
        """Entities that must be seeded too, and the fewest rows of each."""


@dataclass(frozen=True)
class _Sound:
    """The parts of a document that the schema accepted."""

    document: object
    wrong: frozenset[str]

    def get(self, *path: str) -> Any:
        """The value at a path; None if it is absent or something on the way to it is wrong."""
        value = self.document
        for depth, key in enumerate(path, 1):
            if not isinstance(value, dict) or key not in value or (self.wrong and self.is_wrong(*path[:depth])):
                return None
            value = value[key]
        return value

    def is_wrong(self, *path: str) -> bool:
        """Whether the schema refused what is at a path."""
        return bool(self.wrong) and pointer(path) in self.wrong

    @cached_property
    def volumes(self) -> tuple[tuple[str, int, int], ...]:
        """Entity, cap and rows of every sound volume."""
        return tuple(self._volumes())

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """Entity -> rows of every sound volume."""
        return {entity: count for entity, _, count in self.volumes}

    def _volumes(self) -> Iterator[tuple[str, int, int]]:
        for entity in self.get("volumetry") or ():
            cap = self.get("volumetry", entity, "cap")
            percent = self.get("volumetry", entity, "target_pct")
            if cap is not None and not self.is_wrong("volumetry", entity, "target_pct"):
                yield entity, cap, rows_of(cap, Decimal(str(100 if percent is None else percent)))


def rule_issues(
    document: object, broken: Collection[Issue], catalogue: Catalogue, generated: Collection[Seedable]
) -> tuple[Issue, ...]:
    """Every rule that the document breaks; members that `broken` names are left alone."""
    sound = _Sound(document, frozenset(issue.pointer for issue in broken))
    return (
        *(issue for rule in _RULES for issue in rule(sound)),
        *_profile(sound, catalogue),
        *_cost_model(sound, catalogue),
        *_entities(sound, catalogue, [kind.name for kind in generated]),
        *(issue for kind in generated for issue in _ancestry(sound, kind)),
        *_caps(sound, catalogue),
    )


def _window(sound: _Sound) -> Iterator[Issue]:
    start, end = sound.get("window", "start_utc"), sound.get("window", "end_utc")
    if start is not None and start == end:
        yield Issue("/window/end_utc", "empty_window", f"it equals start_utc, {start}", "another time of day")


def _at_least(lower: tuple[str, str], upper: tuple[str, str]) -> Callable[[_Sound], Iterator[Issue]]:
    def rule(sound: _Sound) -> Iterator[Issue]:
        low, high = sound.get(*lower), sound.get(*upper)
        if low is not None and high is not None and high < low:
            message = f"it is {high}, below {lower[-1]}"
            yield Issue(pointer(upper), "out_of_range", message, f"at least {lower[-1]}, {low}")

    return rule


def _anchor(sound: _Sound) -> Iterator[Issue]:
    anchor, reference = sound.get("anchor_datetime"), sound.get("reference_datetime")
    if anchor and reference and datetime.fromisoformat(anchor) > datetime.fromisoformat(reference):
        message = f"it is {anchor}, after reference_datetime"
        yield Issue("/anchor_datetime", "out_of_range", message, f"not after reference_datetime, {reference}")


def _rows(sound: _Sound) -> Iterator[Issue]:
    for entity in (entity for entity, count in sound.rows.items() if count < 1):
        place = pointer(("volumetry", entity, "target_pct"))
        yield Issue(place, "out_of_range", "it leaves no row of the cap", "at least one row")


def _ancestry(sound: _Sound, kind: Seedable) -> Iterator[Issue]:
    """What an entity's rows hang on and refer to must be there, and enough of it."""
    rows = sound.rows
    if kind.name not in rows:
        return
    parent, place = kind.parent, f"/volumetry/{kind.name}/cap"
    if parent is None and rows[kind.name] > kind.most_rows:
        yield Issue(place, "out_of_range", f"it asks for {rows[kind.name]:,} rows", f"at most {kind.most_rows:,} rows")
    volumetry = sound.get("volumetry") or {}
    if parent is not None and parent.name != "customers" and parent.name not in volumetry:
        allowed = f"a volume: {kind.name} hang on {parent.name}"
        yield Issue(pointer(("volumetry", parent.name)), "missing", "it is missing", allowed)
    if parent is not None and rows.get(parent.name) and rows[kind.name] > kind.most_per_parent * rows[parent.name]:
        message = f"{rows[kind.name]:,} rows for {rows[parent.name]:,} {parent.name}"
        allowed = f"at most {kind.most_per_parent:,} for each of {parent.name}"
        yield Issue(place, "out_of_range", message, allowed)
    if parent is not None and rows[kind.name] < kind.fewest_per_parent * rows.get(parent.name, 0):
        message = f"{rows[kind.name]:,} rows for {rows[parent.name]:,} {parent.name}"
        yield Issue(place, "out_of_range", message, f"at least {kind.fewest_per_parent:,} for each of {parent.name}")
    for name, fewest in kind.requires.items():
        if name not in volumetry:
            yield Issue(
                pointer(("volumetry", name)), "missing", "it is missing", f"a volume: {kind.name} refer to {name}"
            )
        elif 0 < rows.get(name, fewest) < fewest:
            message = f"{rows[name]:,} rows"
            yield Issue(
                pointer(("volumetry", name, "cap")),
                "out_of_range",
                message,
                f"at least {fewest}: {kind.name} refer to them",
            )


def _parents(sound: _Sound) -> Iterator[Issue]:
    volumetry = sound.get("volumetry") or {}
    if volumetry and "customers" not in volumetry:
        yield Issue("/volumetry/customers", "missing", "it is missing", "a volume: every dataset has customers")


def _profile(sound: _Sound, catalogue: Catalogue) -> Iterator[Issue]:
    profile = sound.get("metadata", "profile")
    if profile is not None and profile not in catalogue.profiles:
        allowed = f"one of the catalogue's: {', '.join(catalogue.profiles)}"
        yield Issue("/metadata/profile", "unknown_profile", f"it is {profile!r}", allowed)


def _cost_model(sound: _Sound, catalogue: Catalogue) -> Iterator[Issue]:
    version, known = sound.get("budget", "cost_model_version"), catalogue.cost_models.models
    if version is not None and version not in known:
        allowed = f"one of the catalogue's: {', '.join(known)}"
        yield Issue("/budget/cost_model_version", "unknown_cost_model", f"it is {version!r}", allowed)


def _entities(sound: _Sound, catalogue: Catalogue, generated: Collection[str]) -> Iterator[Issue]:
    for entity in sound.get("volumetry") or ():
        if (entity in generated and entity in catalogue.entities) or sound.is_wrong("volumetry", entity):
            continue
        code, message = "not_generated", "this version does not generate the entity"
        if entity not in catalogue.entities:
            code, message = "unknown_entity", f"the catalogue {catalogue.version} has no such entity"
        possible = ", ".join(name for name in catalogue.entities if name in generated)
        yield Issue(pointer(("volumetry", entity)), code, message, f"one of {possible}")


def _caps(sound: _Sound, catalogue: Catalogue) -> Iterator[Issue]:
    mode, environment = sound.get("mode"), sound.get("metadata", "environment")
    if mode is None or environment is None:
        return
    for entity, cap, _ in sound.volumes:
        if entity in catalogue.entities and cap > (most := catalogue.cap(entity, mode, environment)):
            place = pointer(("volumetry", entity, "cap"))
            allowed = f"at most {most:,} in mode {mode} in environment {environment}"
            yield Issue(place, CAP_EXCEEDED, f"it is {cap:,}", allowed)


_RULES: Final[tuple[Callable[[_Sound], Iterator[Issue]], ...]] = (
    _window,
    _at_least(("slo", "p95_target_ms"), ("slo", "p99_target_ms")),
    _at_least(("backoff", "base_seconds"), ("backoff", "max_interval_seconds")),
    _anchor,
    _parents,
    _rows,
)
