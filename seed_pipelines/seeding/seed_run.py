"""Entering and leaving a seed run: the guards in their order, then the lease, then the work under a heartbeat."""

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from seed_pipelines.adapters.postgres.idempotency import FALLBACK_PREFIX, Claim, Operation, Replay
from seed_pipelines.adapters.postgres.leases import Lease
from seed_pipelines.adapters.postgres.seed_runs import NewSeedRun, SeedRun, Status
from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.domain.entities import ENTITIES
from seed_pipelines.domain.manifest import Manifest
from seed_pipelines.domain.masking import Masker, MaskingKeys
from seed_pipelines.domain.masking_keys import masking_keys
from seed_pipelines.domain.plan import Plan
from seed_pipelines.domain.workload import Workload, cost_model_of
from seed_pipelines.errors import (
    DatabaseUnavailable,
    IdempotencyConflict,
    IdempotencyInProgress,
    Interrupted,
    LeaseLost,
    SeedError,
    TenantUnknown,
)
from seed_pipelines.seeding import guards
from seed_pipelines.seeding.authorization import Caller, authorize
from seed_pipelines.seeding.control_database import ControlDatabase
from seed_pipelines.seeding.fenced_files import FencedFiles
from seed_pipelines.seeding.readiness import can_seal
from seed_pipelines.seeding.request import SeedRequest
from seed_pipelines.seeding.run_record import RunRecord
from seed_pipelines.seeding.services import Services
from seed_pipelines.seeding.target_database import RowFiles
from seed_pipelines.seeding.tracing import tell_end, tell_refusal
from seed_pipelines.seeding.turn import IMPATIENT, Patience, acquire_in_turn

T = TypeVar("T")

logger = logging.getLogger(__name__)

_HEARTBEATS_PER_TTL = 4


@dataclass(frozen=True)
class Session(RunRecord):
    """A seed run that passed its guards and holds the lease."""

    masker: Masker
    lease: Lease

    @property
    def row_files(self) -> RowFiles:
        """Where the Parquet files are; none is stored once another run took over."""
        return FencedFiles(self.services.row_files, lambda: self.services.control.heartbeat(self.lease))

    def finish(self, status: Status, problem: Mapping[str, Any] | None = None) -> None:
        """Record how the seed run ended without an answer, and give the lease back."""
        self.services.control.finish_run(self.run.seed_run_id, status, problem)
        self.services.control.release(self.lease)
        tell_end(self.services, self.run, self.tenant.slug, status)


@dataclass(frozen=True)
class Admission:
    """A request that passed every guard but the queue and the lease."""

    claim: Claim
    tenant: Tenant
    plan: Plan
    masker: Masker
    window_override_reason: str | None


def admit(services: Services, request: SeedRequest, *, rehearsal: bool = False) -> Admission | Replay:
    """Pass the guards in their order, all but the queue and the lease; a rehearsal may happen at any time of day.

    A Replay, with nothing more asked, where the request's key was answered before.
    """
    control, target = services.control, services.target
    environment = control.environment()
    present = target.present(ENTITIES)
    tenant = control.tenant(request.tenant)
    target.ensure_row_security(tenant, [entity.table for entity in present or ENTITIES])
    manifest = request.read_manifest()
    guards.same_identity(request, manifest, tenant.slug, environment)
    guards.in_canary(manifest)
    known = control.find_run(request.origin, tenant.tenant_id, request.environment, manifest.metadata.profile)
    claims = request if known is None else known
    caller = Caller(request.origin, claims.requested_by, claims.claimed_roles)
    authorize(control, tenant, request.environment, "dry_run" if rehearsal else "seed", caller)
    claim = _claim(request, manifest, tenant, known, "dry_run" if rehearsal else "seed_run")
    replay = control.answered(claim, known.seed_run_id if known else None, services.holder_finished)
    if replay is not None:
        return replay
    override = request.window_override if known is None else known.window_override_reason
    if not rehearsal:
        guards.inside_window(manifest, services.clock(), override)
        if override is not None and known is None:
            authorize(control, tenant, request.environment, "override_window", caller)
    guards.outbound_allowed(manifest, services.integrations.addresses)
    plan = Plan.of(manifest, services.catalogue)
    workload = Workload.of(plan, services.row_files.write_requests)
    guards.within_budget(manifest, workload.cost(cost_model_of(manifest, services.catalogue)))
    masker = Masker(_verified_keys(services, plan, tenant))
    if not rehearsal and known is None:
        can_seal(services, request.environment)
        services.telemetry.check()
    target.verify_columns(plan.entities)
    return Admission(claim, tenant, plan, masker, override)


def enter(services: Services, request: SeedRequest) -> Session:
    """What `ask` gives, for those who cannot take an answer in place of a session; IdempotencyConflict if there is one."""
    return unanswered(ask(services, request), request)


def unanswered(found: T | Replay, request: SeedRequest) -> T:
    """What was found, if it is no answer; IdempotencyConflict."""
    if isinstance(found, Replay):
        raise IdempotencyConflict(
            f"The key {request.idempotency_key!r} was answered by seed run {found.seed_run_id}: use a new key.",
            key=request.idempotency_key,
            seed_run_id=str(found.seed_run_id),
        )
    return found


