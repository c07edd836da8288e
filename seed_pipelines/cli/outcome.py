"""What `seed_data` says when it is done: a table for people, JSON for machines, an exit code for pipelines."""

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from dagster import DagsterInstance
from dagster._core.execution.stats import RunStepKeyStatsSnapshot, StepEventStatus
from rich.console import Console
from rich.table import Table

from seed_pipelines.seeding.seed_run import Session

_MADE: Final = {
    "seeded": ("rows landed", "what was done"),
    "dry run": ("rows in files", "what was done"),
    "failed": ("rows there", "what is loaded of this manifest, by this run or one before"),
}
"""Outcome -> what its rows are called, and the title of their table."""
_NOT_FACTS: Final = frozenset({"outcome", "exit_code", "digest"})


@dataclass(frozen=True)
class StepTime:
    """How long a step of the run took."""

    step: str
    seconds: float
    rows: int | None
    """Rows it handled; None where it handles none, or did not get to its end."""
    ended_well: bool = True

    @property
    def rows_per_second(self) -> int | None:
        """Its rate; None where it handles no rows."""
        return round(self.rows / self.seconds) if self.rows and self.seconds else None


@dataclass(frozen=True)
class RunOutcome:
    """How a run or a dry run ended."""

    text: str
    """The answer, byte for byte as it is stored and repeated."""
    steps: Sequence[StepTime] = ()
    seconds: float = 0.0
    warning: str | None = None
    """What is to be heeded although the run went well."""
    repeated_from: datetime | None = None
    """When the answer was given for the first time; None if this is that time."""

    @cached_property
    def answer(self) -> Mapping[str, Any]:
        """The answer as JSON."""
        parsed: Mapping[str, Any] = json.loads(self.text)
        return parsed

    @property
    def problem(self) -> Mapping[str, Any] | None:
        """The Problem Details of what went wrong."""
        problem: Mapping[str, Any] | None = self.answer["problem"]
        return problem

    @property
    def exit_code(self) -> int:
        """0, or the exit code of the problem."""
        return int(self.answer["exit_code"])


def step_times(session: Session, instance: DagsterInstance, run_id: str) -> list[StepTime]:
    """The steps of a Dagster run, as far as it got."""
    return [_step_time(stats, session) for stats in instance.get_run_step_stats(run_id)]


def print_outcome(outcome: RunOutcome, console: Console) -> None:
    """The tables for people."""
    answer = outcome.answer
    facts = Table(title=f"seed_data: {answer['outcome']}", show_header=False, title_justify="left")
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in answer.items():
        if name not in _NOT_FACTS and isinstance(value, str | int):
            facts.add_row(name.replace("_", " "), str(value))
    if answer.get("report"):
        facts.add_row(
            "report", f"number {answer['report']['sequence']} of the tenant, sealed in the bucket for evidence"
        )
        facts.add_row("sealed as", answer["report"]["object_key"])
        place = f"{answer['seed_run_id']} --environment {answer['environment']}"
        facts.add_row("verify by", f"{_program()} verify {place} --rows")
    console.print(facts)
    made, title = _MADE[answer["outcome"]]
    rows = Table("entity", "rows planned", made, "digest", title=title, title_justify="left")
    for name, planned in answer["planned_rows"].items():
        rows.add_row(name, f"{planned:,}", f"{answer['rows'].get(name, 0):,}", answer["roots"].get(name, "")[:16])
    console.print(rows)
    if outcome.steps:
        console.print(_steps_table(outcome))
    if answer["checks"]:
        console.print(_checks_table(answer["checks"]))
    if answer["digest"] or outcome.problem is None:
        console.print(f"dataset digest {answer['digest'] or 'known when every shard is loaded'}", soft_wrap=True)
    if outcome.warning is not None:
        console.print(f"warning: {outcome.warning}", soft_wrap=True)
    if outcome.repeated_from is not None:
        console.print(
            f"This is the answer of {outcome.repeated_from:%Y-%m-%d %H:%M:%S} UTC to the same idempotency key: nothing was"
            " started. A new --idempotency-key starts a new run.",
            soft_wrap=True,
        )


def _program() -> str:
    """`seed-data` as whoever called this program may call it."""
    beside = Path(sys.argv[0]).with_name("seed-data")
    return str(beside) if shutil.which("seed-data") is None and beside.exists() else "seed-data"


def _steps_table(outcome: RunOutcome) -> Table:
    table = Table(
        "step",
        "rows",
        "seconds",
        "rows/s",
        title=f"steps ({outcome.seconds:.1f} s in all)",
        title_justify="left",
    )
    for step in outcome.steps:
        rows = "" if step.rows is None else f"{step.rows:,}"
        rate = "" if step.rows_per_second is None else f"{step.rows_per_second:,}"
        name = step.step if step.ended_well else f"{step.step} (stopped, rolled back)"
        table.add_row(name, rows, f"{step.seconds:.2f}", rate)
    return table


def _checks_table(checks: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("check", "shards", "result", title="checks, read back from what is there", title_justify="left")
    for name in dict.fromkeys(check["name"] for check in checks):
        found = [check for check in checks if check["name"] == name]
        red = [check["shard"] for check in found if not check["passed"]]
        table.add_row(name, str(len(found)), f"[red]FAILED in {', '.join(red)}" if red else "[green]passed")
    return table


def _step_time(stats: RunStepKeyStatsSnapshot, session: Session) -> StepTime:
    name = stats.step_key.partition("__")[0]
    counts = {**session.plan.rows, "database": session.plan.total_rows}
    ended_well = stats.status is StepEventStatus.SUCCESS
    seconds = (stats.end_time or 0.0) - (stats.start_time or 0.0) if stats.end_time else 0.0
    return StepTime(name, seconds, counts.get(name) if ended_well else None, ended_well)
