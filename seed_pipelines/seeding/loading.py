"""Load one shard from its Parquet files: every entity in one transaction, or nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from seed_pipelines.adapters.postgres.checkpoints import ShardCheckpoint
from seed_pipelines.adapters.postgres.loading import TableLoad
from seed_pipelines.adapters.row_files import RowFile
from seed_pipelines.domain.dataset import GENERATOR_VERSION
from seed_pipelines.domain.digest import block_leaves
from seed_pipelines.domain.entities import ENTITIES, Entity
from seed_pipelines.domain.plan import Shard
from seed_pipelines.errors import ParquetMismatch
from seed_pipelines.seeding.generation import generate, provenance, row_file_key
from seed_pipelines.seeding.seed_run import Session
from seed_pipelines.seeding.stored_rows import verified_rows

_REWRITING_MODES = frozenset({"carga", "dr"})


@dataclass(frozen=True)
class ShardLoad:
    """What loading a shard did."""

    shard: str
    rows: Mapping[str, int]
    left_alone: bool
    """The database already held these very rows."""
    by_this_run: bool = True
    """Whether this seed run put them there, be it before it was tried again."""


def load(session: Session, shard: Shard) -> ShardLoad:
    """Make the database hold the shard's rows as its Parquet files have them."""
    plan = session.plan
    files = {entity.name: _fitting_file(session, entity, shard) for entity in plan.entities_of(shard)}
    checkpoints = _checkpoints(session)
    if session.manifest.mode not in _REWRITING_MODES and _is_loaded(session, shard, files, checkpoints):
        own = any((c.shard_key, c.seed_run_id) == (shard.key, session.run.seed_run_id) for c in checkpoints)
        return ShardLoad(shard.key, shard.rows, left_alone=True, by_this_run=own)
    carried = _carried(session, shard, checkpoints)
    emptied = _named(checkpoints) - frozenset(plan.rows)
    tables = [
        _table_load(session, entity, shard, {**files, **carried}.get(entity.name))
        for entity in ENTITIES
        if entity.name in plan.rows or entity.name in emptied
    ]
    checkpoint = _checkpoint(session, shard, files, {*carried, *emptied})
    session.services.target.load(session.lease, checkpoint, tables)
    return ShardLoad(shard.key, shard.rows, left_alone=False)


def _table_load(session: Session, entity: Entity, shard: Shard, file: RowFile | None) -> TableLoad:
    """What to do with a table: load the rows of a file, or remove those of an entity that the plan does not have."""
    plan = session.plan
    source = plan.shards[0] if entity.of_tenant else shard
    rows: Iterable[pa.RecordBatch] = ()
    if file is not None:
        rows = verified_rows(session.row_files, entity, row_file_key(plan, entity, source), file)
    count = 0 if file is None else file.rows
    if not entity.of_tenant:
        return TableLoad(entity, shard.ids, count, rows)
    surplus = plan.surplus_ids(entity)
    return TableLoad(entity, (plan.shards[0].id_low, surplus[0]), count, rows, surplus)


def _carried(session: Session, shard: Shard, checkpoints: Iterable[ShardCheckpoint]) -> Mapping[str, RowFile]:
    """Files of the entities of the tenant, where a shard comes before the one that they belong to: its rows refer to them."""
    plan, first = session.plan, session.plan.shards[0]
    wanted = [entity for entity in plan.entities if entity.of_tenant]
    there = [c for c in checkpoints if c.first_customer == 0 and c.manifest_hash == session.run.manifest_hash]
    if shard.is_first or not wanted or there:
        return {}
    return {entity.name: _made(session, entity, first) for entity in wanted}


def _made(session: Session, entity: Entity, shard: Shard) -> RowFile:
    try:
        return _fitting_file(session, entity, shard)
    except ParquetMismatch:
        return generate(session, entity, shard)


def landed_leaves(session: Session, entity: Entity, shard: Shard) -> tuple[str, ...]:
    """Digests of the blocks of an entity's shard as the database holds them."""
    leaves: list[str] = []
    for chunk in session.plan.chunks(shard, entity):
        ids = session.plan.chunk_ids(shard, chunk, entity)
        rows = session.services.target.read(session.tenant.tenant_id, entity, ids)
        leaves.extend(block_leaves(entity.name, entity.schema, rows.to_batches(), *chunk))
    return tuple(leaves)


def _fitting_file(session: Session, entity: Entity, shard: Shard) -> RowFile:
    key = row_file_key(session.plan, entity, shard)
    file = session.services.row_files.describe(key)
    if file.provenance != provenance(session, entity, shard):
        raise ParquetMismatch(
            f"{file.uri} was made from manifest {file.provenance.manifest_hash[:12]}, not from this one, or with another "
            f"key, generator or shard border: materialize {entity.name} again."
        )
    return file


def _named(checkpoints: Iterable[ShardCheckpoint]) -> frozenset[str]:
    """Entities that may have rows of the dataset: those with rows in a shard.

    Of the tenant's, all that a shard names: it may have left rows that another shard's still referred to.
    """
    of_tenant = {entity.name for entity in ENTITIES if entity.of_tenant}
    return frozenset(
        name for checkpoint in checkpoints for name, rows in checkpoint.rows.items() if rows or name in of_tenant
    )


def _checkpoints(session: Session) -> tuple[ShardCheckpoint, ...]:
    loaded = session.services.target.checkpoints(session.tenant.tenant_id, session.run.environment)
    return tuple(checkpoint for checkpoint in loaded if checkpoint.profile == session.run.profile)


def _is_loaded(
    session: Session, shard: Shard, files: Mapping[str, RowFile], checkpoints: Iterable[ShardCheckpoint]
) -> bool:
    known = [c for c in checkpoints if c.shard_key == shard.key and c.ttl_days is not None]
    wanted = {name: file.leaves for name, file in files.items()}
    if not known or dict(known[0].leaves) != wanted or known[0].manifest_hash != session.run.manifest_hash:
        return False
    return all(
        landed_leaves(session, entity, shard) == wanted[entity.name] for entity in session.plan.entities_of(shard)
    )


def _checkpoint(session: Session, shard: Shard, files: Mapping[str, RowFile], others: Iterable[str]) -> ShardCheckpoint:
    """What is loaded with the shard; `others` are entities of which it touched rows and that are not its own."""
    manifest = session.manifest
    return ShardCheckpoint(
        tenant_id=session.tenant.tenant_id,
        environment=session.run.environment,
        profile=session.run.profile,
        shard_key=shard.key,
        first_customer=shard.first_customer,
        end_customer=None if shard.is_last else shard.end_customer,
        manifest_hash=manifest.integrity.manifest_hash,
        reference_datetime=manifest.reference_datetime,
        anchor_datetime=manifest.anchor_datetime,
        salt_version=manifest.metadata.salt_version,
        key_fingerprint=session.masker.keys.fingerprint,
        generator_version=GENERATOR_VERSION,
        dataset_tag=session.plan.dataset.tag,
        rows={**shard.rows, **dict.fromkeys(others, 0)},
        leaves={name: file.leaves for name, file in files.items()},
        seed_run_id=session.run.seed_run_id,
        fencing_token=session.lease.token,
        ttl_days=manifest.ttl_days,
    )
