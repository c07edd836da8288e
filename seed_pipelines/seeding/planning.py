"""What a run would do to what is loaded, without doing it."""

from collections.abc import Iterator, Mapping

import pyarrow as pa

from seed_pipelines.domain.differences import Difference
from seed_pipelines.domain.entities import ENTITIES, Entity
from seed_pipelines.domain.masking import Masker
from seed_pipelines.domain.masking_keys import masking_keys
from seed_pipelines.domain.plan import IdRange, Plan, Span
from seed_pipelines.errors import TenantMismatch
from seed_pipelines.seeding import guards
from seed_pipelines.seeding.authorization import Caller, authorize
from seed_pipelines.seeding.services import Services


def against_loaded(services: Services, plan: Plan, caller: Caller) -> Mapping[str, Difference]:
    """Entity -> what seeding the plan would change in the database, which stays as it is.

    Guards of drift and key apply. TenantUnknown, TenantMismatch, Forbidden unless it may be read.
    """
    metadata = plan.manifest.metadata
    tenant = services.control.tenant(metadata.tenant)
    found_environment = services.control.environment()
    if found_environment != metadata.environment:
        raise TenantMismatch(
            f"The database is {found_environment}, not {metadata.environment}.",
            manifest={"environment": metadata.environment},
        )
    authorize(services.control, tenant, metadata.environment, "read", caller)
    loaded = services.target.checkpoints(tenant.tenant_id, metadata.environment)
    guards.no_drift(plan.manifest, loaded)
    masker = Masker(masking_keys(services.keys, plan))
    guards.same_key(masker.keys.fingerprint, plan.dataset, loaded)
    there = {name for checkpoint in loaded if checkpoint.profile == metadata.profile for name in checkpoint.rows}
    found = {entity.name: Difference() for entity in ENTITIES if entity.name in there | set(plan.rows)}
    for entity in ENTITIES:
        if entity.name not in found:
            continue
        for ids, span in _parts(plan, entity):
            planned = entity.schema.empty_table()
            if span is not None:
                rows = plan.entity_rows(entity, *span)
                planned = pa.Table.from_batches([masker.batch(entity, plan.portfolio, rows).records])
            found[entity.name].add(services.target.read(tenant.tenant_id, entity, ids), planned)
    return found


def _parts(plan: Plan, entity: Entity) -> Iterator[tuple[IdRange, Span | None]]:
    """Ranges of ids that tile the dataset, and what the plan has there; None for nothing."""
    if entity.of_tenant:
        for chunk in plan.chunks(plan.shards[0], entity) if entity.name in plan.rows else ():
            yield plan.chunk_ids(plan.shards[0], chunk, entity), chunk
        yield plan.surplus_ids(entity), None
        return
    for shard in plan.shards:
        for chunk in plan.chunks(shard):
            yield plan.chunk_ids(shard, chunk), chunk if entity.name in plan.rows else None
