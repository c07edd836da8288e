"""The evidence of a manifest's runs in Dagster: its asset, the check of it, and the sensor that seals what is left."""

from collections.abc import Iterator, Sequence

import dagster as dg

from seed_pipelines.errors import SeedError
from seed_pipelines.orchestration import evidence_presentation
from seed_pipelines.orchestration.manifest_jobs import (
    ENVIRONMENT_TAG,
    EVIDENCE,
    INTEGRITY_REPORT,
    OWNER,
    SEALED,
    TENANT_TAG,
    ManifestJob,
)
from seed_pipelines.orchestration.resources import Seeding
from seed_pipelines.orchestration.steps import conclude, seed_step
from seed_pipelines.seeding.outbox import SealingAttempt, probe, report_ended_runs, seal_waiting
from seed_pipelines.seeding.services import Services

SENSOR: str = "seal_reports"
_SECONDS_BETWEEN_TICKS = 15


def evidence_asset(job: ManifestJob, seeding: Seeding) -> dg.AssetsDefinition:
    """The sealed report of the whole dataset: the last step, which fails the run if nothing can be sealed."""
    environment, tenant, _ = job.identity
    key = job.key(EVIDENCE)
    spec = dg.AssetSpec(
        key,
        deps=[job.key(INTEGRITY_REPORT)],
        group_name=job.slug,
        owners=[OWNER],
        kinds={"s3"},
        tags={TENANT_TAG: tenant, ENVIRONMENT_TAG: environment},
        code_version=job.manifest.integrity.manifest_hash[:12],
        description=(
            "The report of the whole run, signed by Vault Transit and sealed in the bucket for evidence, where nobody can "
            "change or delete it before its retention ends; read back before the run counts as succeeded. Of all shards: "
            "where others are still to come, it says so and seals nothing. `seed-data verify` checks it."
        ),
        metadata={"sealed in": "S3 Object Lock, mode COMPLIANCE", "verified by": "docs/audit.md"},
    )
    check = dg.AssetCheckSpec(
        SEALED,
        asset=key,
        description="The last run's report is sealed. Red once its deadline has passed without; green after the next seal.",
    )

    @dg.multi_asset(name=job.step_name(EVIDENCE), specs=[spec], check_specs=[check], pool=job.pool)
    def evidence(
        context: dg.AssetExecutionContext,
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        with seed_step(context, job, seeding, EVIDENCE) as step:
            found = conclude(context, step.session, len(step.shards))
            yield dg.MaterializeResult(asset_key=key, metadata=evidence_presentation.sealed(found))
            yield evidence_presentation.check_result(key, found)

    return evidence


def sealing_sensor(jobs: Sequence[ManifestJob], seeding: Seeding) -> dg.SensorDefinition:
    """A sensor that reports runs that ended without a report, and seals every report that waits."""

    @dg.sensor(
        name=SENSOR,
        minimum_interval_seconds=_SECONDS_BETWEEN_TICKS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Writes the reports of runs that failed, were stopped or died, and seals whatever is not sealed yet, for as "
            "long as it takes. Past its deadline a run has failed, and its check `sealed` is red until the next seal."
        ),
    )
    def seal_reports(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        known = {job.key(EVIDENCE) for job in jobs}
        attempts: list[SealingAttempt] = []
        away: list[str] = []
        for environment in sorted({job.identity[0] for job in jobs}):
            try:
                services = seeding.services(environment, context.instance)
                with services.connections_kept():
                    attempts += _drain(context, services, environment)
                    if services.evidence.seal_by == "sensor":
                        probe(services, environment)  # last: a bucket that is away must not hide what it leaves overdue
            except SeedError as error:
                away.append(f"{environment}: {error.detail}")
                context.log.warning("%s", away[-1])
        events = [event for attempt in attempts for event in evidence_presentation.events(attempt, known)]
        return dg.SensorResult(asset_events=events, skip_reason=evidence_presentation.summary(attempts, away))

    return seal_reports


def _drain(context: dg.SensorEvaluationContext, services: Services, environment: str) -> Sequence[SealingAttempt]:
    """Whatever can be sealed now; what is refused stands in the log, and does not keep the rest."""
    for seed_run_id, refusal in report_ended_runs(services, environment).items():
        context.log.error("Seed run %s cannot be reported: %s", seed_run_id, refusal.detail)
    attempts = seal_waiting(services, environment)
    for attempt in attempts:
        evidence_presentation.tell(context.log, attempt)
    return attempts
