"""How long a run may take, judged by past ones."""

from datetime import UTC, datetime, timedelta

import pytest

from seed_pipelines.domain.duration import Duration, PastKind, PastWork, estimate
from seed_pipelines.domain.plan import Plan
from seed_pipelines.domain.workload import Workload
from seed_pipelines_tests.worlds import catalogue, manifest

DAY = datetime(2026, 1, 1, tzinfo=UTC)
WORKLOAD = Workload.of(Plan.of(manifest(), catalogue()), lambda size_bytes: 0 * size_bytes)


def past(kind: PastKind, entity: str, rows: int, seconds: float, days: int = 0) -> PastWork:
    return PastWork(kind, entity, rows, seconds, DAY + timedelta(days=days))


def run(scale: int = 1, seconds: float = 1.0, days: int = 0) -> list[PastWork]:
    """A past run of `scale` times the rows, each piece of which took so long."""
    return [
        past("generate", "customers", 100 * scale, seconds, days),
        past("generate", "bank_accounts", 120 * scale, seconds, days),
        past("load", "", 220 * scale, seconds, days),
        past("check", "", 220 * scale, seconds, days),
        past("remainder", "", 0, seconds, days),
    ]


def estimated(work: list[PastWork]) -> Duration:
    found = estimate(WORKLOAD, work)
    assert isinstance(found, Duration)
    return found


def test_the_same_run_takes_as_long_again() -> None:
    """Its pieces, their checks, and what the run did besides."""
    found = estimated(run(days=3))
    assert found.seconds == pytest.approx(5)
    assert (found.past_pieces, found.newest, found.most_stretched) == (4, DAY + timedelta(days=3), 1)


def test_of_many_runs_those_nearest_in_size_count() -> None:
    """A hundred times the rows went a hundred times as fast a row, and say nothing of a small run."""
    large = [work for day in range(20) for work in run(100, 1.0, day)]
    small = [work for day in range(5) for work in run(1, 2.0, day)]
    assert estimated(small + [work for work in large if work.kind != "remainder"]).seconds == pytest.approx(10)
    assert estimated(large).seconds == pytest.approx(1 + 4 / 100)


def test_an_estimate_says_how_far_it_was_stretched() -> None:
    """By the piece for which the past work was smallest."""
    tenth = [work for work in run(1) if work.kind != "load"] + [past("load", "", 22, 1.0)]
    assert estimated(tenth).most_stretched == pytest.approx(10)


def test_without_past_work_nothing_is_made_up() -> None:
    """Why it is not known is said, also where a part alone is missing."""
    assert estimate(WORKLOAD, []) == "unknown: no past run in this environment"
    without = [work for work in run() if work.entity != "bank_accounts"]
    assert estimate(WORKLOAD, without) == "unknown: no past run in this environment did this (generate bank_accounts)"
    assert "(check)" in str(estimate(WORKLOAD, [work for work in run() if work.kind != "check"]))
