"""The tables that the Dagster UI shows: counts, masked rows, distributions, what checks found."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

import dagster as dg
import pyarrow as pa

from seed_pipelines.domain.entities import Entity
from seed_pipelines.domain.row_values import row_values

_MOST_VALUES: Final = 6
"""A column of more values is no category."""
_MOST_RECORDS: Final = 50
_BAR: Final = 24
_BORDERS: Final = (0, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000)
_DIGEST: Final = 16

Record = Mapping[str, str | int | float | bool | None]


def table(records: Iterable[Record]) -> dg.TableMetadataValue:
    """A table of the first records; a line says how many were left out."""
    found: list[Record] = list(records)
    shown: list[Record] = found[:_MOST_RECORDS]
    if len(found) > len(shown):
        first = next(iter(shown[0]))
        shown.append({**dict.fromkeys(shown[0], ""), first: f"and {len(found) - len(shown):,} more"})
    text = {name for record in shown for name, value in record.items() if isinstance(value, str)}
    columns = [dg.TableColumn(name, "string" if name in text else "int") for name in (shown[0] if shown else {})]
    return dg.MetadataValue.table(
        [dg.TableRecord({k: str(v) if k in text else v for k, v in record.items()}) for record in shown],
        schema=dg.TableSchema(columns),
    )


def counts(rows: Mapping[str, int]) -> dg.TableMetadataValue:
    """Rows per entity."""
    return table({"entity": name, "rows": count} for name, count in rows.items())


def rows_as_table(rows: pa.RecordBatch, columns: Sequence[str]) -> dg.TableMetadataValue:
    """Some columns of the rows, as they are."""
    return table({name: str(row[name]) for name in columns} for row in rows.to_pylist())


def rows_as_markdown(rows: pa.RecordBatch) -> dg.MarkdownMetadataValue:
    """The rows as they are, for a window of its own; ids as UUIDs."""
    names = rows.schema.names
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    lines += ["| " + " | ".join(str(row[name]) for name in names) + " |" for row in row_values(rows)]
    return dg.MetadataValue.md("\n".join(lines))


def distributions(entity: Entity, rows: pa.RecordBatch) -> dict[str, dg.TableMetadataValue]:
    """How the values of categories and amounts are distributed, by column."""
    found = {}
    for column in entity.columns:
        values = rows.column(column.name).to_pylist()
        if pa.types.is_decimal(column.type):
            found[f"{column.name} (BRL)"] = _shares(_brackets(values))
        elif column.few_values and len(categories := Counter(values)) <= _MOST_VALUES:
            found[column.name] = _shares(dict(categories.most_common()))
    return found


def check_findings(outcomes: Sequence[Mapping[str, Any]]) -> dg.TableMetadataValue:
    """What one check found, over all shards of the run; shards are named where they are amiss."""
    if any("holes" in outcome["facts"] for outcome in outcomes):
        return table(_holes(outcomes))
    facts = outcomes[0]["facts"] if outcomes else {}
    if "offending_rows" in facts:
        return table(_offenders(outcomes))
    if "planned" in facts:
        return table(_row_counts(outcomes))
    if all(isinstance(value, Mapping) for value in facts.values()):
        return table(_digests(outcomes))
    return table({"what": name, "found": str(item)} for name, value in facts.items() for item in _items(value))


def _holes(outcomes: Sequence[Mapping[str, Any]]) -> list[Record]:
    """What the doctor found with its cures; where it found nothing, what the guard did."""
    findings = [found for outcome in outcomes for found in outcome["facts"].get("findings", ())]
    if findings:
        return [dict(columns) for columns in dict.fromkeys(tuple(found.items()) for found in findings)]
    holes = dict.fromkeys(hole for outcome in outcomes for hole in outcome["facts"].get("holes", ()))
    return [{"hole": hole} for hole in holes]


def _offenders(outcomes: Sequence[Mapping[str, Any]]) -> list[Record]:
    rules: dict[str, dict[str, int]] = {}
    for outcome in outcomes:
        for rule, count in outcome["facts"]["offending_rows"].items():
            rules.setdefault(rule, {})[outcome["shard"]] = count
    records: list[Record] = []
    for rule, by_shard in rules.items():
        entity, _, what = rule.partition(": ")
        amiss = [shard for shard, count in by_shard.items() if count]
        records.append(
            {"entity": entity, "rule": what, "offending rows": sum(by_shard.values()), "in shards": _listed(amiss)}
        )
    return records


def _row_counts(outcomes: Sequence[Mapping[str, Any]]) -> list[Record]:
    records: list[Record] = []
    for entity in dict.fromkeys(entity for outcome in outcomes for entity in outcome["facts"]["planned"]):
        pairs = {o["shard"]: tuple(o["facts"][what].get(entity, 0) for what in ("planned", "landed")) for o in outcomes}
        planned, landed = (sum(column) for column in zip(*pairs.values(), strict=True))
        amiss = [shard for shard, (one, other) in pairs.items() if one != other]
        records.append({"entity": entity, "planned": planned, "landed": landed, "differs in shards": _listed(amiss)})
    return records


def _digests(outcomes: Sequence[Mapping[str, Any]]) -> list[Record]:
    ordered = sorted(outcomes, key=lambda outcome: bool(outcome["passed"]))
    return [
        {"shard": outcome["shard"], "entity": entity, **{name: root[:_DIGEST] for name, root in roots.items()}}
        for outcome in ordered
        for entity, roots in outcome["facts"].items()
    ]


def _brackets(values: Sequence[Decimal]) -> dict[str, int]:
    below = {f"below {_BORDERS[0]:,}": sum(value < _BORDERS[0] for value in values)}
    inside = {f"{low:,} to {high:,}": sum(low <= value < high for value in values) for low, high in pairwise(_BORDERS)}
    above = {f"{_BORDERS[-1]:,} and more": sum(value >= _BORDERS[-1] for value in values)}
    found = below | inside | above
    filled = [number for number, count in enumerate(found.values()) if count]
    return dict(list(found.items())[filled[0] : filled[-1] + 1]) if filled else {}


def _shares(found: Mapping[str, int]) -> dg.TableMetadataValue:
    total, most = sum(found.values()) or 1, max(found.values(), default=1)
    return table(
        {"value": value, "share": f"{count / total:.1%}", "rows": count, " ": "█" * round(_BAR * count / most)}
        for value, count in found.items()
    )


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else [value]


def _listed(items: Iterable[str]) -> str:
    return ", ".join(items)
