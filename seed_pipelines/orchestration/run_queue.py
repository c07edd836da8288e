"""Dagster's run queue, as somebody outside of Dagster puts runs into it, looks at them and takes them back."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, cast

from dagster import DagsterError, DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter
from dagster._core.code_pointer import CodePointer
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._core.origin import DEFAULT_DAGSTER_ENTRY_POINT, JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.storage.dagster_run import RunRecord
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines.domain.manifest import Manifest
from seed_pipelines.domain.plan import Plan
from seed_pipelines.errors import SeedRunEnded, SeedRunUnknown, StackUnavailable
from seed_pipelines.orchestration.code_location import build_definitions
from seed_pipelines.orchestration.instance import storage_translated
from seed_pipelines.orchestration.manifest_jobs import (
    ENVIRONMENT_TAG,
    IDEMPOTENCY_KEY_TAG,
    MANIFEST_TAG,
    ORDERED_MANIFEST_TAG,
    TENANT_TAG,
    ManifestJob,
)
from seed_pipelines.orchestration.resources import Seeding
from seed_pipelines.orchestration.runs import failed_steps, origin_of, partition_tags

State = Literal["queued", "running", "canceling", "succeeded", "failed", "aborted"]

_LOCATIONS: Final = "seed_pipelines.orchestration.locations"
_REPOSITORY: Final = "__repository__"
_STATES: Final[Mapping[DagsterRunStatus, State]] = {
    DagsterRunStatus.NOT_STARTED: "queued",
    DagsterRunStatus.QUEUED: "queued",
    DagsterRunStatus.STARTING: "running",
    DagsterRunStatus.STARTED: "running",
    DagsterRunStatus.MANAGED: "running",
    DagsterRunStatus.CANCELING: "canceling",
    DagsterRunStatus.SUCCESS: "succeeded",
    DagsterRunStatus.FAILURE: "failed",
    DagsterRunStatus.CANCELED: "aborted",
}


@dataclass(frozen=True)
class QueuedRun:
    """A run as Dagster knows it."""

    run_id: str
    origin: str
    """Of the seed run that it takes part in: the run's id, or `backfill:<id>`."""
    job: str
    tenant: str
    """Its name in manifests."""
    environment: str
    manifest: str
    """The first characters of the manifest's hash; empty for a run from the asset graph."""
    idempotency_key: str | None
    state: State
    created_at: datetime
    problem: Mapping[str, Any] | None = None
    """Problem Details of the step it failed in, if it has any."""


