"""What `seed_data` says when it is done: a table for people, JSON for machines, an exit code for pipelines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster import DagsterInstance
from dagster._core.execution.stats import RunStepKeyStatsSnapshot, StepEventStatus
from rich.console import Console
from rich.table import Table

from seed_pipelines.errors import ChecksFailed
from seed_pipelines.seeding.rehearsal import Rehearsal
from seed_pipelines.seeding.reporting import summarize
from seed_pipelines.seeding.seed_run import Session


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

    def as_dict(self) -> dict[str, Any]:
        """The step as JSON."""
        seconds = round(self.seconds, 3)
        return {"step": self.step, "seconds": seconds, "rows": self.rows, "rows_per_second": self.rows_per_second}


@dataclass(frozen=True)
class RunOutcome:
    """How a run or a dry run ended."""

    title: str
    facts: Mapping[str, str | int]
    planned: Mapping[str, int]
    landed: Mapping[str, int]
    roots: Mapping[str, str]
    digest: str
    checks: Sequence[Mapping[str, Any]]
    steps: Sequence[StepTime] = ()
    seconds: float = 0.0
    problem: Mapping[str, Any] | None = None

    made: str = "rows landed"
    """What the rows that are there are called."""

    @property
    def exit_code(self) -> int:
        """0, or the exit code of the problem."""
        return 0 if self.problem is None else int(self.problem["exit_code"])

    @classmethod
    def of_run(
        cls,
        session: Session,
        problem: Mapping[str, Any] | None,
        instance: DagsterInstance,
        run_id: str,
        seconds: float,
    ) -> "RunOutcome":
        """The outcome of a Dagster run, from the checkpoints and reports it left in the database."""
        summary, overridden = summarize(session), session.window_overridden_because
        reports = session.services.control.shard_reports(session.run.seed_run_id).values()
        return cls(
            title="seeded" if problem is None else "failed",
            facts={
                "tenant": session.tenant.slug,
                "tenant_id": str(session.tenant.tenant_id),
                "environment": session.run.environment,
                "mode": session.run.mode,
                "manifest_hash": session.run.manifest_hash,
                "seed_run_id": str(session.run.seed_run_id),
                "dagster_run_id": run_id,
                "fencing_token": session.lease.token,
                "shards_loaded": summary.shards_loaded,
                "shards_planned": summary.shards_planned,
                **({"window_overridden_because": overridden} if overridden else {}),
            },
            planned=session.plan.rows,
            landed=summary.rows,
            roots=summary.roots,
            digest=summary.digest if summary.is_complete else "",
            checks=[check for report in reports for check in report["checks"]],
            steps=[_step_time(stats, session) for stats in instance.get_run_step_stats(run_id)],
            seconds=seconds,
            problem=problem,
        )

    @classmethod
    def of_rehearsal(cls, rehearsal: Rehearsal, directory: Path, seconds: float) -> "RunOutcome":
        """The outcome of a dry run into a directory."""
        metadata = rehearsal.plan.manifest.metadata
        failed = [result.name for result in rehearsal.results if not result.passed]
        return cls(
            title="dry run",
            made="rows in files",
            facts={
                "tenant": metadata.tenant,
                "environment": metadata.environment,
                "mode": rehearsal.plan.manifest.mode,
                "manifest_hash": rehearsal.plan.manifest.integrity.manifest_hash,
                "shards_planned": len(rehearsal.plan.shards),
                "directory": str(directory),
            },
            planned=rehearsal.plan.rows,
            landed=rehearsal.rows,
            roots=rehearsal.roots,
            digest=rehearsal.digest,
            checks=[result.as_dict() for result in rehearsal.results],
            seconds=seconds,
            problem=_checks_failed(failed) if failed else None,
        )

    def as_dict(self) -> dict[str, Any]:
        """The outcome as JSON."""
        return {
            "outcome": self.title,
            "exit_code": self.exit_code,
            **self.facts,
            "planned_rows": dict(self.planned),
            "rows": dict(self.landed),
            "roots": dict(self.roots),
            "digest": self.digest,
            "checks": list(self.checks),
            "steps": [step.as_dict() for step in self.steps],
            "seconds": round(self.seconds, 3),
            "problem": self.problem,
        }


def print_outcome(outcome: RunOutcome, console: Console) -> None:
    """The tables for people."""
    facts = Table(title=f"seed_data: {outcome.title}", show_header=False, title_justify="left")
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in outcome.facts.items():
        facts.add_row(name.replace("_", " "), str(value))
    console.print(facts)
    rows = Table("entity", "rows planned", outcome.made, "digest", title="what was done", title_justify="left")
    for name, planned in outcome.planned.items():
        rows.add_row(name, f"{planned:,}", f"{outcome.landed.get(name, 0):,}", outcome.roots.get(name, "")[:16])
    console.print(rows)
    if outcome.steps:
        console.print(_steps_table(outcome))
    if outcome.checks:
        console.print(_checks_table(outcome.checks))
    if outcome.digest or outcome.problem is None:
        console.print(f"dataset digest {outcome.digest or 'known when every shard is loaded'}", soft_wrap=True)


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


def _checks_failed(names: Sequence[str]) -> Mapping[str, Any]:
    return ChecksFailed(f"Checks failed: {', '.join(sorted(set(names)))}.", checks=sorted(set(names))).problem()
