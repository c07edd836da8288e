"""The outside systems a seed run needs, one port each; the adapters fit them, and so do the fakes of the tests."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import pyarrow as pa

from seed_pipelines.adapters.postgres.access_decisions import AccessDecision
from seed_pipelines.adapters.postgres.budget_entries import BudgetEntry, Spending
from seed_pipelines.adapters.postgres.checkpoints import ShardCheckpoint
from seed_pipelines.adapters.postgres.dataset_expiries import DatasetExpiry
from seed_pipelines.adapters.postgres.dataset_removals import DatasetRemoval
from seed_pipelines.adapters.postgres.idempotency import Claim, Replay
from seed_pipelines.adapters.postgres.isolation.attempt import Examination
from seed_pipelines.adapters.postgres.isolation.key_holes import ModelKeys
from seed_pipelines.adapters.postgres.leases import NO_TERMS, Lease, Terms
from seed_pipelines.adapters.postgres.loading import LoadedShard, TableLoad
from seed_pipelines.adapters.postgres.rate_limits import RateLimitKey
from seed_pipelines.adapters.postgres.seed_runs import NewSeedRun, SeedRun, Status
from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.adapters.row_files import Provenance, RowFile, RowFileKey
from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines.domain.duration import PastWork
from seed_pipelines.domain.entities import Entity
from seed_pipelines.domain.masking_keys import MaskingKeySource
from seed_pipelines.domain.plan import IdRange
from seed_pipelines.domain.rate_limit import Decision


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
        """The running seed run of an origin: a new one, or the one it opened before."""

    def find_run(self, origin: str, tenant_id: UUID, environment: str, profile: str) -> SeedRun | None:
        """The seed run that an origin opened, or None."""

    def fence_run(self, run: SeedRun, lease: Lease) -> None:
        """Record the token a seed run holds; whoever ran before it under the same lease is over."""

    def succeed_run(self, run: SeedRun, lease: Lease, response: str) -> None:
        """End a seed run well, store the answer to its key and give its lease back, all or nothing; LeaseLost."""

    def finish_run(self, seed_run_id: UUID, status: Status, problem: Mapping[str, Any] | None) -> None:
        """Record how a seed run ended without an answer; its key is free again."""

    def record_shard(self, lease: Lease, shard_key: str, report: Mapping[str, Any]) -> None:
        """Record a shard's integrity report, replacing an earlier one of the same seed run; LeaseLost."""

    def shard_reports(self, seed_run_id: UUID) -> Mapping[str, Mapping[str, Any]]:
        """Shard key -> its integrity report."""

    def dataset_expiries(self) -> tuple[DatasetExpiry, ...]:
        """Every dataset that is loaded, of all tenants, and whether it has expired by the clock of the database."""

    def spending(self, seed_run_id: UUID) -> Spending:
        """What a seed run has paid for so far."""

    def charge(self, lease: Lease, entry: BudgetEntry) -> Spending:
        """Enter a piece of work into the ledger, once; what the seed run has paid for then. LeaseLost."""

    def past_work(self, environment: str) -> Sequence[PastWork]:
        """How long past pieces of work of all tenants took."""


class RateLimits(Protocol):
    """Cells that all processes share."""

    def take(self, key: RateLimitKey, limit: int, window_seconds: int, burst: int, cost: int = 1) -> Decision:
        """Admit a request or say when to come back; ValueError for numbers that never admit it."""


class TargetDatabase(Protocol):
    """The tables that are seeded, reached by the data role under row level security."""

    def ping(self) -> None:
        """DatabaseUnavailable if it does not answer."""

    def present(self, entities: Sequence[Entity]) -> tuple[Entity, ...]:
        """The entities whose tables exist: a target need not have those that no manifest names."""

    def ensure_row_security(self, tenant: Tenant, tables: Sequence[str]) -> None:
        """RlsNotEnforced unless it is enforced; it may know so from before, as long as nothing has changed."""

    def verify_row_security(self, tenant: Tenant, tables: Sequence[str]) -> Mapping[str, Any]:
        """What was tried; RlsNotEnforced with every hole."""

    def examine(self, tenants: Sequence[Tenant], victim: Tenant | None, keys: ModelKeys) -> Examination:
        """Every attack of the data login as each of the tenants, on the rows of `victim` or of all."""

    def verify_columns(self, entities: Sequence[Entity]) -> None:
        """TargetMismatch if a table does not fit its entity."""

    def checkpoints(self, tenant_id: UUID, environment: str) -> tuple[ShardCheckpoint, ...]:
        """What is loaded for a tenant and environment."""

    def load(
        self,
        lease: Lease,
        checkpoint: ShardCheckpoint,
        tables: Sequence[TableLoad],
    ) -> LoadedShard:
        """Replace a shard in one transaction; LeaseLost, DatasetInUse, TargetMismatch, DatabaseUnavailable."""

    def read(self, tenant_id: UUID, entity: Entity, ids: IdRange) -> pa.Table:
        """The seeded rows of an id range, in id order."""

    def duplicates(self, tenant_id: UUID, entity: Entity, ids: IdRange) -> Mapping[str, int]:
        """Unique key -> rows of the range that share it with another row of the tenant."""

    def orphans(
        self, tenant_id: UUID, entity: Entity, parents: Mapping[str, Entity], ids: IdRange
    ) -> Mapping[str, int]:
        """Referencing column -> rows of the range whose parent does not exist."""

    def purge(
        self,
        lease: Lease,
        removal: DatasetRemoval,
        ids: IdRange,
        entities: Sequence[Entity],
        remove_files: Callable[[], None],
    ) -> Mapping[str, int]:
        """Delete a dataset and its checkpoints, and record it, in one transaction that ends with `remove_files`.

        Rows deleted per entity; LeaseLost, DatasetInUse, DatabaseUnavailable, and what `remove_files` raises.
        """


class RowFiles(Protocol):
    """Parquet files of masked rows."""

    def write(
        self,
        key: RowFileKey,
        schema: pa.Schema,
        dictionary: list[str],
        batches: Iterable[pa.RecordBatch],
        provenance: Provenance,
        leaves: Callable[[], tuple[str, ...]],
    ) -> RowFile:
        """Store the batches under a key; StorageUnavailable."""

    def describe(self, key: RowFileKey) -> RowFile:
        """What is stored under a key; ParquetMismatch, StorageUnavailable."""

    def read(self, key: RowFileKey, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The rows of a file."""

    def write_requests(self, size_bytes: int) -> int:
        """Requests that storing a file of so many bytes makes."""

    def delete_dataset(self, environment: str, tenant: str, profile: str) -> None:
        """Remove every file of a dataset."""


@dataclass(frozen=True)
class Services:
    """Everything a use case reaches beyond its arguments."""

    control: ControlDatabase
    target: TargetDatabase
    keys: MaskingKeySource
    row_files: RowFiles
    catalogue: Catalogue
    clock: Callable[[], datetime]
    """Now, in UTC."""
    lease_ttl_seconds: float
    holder_finished: Callable[[str], bool]
    """Whether the run or backfill that holds a lease is known to be over."""
    connections_kept: Callable[[], AbstractContextManager[None]] = nullcontext
    """Within it, the databases keep a connection for the next call instead of opening one for each."""
