"""`seed_data`: seed one manifest, with the flags and exit codes of the source document."""

import hashlib
import json
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any, NoReturn
from uuid import UUID, uuid4

import click
from dagster import DagsterInstance

from seed_pipelines.adapters.postgres.idempotency import Replay
from seed_pipelines.adapters.postgres.seed_runs import SeedRun
from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.cli import claims
from seed_pipelines.cli.console import console
from seed_pipelines.cli.outcome import RunOutcome, StepTime, print_outcome, step_times
from seed_pipelines.cli.queue_display import QueueDisplay
from seed_pipelines.domain.catalogue import ENVIRONMENTS, MODES
from seed_pipelines.domain.entities import ENTITIES
from seed_pipelines.domain.evidence.page import report_page
from seed_pipelines.domain.evidence.report import report_bytes
from seed_pipelines.domain.manifest import Manifest, read_manifest
from seed_pipelines.domain.manifest_baseline import minimal_baseline
from seed_pipelines.errors import DatabaseUnavailable, Interrupted, SeedError
from seed_pipelines.local.environment import use_local_stack
from seed_pipelines.orchestration.instance import dagster_instance, storage_translated
from seed_pipelines.orchestration.launch import launch
from seed_pipelines.orchestration.manifest_jobs import ManifestJob
from seed_pipelines.orchestration.resources import SeedingFromSettings
from seed_pipelines.orchestration.settings import Settings
from seed_pipelines.seeding.answer import as_text, rehearsal_answer, stored_text
from seed_pipelines.seeding.authorization import Caller, authorize
from seed_pipelines.seeding.budget import expenses
from seed_pipelines.seeding.outbox import seal_checkpoint, seal_ended
from seed_pipelines.seeding.rehearsal import ask_to_rehearse
from seed_pipelines.seeding.rehearsal_report import rehearsal_report
from seed_pipelines.seeding.request import SeedRequest
from seed_pipelines.seeding.seed_run import Session, ask, give_up, held
from seed_pipelines.seeding.services import Services


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--tenant-id", type=click.UUID, required=True, help="Tenant whose data is seeded.")
@click.option("--environment", type=click.Choice(ENVIRONMENTS), required=True)
@click.option(
    "--manifest-path",
    type=click.Path(path_type=Path),
    help="Default: <manifests>/<environment>/<tenant>.yaml; without that file, a minimal baseline.",
)
@click.option(
    "--mode",
    type=click.Choice(MODES),
    help="Default: the manifest's. Another than the manifest's is an error.",
)
@click.option("--dry-run", is_flag=True, help="Generate, mask and check without writing to the database; at any hour.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Where a dry run writes. Default: <state>/dry-run.",
)
@click.option(
    "--idempotency-key",
    metavar="KEY",
    help="Asked for again within 24 hours, a run that succeeded is not repeated, only its answer. "
    "Default: seed-data:<manifest_hash>; a dry run has none.",
)
@click.option("--wait", is_flag=True, help="Wait up to five minutes for a lease and a slot, in order of arrival.")
@claims.ROLES
@claims.REQUESTED_BY
@click.option(
    "--override-window",
    metavar="REASON",
    help="Run outside the window, as a seed-admin; the report shows why.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON on stdout.")
def seed_data(**options: Any) -> None:
    """Generate, mask, load, check and report the synthetic data of one manifest.

    Exit codes: 0 done; 2 validation, tenant mismatch, drift, another manifest under the key, or failed checks; 3 lease
    held, too many runs, or the key's run at work; 4 a needed service is away; 5 outside the window, waiting in the queue,
    or over budget; 6 row level security, tenant or role; 130 interrupted. The reason is on stderr as Problem Details.
    """
    try:
        outcome = _seed(**options)
    except SeedError as error:
        _refuse(error, as_json=options["as_json"])
    except KeyboardInterrupt:
        _refuse(
            Interrupted("Stopped by Ctrl-C or a signal; what had not been committed was rolled back."),
            as_json=options["as_json"],
        )
    if options["as_json"]:
        click.echo(outcome.text)
    else:
        print_outcome(outcome, console())
    if outcome.problem is not None:
        click.echo(json.dumps(outcome.problem, indent=2), err=True)
    raise SystemExit(outcome.exit_code)


def _refuse(error: SeedError, *, as_json: bool) -> NoReturn:
    problem = error.problem()
    if as_json:
        outcome = {"outcome": "refused", "exit_code": error.exit_code, "problem": problem}
        click.echo(json.dumps(outcome, indent=2, default=str))
    click.echo(json.dumps(problem, indent=2, default=str), err=True)
    raise SystemExit(error.exit_code)


def _seed(
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
    use_local_stack()
    settings = Settings()
    instance = dagster_instance()
    seeding = SeedingFromSettings(settings)
    services = seeding.services(environment, instance)
    run_id = str(uuid4())
    caller = Caller(run_id, requested_by, roles)
    source = _ManifestSource(settings, services, tenant_id, environment, caller, manifest_path)
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
    source: "_ManifestSource",
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


class _ManifestSource:
    """Finds the manifest of a command: the file named, the tenant's own in its folder, or a minimal baseline."""

    def __init__(
        self,
        settings: Settings,
        services: Services,
        tenant_id: UUID,
        environment: str,
        caller: Caller,
        named: Path | None,
    ) -> None:
        self._settings, self._services, self._tenant_id = settings, services, tenant_id
        self._environment, self._caller, self._named = environment, caller, named
        self.path: Path | None = None
        self.profile: str | None = None
        """The manifest's, once it was read."""

    def __call__(self) -> Manifest:
        manifest = self._read()
        self.profile = manifest.metadata.profile
        return manifest

    def _read(self) -> Manifest:
        tenant = self._services.control.tenant(self._tenant_id)
        default = self._settings.manifests_dir / self._environment / f"{tenant.slug}.yaml"
        path = self._named or default
        if path.exists():
            self.path = path
            return SeedingFromSettings(self._settings).read_manifest(path)
        return self._baseline(tenant, path)

    def _baseline(self, tenant: Tenant, missing: Path) -> Manifest:
        authorize(self._services.control, tenant, self._environment, "read", self._caller)
        loaded = self._services.target.checkpoints(self._tenant_id, self._environment)
        midnight = datetime.combine(datetime.now(UTC).date(), time(), UTC)
        reference = next((c.reference_datetime for c in loaded if c.profile == "default"), midnight)
        salt_version = next((c.salt_version for c in loaded), "v1")
        click.echo(
            f"warning: {missing} does not exist; running a minimal baseline made in memory, with reference_datetime "
            f"{reference:%Y-%m-%dT%H:%M:%SZ}. Point --manifest-path at a versioned manifest.",
            err=True,
        )
        catalogue = self._settings.catalogue
        document = minimal_baseline(
            tenant.slug,
            self._environment,
            reference_datetime=reference,
            catalogue=catalogue,
            salt_version=salt_version,
        )
        return read_manifest(document, catalogue, ENTITIES)


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
