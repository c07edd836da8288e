"""`seed_dry_run`: generate, mask and check any manifest of the location, so that no asset looks fresh for it."""

from pathlib import Path

import dagster as dg
from pydantic import Field

from seed_pipelines.errors import ChecksFailed, SeedError
from seed_pipelines.orchestration import presentation
from seed_pipelines.orchestration.resources import Seeding
from seed_pipelines.orchestration.steps import failure
from seed_pipelines.seeding.rehearsal import rehearse
from seed_pipelines.seeding.rehearsal_report import rehearsal_report
from seed_pipelines.seeding.request import SeedRequest

JOB_NAME = "seed_dry_run"


class DryRunConfig(dg.Config):
    """What to rehearse."""

    manifest_path: str = Field(description="The manifest's file, e.g. manifests/staging/tenant-a.yaml.")
    output: str = Field(".seed/dry-run", description="Directory for the Parquet files; nothing else is written.")


def dry_run_job(seeding: Seeding) -> dg.JobDefinition:
    """The op job of a code location."""

    @dg.op(
        name="rehearse_manifest",
        description="Every guard but the window and the lease, then generate, mask and check, without the database.",
    )
    def rehearse_manifest(context: dg.OpExecutionContext, config: DryRunConfig) -> dg.Output[None]:
        try:
            path = Path(config.manifest_path)
            manifest = seeding.read_manifest(path)
            request = SeedRequest(
                origin=context.run.run_id,
                tenant=manifest.metadata.tenant,
                environment=manifest.metadata.environment,
                read_manifest=lambda: manifest,
            )
            services = seeding.services(manifest.metadata.environment, context.instance)
            began = services.clock()
            rehearsal = rehearse(services, request, config.output)
            report = rehearsal_report(services, request, rehearsal, began, services.clock())
            if not rehearsal.passed:
                red = sorted({result.name for result in rehearsal.results if not result.passed})
                raise ChecksFailed(f"Checks failed: {', '.join(red)}.", checks=red)
        except SeedError as error:
            raise failure(context.log, error) from error
        return dg.Output(None, metadata=presentation.rehearsed(rehearsal) | {"report": dg.MetadataValue.json(report)})

    @dg.job(
        name=JOB_NAME,
        executor_def=dg.in_process_executor,
        description="Dry run of one manifest: checks everything, changes nothing. Allowed at any hour.",
    )
    def seed_dry_run() -> None:
        rehearse_manifest()

    return seed_dry_run
