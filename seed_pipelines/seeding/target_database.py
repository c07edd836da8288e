"""The ports to what is seeded: the tables, and the Parquet files that they are loaded from."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

import pyarrow as pa

from seed_pipelines.adapters.postgres.checkpoints import ShardCheckpoint
from seed_pipelines.adapters.postgres.dataset_removals import DatasetRemoval
from seed_pipelines.adapters.postgres.isolation.attempt import Examination
from seed_pipelines.adapters.postgres.isolation.key_holes import ModelKeys
from seed_pipelines.adapters.postgres.leases import Lease
from seed_pipelines.adapters.postgres.loading import LoadedShard, TableLoad
from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.adapters.row_files import Provenance, RowFile, RowFileKey
from seed_pipelines.domain.entities import Entity
from seed_pipelines.domain.plan import IdRange


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

    def end_writers(self, token: int) -> int:
        """End the transactions that still write under a token that nobody keeps alive; how many. DatabaseUnavailable."""

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
