"""Seeded tables in memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pyarrow as pa

from seed_pipelines.adapters.postgres.checkpoints import ShardCheckpoint
from seed_pipelines.adapters.postgres.dataset_removals import DatasetRemoval
from seed_pipelines.adapters.postgres.isolation.attempt import Attempt, Examination
from seed_pipelines.adapters.postgres.isolation.key_holes import ModelKeys
from seed_pipelines.adapters.postgres.leases import Lease
from seed_pipelines.adapters.postgres.loading import LoadedShard, TableLoad
from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.domain.entities import ENTITIES, Entity
from seed_pipelines.domain.plan import IdRange
from seed_pipelines.errors import DatabaseUnavailable, DatasetInUse, RlsNotEnforced


@dataclass
class FakeTables:
    """Rows per tenant and entity; a load replaces its range, or nothing if the source of the rows fails.

    Those of an entity of the tenant it changes in place, and removes where no row refers to them.
    """

    away: bool = False
    holes: list[str] = field(default_factory=list)
    found: list[Attempt] = field(default_factory=list)
    """What the doctor finds."""
    examinations: int = 0
    rows: dict[tuple[UUID, str], list[dict[str, Any]]] = field(default_factory=dict)
    known: list[ShardCheckpoint] = field(default_factory=list)
    loads: int = 0
    written: dict[str, int] = field(default_factory=dict)
    """Entity -> rows that the last load inserted or changed."""
    referred: set[bytes] = field(default_factory=set)
    """Ids that rows of the application refer to."""
    writers: int = 0
    """Transactions at work under any token."""
    ended: list[int] = field(default_factory=list)
    """Tokens whose writers were to be ended."""
    removals: list[DatasetRemoval] = field(default_factory=list)

    def ping(self) -> None:
        if self.away:
            raise DatabaseUnavailable("The fake is away.")

    def present(self, entities: Sequence[Entity]) -> tuple[Entity, ...]:
        self.ping()
        return tuple(entities)

    def ensure_row_security(self, tenant: Tenant, tables: Sequence[str]) -> None:
        self.verify_row_security(tenant, tables)

    def verify_row_security(self, tenant: Tenant, tables: Sequence[str]) -> Mapping[str, Any]:
        if self.holes:
            raise RlsNotEnforced("Holes.", holes=self.holes)
        return {"tables": list(tables)}

    def examine(self, tenants: Sequence[Tenant], victim: Tenant | None, keys: ModelKeys) -> Examination:
        self.ping()
        self.examinations += 1
        attacked = {table: len(tenants) for table in keys}
        return Examination("fake-app", tuple(keys), attacked, tuple(self.found))

    def end_writers(self, token: int) -> int:
        self.ping()
        self.ended.append(token)
        return self.writers

    def verify_columns(self, entities: Sequence[Entity]) -> None:
        self.ping()

    def checkpoints(self, tenant_id: UUID, environment: str) -> tuple[ShardCheckpoint, ...]:
        return tuple(c for c in self.known if (c.tenant_id, c.environment) == (tenant_id, environment))

    def load(
        self,
        lease: Lease,
        checkpoint: ShardCheckpoint,
        tables: Sequence[TableLoad],
    ) -> LoadedShard:
        self.ping()
        staged = {t.entity.name: [row for batch in t.batches for row in batch.to_pylist()] for t in tables}
        replaced, self.written = {}, {}
        for table in tables:
            name, rows = table.entity.name, staged[table.entity.name]
            there = self.rows.get((lease.tenant_id, name), [])
            old = {} if table.surplus is None else {row["id"]: row for row in there}
            new = {row["id"] for row in rows}
            kept = [row for row in there if row["id"] not in new]
            if table.surplus is None:
                kept = [row for row in there if not _within(row, table.ids)]
                replaced[name] = len(there) - len(kept)
            self.written[name] = sum(old.get(row["id"]) != row for row in rows)
            self.rows[lease.tenant_id, name] = sorted(kept + rows, key=lambda row: row["id"])
        for table in tables:
            if table.surplus is not None:
                replaced[table.entity.name] = self._remove(lease.tenant_id, table.entity.name, table.surplus)
        self.known = [c for c in self.known if not _overlaps(c, checkpoint)] + [checkpoint]
        self.loads += 1
        return LoadedShard({name: len(rows) for name, rows in staged.items()}, replaced, datetime.now(UTC))

    def _remove(self, tenant_id: UUID, name: str, surplus: IdRange) -> int:
        referring = [(e.name, column) for e in ENTITIES for column, parent in e.references.items() if parent == name]
        referred = {row[column] for child, column in referring for row in self.rows.get((tenant_id, child), [])}
        there = self.rows[tenant_id, name]
        kept = [row for row in there if not _within(row, surplus) or row["id"] in referred | self.referred]
        self.rows[tenant_id, name] = kept
        return len(there) - len(kept)

    def read(self, tenant_id: UUID, entity: Entity, ids: IdRange) -> pa.Table:
        found = [row for row in self.rows.get((tenant_id, entity.name), []) if _within(row, ids)]
        return pa.Table.from_pylist(found, entity.schema)

    def duplicates(self, tenant_id: UUID, entity: Entity, ids: IdRange) -> Mapping[str, int]:
        rows = self.rows.get((tenant_id, entity.name), [])
        found = {}
        for key in entity.unique:
            values = [tuple(row[column] for column in key) for row in rows]
            found[", ".join(key)] = len(values) - len(set(values))
        return found

    def orphans(
        self, tenant_id: UUID, entity: Entity, parents: Mapping[str, Entity], ids: IdRange
    ) -> Mapping[str, int]:
        found = {}
        for column, parent in parents.items():
            there = {row["id"] for row in self.rows.get((tenant_id, parent.name), [])}
            values = [row[column] for row in self.rows.get((tenant_id, entity.name), [])]
            found[column] = sum(value is not None and value not in there for value in values)
        return found

    def purge(
        self,
        lease: Lease,
        removal: DatasetRemoval,
        ids: IdRange,
        entities: Sequence[Entity],
        remove_files: Callable[[], None],
    ) -> Mapping[str, int]:
        self.ping()
        there = {entity.name: self.rows.get((lease.tenant_id, entity.name), []) for entity in entities}
        going = {row["id"] for rows in there.values() for row in rows if _within(row, ids)}
        if going & self.referred:
            raise DatasetInUse("Rows refer to seeded rows.")
        remove_files()
        deleted = {}
        for name, rows in there.items():
            kept = [row for row in rows if row["id"] not in going]
            deleted[name] = len(rows) - len(kept)
            self.rows[lease.tenant_id, name] = kept
        self.known = [c for c in self.known if (c.tenant_id, c.profile) != (lease.tenant_id, removal.profile)]
        self.removals.append(removal)
        return deleted


def _within(row: Mapping[str, Any], ids: IdRange) -> bool:
    low, high = ids
    return bool(low <= row["id"] and (high is None or row["id"] < high))


def _overlaps(one: ShardCheckpoint, other: ShardCheckpoint) -> bool:
    if (one.tenant_id, one.environment, one.profile) != (other.tenant_id, other.environment, other.profile):
        return False
    ends = [c.end_customer if c.end_customer is not None else 1 << 36 for c in (one, other)]
    return one.first_customer < ends[1] and other.first_customer < ends[0]
