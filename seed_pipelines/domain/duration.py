"""How long a run may take, judged by how long past work of the same kind took."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Final, Literal

from seed_pipelines.domain.workload import PieceKind, Workload

PastKind = PieceKind | Literal["check", "remainder"]

_NEIGHBOURS: Final = 5
"""Past pieces, those nearest in size, whose median rate counts."""


@dataclass(frozen=True)
class PastWork:
    """A piece of work of a past run, or what such a run did besides its pieces: guards, reports, Dagster's own steps."""

    kind: PastKind
    entity: str
    """Empty for work on all entities."""
    rows: int
    """None at all for the remainder of a run."""
    seconds: float
    at: datetime


@dataclass(frozen=True)
class Duration:
    """An estimate, and what it rests on."""

    seconds: float
    past_pieces: int
    """How many pieces of past runs were looked at."""
    newest: datetime
    most_stretched: float
    """The largest ratio of a planned piece's rows to those of the past pieces that stand for it."""


def estimate(workload: Workload, past: Sequence[PastWork]) -> Duration | str:
    """How long a run with this workload takes; where that cannot be known, why.

    Each piece takes as long for a row as the median of the past pieces of its kind and entity that are nearest to it in
    size; what runs did besides is their median.
    """
    if not past:
        return "unknown: no past run in this environment"
    remainders = [work.seconds for work in past if work.kind == "remainder"]
    seconds, stretched = median(remainders) if remainders else 0.0, 1.0
    alike = _by_kind(past)
    for (kind, entity, rows), pieces in _wanted(workload).items():
        near = _nearest(alike.get((kind, entity), ()), rows)
        if not near:
            return f"unknown: no past run in this environment did this ({f'{kind} {entity}'.strip()})"
        seconds += pieces * rows * median(work.seconds / work.rows for work in near)
        stretched = max(stretched, rows / median(work.rows for work in near))
    return Duration(seconds, len(past) - len(remainders), max(work.at for work in past), stretched)


def _wanted(workload: Workload) -> Counter[tuple[PastKind, str, int]]:
    """Kind, entity and rows of what a run does -> how often; what is loaded is checked too."""
    found: Counter[tuple[PastKind, str, int]] = Counter()
    for piece, work in workload.pieces.items():
        if work.rows:
            found[piece.kind, piece.entity, work.rows] += 1
        if piece.kind == "load":
            found["check", "", work.rows] += 1
    return found


def _by_kind(past: Iterable[PastWork]) -> Mapping[tuple[PastKind, str], Sequence[PastWork]]:
    found: dict[tuple[PastKind, str], list[PastWork]] = {}
    for work in past:
        if work.rows:
            found.setdefault((work.kind, work.entity), []).append(work)
    return found


def _nearest(past: Iterable[PastWork], rows: int) -> list[PastWork]:
    """The past pieces nearest in size by ratio, the newest of equals first."""
    newest_first = sorted(past, key=lambda work: work.at, reverse=True)
    return sorted(newest_first, key=lambda work: max(work.rows / rows, rows / work.rows))[:_NEIGHBOURS]
