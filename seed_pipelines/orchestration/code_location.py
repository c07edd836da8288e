"""Manifests -> Dagster Definitions: a job, its assets and its checks for each, and a sign for each broken one."""

from collections.abc import Iterable

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from seed_pipelines.adapters.manifest_files import BrokenManifest, ManifestFolder, load_folder
from seed_pipelines.domain.catalogue import ENVIRONMENTS, Catalogue
from seed_pipelines.domain.entities import ENTITIES
from seed_pipelines.domain.plan import Plan
from seed_pipelines.orchestration import presentation
from seed_pipelines.orchestration.asset_checks import manifest_checks
from seed_pipelines.orchestration.assets import manifest_assets
from seed_pipelines.orchestration.dead_runs import dead_run_sensor
from seed_pipelines.orchestration.deferral import deferral_sensor
from seed_pipelines.orchestration.dry_run import dry_run_job
from seed_pipelines.orchestration.evidence import sealing_sensor
from seed_pipelines.orchestration.executor import seed_executor
from seed_pipelines.orchestration.expiry import expiry_definitions
from seed_pipelines.orchestration.manifest_jobs import OWNER, ManifestJob
from seed_pipelines.orchestration.resources import Seeding, SeedingFromSettings
from seed_pipelines.orchestration.row_io_manager import SEEDED_ROWS, SeededRowsIOManager
from seed_pipelines.orchestration.runs import partition_tags
from seed_pipelines.orchestration.schedules import off_peak_schedules
from seed_pipelines.orchestration.settings import Settings

BROKEN_GROUP = "broken_manifests"


def location_definitions(settings: Settings, environment: str | None = None) -> dg.Definitions:
    """What one code location serves: the manifests of one environment, or of all, and `seeded_rows` to read what they make."""
    folder = load_folder(settings.manifests_dir, settings.catalogue, ENTITIES)
    broken = [manifest for manifest in folder.broken if environment in (None, _location_of(manifest))]
    jobs = folder_jobs(folder, settings.catalogue, environment)
    seeding = SeedingFromSettings(settings)
    return dg.Definitions.merge(
        build_definitions(jobs, seeding, broken),
        dg.Definitions(schedules=off_peak_schedules(jobs, seeding, settings.schedules)),
        expiry_definitions(environment, seeding, settings.schedules),
        dg.Definitions(resources={SEEDED_ROWS: SeededRowsIOManager.of(settings)}),
    )


def folder_jobs(folder: ManifestFolder, catalogue: Catalogue, environment: str | None) -> list[ManifestJob]:
    """The jobs of a folder's valid manifests."""
    return [
        ManifestJob(loaded.manifest, Plan.of(loaded.manifest, catalogue), loaded.path)
        for loaded in folder.manifests
        if environment in (None, loaded.manifest.metadata.environment)
    ]


def build_definitions(
    jobs: Iterable[ManifestJob], seeding: Seeding, broken: Iterable[BrokenManifest] = ()
) -> dg.Definitions:
    """Definitions for the jobs; every broken manifest stands among the assets with its reasons."""
    jobs = list(jobs)
    dagster_jobs = [dagster_job(job) for job in jobs]
    return dg.Definitions(
        assets=[
            *(asset for job in jobs for asset in manifest_assets(job, seeding)),
            *(_broken_sign(manifest) for manifest in broken),
        ],
        asset_checks=[manifest_checks(job, seeding) for job in jobs],
        jobs=[*dagster_jobs, dry_run_job(seeding)],
        sensors=[
            dead_run_sensor(jobs, seeding),
            sealing_sensor(jobs, seeding),
            *([deferral_sensor(jobs, dagster_jobs, seeding)] if jobs else []),
        ],
        executor=seed_executor(jobs, seeding),
    )


def dagster_job(job: ManifestJob) -> UnresolvedAssetJobDefinition:
    """The Dagster job of a manifest; one with a single shard names it in its own tags, so that it runs without any."""
    single = partition_tags(job.plan) if len(job.plan.shards) == 1 else {}
    return dg.define_asset_job(
        job.job_name,
        selection=dg.AssetSelection.groups(job.slug),
        tags={**job.tags, **single},
        description=presentation.job_description(job),
        metadata=presentation.job_definition(job),
    )


def _location_of(broken: BrokenManifest) -> str:
    """The environment whose location shows it: its folder's name, for its content may not say."""
    folder = broken.path.parent.name
    return folder if folder in ENVIRONMENTS else ENVIRONMENTS[0]


def _broken_sign(broken: BrokenManifest) -> dg.AssetSpec:
    parts = [part for part in broken.path.with_suffix("").parts if part not in ("/", "..", ".")]
    return dg.AssetSpec(
        dg.AssetKey([BROKEN_GROUP, *(_asset_name(part) for part in parts[-2:])]),
        group_name=BROKEN_GROUP,
        owners=[OWNER],
        kinds={"yaml"},
        description=presentation.broken_description(broken),
        metadata=presentation.broken_manifest(broken),
    )


def _asset_name(part: str) -> str:
    return "".join(character if character.isalnum() else "_" for character in part)
