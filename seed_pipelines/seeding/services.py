"""The outside systems a seed run needs, one port each; the adapters fit them, and so do the fakes of the tests."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol
from uuid import UUID

import pyarrow as pa

from seed_pipelines.adapters.evidence.stored_objects import ObjectLock, ObjectVersion, SealedObject
from seed_pipelines.adapters.outbound import Answer
from seed_pipelines.adapters.postgres.access_decisions import AccessDecision
from seed_pipelines.adapters.postgres.budget_entries import BudgetEntry, Spending, WorkDone
from seed_pipelines.adapters.postgres.checkpoints import ShardCheckpoint
from seed_pipelines.adapters.postgres.dataset_expiries import DatasetExpiry
from seed_pipelines.adapters.postgres.dataset_removals import DatasetRemoval
from seed_pipelines.adapters.postgres.idempotency import Claim, Replay
from seed_pipelines.adapters.postgres.isolation.attempt import Examination
from seed_pipelines.adapters.postgres.isolation.key_holes import ModelKeys
from seed_pipelines.adapters.postgres.leases import NO_TERMS, Lease, Terms
from seed_pipelines.adapters.postgres.loading import LoadedShard, TableLoad
from seed_pipelines.adapters.postgres.rate_limits import RateLimitKey
from seed_pipelines.adapters.postgres.report_log import LogCheckpoint, LogEntry, Probe
from seed_pipelines.adapters.postgres.reports import Draft, Evidence, LogPosition, Report, Verdict, Waiting
from seed_pipelines.adapters.postgres.seed_runs import NewSeedRun, SeedRun, Status
from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.adapters.row_files import Provenance, RowFile, RowFileKey
from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines.domain.duration import PastWork
from seed_pipelines.domain.entities import Entity
from seed_pipelines.domain.evidence.public_key import PublicKey, Signed
from seed_pipelines.domain.masking_keys import MaskingKeySource
from seed_pipelines.domain.outbound import Endpoint
from seed_pipelines.domain.plan import IdRange
from seed_pipelines.domain.rate_limit import Decision
from seed_pipelines.domain.service_levels import IntegrationUse
from seed_pipelines.domain.stub_addresses import StubAddresses
from seed_pipelines.seeding.telemetry import NOWHERE, Telemetry


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


class RateLimits(Protocol):
    """Cells that all processes share."""

    def take(self, key: RateLimitKey, limit: int, window_seconds: int, burst: int, cost: int = 1) -> Decision:
        """Admit a request or say when to come back; ValueError for numbers that never admit it."""


class TargetDatabase(Protocol):
    """The tables that are seeded, reached by the data role under row level security."""

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


class Reports(Protocol):
    """The reports of seed runs, composed once and sealed once."""

    def compose(
        self,
        run: SeedRun,
        verdict: Verdict,
        draft: Callable[[LogPosition], Draft],
        *,
        deadline_seconds: float,
        lease: Lease | None = None,
    ) -> Report:
        """The report of a run's attempt: the one that is there, or a new one; LeaseLost, and what `draft` raises."""

    def find(self, tenant_id: UUID, seed_run_id: UUID, attempt: int) -> Report | None:
        """The report of an attempt."""

    def evidence(self, tenant_id: UUID, seed_run_id: UUID, attempt: int) -> Evidence | None:
        """Where the report of an attempt is sealed; None while it is not."""

    def waiting(self, environment: str, *, due_only: bool = True, limit: int = 100) -> tuple[Waiting, ...]:
        """The reports of the outbox, the oldest first; those that are to be tried now, or all."""

    def record_evidence(self, report: Report, evidence: Evidence) -> bool:
        """Take a sealed report out of the outbox; its run has succeeded if that was what it waited for."""

    def postpone(self, report: Report, problem: Mapping[str, Any], seconds: float) -> None:
        """Try a report again after some seconds; past its deadline, its run has failed for that problem."""

    def unreported(self, environment: str) -> tuple[SeedRun, ...]:
        """Seed runs that held a lease, ended, and have no report."""

    def silent(self, environment: str) -> tuple[SeedRun, ...]:
        """Running seed runs whose lease is gone or has expired."""

    def end_silent(self, run: SeedRun) -> bool:
        """End a silent seed run as aborted and take its lease away; False if it is heard of again."""


class ReportLog(Protocol):
    """The log of all reports of an environment."""

    def entries(self, environment: str) -> tuple[LogEntry, ...]:
        """Every report, in the order of the log."""

    def last_checkpoint(self, environment: str) -> LogCheckpoint | None:
        """The signed head of the log that covers most; None before the first."""

    def record_checkpoint(self, environment: str, checkpoint: LogCheckpoint) -> None:
        """Keep a sealed head; nothing happens if one of its size is there."""

    def record_probe(self, environment: str, problem: Mapping[str, Any] | None) -> None:
        """Keep what was found of the bucket now."""

    def last_probe(self, environment: str) -> Probe | None:
        """What was found of the bucket last; None if it never was."""


class EvidenceBucket(Protocol):
    """Objects that nobody can change or delete until their retention ends; every method raises WormUnavailable."""

    def preflight(self) -> object:
        """Whether the bucket would keep what is sealed in it, tried with an object."""

    def seal(self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str]) -> SealedObject:
        """Store a body for the whole retention, or find it stored, and read the version back."""

    def fetch(self, key: str, version_id: str | None = None) -> bytes:
        """The bytes of a version, of the latest without an id."""

    def lock(self, key: str, version_id: str) -> ObjectLock | None:
        """The retention of a version; None if it has none."""

    def versions(self, prefix: str) -> Iterator[ObjectVersion]:
        """Every version and delete marker of the keys with a prefix, by key, newest first."""


class Signer(Protocol):
    """A signing key in all of its versions; every method raises VaultUnavailable."""

    def sign(self, message: bytes) -> Signed:
        """The signature of the key's newest version."""

    def public_keys(self) -> tuple[PublicKey, ...]:
        """Every version that may still be verified with, the oldest first, and at least one."""


class StubClient(Protocol):
    """HTTP to the stubs, and to nothing else."""

    def request(
        self,
        method: str,
        endpoint: Endpoint,
        path: str,
        *,
        content: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer of any status to a request with `content` as JSON; ExternalCallsBlocked, StubUnavailable."""


@dataclass(frozen=True)
class IntegrationServices:
    """What calling the outside systems takes."""

    addresses: StubAddresses
    """Where the stubs are."""
    client: StubClient
    limits: RateLimits
    pause: Callable[[float], None]
    """Returns after so many seconds."""


@dataclass(frozen=True)
class EvidenceServices:
    """What sealing a report takes."""

    reports: Reports
    log: ReportLog
    bucket: EvidenceBucket
    signer: Signer
    seal_by: Literal["run", "sensor"]
    """Who has the right to write into the bucket: every run, or the sensor alone."""
    deadline_seconds: float
    """How long after its work a run may wait for its report to be sealed before it has failed."""
    git_commit: str | None
    """Of the code that runs, in hex."""


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
    evidence: EvidenceServices
    integrations: IntegrationServices
    lease_ttl_seconds: float
    holder_finished: Callable[[str], bool]
    """Whether the run or backfill that holds a lease is known to be over."""
    connections_kept: Callable[[], AbstractContextManager[None]] = nullcontext
    """Within it, the databases keep a connection for the next call instead of opening one for each."""
    telemetry: Telemetry = NOWHERE
    """Where traces and metrics go."""
