"""`purge_expired_datasets`: removes what has outlived its time to live, and says what became of each dataset."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import dagster as dg

from seed_pipelines.domain.catalogue import ENVIRONMENTS
from seed_pipelines.errors import LeaseHeld, SeedError
from seed_pipelines.orchestration import metadata_tables
from seed_pipelines.orchestration.manifest_jobs import DATABASE, ENVIRONMENT_TAG
from seed_pipelines.orchestration.resources import Seeding
from seed_pipelines.orchestration.schedules import STATES, InitialState, stamp
from seed_pipelines.seeding.authorization import Caller
from seed_pipelines.seeding.expiry import ExpiryOutcome, expired_datasets, purge_expired

JOB_NAME: Final = "purge_expired_datasets"
SCHEDULE_NAME: Final = "daily_purge_of_expired_datasets"
CRON: Final = "30 6 * * *"
"""After the usual windows, and before the working day in Brazil."""
_LONGEST_SECONDS: Final = "7200"
"""A run that was killed would count as running; Dagster's run monitoring ends it then."""


def expiry_definitions(environment: str | None, seeding: Seeding, initially: InitialState) -> dg.Definitions:
    """The job of a code location and its schedule, for one environment or for all."""
    job = expiry_job(ENVIRONMENTS if environment is None else (environment,), seeding)
    return dg.Definitions(jobs=[job], schedules=[_schedule(job, initially)])


def expiry_job(environments: Sequence[str], seeding: Seeding) -> dg.JobDefinition:
    """The op job that removes the expired datasets of some environments, also of manifests that have left the folder."""

    @dg.op(
        name="remove_expired_datasets",
        description="Rows, checkpoints and Parquet files of each expired dataset, under the lease of its tenant.",
    )
    def remove(context: dg.OpExecutionContext) -> dg.Output[None]:
        outcomes: list[ExpiryOutcome] = []
        away: dict[str, SeedError] = {}
        for environment in environments:
            try:
                services = seeding.services(environment, context.instance)
                expired = expired_datasets(services, environment)
                outcomes.extend(purge_expired(services, expired, Caller(context.run.run_id)))
            except SeedError as error:
                away[environment] = error
        for outcome in outcomes:
            _tell(context, outcome)
        metadata = _metadata(outcomes, away)
        context.log.info("%d datasets removed, %d stay.", metadata["datasets removed"], metadata["datasets that stay"])
        failures = [*away.values(), *(outcome.refusal for outcome in outcomes if outcome.refusal is not None)]
        lasting = [failure for failure in failures if not isinstance(failure, LeaseHeld)]
        if lasting:
            described = "; ".join(f"{failure.title}. {failure.detail}" for failure in lasting)
            raise dg.Failure(f"Not everything that has expired could be removed: {described}", metadata, False)
        return dg.Output(None, metadata=metadata)

    @dg.job(
        name=JOB_NAME,
        executor_def=dg.in_process_executor,
        tags={"dagster/max_runtime": _LONGEST_SECONDS}
        | ({ENVIRONMENT_TAG: environments[0]} if len(environments) == 1 else {}),
        description=(
            f"Removes the expired datasets of {', '.join(environments)}: those that no run has loaded or found right for as "
            "many days as the ttl of their manifest says. Skips tenants that are being seeded. The table of the op's output "
            "says what became of each, and seed.dataset_removal keeps a row for each that is gone."
        ),
    )
    def purge_expired_datasets() -> None:
        remove()

    return purge_expired_datasets


def _schedule(job: dg.JobDefinition, initially: InitialState) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name=SCHEDULE_NAME,
        job=job,
        cron_schedule=CRON,
        execution_timezone="UTC",
        default_status=STATES[initially],
        description=f"Once a day, after the usual off-peak windows. {job.description}",
    )


def _tell(context: dg.OpExecutionContext, outcome: ExpiryOutcome) -> None:
    """In the log, and for what is gone on the page of its asset, which may have left the manifests."""
    dataset = outcome.dataset
    words = f"{dataset.tenant} in {dataset.environment}, profile {dataset.profile}: {outcome.in_words}"
    if outcome.refusal is not None:
        context.log.warning("%s", words)
        return
    context.log.info("%s", words)
    if outcome.removed:
        context.log_event(
            dg.AssetObservation(
                dg.AssetKey([dataset.environment, dataset.tenant, dataset.profile, DATABASE]),
                description=f"Expired: {outcome.in_words}.",
                metadata={"rows removed": metadata_tables.counts(outcome.removed)},
            )
        )


def _metadata(outcomes: Sequence[ExpiryOutcome], away: Mapping[str, SeedError]) -> dict[str, Any]:
    records: list[metadata_tables.Record] = [
        {
            "environment": outcome.dataset.environment,
            "tenant": outcome.dataset.tenant,
            "profile": outcome.dataset.profile,
            "expired at": stamp(outcome.dataset.expires_at) if outcome.dataset.expires_at else "",
            "what became of it": outcome.in_words,
        }
        for outcome in outcomes
    ]
    records += [
        {
            "environment": environment,
            "tenant": "",
            "profile": "",
            "expired at": "",
            "what became of it": f"not known: {error.code}. {error.detail}",
        }
        for environment, error in away.items()
    ]
    return {
        "datasets": metadata_tables.table(records),
        "datasets removed": sum(bool(outcome.removed) for outcome in outcomes),
        "datasets that stay": sum(not outcome.removed for outcome in outcomes),
        "rows removed": sum(sum(outcome.removed.values()) for outcome in outcomes),
    }
