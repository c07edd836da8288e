"""The answer to whoever asked for a run: built once, stored with the end of the run, repeated byte for byte."""

import json
from collections.abc import Mapping
from typing import Any

from seed_pipelines.errors import ChecksFailed
from seed_pipelines.seeding.recorded_work import RecordedWork
from seed_pipelines.seeding.rehearsal import Rehearsal
from seed_pipelines.seeding.run_record import RunRecord
from seed_pipelines.seeding.seed_run import Session


def as_text(answer: Mapping[str, Any]) -> str:
    """The bytes that are stored and printed."""
    return json.dumps(answer, indent=2, ensure_ascii=False, default=str)


def stored_text(session: Session, problem: Mapping[str, Any] | None) -> str:
    """The answer that was stored when the seed run succeeded; what there is to say of one that did not."""
    stored = session.services.control.answer_of(session.run) if problem is None else None
    return as_text(seed_answer(session, RecordedWork.of(session), problem)) if stored is None else stored


def seed_answer(
    record: RunRecord,
    work: RecordedWork,
    problem: Mapping[str, Any] | None = None,
    report: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What a seed run was asked for and what landed."""
    run, summary, overridden = record.run, work.summary, record.window_overridden_because
    return {
        "outcome": "seeded" if problem is None else "failed",
        "exit_code": 0 if problem is None else problem["exit_code"],
        "tenant": record.tenant.slug,
        "tenant_id": str(record.tenant.tenant_id),
        "environment": run.environment,
        "mode": run.mode,
        "manifest_hash": run.manifest_hash,
        "idempotency_key": run.idempotency_key,
        "seed_run_id": str(run.seed_run_id),
        "dagster_run_id": run.origin,
        "fencing_token": run.fencing_token,
        **({"window_overridden_because": overridden} if overridden else {}),
        "shards_loaded": summary.shards_loaded,
        "shards_planned": summary.shards_planned,
        **{name: value for name, value in work.expenses.as_dict().items() if value is not None},
        "planned_rows": dict(record.plan.rows),
        "rows": dict(summary.rows),
        "roots": dict(summary.roots),
        "digest": summary.digest if summary.is_complete else "",
        "checks": [check for found in work.shard_reports.values() for check in found["checks"]],
        "report": report,
        "problem": problem,
    }


def rehearsal_answer(rehearsal: Rehearsal, directory: str) -> dict[str, Any]:
    """What a dry run made and found."""
    manifest = rehearsal.plan.manifest
    failed = sorted({result.name for result in rehearsal.results if not result.passed})
    problem = ChecksFailed(f"Checks failed: {', '.join(failed)}.", checks=failed).problem() if failed else None
    return {
        "outcome": "dry run",
        "exit_code": 0 if problem is None else problem["exit_code"],
        "tenant": manifest.metadata.tenant,
        "environment": manifest.metadata.environment,
        "mode": manifest.mode,
        "manifest_hash": manifest.integrity.manifest_hash,
        "shards_planned": len(rehearsal.plan.shards),
        "directory": directory,
        "planned_rows": dict(rehearsal.plan.rows),
        "rows": dict(rehearsal.rows),
        "roots": dict(rehearsal.roots),
        "digest": rehearsal.digest,
        "checks": [result.as_dict() for result in rehearsal.results],
        "problem": problem,
    }
