"""The control tables, as the use cases see them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from seed_pipelines.adapters.postgres.access_decisions import AccessDecision, AccessDecisionLog
from seed_pipelines.adapters.postgres.budget_entries import BudgetEntry, BudgetLedger, Spending, WorkDone
from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.dataset_expiries import DatasetExpiry, dataset_expiries
from seed_pipelines.adapters.postgres.dataset_removals import last_removal
from seed_pipelines.adapters.postgres.idempotency import Claim, Replay, answer_of, answered, forget_keys, record_answer
from seed_pipelines.adapters.postgres.integration_uses import IntegrationUses
from seed_pipelines.adapters.postgres.isolation.attempt import Examination
from seed_pipelines.adapters.postgres.isolation.examination import examine_control_login
from seed_pipelines.adapters.postgres.leases import NO_TERMS, Lease, LeaseStore, Terms, hold_token
from seed_pipelines.adapters.postgres.queue import Queue
from seed_pipelines.adapters.postgres.seed_runs import NewSeedRun, SeedRun, SeedRunStore, Status
from seed_pipelines.adapters.postgres.tenants import Tenant, TenantDirectory
from seed_pipelines.domain.duration import PastWork
from seed_pipelines.domain.service_levels import IntegrationUse


class PostgresControl:
    """Tenants, roles, seed runs and leases of one environment's database, reached by the control login."""

    def __init__(self, database: Database, lease_ttl_seconds: float) -> None:
        self._database = database
        self._tenants = TenantDirectory(database)
        self._runs = SeedRunStore(database)
        self._leases = LeaseStore(database, lease_ttl_seconds)
        self._queue = Queue(database)
        self._ledger = BudgetLedger(database)
        self._integrations = IntegrationUses(database)
        self._decisions = AccessDecisionLog(database)

    def ping(self) -> None:
        """DatabaseUnavailable if the server does not answer."""
        self._database.ping()

    def environment(self) -> str:
        """The environment this database belongs to."""
        return self._tenants.environment()

    def tenant(self, wanted: UUID | str) -> Tenant:
        """The tenant of an id or a slug; TenantUnknown."""
        return self._tenants.by_id(wanted) if isinstance(wanted, UUID) else self._tenants.by_slug(wanted)

    def registered_tenants(self) -> tuple[Tenant, ...]:
        """Every registered tenant, by name."""
        return self._tenants.all()

    def examine(self, tables: Sequence[str]) -> Examination:
        """Every attack of the control login on rows of tenants and on the tables that say who may do what."""
        return examine_control_login(self._database, tables)

    def subject(self) -> str:
        """The login that the database authenticated."""
        return self._tenants.subject()

    def roles(self, tenant_id: UUID, environment: str) -> frozenset[str]:
        """The roles granted to the subject; never seed-admin where it is a service."""
        return self._tenants.roles(tenant_id, environment)

    def roles_of(self, subject: str, tenant_id: UUID, environment: str) -> frozenset[str]:
        """The roles granted to a subject that another system has authenticated."""
        return self._tenants.roles_of(subject, tenant_id, environment)

    def record_decision(self, decision: AccessDecision) -> None:
        """Add a decision to the record, whatever becomes of the request; once for each origin that repeats it."""
        self._decisions.add(decision)

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
        return self._leases.acquire(tenant_id, environment, seed_run_id, holder, holder_finished, terms)

    def join(self, run: SeedRun) -> Lease | None:
        """The living lease of a seed run; None if it has none."""
        return self._leases.join(run.tenant_id, run.environment, run.seed_run_id)

    def enter_queue(self, tenant_id: UUID, environment: str, origin: str) -> int:
        """A new entry behind all others; its id."""
        return self._queue.enter(tenant_id, environment, origin)

    def stay_in_queue(self, entry_id: int) -> None:
        """Keep the place; QueueExpired."""
        self._queue.stay(entry_id)

    def leave_queue(self, entry_id: int) -> None:
        """Give the place up; nothing happens if it is gone."""
        self._queue.leave(entry_id)

    def answered(self, claim: Claim, seed_run_id: UUID | None, holder_finished: Callable[[str], bool]) -> Replay | None:
        """The stored answer to a key; None if it is free. IdempotencyConflict, IdempotencyInProgress."""
        with self._database.connection() as connection:
            return answered(connection, claim, seed_run_id, lambda _token, holder: holder_finished(holder))

    def answer_of(self, run: SeedRun) -> str | None:
        """The answer stored when a seed run succeeded; None if there is none, or none any more."""
        with self._database.connection() as connection:
            return answer_of(connection, run.tenant_id, run.environment, run.seed_run_id)

    def record_answer(self, claim: Claim, origin_id: UUID, response: str) -> None:
        """Store the answer to a dry run; the first answer to a key stays."""
        with self._database.connection() as connection:
            record_answer(connection, claim, origin_id, response)

    def forget_answers(self, tenant_id: UUID, environment: str, profile: str) -> None:
        """Forget the answers about a dataset that is no more."""
        with self._database.connection() as connection:
            forget_keys(connection, tenant_id, environment, profile)

    def lease_holder(self, tenant_id: UUID, environment: str) -> str | None:
        """Who holds the lease now; None where nobody does or it has expired."""
        return self._leases.holder(tenant_id, environment)

    def heartbeat(self, lease: Lease) -> None:
        """Keep the lease alive; LeaseLost."""
        self._leases.heartbeat(lease)

    def release(self, lease: Lease) -> None:
        """Give the lease back; nothing happens if it is no longer ours."""
        self._leases.release(lease)

    def release_run(self, run: SeedRun) -> None:
        """Give back whatever lease a seed run holds; nothing happens if it holds none."""
        self._leases.release_run(run.tenant_id, run.environment, run.seed_run_id)

    def open_run(self, wanted: NewSeedRun) -> SeedRun:
        """The running seed run of an origin: a new one, or the one it opened before. LeaseLost."""
        return self._runs.open(wanted)

    def find_run(self, origin: str, tenant_id: UUID, environment: str, profile: str) -> SeedRun | None:
        """The seed run that an origin opened, or None."""
        return self._runs.find(origin, tenant_id, environment, profile)

    def runs_of(self, tenant_id: UUID, environment: str, origins: Sequence[str]) -> tuple[SeedRun, ...]:
        """The seed runs that these origins opened for a tenant, in the order in which they began."""
        return self._runs.of_origins(tenant_id, environment, origins)

    def fence_run(self, run: SeedRun, lease: Lease) -> None:
        """Record the token a seed run holds; whoever ran before it under the same lease is over. LeaseLost."""
        self._runs.fence(run, lease)

    def finish_run(self, seed_run_id: UUID, status: Status, problem: Mapping[str, Any] | None) -> None:
        """Record how a seed run ended without an answer; its key is free again."""
        self._runs.finish(seed_run_id, status, problem)

    def record_shard(self, lease: Lease, shard_key: str, report: Mapping[str, Any]) -> None:
        """Record a shard's integrity report, replacing an earlier one of the same seed run; LeaseLost."""
        with self._database.connection() as connection:
            hold_token(connection, lease)
            connection.execute(
                "INSERT INTO seed.shard_report (tenant_id, seed_run_id, shard_key, passed, report)"
                " SELECT tenant_id, seed_run_id, %(shard)s, %(passed)s, %(report)s FROM seed.seed_run"
                " WHERE seed_run_id = %(run)s"
                " ON CONFLICT (tenant_id, seed_run_id, shard_key) DO UPDATE"
                " SET passed = excluded.passed, report = excluded.report, recorded_at = clock_timestamp()",
                {
                    "run": lease.seed_run_id,
                    "shard": shard_key,
                    "passed": report["passed"],
                    "report": Jsonb(dict(report)),
                },
            )

    def shard_reports(self, seed_run_id: UUID) -> Mapping[str, Mapping[str, Any]]:
        """Shard key -> its integrity report, in the order of the shards."""
        with self._database.connection() as connection:
            found = connection.execute(
                "SELECT shard_key, report FROM seed.shard_report WHERE seed_run_id = %s ORDER BY shard_key",
                [seed_run_id],
            ).fetchall()
        return {str(key): report for key, report in found}

    def dataset_expiries(self) -> tuple[DatasetExpiry, ...]:
        """Every dataset that is loaded, of all tenants, and whether it has expired by the clock of the database."""
        return dataset_expiries(self._database)

    def last_removal(self, tenant_id: UUID, environment: str, profile: str) -> datetime | None:
        """When a dataset was removed last, by the clock of the database; None if it never was."""
        with self._database.connection() as connection:
            return last_removal(connection, tenant_id, environment, profile)

    def spending(self, seed_run_id: UUID) -> Spending:
        """What a seed run has paid for so far."""
        return self._ledger.spending(seed_run_id)

    def charge(self, lease: Lease, entry: BudgetEntry) -> Spending:
        """Enter a piece of work into the ledger, once; what the seed run has paid for then. LeaseLost."""
        return self._ledger.add(lease, entry)

    def work_done(self, seed_run_id: UUID) -> tuple[WorkDone, ...]:
        """What a seed run did so far, in the order in which it began with each."""
        return self._ledger.work_done(seed_run_id)

    def past_work(self, environment: str) -> Sequence[PastWork]:
        """How long past pieces of work of all tenants took."""
        return self._ledger.past_work(environment)

    def record_integrations(self, lease: Lease, uses: Sequence[IntegrationUse]) -> None:
        """Add to the ledger what a seed run had of the outside systems; LeaseLost."""
        self._integrations.add(lease, uses)

    def integration_uses(self, seed_run_id: UUID) -> tuple[IntegrationUse, ...]:
        """What a seed run had of the outside systems so far."""
        return self._integrations.of_run(seed_run_id)
