"""Manifest -> Plan: how many rows of what, in which shards, under which ids. Everything decided, nothing done."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines.domain.children import Children, Rows, one_each
from seed_pipelines.domain.dataset import Dataset
from seed_pipelines.domain.digest import BLOCK
from seed_pipelines.domain.entities import ENTITIES, Entity
from seed_pipelines.domain.ids import end_of_dataset, lowest_id
from seed_pipelines.domain.manifest import Manifest

CHUNK_CUSTOMERS: Final = 8 * BLOCK
"""Customers generated or checked at a time: bounds the memory of a run, whatever its shards hold."""

CUSTOMERS: Final = "customers"

IdRange = tuple[bytes, bytes | None]
"""Ids [low, high) of 16 bytes each; no high is no end."""


@dataclass(frozen=True)
class Shard:
    """A contiguous range of customers, with all that hangs on them."""

    key: str
    """The Dagster partition."""
    first_customer: int
    end_customer: int
    """Exclusive."""
    is_last: bool
    id_low: bytes
    """The lowest id of the shard in every table."""
    id_high: bytes | None
    """The first id beyond it; the last shard reaches to the end of the dataset, so that a smaller plan leaves nothing behind."""
    rows: Mapping[str, int]

    @property
    def ids(self) -> IdRange:
        """The shard's range of ids in every table."""
        return self.id_low, self.id_high

    @property
    def total_rows(self) -> int:
        """Rows of all entities."""
        return sum(self.rows.values())


@dataclass(frozen=True)
class Plan:
    """What a manifest means, row for row."""

    manifest: Manifest
    dataset: Dataset
    rows: Mapping[str, int]
    """Rows per entity, in foreign-key order."""
    shards: tuple[Shard, ...]

    @classmethod
    def of(cls, manifest: Manifest, catalogue: Catalogue) -> "Plan":
        """The plan of a valid manifest under a catalogue."""
        dataset = Dataset.of(manifest, catalogue)
        rows = {e.name: _rows(manifest, e.name) for e in ENTITIES if e.name in manifest.volumetry}
        return cls(manifest, dataset, rows, _shards(dataset, rows, catalogue.rows_per_shard))

    @cached_property
    def entities(self) -> tuple[Entity, ...]:
        """The entities of the plan, parents before children."""
        return tuple(entity for entity in ENTITIES if entity.name in self.rows)

    @cached_property
    def shard_keys(self) -> tuple[str, ...]:
        """The keys of all shards, in order."""
        return tuple(shard.key for shard in self.shards)

    @property
    def total_rows(self) -> int:
        """Rows of all entities."""
        return sum(self.rows.values())

    def shard(self, key: str) -> Shard:
        """The shard of a key; KeyError if there is none."""
        return self._by_key[key]

    @cached_property
    def _by_key(self) -> Mapping[str, Shard]:
        return {shard.key: shard for shard in self.shards}

    def entity_rows(self, entity: Entity, first: int, end: int) -> Rows:
        """The rows of an entity that hang on customers [first, end)."""
        if entity.name == CUSTOMERS:
            return one_each(first, end)
        return self._children(entity).rows(first, end, entity.stream(self.dataset, "owner"))

    def _children(self, entity: Entity) -> Children:
        return Children(self.rows[CUSTOMERS], self.rows[entity.name])

    def numbered_row(self, entity: Entity, number: int) -> Rows:
        """The row of an entity at a position in id order, found without the rows before it."""
        if entity.name == CUSTOMERS:
            return one_each(number, number + 1)
        return self._children(entity).row(number, entity.stream(self.dataset, "owner"))

    def chunks(self, shard: Shard) -> Iterator[tuple[int, int]]:
        """The customers [first, end) of a shard in chunks that end at block borders: what is worked on at a time."""
        return pairwise([*range(shard.first_customer, shard.end_customer, CHUNK_CUSTOMERS), shard.end_customer])

    def chunk_ids(self, shard: Shard, chunk: tuple[int, int]) -> IdRange:
        """The ids [low, high) of a chunk; the shard's last chunk ends where the shard does."""
        first, end = chunk
        high = shard.id_high if end == shard.end_customer else lowest_id(self.dataset.tag, end)
        return lowest_id(self.dataset.tag, first), high


def _rows(manifest: Manifest, entity: str) -> int:
    rows = manifest.volumetry[entity].rows
    if manifest.canary is None or manifest.canary.percentage is None:
        return rows
    return max(1, int(rows * manifest.canary.percentage / 100))


def _shards(dataset: Dataset, rows: Mapping[str, int], rows_per_shard: int) -> tuple[Shard, ...]:
    customers = rows[CUSTOMERS]
    wanted = customers * rows_per_shard / sum(rows.values()) / BLOCK
    width = max(1, round(wanted)) * BLOCK
    borders: Sequence[int] = [*range(0, customers, width), customers]
    digits = max(4, len(str(len(borders) - 2)))
    return tuple(
        Shard(
            f"{number:0{digits}}",
            first,
            end,
            end == customers,
            lowest_id(dataset.tag, first),
            end_of_dataset(dataset.tag) if end == customers else lowest_id(dataset.tag, end),
            {name: Children(customers, count).between(first, end) for name, count in rows.items()},
        )
        for number, (first, end) in enumerate(pairwise(borders))
    )
