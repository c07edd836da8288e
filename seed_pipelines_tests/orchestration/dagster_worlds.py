"""A world of fakes behind Dagster's definitions."""

from datetime import datetime
from pathlib import Path
from uuid import uuid4

import dagster as dg

from seed_pipelines.domain.manifest import Manifest
from seed_pipelines.domain.plan import Plan
from seed_pipelines.orchestration.code_location import build_definitions
from seed_pipelines.orchestration.manifest_jobs import ManifestJob
from seed_pipelines.seeding.services import Services
from seed_pipelines_tests.worlds import World


class FakeSeeding:
    """Gives out the world's fakes, and manifests by the path they were put under."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.files: dict[Path, Manifest] = {}

    def services(self, environment: str, instance: dg.DagsterInstance) -> Services:
        del environment, instance
        return self.world.services

    def read_manifest(self, path: Path) -> Manifest:
        return self.files[path]

    def now(self) -> datetime:
        return self.world.now


def job_of(world: World, manifest: Manifest, path: Path | None = None) -> ManifestJob:
    return ManifestJob(manifest, Plan.of(manifest, world.catalogue), path)


def execute(
    world: World,
    job: ManifestJob,
    tags: dict[str, str] | None = None,
    seeding: FakeSeeding | None = None,
    **options: object,
) -> dg.ExecuteInProcessResult:
    """Run a manifest's job in process on an instance of its own."""
    definitions = build_definitions([job], seeding or FakeSeeding(world))
    with dg.DagsterInstance.ephemeral() as instance:
        return definitions.resolve_job_def(job.job_name).execute_in_process(
            instance=instance,
            run_id=str(uuid4()),
            tags=tags or {},
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            **options,  # type: ignore[arg-type]  # passed through
        )


def problem_of(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    """The Problem Details of the first failed step."""
    failed = next(event for event in result.all_events if event.is_step_failure)
    data = failed.step_failure_data.user_failure_data
    assert data is not None
    value = data.metadata["problem"].value
    assert isinstance(value, dict)
    return value
