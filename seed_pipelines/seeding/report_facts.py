"""The facts of a seed run's report, by what the database has of it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from seed_pipelines.adapters.postgres.reports import LogPosition, Verdict
from seed_pipelines.domain.dataset import GENERATOR_VERSION
from seed_pipelines.domain.evidence.facts import Cost, IntegrationFacts, RateLimitUse, RunFacts, ShardFacts, StepTiming
from seed_pipelines.domain.service_levels import measured, totals
from seed_pipelines.seeding.recorded_work import RecordedWork
from seed_pipelines.seeding.run_record import RunRecord

_MEASURED: Final = ("generate", "load")
"""Kinds of work whose time the ledger has."""


def run_facts(record: RunRecord, work: RecordedWork, verdict: Verdict, position: LogPosition) -> RunFacts:
    """What a seed run was asked for, what landed and what was found."""
    run, plan, services = record.run, record.plan, record.services
    reports, summary, used = work.shard_reports, work.summary, totals(work.uses)
    read_back = summary.is_complete and all(_was_read_back(reports.get(key, {})) for key in plan.shard_keys)
    return RunFacts(
        operation="seed_run",
        verdict=verdict,
        origin=run.origin,
        tenant_slug=record.tenant.slug,
        tenant_id=str(run.tenant_id),
        environment=run.environment,
        profile=run.profile,
        mode=run.mode,
        subject=run.subject,
        document=record.manifest.document,
        manifest_hash=run.manifest_hash,
        generator_version=GENERATOR_VERSION,
        started_at=run.started_at,
        ended_at=position.ended_at,
        began_in_window=record.began_in_window,
        planned_rows=plan.rows,
        planned_shards=plan.shard_keys,
        delivered_rows=summary.rows,
        roots=summary.roots if read_back else {},
        dataset_digest=summary.digest if read_back else None,
        seed_run_id=str(run.seed_run_id),
        requested_by=run.requested_by,
        claimed_roles=run.claimed_roles,
        idempotency_key=run.idempotency_key,
        git_commit=services.evidence.git_commit,
        trace_id=run.seed_run_id.hex,
        window_overridden_because=record.window_overridden_because,
        fencing_token=run.fencing_token,
        earlier_fencing_token=position.earlier_token,
        shards=tuple(_shard(key, report) for key, report in reports.items()),
        rate_limit_use=tuple(
            RateLimitUse(use.integration, use.requests, use.held_back, use.waited_seconds) for use in used
        ),
        integrations=tuple(
            IntegrationFacts(use.integration, use.requests, use.failed, use.refused, use.outcomes) for use in used
        ),
        measured=measured(used),
        steps=tuple(_steps(work)),
        cost=Cost(work.spent.cost_brl, work.expenses.cost_model_version, work.spent.by_kind),
        problems=() if run.problem is None else (run.problem,),
        checks=tuple(check for report in reports.values() for check in report["checks"]),
    )


def _was_read_back(report: Mapping[str, Any]) -> bool:
    """Whether the rows of a shard, as the database gave them back, had the digests of what was made."""
    return any(check["name"] == "digests_equal" and check["passed"] for check in report.get("checks", ()))


def _shard(key: str, report: Mapping[str, Any]) -> ShardFacts:
    return ShardFacts(key, report["rows"], report["passed"], report.get("check_seconds"))


def _steps(work: RecordedWork) -> Iterator[StepTiming]:
    for done in work.done:
        if done.kind in _MEASURED:
            yield StepTiming(done.kind, done.entity or None, done.shards, done.rows, done.seconds)
    checked = [report for report in work.shard_reports.values() if report.get("check_seconds") is not None]
    if checked:
        rows = sum(sum(report["rows"].values()) for report in checked)
        yield StepTiming("check", None, len(checked), rows, sum(report["check_seconds"] for report in checked))
