"""Masked rows as Python values, and as the JSON values that contracts/api.openapi.yaml describes."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa


def row_values(records: pa.RecordBatch | pa.Table) -> list[dict[str, Any]]:
    """The rows by column name: ids as UUID, amounts as Decimal, moments as datetime in UTC."""
    ids = [field.name for field in records.schema if pa.types.is_fixed_size_binary(field.type)]
    rows: list[dict[str, Any]] = records.to_pylist()
    for row in rows:
        row |= {name: UUID(bytes=row[name]) for name in ids if row[name] is not None}
    return rows


def json_values(row: Mapping[str, Any]) -> dict[str, Any]:
    """The same row in JSON: ids, amounts, dates and moments (RFC 3339, section 5.6) as strings."""
    return {name: _json_value(value) for name, value in row.items()}


def _json_value(value: Any) -> Any:
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case Decimal():
            return f"{value:f}"
        case UUID():
            return str(value)
        case _:
            return value
