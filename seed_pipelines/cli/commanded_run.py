"""What `seed_data` does: a run in this process, or a rehearsal of one, and its proof."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import click
from dagster import DagsterInstance

from seed_pipelines.adapters.postgres.idempotency import Replay
from seed_pipelines.adapters.postgres.seed_runs import SeedRun
from seed_pipelines.cli.manifest_source import ManifestSource
from seed_pipelines.cli.outcome import RunOutcome, StepTime, step_times
from seed_pipelines.cli.queue_display import QueueDisplay
from seed_pipelines.domain.evidence.page import report_page
from seed_pipelines.domain.evidence.report import report_bytes
from seed_pipelines.errors import DatabaseUnavailable, Interrupted, SeedError
from seed_pipelines.local.environment import use_local_stack
from seed_pipelines.orchestration.instance import dagster_instance, storage_translated
from seed_pipelines.orchestration.launch import launch
from seed_pipelines.orchestration.manifest_jobs import ManifestJob
from seed_pipelines.orchestration.resources import SeedingFromSettings
from seed_pipelines.orchestration.settings import Settings
from seed_pipelines.seeding.answer import as_text, rehearsal_answer, stored_text
from seed_pipelines.seeding.authorization import Caller
from seed_pipelines.seeding.budget import expenses
from seed_pipelines.seeding.ending import give_up
from seed_pipelines.seeding.outbox import seal_checkpoint, seal_ended
from seed_pipelines.seeding.rehearsal import ask_to_rehearse
from seed_pipelines.seeding.rehearsal_report import rehearsal_report
from seed_pipelines.seeding.request import SeedRequest
from seed_pipelines.seeding.seed_run import Session, ask, held
from seed_pipelines.seeding.services import Services


def seed(
    tenant_id: UUID,
    environment: str,
    manifest_path: Path | None,
    mode: str | None,
    roles: tuple[str, ...],
    requested_by: str,
    override_window: str | None,
    idempotency_key: str | None,
    dry_run: bool,
    output: Path | None,
    wait: bool,
    as_json: bool,
) -> RunOutcome:
    """Seed or rehearse one manifest, with what the flags of `seed_data` say; whatever refuses it is raised."""
    use_local_stack()
    settings = Settings()
    instance = dagster_instance()
    seeding = SeedingFromSettings(settings)
    services = seeding.services(environment, instance)
    run_id = str(uuid4())
    caller = Caller(run_id, requested_by, roles)
    source = ManifestSource(settings, services, tenant_id, environment, caller, manifest_path)
    request = SeedRequest(
        origin=run_id,
        tenant=tenant_id,
        environment=environment,
        read_manifest=source,
        mode=mode,
        requested_by=requested_by,
        claimed_roles=roles,
        window_override=override_window,
        idempotency_key=idempotency_key,
    )
    with services.connections_kept():
        if dry_run:
            return _rehearsed(services, request, output or settings.state_dir / "dry-run")
        try:
            return _run(seeding, instance, services, request, source, QueueDisplay(announces=not as_json, waits=wait))
        except BaseException as error:
            if source.profile is not None:
                give_up(services, request, source.profile, error)
            raise


def _run(
    seeding: SeedingFromSettings,
    instance: DagsterInstance,
    services: Services,
    request: SeedRequest,
    source: ManifestSource,
    display: QueueDisplay,
) -> RunOutcome:
    started = datetime.now(UTC)
    session = ask(services, request, display.patience)
    if isinstance(session, Replay):
        return RunOutcome(session.response, repeated_from=session.answered_at)
    if display.announces:
        _announce(session.run)
    with held(session):
        job = ManifestJob(session.manifest, session.plan, source.path)
        with storage_translated():
            problem = launch(job, seeding, instance, session.run.origin)
        if problem is not None:
            session.finish("aborted" if problem["code"] == Interrupted.code else "failed", problem)
        _prove(services, session.run)
        seconds = (datetime.now(UTC) - started).total_seconds()
        steps = _step_times(session, instance, session.run.origin)
        return RunOutcome(stored_text(session, problem), steps, seconds, expenses(session).warning)


def _prove(services: Services, run: SeedRun) -> None:
    """Seal what the run itself does not, for who has no sensor; it is sealed later where that fails.

    That is the report of a run that did not succeed, and the head of the log.
    """
    try:
        attempt = seal_ended(services, run)
        if services.evidence.seal_by == "run":
            seal_checkpoint(services, run.environment)
    except SeedError as error:
        refusal: str | None = error.detail
    else:
        refusal = attempt.problem["detail"] if attempt is not None and attempt.problem is not None else None
    if refusal is not None:
        click.echo(f"warning: not all is sealed yet; the sensor seal_reports goes on trying. {refusal}", err=True)


def _step_times(session: Session, instance: DagsterInstance, run_id: str) -> list[StepTime]:
    """The steps of a run; none, with a warning, where Dagster's storage went away after it: its outcome is known."""
    try:
        with storage_translated():
            return step_times(session, instance, run_id)
    except DatabaseUnavailable as away:
        click.echo(f"warning: the times of the steps are not shown: {away.detail}", err=True)
        return []


def _rehearsed(services: Services, request: SeedRequest, directory: Path) -> RunOutcome:
    began = services.clock()
    rehearsal = ask_to_rehearse(services, request, str(directory))
    if isinstance(rehearsal, Replay):
        return RunOutcome(rehearsal.response, repeated_from=rehearsal.answered_at)
    report = rehearsal_report(services, request, rehearsal, began, services.clock())
    written, data = directory / "report.json", report_bytes(report)
    written.write_bytes(data)
    written.with_suffix(".html").write_bytes(report_page(report, hashlib.sha256(data).hexdigest(), written.name))
    text = as_text(rehearsal_answer(rehearsal, str(directory)))
    if request.idempotency_key is not None:
        services.control.record_answer(rehearsal.claim, UUID(request.origin), text)
    return RunOutcome(text)


def _announce(run: SeedRun) -> None:
    click.echo(f"manifest_hash={run.manifest_hash}\nidempotency_key={run.idempotency_key}")
    click.echo(f"seed_run_id={run.seed_run_id}\ndagster_run_id={run.origin}")
