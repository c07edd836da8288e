"""The checks of a manifest's database, read back from PostgreSQL."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from seed_pipelines.domain.checks import checks_of
from seed_pipelines.errors import ChecksFailed
from seed_pipelines.orchestration import presentation
from seed_pipelines.orchestration.manifest_jobs import CHECKS_STEP, DATABASE, ManifestJob
from seed_pipelines.orchestration.resources import Seeding
from seed_pipelines.orchestration.steps import seed_step
from seed_pipelines.seeding.checking import diagnose
from seed_pipelines.seeding.reporting import check_and_record


def manifest_checks(job: ManifestJob, seeding: Seeding) -> dg.AssetChecksDefinition:
    """One step that evaluates every check of the run's shards; a red one stops the run before its report."""
    database = job.key(DATABASE)
    wanted = checks_of(job.plan)
    specs = [
        dg.AssetCheckSpec(name, asset=database, description=description, blocking=True)
        for name, description in wanted.items()
    ]

    @dg.multi_asset_check(name=job.step_name(CHECKS_STEP), specs=specs, pool=job.pool)
    def checks(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        with seed_step(context, job, seeding, CHECKS_STEP) as step:
            diagnosis = diagnose(step.session)
            reports = [check_and_record(step.session, shard, diagnosis) for shard in step.shards]
            for name in wanted:
                yield _result(database, name, reports)
            failed = sorted(name for name in wanted if not _passed(name, reports))
            if failed:
                raise ChecksFailed(f"Checks failed: {', '.join(failed)}.", checks=failed)

    return checks


def _outcomes(name: str, reports: list[dict[str, Any]]) -> list[Mapping[str, Any]]:
    return [check for report in reports for check in report["checks"] if check["name"] == name]


def _passed(name: str, reports: list[dict[str, Any]]) -> bool:
    return all(outcome["passed"] for outcome in _outcomes(name, reports))


def _result(database: dg.AssetKey, name: str, reports: list[dict[str, Any]]) -> dg.AssetCheckResult:
    outcomes = _outcomes(name, reports)
    return dg.AssetCheckResult(
        asset_key=database,
        check_name=name,
        passed=_passed(name, reports),
        description=presentation.verdict(outcomes),
        metadata=presentation.checked(outcomes),
    )
