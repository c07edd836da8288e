"""Tenants, roles, seed runs and leases in memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from seed_pipelines.adapters.postgres.access_decisions import AccessDecision
from seed_pipelines.adapters.postgres.budget_entries import BudgetEntry, Spending, WorkDone
from seed_pipelines.adapters.postgres.dataset_expiries import DatasetExpiry
from seed_pipelines.adapters.postgres.idempotency import Claim, Replay
from seed_pipelines.adapters.postgres.isolation.attempt import Attempt, Examination
from seed_pipelines.adapters.postgres.leases import NO_TERMS, Lease, Terms
from seed_pipelines.adapters.postgres.seed_runs import NewSeedRun, SeedRun, Status
from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.domain.duration import PastWork
from seed_pipelines.domain.service_levels import IntegrationUse
from seed_pipelines.errors import (
    ConcurrencyCap,
    DatabaseUnavailable,
    IdempotencyConflict,
    IdempotencyInProgress,
    LeaseHeld,
    LeaseLost,
    QueueExpired,
    TenantUnknown,
)

STARTED = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass
class FakeControl:
    """Leases never expire here; a test takes one over by saying that its holder is finished."""

    database_environment: str
    tenants: tuple[Tenant, ...]
    granted: frozenset[str] = frozenset({"seed-runner"})
    granted_to: dict[str, frozenset[str]] = field(default_factory=dict)
    """To subjects that bring a token."""
    away: bool = False
    found: list[Attempt] = field(default_factory=list)
    """What the doctor finds."""
    runs: dict[UUID, SeedRun] = field(default_factory=dict)
    leases: dict[tuple[UUID, str], Lease] = field(default_factory=dict)
    reports: dict[UUID, dict[str, Mapping[str, Any]]] = field(default_factory=dict)
    keys: dict[tuple[object, ...], tuple[Claim, UUID | None, str | None]] = field(default_factory=dict)
    """Idempotency keys: what was asked for, by whom, and the answer."""
    queue: list[int] = field(default_factory=list)
    expiries: list[DatasetExpiry] = field(default_factory=list)
    """What is loaded; a test says what has expired."""
    removed_at: datetime | None = None
    """When the dataset that a test purged was removed."""
    ledger: dict[UUID, dict[str, BudgetEntry]] = field(default_factory=dict)
    past: list[PastWork] = field(default_factory=list)
    integrations: dict[UUID, list[IntegrationUse]] = field(default_factory=dict)
    decisions: list[AccessDecision] = field(default_factory=list)
    heartbeats: int = 0
    interrupted_after: str = ""
    """The method after whose effect a Ctrl-C arrives, once."""
    tokens: "count[int]" = field(default_factory=lambda: count(1))
    entries: "count[int]" = field(default_factory=lambda: count(1))

    def ping(self) -> None:
        if self.away:
            raise DatabaseUnavailable("The fake is away.")

    def environment(self) -> str:
        self.ping()
        return self.database_environment

    def tenant(self, wanted: UUID | str) -> Tenant:
        for tenant in self.tenants:
            if wanted in (tenant.tenant_id, tenant.slug):
                return tenant
        raise TenantUnknown(f"No tenant {wanted}.")

    def registered_tenants(self) -> tuple[Tenant, ...]:
        self.ping()
        return self.tenants

    def examine(self, tables: Sequence[str]) -> Examination:
        self.ping()
        return Examination(self.subject(), tuple(tables), dict.fromkeys(tables, 1), tuple(self.found))

    def subject(self) -> str:
        return "fake-subject"

    def roles(self, tenant_id: UUID, environment: str) -> frozenset[str]:
        return self.granted

    def roles_of(self, subject: str, tenant_id: UUID, environment: str) -> frozenset[str]:
        return self.granted_to.get(subject, frozenset())

    def record_decision(self, decision: AccessDecision) -> None:
        self.ping()
        if decision not in self.decisions:
            self.decisions.append(decision)

    def acquire(
        self,
        tenant_id: UUID,
        environment: str,
        seed_run_id: UUID,
        holder: str,
        holder_finished: Callable[[str], bool],
        terms: Terms = NO_TERMS,
    ) -> Lease:
        held = self.leases.get((tenant_id, environment))
        if held is not None and held.seed_run_id == seed_run_id:
            return held
        if held is not None and not holder_finished(held.holder):
            raise LeaseHeld("Held.", holder=held.holder, expires_in_seconds=60)
        others = [key for key in self.leases if key[1] == environment and key[0] != tenant_id]
        if terms.slots is not None and len(others) >= terms.slots:
            raise ConcurrencyCap("Full.", cap=terms.slots)
        if terms.claim is not None:
            self.keys[self._key(terms.claim)] = (terms.claim, seed_run_id, None)
        lease = Lease(tenant_id, environment, seed_run_id, holder, next(self.tokens))
        self.leases[tenant_id, environment] = lease
        self._interrupt("acquire")
        return lease

    def join(self, run: SeedRun) -> Lease | None:
        held = self.leases.get((run.tenant_id, run.environment))
        return held if held is not None and held.seed_run_id == run.seed_run_id else None

    def enter_queue(self, tenant_id: UUID, environment: str, origin: str) -> int:
        self.queue.append(next(self.entries))
        return self.queue[-1]

    def stay_in_queue(self, entry_id: int) -> None:
        if entry_id not in self.queue:
            raise QueueExpired("Too late.", queue_entry=entry_id)

    def leave_queue(self, entry_id: int) -> None:
        if entry_id in self.queue:
            self.queue.remove(entry_id)

    def answered(self, claim: Claim, seed_run_id: UUID | None, holder_finished: Callable[[str], bool]) -> Replay | None:
        used, owner, response = self.keys.get(self._key(claim), (claim, seed_run_id, None))
        alive = {lease.seed_run_id for lease in self.leases.values() if not holder_finished(lease.holder)}
        if owner in (None, seed_run_id) or (response is None and owner not in alive):
            return None
        if used.manifest_hash != claim.manifest_hash:
            raise IdempotencyConflict("Another manifest.", key=claim.key)
        if response is None or owner is None:
            raise IdempotencyInProgress("At work.", key=claim.key)
        return Replay(owner, STARTED, response)

    def answer_of(self, run: SeedRun) -> str | None:
        return next((answer for _, owner, answer in self.keys.values() if owner == run.seed_run_id), None)

    def record_answer(self, claim: Claim, origin_id: UUID, response: str) -> None:
        self.keys.setdefault(self._key(claim), (claim, origin_id, response))

    def forget_answers(self, tenant_id: UUID, environment: str, profile: str) -> None:
        dataset = (tenant_id, environment, profile)
        self.keys = {
            key: value
            for key, value in self.keys.items()
            if (value[0].tenant_id, value[0].environment, value[0].profile) != dataset
        }

    def lease_holder(self, tenant_id: UUID, environment: str) -> str | None:
        held = self.leases.get((tenant_id, environment))
        return None if held is None else held.holder

    def heartbeat(self, lease: Lease) -> None:
        self.ping()
        if self.leases.get((lease.tenant_id, lease.environment)) != lease:
            raise LeaseLost("Taken over.", token=lease.token)
        self.heartbeats += 1

    def release(self, lease: Lease) -> None:
        self.ping()
        if self.leases.get((lease.tenant_id, lease.environment)) == lease:
            del self.leases[lease.tenant_id, lease.environment]

    def release_run(self, run: SeedRun) -> None:
        self.ping()
        held = self.leases.get((run.tenant_id, run.environment))
        if held is not None and held.seed_run_id == run.seed_run_id:
            del self.leases[run.tenant_id, run.environment]

    def open_run(self, wanted: NewSeedRun) -> SeedRun:
        known = self.find_run(wanted.origin, wanted.tenant_id, wanted.environment, wanted.profile)
        run = known or SeedRun(
            **vars(wanted),
            seed_run_id=uuid4(),
            status="running",
            subject=self.subject(),
            fencing_token=None,
            started_at=STARTED,
            ended_at=None,
            problem=None,
            attempt=1,
        )
        if run.status == "aborted" and (run.problem or {}).get("code") == LeaseLost.code:
            raise LeaseLost("Taken over.", token=run.fencing_token)
        if run.status in ("partial", "failed", "aborted"):
            run = replace(
                run, status="running", ended_at=None, problem=None, fencing_token=None, attempt=run.attempt + 1
            )
        self.runs[run.seed_run_id] = run
        self._interrupt("open_run")
        return self.runs[run.seed_run_id]

    def find_run(self, origin: str, tenant_id: UUID, environment: str, profile: str) -> SeedRun | None:
        wanted = (origin, tenant_id, environment, profile)
        found = (r for r in self.runs.values() if (r.origin, r.tenant_id, r.environment, r.profile) == wanted)
        return next(found, None)

    def runs_of(self, tenant_id: UUID, environment: str, origins: Sequence[str]) -> tuple[SeedRun, ...]:
        place = (tenant_id, environment)
        return tuple(r for r in self.runs.values() if (r.tenant_id, r.environment) == place and r.origin in origins)

    def fence_run(self, run: SeedRun, lease: Lease) -> None:
        if self.leases.get((lease.tenant_id, lease.environment)) != lease:
            raise LeaseLost("Taken over.", token=lease.token)
        problem = LeaseLost("Taken over.", token=lease.token).problem()
        for other in tuple(self.runs.values()):
            if other.status == "running" and other.fencing_token is not None and other.fencing_token < lease.token:
                self.runs[other.seed_run_id] = replace(other, status="aborted", problem=problem)
        self.runs[run.seed_run_id] = replace(run, fencing_token=lease.token)
        self._interrupt("fence_run")

    def answer_key(self, seed_run_id: UUID, response: str | None) -> None:
        """Store the answer to the key that a seed run claimed."""
        self.keys = {
            key: (claim, owner, response if owner == seed_run_id and before is None else before)
            for key, (claim, owner, before) in self.keys.items()
        }

    def finish_run(self, seed_run_id: UUID, status: Status, problem: Mapping[str, Any] | None) -> None:
        self.ping()
        run = self.runs[seed_run_id]
        if run.status == "sealing":
            return
        self.keys = {key: value for key, value in self.keys.items() if value[1] != seed_run_id or value[2] is not None}
        if run.status != "running":
            return
        self.runs[seed_run_id] = replace(run, status=status, problem=problem, ended_at=STARTED)

    def record_shard(self, lease: Lease, shard_key: str, report: Mapping[str, Any]) -> None:
        if self.leases.get((lease.tenant_id, lease.environment)) != lease:
            raise LeaseLost("Taken over.", token=lease.token)
        self.reports.setdefault(lease.seed_run_id, {})[shard_key] = report

    def shard_reports(self, seed_run_id: UUID) -> Mapping[str, Mapping[str, Any]]:
        return self.reports.get(seed_run_id, {})

    @staticmethod
    def _key(claim: Claim) -> tuple[object, ...]:
        return tuple(claim.identity)

    def dataset_expiries(self) -> tuple[DatasetExpiry, ...]:
        self.ping()
        return tuple(self.expiries)

    def last_removal(self, tenant_id: UUID, environment: str, profile: str) -> datetime | None:
        return self.removed_at

    def spending(self, seed_run_id: UUID) -> Spending:
        entries = self.ledger.get(seed_run_id, {})
        return Spending(sum((entry.cost_brl for entry in entries.values()), Decimal(0)), frozenset(entries))

    def charge(self, lease: Lease, entry: BudgetEntry) -> Spending:
        if self.leases.get((lease.tenant_id, lease.environment)) != lease:
            raise LeaseLost("Taken over.", token=lease.token)
        self.ledger.setdefault(lease.seed_run_id, {}).setdefault(entry.piece, entry)
        return self.spending(lease.seed_run_id)

    def record_integrations(self, lease: Lease, uses: Sequence[IntegrationUse]) -> None:
        if self.leases.get((lease.tenant_id, lease.environment)) != lease:
            raise LeaseLost("Taken over.", token=lease.token)
        self.integrations.setdefault(lease.seed_run_id, []).extend(uses)

    def integration_uses(self, seed_run_id: UUID) -> tuple[IntegrationUse, ...]:
        return tuple(self.integrations.get(seed_run_id, ()))

    def work_done(self, seed_run_id: UUID) -> tuple[WorkDone, ...]:
        found: dict[tuple[str, str], WorkDone] = {}
        for entry in self.ledger.get(seed_run_id, {}).values():
            before = found.get((entry.kind, entry.entity), WorkDone(entry.kind, entry.entity, 0, 0, 0.0))
            found[entry.kind, entry.entity] = replace(
                before,
                shards=before.shards + 1,
                rows=before.rows + entry.rows,
                seconds=before.seconds + float(entry.seconds),
            )
        return tuple(found.values())

    def past_work(self, environment: str) -> Sequence[PastWork]:
        return self.past

    def _interrupt(self, after: str) -> None:
        if self.interrupted_after == after:
            self.interrupted_after = ""
            raise KeyboardInterrupt
