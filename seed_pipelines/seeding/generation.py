"""Generate and mask one entity of one shard, into a Parquet file."""

from collections.abc import Iterator
from typing import Protocol

import pyarrow as pa

from seed_pipelines.adapters.row_files import Provenance, RowFile, RowFileKey
from seed_pipelines.domain.dataset import GENERATOR_VERSION
from seed_pipelines.domain.digest import block_leaves
from seed_pipelines.domain.entities import Entity
from seed_pipelines.domain.masking import Masker
from seed_pipelines.domain.plan import Plan, Shard
from seed_pipelines.errors import CapExceeded
from seed_pipelines.seeding.target_database import RowFiles


class Generation(Protocol):
    """What generating needs of a session or a rehearsal."""

    @property
    def plan(self) -> Plan:
        """What to generate."""

    @property
    def masker(self) -> Masker:
        """Masks it."""

    @property
    def row_files(self) -> RowFiles:
        """Where it goes."""


def row_file_key(plan: Plan, entity: Entity, shard: Shard) -> RowFileKey:
    """Where the rows of an entity's shard are kept."""
    dataset = plan.dataset
    return RowFileKey(dataset.environment, dataset.tenant, dataset.profile, entity.name, shard.key)


def provenance(generation: Generation, entity: Entity, shard: Shard) -> Provenance:
    """What an entity's rows of a shard are made from."""
    return Provenance(
        generation.plan.manifest.integrity.manifest_hash,
        GENERATOR_VERSION,
        generation.masker.keys.fingerprint,
        *generation.plan.span(shard, entity),
    )


def generate(generation: Generation, entity: Entity, shard: Shard) -> RowFile:
    """Write the masked rows of an entity's shard; CapExceeded if they were more than planned."""
    plan = generation.plan
    leaves: list[str] = []

    def batches() -> Iterator[pa.RecordBatch]:
        for first, end in plan.chunks(shard, entity):
            rows = plan.entity_rows(entity, first, end)
            records = generation.masker.batch(entity, plan.portfolio, rows).records
            leaves.extend(block_leaves(entity.name, entity.schema, [records], first, end))
            yield records

    file = generation.row_files.write(
        row_file_key(plan, entity, shard),
        entity.schema,
        [column.name for column in entity.columns if column.few_values],
        batches(),
        provenance(generation, entity, shard),
        lambda: tuple(leaves),
    )
    if file.rows != shard.rows[entity.name]:
        raise CapExceeded(f"{file.rows} rows of {entity.name} in shard {shard.key}, planned {shard.rows[entity.name]}.")
    return file
