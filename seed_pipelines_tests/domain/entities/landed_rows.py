"""Rows of a plan as they would be read back, and the same with a fault planted."""

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from seed_pipelines.domain.coherence import Landed
from seed_pipelines.domain.entities import ENTITIES, Entity
from seed_pipelines.domain.masking import Masker, MaskingKeys, fields_of
from seed_pipelines.domain.plan import Plan
from seed_pipelines_tests.fakes import FakeKeys
from seed_pipelines_tests.worlds import catalogue, manifest

CATALOGUE = catalogue()
_NAMES = ("tenant-a", "staging", "v1")
_MASKER = Masker(MaskingKeys(*_NAMES, FakeKeys().masking_keys(*_NAMES, fields_of(ENTITIES))))

Tables = Mapping[str, pa.Table]


def plan_of(rows: Mapping[str, int], **changes: Any) -> Plan:
    """The plan of a manifest with so many rows of each entity; `changes` replace its top-level members."""
    volumetry = {name: {"cap": count} for name, count in rows.items()}
    return Plan.of(manifest(in_catalogue=CATALOGUE, volumetry=volumetry, **changes), CATALOGUE)


def rows_of(entity: Entity, plan: Plan, first: int = 0, end: int | None = None) -> pa.RecordBatch:
    """The rows of an entity on customers [first, end), by default on all of them."""
    rows = plan.entity_rows(entity, first, plan.rows["customers"] if end is None else end)
    return _MASKER.batch(entity, plan.portfolio, rows).records


def row_of(entity: Entity, plan: Plan, number: int) -> pa.RecordBatch:
    """The row of an entity at a position in id order."""
    return _MASKER.batch(entity, plan.portfolio, plan.numbered_row(entity, number)).records


def tables_of(plan: Plan) -> Tables:
    """The rows of every entity of a plan."""
    return {entity.name: pa.Table.from_batches([rows_of(entity, plan)]) for entity in plan.entities}


def landed(plan: Plan, tables: Tables) -> Landed:
    """The tables, as the rules of coherence look at them."""
    return Landed(tables, plan.manifest.reference_datetime)


def with_value(tables: Tables, entity: str, row: int, **values: Any) -> Tables:
    """The tables with other values in a row of an entity."""
    changed = tables[entity].slice(row, 1).to_pylist()[0] | values
    table = pa.Table.from_pylist([changed], schema=tables[entity].schema)
    parts = [tables[entity].slice(0, row), table, tables[entity].slice(row + 1)]
    return {**tables, entity: pa.concat_tables(parts).combine_chunks()}


def row_where(tables: Tables, entity: str, wanted: Callable[[dict[str, Any]], bool]) -> int:
    """The position of the first row that is wanted."""
    return next(number for number, row in enumerate(tables[entity].to_pylist()) if wanted(row))
