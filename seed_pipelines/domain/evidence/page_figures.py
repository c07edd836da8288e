"""The geometry of a report's charts: lengths in percent of their width, so that they fit every screen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from typing import Any, Final

from seed_pipelines.domain.evidence.page_words import counted, duration, number, spoken

FEW_SHARDS: Final = 12
"""As many have a bar with a label each; more are columns side by side."""
COLUMN_HEIGHT: Final = 120
"""Pixels of the highest column."""

_MOST_COLUMNS: Final = 250
_GAP: Final = 0.2
"""Of a column's place, left free."""


@dataclass(frozen=True)
class Bar:
    """A bar with its label; shares are percent of the chart's width."""

    label: str
    value: str
    filled: float
    planned: float | None = None
    """Where the plan ends; None in a chart without plans."""
    cap: float | None = None
    """Where the cap ends; None where there is none."""
    passed: bool = True


@dataclass(frozen=True)
class Column:
    """One shard, or the slowest of some neighbours."""

    x: float
    width: float
    height: float
    """Pixels."""
    says: str
    passed: bool


@dataclass(frozen=True)
class Timings:
    """How long shards took; only those that were measured."""

    measured: int
    total: float
    """Seconds; shards that were loaded at once count each."""
    fastest: float
    median: float
    slowest: float
    slowest_shard: str
    bars: tuple[Bar, ...]
    """One a shard; none where there are more than FEW_SHARDS."""
    columns: tuple[Column, ...]
    shards_per_column: int


def volume_bars(volumes: Sequence[Mapping[str, Any]]) -> tuple[Bar, ...]:
    """Cap, plan and delivery of each entity, in shares of the largest of its three."""
    return tuple(_volume_bar(volume, max(volume["cap"], volume["planned"], volume["delivered"])) for volume in volumes)


def cost_bars(cost: Mapping[str, Any]) -> tuple[Bar, tuple[Bar, ...]]:
    """What was spent, against its cap if there is one; and its categories, the dearest first, in shares of it."""
    spent, cap = Decimal(cost["spent_brl"]), None if cost["cap_brl"] is None else Decimal(cost["cap_brl"])
    widest = max(spent, cap or spent)
    parts = sorted(
        ((Decimal(part), name) for name, part in cost["by_category"].items()), key=lambda it: (-it[0], it[1])
    )
    dearest = max([spent, *(part for part, _ in parts)])
    kept = cap is None or spent <= cap
    whole = Bar(
        label="Spent",
        value=_reais(spent) if kept else f"{_reais(spent)}, over the budget",
        filled=_share(spent, widest),
        cap=None if cap is None else _share(cap, widest),
        passed=kept,
    )
    return whole, tuple(Bar(name, _reais(part), _share(part, dearest)) for part, name in parts)


def timings(shards: Sequence[Mapping[str, Any]]) -> Timings | None:
    """None where nobody measured a shard."""
    measured = [shard for shard in shards if shard["seconds"] is not None]
    if not measured:
        return None
    seconds = [float(shard["seconds"]) for shard in measured]
    slowest = max(measured, key=lambda shard: float(shard["seconds"]))
    few = len(measured) <= FEW_SHARDS
    per_column = 1 if few else -(-len(measured) // _MOST_COLUMNS)
    return Timings(
        measured=len(measured),
        total=sum(seconds),
        fastest=min(seconds),
        median=median(seconds),
        slowest=max(seconds),
        slowest_shard=slowest["key"],
        bars=tuple(_shard_bar(shard, max(seconds)) for shard in measured) if few else (),
        columns=() if few else _columns(measured, per_column, max(seconds)),
        shards_per_column=per_column,
    )


def step_bars(steps: Sequence[Mapping[str, Any]]) -> tuple[Bar, ...]:
    """How long each kind of work took, in shares of the longest; none where nobody measured."""
    longest = max((float(step["seconds"]) for step in steps), default=0)
    return tuple(
        Bar(
            label=f"{spoken(step['step'])} {step['entity'] or ''}".strip(),
            value=f"{duration(step['seconds'])}, {counted(step['rows'], 'row')}, {counted(step['shards'], 'shard')}",
            filled=_share(step["seconds"], longest),
        )
        for step in steps
    )


def _volume_bar(volume: Mapping[str, Any], widest: int) -> Bar:
    cap, planned, delivered = volume["cap"], volume["planned"], volume["delivered"]
    return Bar(
        label=volume["entity"],
        value=f"{number(delivered)} of {number(planned)}, cap {number(cap)}",
        filled=_share(delivered, widest),
        planned=_share(planned, widest),
        cap=_share(cap, widest),
    )


def _shard_bar(shard: Mapping[str, Any], slowest: float) -> Bar:
    failed = "" if shard["passed"] else ", failed"
    return Bar(
        label=f"Shard {shard['key']}",
        value=f"{duration(shard['seconds'])}{failed}",
        filled=_share(shard["seconds"], slowest),
        passed=shard["passed"],
    )


def _columns(shards: Sequence[Mapping[str, Any]], per_column: int, slowest: float) -> tuple[Column, ...]:
    groups = [shards[first : first + per_column] for first in range(0, len(shards), per_column)]
    place = 100 / len(groups)
    return tuple(
        Column(
            x=round(number * place, 3),
            width=round(place * (1 - _GAP), 3),
            height=round(_share(longest, slowest) * COLUMN_HEIGHT / 100, 1),
            says=f"{_named(group)}: {duration(longest)}{'' if passed else ', failed'}",
            passed=passed,
        )
        for number, group in enumerate(groups)
        for longest in [max(float(shard["seconds"]) for shard in group)]
        for passed in [all(shard["passed"] for shard in group)]
    )


def _named(group: Sequence[Mapping[str, Any]]) -> str:
    return f"Shard {group[0]['key']}" if len(group) == 1 else f"Shards {group[0]['key']} to {group[-1]['key']}"


def _share(part: Decimal | float, whole: Decimal | float) -> float:
    return round(100 * float(part) / float(whole), 3) if whole else 0.0


def _reais(amount: Decimal) -> str:
    return f"BRL {amount:,f}"
