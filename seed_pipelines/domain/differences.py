"""What would change between two states of a dataset: which rows would be added, changed and removed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seed_pipelines.domain.entities import ENTITIES, Entity
from seed_pipelines.domain.ids import uuid_texts
from seed_pipelines.domain.masking import unmasked_batch
from seed_pipelines.domain.plan import Plan, Span
from seed_pipelines.domain.portfolio import CUSTOMERS

KEPT_IDS = 1000
"""Ids of each kind that a difference keeps; the counts go on."""


@dataclass
class Difference:
    """Rows of one entity that two states do not share, by their ids."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    added_ids: list[str] = field(default_factory=list)
    changed_ids: list[str] = field(default_factory=list)
    removed_ids: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether both states hold the same rows."""
        return not (self.added or self.changed or self.removed)

    def add(self, old: pa.Table, new: pa.Table) -> None:
        """Take a part of both states that holds the same range of ids."""
        old, new = old.combine_chunks(), new.combine_chunks()
        position = pc.index_in(new.column("id"), old.column("id").combine_chunks())
        stays = pc.is_valid(position)
        alike = _alike(new.filter(stays), old.take(position.filter(stays)))
        gone = pc.invert(pc.is_in(old.column("id"), new.column("id").combine_chunks()))
        self.unchanged += int(np.count_nonzero(alike))
        self.added += self._keep(self.added_ids, new.filter(pc.invert(stays)))
        self.changed += self._keep(self.changed_ids, new.filter(stays).filter(pa.array(~alike)))
        self.removed += self._keep(self.removed_ids, old.filter(gone))

    @staticmethod
    def _keep(ids: list[str], rows: pa.Table) -> int:
        kept = rows.column("id").slice(0, max(0, KEPT_IDS - len(ids)))
        ids.extend(uuid_texts(kept.combine_chunks()).to_pylist())
        return int(rows.num_rows)


def between(old: Plan, new: Plan) -> Mapping[str, Difference]:
    """Entity -> what seeding `new` in place of `old` would change, from the plans alone.

    Values are compared before masking, which is a permutation: two rows differ after it if and only if they did before,
    as long as both plans have one salt_version; with another one every id differs anyway.
    """
    found = {entity.name: Difference() for entity in ENTITIES if entity.name in {*old.rows, *new.rows}}
    for entity in ENTITIES:
        if entity.name in found:
            for first, end in _chunks(old, new, entity):
                found[entity.name].add(_drawn(old, entity, first, end), _drawn(new, entity, first, end))
    return found


def _chunks(old: Plan, new: Plan, entity: Entity) -> Iterator[Span]:
    step = min(old.chunk_customers, new.chunk_customers)
    end = max(_end(old, entity), _end(new, entity))
    return pairwise([*range(0, end, step), end])


def _end(plan: Plan, entity: Entity) -> int:
    """Where what an entity hangs on ends: the customers, or the rows of an entity of the tenant."""
    return plan.rows.get(entity.name, 0) if entity.of_tenant else plan.rows[CUSTOMERS]


def _drawn(plan: Plan, entity: Entity, first: int, end: int) -> pa.Table:
    last = min(end, _end(plan, entity))
    if entity.name not in plan.rows or first >= last:
        return entity.schema.empty_table()
    rows = plan.entity_rows(entity, first, last)
    return pa.Table.from_batches([unmasked_batch(entity, plan.portfolio, rows)])


def _alike(one: pa.Table, other: pa.Table) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    alike = np.ones(one.num_rows, dtype=bool)
    for name in one.column_names:
        same = pc.equal(one.column(name), other.column(name))
        both_null = pc.and_(pc.is_null(one.column(name)), pc.is_null(other.column(name)))
        alike &= np.asarray(pc.fill_null(pc.or_kleene(same, both_null), False))
    return alike
