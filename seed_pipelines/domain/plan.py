"""Manifest -> Plan: how many rows of what, in which shards, under which ids. Everything decided, nothing done."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines.domain.children import Rows
from seed_pipelines.domain.dataset import Dataset
from seed_pipelines.domain.digest import BLOCK
from seed_pipelines.domain.entities import ENTITIES, Entity
from seed_pipelines.domain.ids import end_of_dataset, lowest_id
from seed_pipelines.domain.manifest import Manifest
from seed_pipelines.domain.portfolio import CUSTOMERS, Portfolio

CHUNK_CUSTOMERS: Final = 8 * BLOCK
"""Most customers generated or checked at a time."""

_CHUNK_ROWS: Final = 300_000
"""About how many rows of all entities that is at most: bounds the memory of a run, whatever its shards hold."""

Span = tuple[int, int]
"""Customers [first, end), or rows [first, end) of an entity of the tenant."""

IdRange = tuple[bytes, bytes | None]
"""Ids [low, high) of 16 bytes each; no high is no end."""


@dataclass(frozen=True)
class Shard:
    """A contiguous range of customers, with all that hangs on them; the first one also has the entities of the tenant."""

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
    """Entity -> rows, for the entities that the shard has rows of."""

    @property
    def is_first(self) -> bool:
        """Whether it begins with the first customer."""
        return self.first_customer == 0

    @property
    def ids(self) -> IdRange:
        """The shard's range of ids in every table."""
        return self.id_low, self.id_high

    @property
    def total_rows(self) -> int:
        """Rows of all entities."""
        return sum(self.rows.values())


def is_first_shard(key: str) -> bool:
    """Whether a key is that of a first shard, in a plan of however many."""
    return not key.strip("0")


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
        rows = {e.name: _rows(manifest, e) for e in ENTITIES if e.name in manifest.volumetry}
        return cls(manifest, dataset, rows, _shards(Portfolio(dataset, rows), catalogue.rows_per_shard))

    @cached_property
    def portfolio(self) -> Portfolio:
        """What the rows hang on."""
        return Portfolio(self.dataset, self.rows)

    @cached_property
    def entities(self) -> tuple[Entity, ...]:
        """The entities of the plan, parents before children."""
        return tuple(entity for entity in ENTITIES if entity.name in self.rows)

    def entities_of(self, shard: Shard) -> tuple[Entity, ...]:
        """The entities that a shard has rows of, parents before children."""
        return tuple(entity for entity in self.entities if entity.name in shard.rows)

    @cached_property
    def shard_keys(self) -> tuple[str, ...]:
        """The keys of all shards, in order."""
        return tuple(shard.key for shard in self.shards)

    @cached_property
    def chunk_customers(self) -> int:
        """Customers worked on at a time: whole blocks, as many as have some 300,000 rows."""
        per_block = BLOCK * self.total_rows / self.rows[CUSTOMERS]
        return BLOCK * max(1, min(CHUNK_CUSTOMERS // BLOCK, round(_CHUNK_ROWS / per_block)))

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
        """The rows of an entity that hang on customers [first, end); of an entity of the tenant, rows [first, end)."""
        return self.portfolio.rows(entity, first, end)

    def numbered_row(self, entity: Entity, number: int) -> Rows:
        """The row of an entity at a position in id order, found without the rows before it."""
        return self.portfolio.row(entity, number)

    def span(self, shard: Shard, entity: Entity) -> Span:
        """What of an entity belongs to a shard: its customers, or all rows of an entity of the tenant."""
        if entity.of_tenant:
            return 0, self.rows[entity.name] if shard.is_first else 0
        return shard.first_customer, shard.end_customer

    def chunks(self, shard: Shard, entity: Entity | None = None) -> Iterator[Span]:
        """The customers of a shard in chunks that end at block borders: what is worked on at a time.

        Of an entity of the tenant: its rows.
        """
        first, end = (shard.first_customer, shard.end_customer) if entity is None else self.span(shard, entity)
        return pairwise([*range(first, end, self.chunk_customers), end])

    def chunk_ids(self, shard: Shard, chunk: Span, entity: Entity | None = None) -> IdRange:
        """The ids [low, high) of a chunk; the shard's last chunk ends where the shard does.

        That of an entity of the tenant ends with its last row: rows beyond may be kept, being referred to.
        """
        first, end = chunk
        is_open = end == shard.end_customer and not (entity is not None and entity.of_tenant)
        return lowest_id(self.dataset.tag, first), shard.id_high if is_open else lowest_id(self.dataset.tag, end)

    def surplus_ids(self, entity: Entity) -> IdRange:
        """The ids beyond the rows of an entity of the tenant, which a larger plan may have left."""
        return lowest_id(self.dataset.tag, self.rows.get(entity.name, 0)), end_of_dataset(self.dataset.tag)


def _rows(manifest: Manifest, entity: Entity) -> int:
    rows = manifest.volumetry[entity.name].rows
    if manifest.canary is None or manifest.canary.percentage is None:
        return rows
    fewest = max((other.requires.get(entity.name, 1) for other in ENTITIES), default=1)
    return max(min(rows, fewest), int(rows * manifest.canary.percentage / 100))


def _shards(portfolio: Portfolio, rows_per_shard: int) -> tuple[Shard, ...]:
    rows, dataset = portfolio.counts, portfolio.dataset
    customers = rows[CUSTOMERS]
    kinds = [entity for entity in ENTITIES if entity.name in rows]
    wanted = customers * rows_per_shard / sum(rows[kind.name] for kind in kinds if not kind.of_tenant) / BLOCK
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
            {
                kind.name: rows[kind.name] if kind.of_tenant else portfolio.between(kind, first, end)
                for kind in kinds
                if first == 0 or not kind.of_tenant
            },
        )
        for number, (first, end) in enumerate(pairwise(borders))
    )
