"""The seeded tables, as the use cases see them: verified, loaded, read back and purged under row level security."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

import pyarrow as pa

from seed_pipelines.adapters.postgres import loading, readback
from seed_pipelines.adapters.postgres.checkpoints import CheckpointStore, ShardCheckpoint
from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.dataset_removals import DatasetRemoval
from seed_pipelines.adapters.postgres.entity_table import uuids
from seed_pipelines.adapters.postgres.isolation.attempt import Examination
from seed_pipelines.adapters.postgres.isolation.examination import examine_data_login
from seed_pipelines.adapters.postgres.isolation.key_holes import ModelKeys
from seed_pipelines.adapters.postgres.leases import Lease
from seed_pipelines.adapters.postgres.loading import LoadedShard, TableLoad
from seed_pipelines.adapters.postgres.row_security import verify_row_security
from seed_pipelines.adapters.postgres.security_proofs import SecurityProofs
from seed_pipelines.adapters.postgres.target import verify_target
from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.domain.entities import Entity
from seed_pipelines.domain.plan import IdRange


class PostgresTables:
    """The tables of one environment's database, reached by the data login."""

    def __init__(self, database: Database, proofs: SecurityProofs) -> None:
        self._database = database
        self._proofs = proofs

    def present(self, entities: Sequence[Entity]) -> tuple[Entity, ...]:
        """The entities whose tables exist: a target need not have those that no manifest names."""
        with self._database.connection() as connection:
            return tuple(loading.existing(connection, entities))

    def ensure_row_security(self, tenant: Tenant, tables: Sequence[str]) -> None:
        """RlsNotEnforced unless it is enforced, or was when the catalogue was as it is now."""
        self._proofs.ensure(self._database, tenant, tables)

    def verify_row_security(self, tenant: Tenant, tables: Sequence[str]) -> Mapping[str, Any]:
        """What was tried; RlsNotEnforced with every hole."""
        return asdict(verify_row_security(self._database, tenant, tables))

    def examine(self, tenants: Sequence[Tenant], victim: Tenant | None, keys: ModelKeys) -> Examination:
        """Every attack of the data login on the rows of tenants; see `isolation.examination`."""
        return examine_data_login(self._database, tenants, victim, keys)

    def verify_columns(self, entities: Sequence[Entity]) -> None:
        """TargetMismatch if a table does not fit its entity."""
        verify_target(self._database, entities)

    def checkpoints(self, tenant_id: UUID, environment: str) -> tuple[ShardCheckpoint, ...]:
        """What is loaded for a tenant and environment."""
        return CheckpointStore(self._database).of(tenant_id, environment)

    def load(
        self,
        lease: Lease,
        checkpoint: ShardCheckpoint,
        tables: Sequence[TableLoad],
    ) -> LoadedShard:
        """Replace a shard in one transaction; see `loading.load_shard` for what it raises."""
        return loading.load_shard(self._database, lease.tenant_id, lease=lease, checkpoint=checkpoint, tables=tables)

    def end_writers(self, token: int) -> int:
        """End the transactions that still write under a token that nobody keeps alive; how many."""
        return loading.end_writers(self._database, token)

    def read(self, tenant_id: UUID, entity: Entity, ids: IdRange) -> pa.Table:
        """The seeded rows of an id range, in id order."""
        batches = readback.read_rows(self._database, tenant_id, entity, *uuids(ids))
        return pa.Table.from_batches(batches, entity.schema)

    def duplicates(self, tenant_id: UUID, entity: Entity, ids: IdRange) -> Mapping[str, int]:
        """Unique key -> rows of the range that share it with another row of the tenant."""
        return {
            ", ".join(key): readback.duplicates(self._database, tenant_id, entity, key, *uuids(ids))
            for key in entity.unique
        }

    def orphans(
        self, tenant_id: UUID, entity: Entity, parents: Mapping[str, Entity], ids: IdRange
    ) -> Mapping[str, int]:
        """Referencing column -> rows of the range whose parent does not exist."""
        return {
            column: readback.orphans(self._database, tenant_id, entity, parent, column, *uuids(ids))
            for column, parent in parents.items()
        }

    def purge(
        self,
        lease: Lease,
        removal: DatasetRemoval,
        ids: IdRange,
        entities: Sequence[Entity],
        remove_files: Callable[[], None],
    ) -> Mapping[str, int]:
        """Delete a dataset and its checkpoints in one transaction; rows deleted per entity."""
        return loading.purge_dataset(
            self._database,
            lease.tenant_id,
            lease=lease,
            removal=removal,
            ids=ids,
            entities=entities,
            remove_files=remove_files,
        )