def ask(services: Services, request: SeedRequest, patience: Patience = IMPATIENT) -> Session | Replay:
    """Pass the guards and hold the lease; idempotent for one origin. Raises whatever refuses the run.

    A Replay, and nothing else, where the request's key was answered before, or is while it is waited for.
    """
    admission = _admission(services, request, patience)
    if isinstance(admission, Replay):
        return admission
    tenant, manifest = admission.tenant, admission.plan.manifest
    control = services.control
    wanted = NewSeedRun(
        tenant_id=tenant.tenant_id,
        environment=request.environment,
        profile=manifest.metadata.profile,
        origin=request.origin,
        manifest_hash=manifest.integrity.manifest_hash,
        mode=manifest.mode,
        idempotency_key=admission.claim.key,
        requested_by=request.requested_by,
        manifest=manifest.document,
        claimed_roles=request.claimed_roles,
        window_override_reason=admission.window_override_reason,
    )
    run = control.open_run(wanted)
    try:
        lease = control.join(run) or acquire_in_turn(services, run, admission.claim, patience)
    except SeedError as refusal:
        control.finish_run(run.seed_run_id, "failed", refusal.problem())
        raise
    control.fence_run(run, lease)
    fenced = replace(run, fencing_token=lease.token)
    return Session(services, tenant, admission.plan, fenced, admission.masker, lease)


def _admission(services: Services, request: SeedRequest, patience: Patience) -> Admission | Replay:
    """What `admit` gives, once nobody else is at work under the request's key."""
    while True:
        try:
            return admit(services, request)
        except IdempotencyInProgress as refusal:
            if not patience.waits(refusal):
                raise


@contextmanager
def held(session: Session) -> Iterator[Session]:
    """Keep the lease alive while the work goes on."""
    stop = threading.Event()
    interval = session.services.lease_ttl_seconds / _HEARTBEATS_PER_TTL
    heart = threading.Thread(target=_beat, args=(session, stop, interval), name="lease-heartbeat", daemon=True)
    heart.start()
    try:
        yield session
    finally:
        stop.set()
        heart.join()


def abandon(session: Session, error: BaseException, *, keep_lease: bool = False) -> None:
    """Record that the seed run ended by `error`, and give the lease back unless others of the seed run go on."""
    with _recording(session.run.origin):
        _end(session.services.control, session.run, error, keep_lease=keep_lease)
    tell_end(session.services, session.run, session.tenant.slug, error)


def give_up(
    services: Services, request: SeedRequest, profile: str, error: BaseException, *, keep_lease: bool = False
) -> None:
    """End the seed run of an origin that has no session to abandon: refused at a later step, or stopped while it entered.

    What it got to is read from the database; nothing happens if it opened no seed run.
    """
    control, run = services.control, None
    with _recording(request.origin):
        if not isinstance(error, DatabaseUnavailable | TenantUnknown):
            tenant = control.tenant(request.tenant)
            run = control.find_run(request.origin, tenant.tenant_id, request.environment, profile)
        if run is not None:
            _end(control, run, error, keep_lease=keep_lease)
            tell_end(services, run, tenant.slug, error)
    if run is None:
        tell_refusal(services, request.environment, error)


def _end(control: ControlDatabase, run: SeedRun, error: BaseException, *, keep_lease: bool) -> None:
    if isinstance(error, Exception):
        problem = error.problem() if isinstance(error, SeedError) else None
        control.finish_run(run.seed_run_id, "failed", problem)
    else:
        stopped = Interrupted("The run was stopped; what it had not committed was rolled back.")
        control.finish_run(run.seed_run_id, "aborted", stopped.problem())
    if not keep_lease:
        control.release_run(run)


@contextmanager
def _recording(origin: str) -> Iterator[None]:
    """A lease that was lost, or a database that is away, needs no more than a line in the log."""
    try:
        yield
    except (DatabaseUnavailable, LeaseLost) as beyond:
        logger.warning("The end of the seed run of %s could not be recorded: %s", origin, beyond.detail)


def _claim(
    request: SeedRequest, manifest: Manifest, tenant: Tenant, known: SeedRun | None, operation: Operation
) -> Claim:
    manifest_hash = manifest.integrity.manifest_hash
    asked = request.idempotency_key if known is None else known.idempotency_key
    key = f"{FALLBACK_PREFIX}{manifest_hash}" if asked is None else asked
    guards.usable_key(key)
    return Claim(tenant.tenant_id, request.environment, operation, key, manifest_hash, manifest.metadata.profile)


def _verified_keys(services: Services, plan: Plan, tenant: Tenant) -> MaskingKeys:
    loaded = services.target.checkpoints(tenant.tenant_id, plan.dataset.environment)
    guards.no_drift(plan.manifest, loaded)
    keys = masking_keys(services.keys, plan)
    guards.same_key(keys.fingerprint, plan.dataset, loaded)
    return keys


def _beat(session: Session, stop: threading.Event, interval: float) -> None:
    while not stop.wait(interval):
        try:
            session.services.control.heartbeat(session.lease)
        except DatabaseUnavailable as error:
            logger.warning("Heartbeat of seed run %s missed: %s", session.run.seed_run_id, error.detail)
        except LeaseLost as error:
            with _recording(session.run.origin):
                if _is_running(session):
                    logger.warning("Seed run %s: %s", session.run.seed_run_id, error.detail)
            return


def _is_running(session: Session) -> bool:
    """Whether the seed run goes on; its last step gives the lease back while an outer heartbeat may still beat."""
    run = session.run
    found = session.services.control.find_run(run.origin, run.tenant_id, run.environment, run.profile)
    return found is None or found.status in ("running", "sealing")
