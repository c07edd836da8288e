"""What a run would do to what is loaded, without doing it."""

from collections.abc import Mapping

import pyarrow as pa

from seed_pipelines.domain.differences import Difference
from seed_pipelines.domain.entities import ENTITIES
from seed_pipelines.domain.masking import Masker
from seed_pipelines.domain.plan import Plan
from seed_pipelines.seeding import guards
from seed_pipelines.seeding.masking_keys import masking_keys
from seed_pipelines.seeding.services import Services


def against_loaded(services: Services, plan: Plan) -> Mapping[str, Difference]:
    """Entity -> what seeding the plan would change in the database; guards of drift and key apply, nothing is written."""
    metadata = plan.manifest.metadata
    tenant = services.control.tenant(metadata.tenant)
    loaded = services.target.checkpoints(tenant.tenant_id, metadata.environment)
    guards.no_drift(plan.manifest, loaded)
    masker = Masker(masking_keys(services.keys, plan))
    guards.same_key(masker.keys.fingerprint, plan.dataset, loaded)
    there = {name for checkpoint in loaded if checkpoint.profile == metadata.profile for name in checkpoint.rows}
    found = {entity.name: Difference() for entity in ENTITIES if entity.name in there | set(plan.rows)}
    for entity in ENTITIES:
        if entity.name not in found:
            continue
        for shard in plan.shards:
            for first, end in plan.chunks(shard):
                ids = plan.chunk_ids(shard, (first, end))
                planned = entity.schema.empty_table()
                if entity.name in plan.rows:
                    rows = plan.entity_rows(entity, first, end)
                    planned = pa.Table.from_batches([masker.batch(entity, plan.dataset, rows).records])
                found[entity.name].add(services.target.read(tenant.tenant_id, entity, ids), planned)
    return found
