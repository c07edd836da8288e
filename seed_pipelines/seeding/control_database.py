"""The port to the control database: tenants, roles, seed runs, leases, the queue and the ledgers."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from seed_pipelines.adapters.postgres.access_decisions import AccessDecision
from seed_pipelines.adapters.postgres.budget_entries import BudgetEntry, Spending, WorkDone
from seed_pipelines.adapters.postgres.dataset_expiries import DatasetExpiry
from seed_pipelines.adapters.postgres.idempotency import Claim, Replay
from seed_pipelines.adapters.postgres.isolation.attempt import Examination
from seed_pipelines.adapters.postgres.leases import NO_TERMS, Lease, Terms
from seed_pipelines.adapters.postgres.seed_runs import NewSeedRun, SeedRun, Status
from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.domain.duration import PastWork
from seed_pipelines.domain.service_levels import IntegrationUse


class ControlDatabase(Protocol):
    """Tenants, roles, seed runs and leases, reached by the control role."""

    def ping(self) -> None:
        """DatabaseUnavailable if it does not answer."""

    def environment(self) -> str:
        """The environment this database belongs to."""

    def tenant(self, wanted: UUID | str) -> Tenant:
        """The tenant of an id or a slug; TenantUnknown."""

    def registered_tenants(self) -> tuple[Tenant, ...]:
        """Every registered tenant."""

    def examine(self, tables: Sequence[str]) -> Examination:
        """Every attack of the control login, `tables` being those of the entities."""

    def subject(self) -> str:
        """Who the session belongs to."""

    def roles(self, tenant_id: UUID, environment: str) -> frozenset[str]:
        """The roles granted to the subject; never seed-admin where it is a service."""

    def roles_of(self, subject: str, tenant_id: UUID, environment: str) -> frozenset[str]:
        """The roles granted to a subject that another system has authenticated."""

    def record_decision(self, decision: AccessDecision) -> None:
        """Add a decision to the record, whatever becomes of the request; once for each origin that repeats it."""

    def acquire(
        self,
        tenant_id: UUID,
        environment: str,
        seed_run_id: UUID,
        holder: str,
        holder_finished: Callable[[str], bool],
        terms: Terms = NO_TERMS,
    ) -> Lease:
        """Take, take over or join the lease, with all of its terms; LeaseHeld, or what the terms refuse."""

    def join(self, run: SeedRun) -> Lease | None:
        """The living lease of a seed run; None if it has none."""

    def enter_queue(self, tenant_id: UUID, environment: str, origin: str) -> int:
        """A new entry behind all others; its id."""

    def stay_in_queue(self, entry_id: int) -> None:
        """Keep the place; QueueExpired."""

    def leave_queue(self, entry_id: int) -> None:
        """Give the place up; nothing happens if it is gone."""

    def answered(self, claim: Claim, seed_run_id: UUID | None, holder_finished: Callable[[str], bool]) -> Replay | None:
        """The stored answer to a key; None if it is free. IdempotencyConflict, IdempotencyInProgress."""

    def answer_of(self, run: SeedRun) -> str | None:
        """The answer stored when a seed run succeeded; None if there is none, or none any more."""

    def record_answer(self, claim: Claim, origin_id: UUID, response: str) -> None:
        """Store the answer to a dry run; the first answer to a key stays."""

    def forget_answers(self, tenant_id: UUID, environment: str, profile: str) -> None:
        """Forget the answers about a dataset that is no more."""

    def lease_holder(self, tenant_id: UUID, environment: str) -> str | None:
        """Who holds the lease now; None where nobody does or it has expired."""

    def heartbeat(self, lease: Lease) -> None:
        """Keep the lease alive; LeaseLost."""

    def release(self, lease: Lease) -> None:
        """Give the lease back; nothing happens if it is no longer ours."""

    def release_run(self, run: SeedRun) -> None:
        """Give back whatever lease a seed run holds; nothing happens if it holds none."""

    def open_run(self, wanted: NewSeedRun) -> SeedRun:
        """The running seed run of an origin: a new one, or the one it opened before. LeaseLost where another took over."""

    def find_run(self, origin: str, tenant_id: UUID, environment: str, profile: str) -> SeedRun | None:
        """The seed run that an origin opened, or None."""

    def runs_of(self, tenant_id: UUID, environment: str, origins: Sequence[str]) -> tuple[SeedRun, ...]:
        """The seed runs that these origins opened for a tenant, in the order in which they began."""

    def fence_run(self, run: SeedRun, lease: Lease) -> None:
        """Record the token a seed run holds; whoever ran before it under the same lease is over. LeaseLost."""

    def finish_run(self, seed_run_id: UUID, status: Status, problem: Mapping[str, Any] | None) -> None:
        """Record how a seed run ended without an answer; its key is free again."""

    def record_shard(self, lease: Lease, shard_key: str, report: Mapping[str, Any]) -> None:
        """Record a shard's integrity report, replacing an earlier one of the same seed run; LeaseLost."""

    def shard_reports(self, seed_run_id: UUID) -> Mapping[str, Mapping[str, Any]]:
        """Shard key -> its integrity report."""

    def dataset_expiries(self) -> tuple[DatasetExpiry, ...]:
        """Every dataset that is loaded, of all tenants, and whether it has expired by the clock of the database."""

    def last_removal(self, tenant_id: UUID, environment: str, profile: str) -> datetime | None:
        """When a dataset was removed last, by the clock of the database; None if it never was."""

    def spending(self, seed_run_id: UUID) -> Spending:
        """What a seed run has paid for so far."""

    def charge(self, lease: Lease, entry: BudgetEntry) -> Spending:
        """Enter a piece of work into the ledger, once; what the seed run has paid for then. LeaseLost."""

    def work_done(self, seed_run_id: UUID) -> tuple[WorkDone, ...]:
        """What a seed run did so far, in the order in which it began with each."""

    def past_work(self, environment: str) -> Sequence[PastWork]:
        """How long past pieces of work of all tenants took."""

    def record_integrations(self, lease: Lease, uses: Sequence[IntegrationUse]) -> None:
        """Add to the ledger what a seed run had of the outside systems; LeaseLost."""

    def integration_uses(self, seed_run_id: UUID) -> tuple[IntegrationUse, ...]:
        """What a seed run had of the outside systems so far."""