class RunQueue:
    """The runs of a Dagster instance; DatabaseUnavailable if its storage does not answer."""

    def __init__(self, instance: DagsterInstance, seeding: Seeding, catalogue: Catalogue) -> None:
        self._instance = instance
        self._seeding = seeding
        self._catalogue = catalogue

    def submit(self, manifest: Manifest, path: Path, run_id: str, idempotency_key: str) -> None:
        """Put a run over every shard of a manifest into the queue; nothing happens if there is one with this id."""
        job = ManifestJob(manifest, Plan.of(manifest, self._catalogue), path)
        with _translated():
            run = self._instance.get_run_by_id(run_id) or self._created(job, run_id, idempotency_key)
            if run.status is DagsterRunStatus.NOT_STARTED:
                # Dagster's queue only notes the run; the daemon looks its code location up in a workspace of its own.
                self._instance.submit_run(run_id, workspace=cast("Any", None))

    def find(self, run_id: str) -> QueuedRun | None:
        """The run of an id; None if there is none, or it is not for one tenant."""
        with _translated():
            record = self._instance.get_run_record_by_id(run_id)
            return None if record is None else self._seen(record)

    def page(self, tenant: str, environment: str, after: str | None, limit: int) -> tuple[QueuedRun, ...]:
        """At most `limit` runs of a tenant and environment, the newest first, those before the run `after`."""
        wanted = RunsFilter(tags={TENANT_TAG: tenant, ENVIRONMENT_TAG: environment})
        with _translated():
            records = self._instance.get_run_records(wanted, limit=limit, cursor=after)
            return tuple(run for record in records if (run := self._seen(record)) is not None)

    def cancel(self, run_id: str) -> None:
        """Take a run out of the queue, or have it end; SeedRunUnknown, SeedRunEnded, StackUnavailable."""
        with _translated():
            run = self._instance.get_run_by_id(run_id)
            if run is None:
                raise SeedRunUnknown(f"There is no run {run_id}.")
            self._refuse_unreachable(run)
            self._instance.run_coordinator.cancel_run(run_id)

    def ping(self) -> None:
        """DatabaseUnavailable if Dagster's storage does not answer."""
        with _translated():
            self._instance.get_runs_count(RunsFilter(run_ids=["none"]))

    def _created(self, job: ManifestJob, run_id: str, idempotency_key: str) -> DagsterRun:
        definition = build_definitions([job], self._seeding).resolve_job_def(job.job_name)
        environment = job.identity[0]
        pointer = CodePointer.from_module(_LOCATIONS, environment, working_directory=None)
        target = LoadableTargetOrigin(executable_path=sys.executable, module_name=_LOCATIONS, attribute=environment)
        location = ManagedGrpcPythonEnvCodeLocationOrigin(target, environment)
        return self._instance.create_run_for_job(
            definition,
            run_id=run_id,
            status=DagsterRunStatus.NOT_STARTED,
            tags={
                **job.tags,
                **partition_tags(job.plan),
                ORDERED_MANIFEST_TAG: job.manifest.integrity.manifest_hash,
                IDEMPOTENCY_KEY_TAG: idempotency_key,
            },
            remote_job_origin=RemoteJobOrigin(RemoteRepositoryOrigin(location, _REPOSITORY), job.job_name),
            job_code_origin=JobPythonOrigin(
                job.job_name,
                RepositoryPythonOrigin(
                    sys.executable, pointer, entry_point=DEFAULT_DAGSTER_ENTRY_POINT, container_image=None
                ),
            ),
        )

    def _seen(self, record: RunRecord) -> QueuedRun | None:
        found = _without_events(record)
        if found is None or found.state != "failed":
            return found
        problems = failed_steps(self._instance, found.run_id).values()
        problem = next((problem for problem in problems if problem), None)
        if problem is None and self._was_to_end(found.run_id):
            # Dagster fails a run that it had begun to start: the process finds it cancelled, and does nothing.
            return replace(found, state="aborted")
        return replace(found, problem=problem)

    def _was_to_end(self, run_id: str) -> bool:
        return bool(self._instance.get_records_for_run(run_id, of_type=DagsterEventType.RUN_CANCELING, limit=1).records)

    def _refuse_unreachable(self, run: DagsterRun) -> None:
        state = _STATES[run.status]
        if run.is_finished:
            raise SeedRunEnded(f"The run is over: {state}.", run_status=state)
        local = isinstance(self._instance.run_launcher, DefaultRunLauncher)
        if state == "running" and local and GRPC_INFO_TAG not in run.tags:
            raise SeedRunEnded(
                "The run was started by a command, or is just beginning: end the command, or ask again.",
                run_status=state,
            )


@contextmanager
def _translated() -> Iterator[None]:
    """What Dagster raises, in the words of the error tree."""
    try:
        with storage_translated():
            yield
    except DagsterError as error:
        raise StackUnavailable(f"Dagster did not do what it was asked for ({type(error).__name__}).") from error


def _without_events(record: RunRecord) -> QueuedRun | None:
    run = record.dagster_run
    if TENANT_TAG not in run.tags or ENVIRONMENT_TAG not in run.tags:
        return None
    return QueuedRun(
        run_id=run.run_id,
        origin=origin_of(run.run_id, run.tags),
        job=run.job_name,
        tenant=run.tags[TENANT_TAG],
        environment=run.tags[ENVIRONMENT_TAG],
        manifest=run.tags.get(MANIFEST_TAG, ""),
        idempotency_key=run.tags.get(IDEMPOTENCY_KEY_TAG),
        state=_STATES[run.status],
        created_at=record.create_timestamp.astimezone(UTC),
    )
