"""What a schema cannot say about a manifest: comparisons between its members, and the catalogue's limits."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from seed_pipelines.domain.catalogue import MOST_CUSTOMERS, Catalogue
from seed_pipelines.domain.issues import Issue, pointer

MOST_PER_CUSTOMER: Final = 50
"""Rows of a child entity per customer, above which a manifest is refused."""

CAP_EXCEEDED: Final = "cap_exceeded"


def rows_of(cap: int, target_pct: Decimal) -> int:
    """Rows that a volume asks for: floor(cap * target_pct / 100)."""
    return int(Decimal(cap) * target_pct // 100)


@dataclass(frozen=True)
class _Sound:
    """The parts of a document that the schema accepted."""

    document: object
    wrong: frozenset[str]

    def get(self, *path: str) -> Any:
        """The value at a path; None if it is absent or something on the way to it is wrong."""
        value = self.document
        for depth, key in enumerate(path):
            if not isinstance(value, dict) or key not in value or pointer(path[: depth + 1]) in self.wrong:
                return None
            value = value[key]
        return value

    def volumes(self) -> Iterator[tuple[str, int, int]]:
        """Entity, cap and rows of every sound volume."""
        for entity in self.get("volumetry") or ():
            cap = self.get("volumetry", entity, "cap")
            percent = self.get("volumetry", entity, "target_pct")
            if cap is not None and pointer(("volumetry", entity, "target_pct")) not in self.wrong:
                yield entity, cap, rows_of(cap, Decimal(str(100 if percent is None else percent)))


def rule_issues(
    document: object, broken: Collection[Issue], catalogue: Catalogue, generated: Collection[str]
) -> tuple[Issue, ...]:
    """Every rule that the document breaks; members that `broken` names are left alone."""
    sound = _Sound(document, frozenset(issue.pointer for issue in broken))
    return (
        *(issue for rule in _RULES for issue in rule(sound)),
        *_profile(sound, catalogue),
        *_entities(sound, catalogue, generated),
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
    rows = {entity: count for entity, _, count in sound.volumes()}
    for entity in (entity for entity, count in rows.items() if count < 1):
        place = pointer(("volumetry", entity, "target_pct"))
        yield Issue(place, "out_of_range", "it leaves no row of the cap", "at least one row")
    customers = rows.get("customers", 0)
    if customers > MOST_CUSTOMERS:
        message = f"it asks for {customers:,} rows"
        yield Issue("/volumetry/customers/cap", "out_of_range", message, f"at most {MOST_CUSTOMERS:,} rows")
    accounts = rows.get("bank_accounts", 0)
    if customers and accounts > MOST_PER_CUSTOMER * customers:
        message = f"{accounts:,} rows for {customers:,} customers"
        allowed = f"at most {MOST_PER_CUSTOMER:,} for each customer"
        yield Issue("/volumetry/bank_accounts/cap", "out_of_range", message, allowed)


def _parents(sound: _Sound) -> Iterator[Issue]:
    volumetry = sound.get("volumetry") or {}
    if volumetry and "customers" not in volumetry:
        yield Issue("/volumetry/customers", "missing", "it is missing", "a volume: rows hang on customers")


def _profile(sound: _Sound, catalogue: Catalogue) -> Iterator[Issue]:
    profile = sound.get("metadata", "profile")
    if profile is not None and profile not in catalogue.profiles:
        allowed = f"one of the catalogue's: {', '.join(catalogue.profiles)}"
        yield Issue("/metadata/profile", "unknown_profile", f"it is {profile!r}", allowed)


def _entities(sound: _Sound, catalogue: Catalogue, generated: Collection[str]) -> Iterator[Issue]:
    possible = [entity for entity in catalogue.entities if entity in generated]
    for entity in sound.get("volumetry") or ():
        place = pointer(("volumetry", entity))
        if place in sound.wrong:
            continue
        if entity not in catalogue.entities:
            message = f"the catalogue {catalogue.version} has no such entity"
            yield Issue(place, "unknown_entity", message, f"one of {', '.join(possible)}")
        elif entity not in generated:
            message = "this version does not generate the entity"
            yield Issue(place, "not_generated", message, f"one of {', '.join(possible)}")


def _caps(sound: _Sound, catalogue: Catalogue) -> Iterator[Issue]:
    mode, environment = sound.get("mode"), sound.get("metadata", "environment")
    if mode is None or environment is None:
        return
    for entity, cap, _ in sound.volumes():
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
