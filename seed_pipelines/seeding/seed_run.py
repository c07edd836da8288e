"""Entering and leaving a seed run: the guards in their order, then the lease, then the work under a heartbeat."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from seed_pipelines.adapters.postgres.idempotency import FALLBACK_PREFIX, Claim, Operation, Replay
from seed_pipelines.adapters.postgres.leases import Lease, Terms
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
    LeaseLost,
    SeedError,
)
from seed_pipelines.seeding import guards
from seed_pipelines.seeding.authorization import Caller, authorize
from seed_pipelines.seeding.control_database import ControlDatabase
from seed_pipelines.seeding.ending import recorded
from seed_pipelines.seeding.fenced_files import FencedFiles
from seed_pipelines.seeding.heartbeat import kept_alive
from seed_pipelines.seeding.readiness import can_seal
from seed_pipelines.seeding.request import SeedRequest
from seed_pipelines.seeding.run_record import RunRecord
from seed_pipelines.seeding.services import Services
from seed_pipelines.seeding.target_database import RowFiles
from seed_pipelines.seeding.tracing import tell_end
from seed_pipelines.seeding.turn import IMPATIENT, RUNS_PER_ENVIRONMENT, Patience, acquire_in_turn, place_in_queue

T = TypeVar("T")

logger = logging.getLogger(__name__)


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

    known: SeedRun | None
    """The seed run that its origin opened before."""
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
    return Admission(known, claim, tenant, plan, masker, override)


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
    run, lease = _joined(control, admission.known, wanted) or _in_turn(services, wanted, admission.claim, patience)
    if run.fencing_token != lease.token:
        _fence(control, run, lease)
    fenced = replace(run, fencing_token=lease.token)
    return Session(services, tenant, admission.plan, fenced, admission.masker, lease)


def _fence(control: ControlDatabase, run: SeedRun, lease: Lease) -> None:
    """Record the token; the lease is of no use to a seed run that was ended while it waited. LeaseLost."""
    try:
        control.fence_run(run, lease)
    except LeaseLost:
        control.release(lease)
        raise


def _joined(control: ControlDatabase, known: SeedRun | None, wanted: NewSeedRun) -> tuple[SeedRun, Lease] | None:
    """The seed run that goes on under the lease it holds; None if it is a new one, begins anew or has lost its lease."""
    if known is None or known.status not in ("running", "sealing"):
        return None
    lease = control.join(known)
    return None if lease is None else (control.open_run(wanted), lease)


def _in_turn(services: Services, wanted: NewSeedRun, claim: Claim, patience: Patience) -> tuple[SeedRun, Lease]:
    """The seed run, opened in the queue, and the lease, once it is its turn."""
    control = services.control
    with place_in_queue(control, wanted, patience) as entry:
        run = control.open_run(wanted)
        try:
            terms = Terms(RUNS_PER_ENVIRONMENT, entry, claim)
            return run, control.join(run) or acquire_in_turn(services, run, terms, patience)
        except SeedError as refusal:
            problem = refusal.problem()
            recorded(run.origin, lambda: control.finish_run(run.seed_run_id, "failed", problem))
            raise


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

    def lost(error: LeaseLost) -> None:
        if _is_running(session):
            logger.warning("Seed run %s: %s", session.run.seed_run_id, error.detail)

    with kept_alive(session.services, session.lease, lost):
        yield session


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


def _is_running(session: Session) -> bool:
    """Whether the seed run goes on; its last step gives the lease back while an outer heartbeat may still beat."""
    run = session.run
    try:
        found = session.services.control.find_run(run.origin, run.tenant_id, run.environment, run.profile)
    except DatabaseUnavailable:
        return True
    return found is None or found.status in ("running", "sealing")
