"""Numbers, times and texts of a report as people read them. Every text comes from elsewhere and may be hostile."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from markupsafe import Markup

LONGEST_TEXT: Final = 2_000
"""Characters of one text that are shown; the whole of it is in the sealed report."""

_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_ABBREVIATIONS: Final = frozenset({"pii", "rls"})
_LAID_OUT: Final = "\n\t"
_MINUTE: Final = 60
_HOUR: Final = 3_600


def visible(value: object) -> object:
    """A value of which nothing hides: characters that have no shape, or turn the direction of others, are spelt out."""
    if isinstance(value, Markup) or not isinstance(value, str) or value.isprintable():
        return value
    return "".join(
        character if character.isprintable() or character in _LAID_OUT else _spelt_out(character) for character in value
    )


def clipped(text: str, longest: int = LONGEST_TEXT) -> str:
    """The first `longest` characters of a text, and how many there are."""
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text):,} characters in the sealed report)"


def number(value: float) -> str:
    """Digits in groups of three; at most three decimals."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}".rstrip("0").rstrip(".")


def percentage(value: float | None) -> str:
    """With its sign; a dash for what is a share of nothing."""
    return "—" if value is None else f"{number(value)}%"


def duration(seconds: float) -> str:
    """Such as `12.5 s`, `3 min 20 s` or `1 h 2 min`."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{number(round(float(seconds), 3))} s"
    if whole < _HOUR:
        return _both(whole // _MINUTE, "min", whole % _MINUTE, "s")
    return _both(whole // _HOUR, "h", whole % _HOUR // _MINUTE, "min")


def moment(written: str) -> str:
    """An ISO 8601 moment in UTC as `2 January 2026, 03:04:05 UTC`."""
    at = datetime.fromisoformat(written)
    return f"{at.day} {_MONTHS[at.month - 1]} {at:%Y, %H:%M:%S} UTC"


def counted(count: int, noun: str) -> str:
    """`1 shard`, `2 shards`."""
    return f"{number(count)} {noun}{'' if count == 1 else 's'}"


def spoken(name: str) -> str:
    """A name such as `row_counts` in words: `Row counts`."""
    words = " ".join(word.upper() if word in _ABBREVIATIONS else word for word in name.split("_"))
    return words[:1].upper() + words[1:]


def leaves(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a JSON object holds, however deep, in the order of its names: (where, what)."""
    waiting: list[tuple[str, Any]] = [("", found)]
    while waiting:
        where, value = waiting.pop()
        if isinstance(value, Mapping) and value:
            inner = [(f"{where}, {name}" if where else name, value[name]) for name in sorted(value)]
        elif isinstance(value, list | tuple) and value:
            inner = [(f"{where} {place}", part) for place, part in enumerate(value, 1)]
        else:
            inner = []
            if where:
                yield where, _leaf(value)
        waiting += reversed(inner)


def _both(more: int, large: str, fewer: int, small: str) -> str:
    return f"{number(more)} {large}" + (f" {fewer} {small}" if fewer else "")


def _leaf(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, int | float):
        return number(value)
    return value if isinstance(value, str) else "nothing"


def _spelt_out(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
