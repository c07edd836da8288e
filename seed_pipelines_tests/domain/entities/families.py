"""Whole families of customers, generated and masked, and what the rules of coherence find in them once they are changed."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import pyarrow as pa

from seed_pipelines.domain.checks import rules_of
from seed_pipelines.domain.coherence import Landed
from seed_pipelines.domain.entities import BY_NAME, ENTITIES
from seed_pipelines.domain.masking import Masker, MaskingKeys, fields_of
from seed_pipelines.domain.plan import Plan
from seed_pipelines_tests.fakes import FakeKeys
from seed_pipelines_tests.worlds import catalogue, manifest

LIMITS: Final = catalogue()
PER_HUNDRED: Final = {name: caps.base for name, caps in catalogue().packaged().entities.items()}
"""Rows of each entity for a hundred customers, as in the packaged catalogue."""

Rows = list[dict[str, Any]]


def masker() -> Masker:
    """Masks under the fakes' key."""
    names = ("tenant-a", "staging", "v1")
    return Masker(MaskingKeys(*names, FakeKeys().masking_keys(*names, fields_of(ENTITIES))))


def plan_of(hundreds: int, *entities: str, **changes: Any) -> Plan:
    """A plan of some hundred customers with the entities named, in the catalogue's proportions."""
    volumetry = {name: {"cap": hundreds * PER_HUNDRED[name]} for name in ("customers", *entities)}
    return Plan.of(manifest(in_catalogue=LIMITS, volumetry=volumetry, **changes), LIMITS)


def generated(plan: Plan) -> dict[str, pa.Table]:
    """Entity -> all of its rows."""
    masks = masker()
    tables = {}
    for entity in plan.entities:
        end = plan.rows[entity.name] if entity.of_tenant else plan.rows["customers"]
        rows = plan.entity_rows(entity, 0, end)
        tables[entity.name] = pa.Table.from_batches([masks.batch(entity, plan.portfolio, rows).records])
    return tables


def offenders(plan: Plan, tables: Mapping[str, pa.Table]) -> dict[str, dict[str, int]]:
    """Rule -> aspect -> rows that break it, of the aspects that are broken."""
    landed = Landed(tables, plan.manifest.reference_datetime)
    found = {rule.name: rule.offenders(landed) for rule in rules_of(plan)}
    return {name: broken for name, aspects in found.items() if (broken := {a: n for a, n in aspects.items() if n})}


def broken_by(
    plan: Plan, tables: Mapping[str, pa.Table], entity: str, change: Callable[[Rows], None]
) -> dict[str, dict[str, int]]:
    """What the rules find once the rows of an entity were changed."""
    rows = tables[entity].to_pylist()
    change(rows)
    changed = pa.Table.from_pylist(rows, BY_NAME[entity].schema)
    return offenders(plan, {**tables, entity: changed})
