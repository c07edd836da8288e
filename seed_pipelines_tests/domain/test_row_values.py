"""Rows leave the Arrow world as Python values and as JSON values, and nothing is lost on the way."""

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pyarrow as pa

from seed_pipelines.domain.row_values import json_values, row_values

ID = UUID("98aceecd-27d1-8be7-bfa1-28b42034b7d0")
MOMENT = datetime(2024, 2, 29, 8, 15, 30, 250_000, tzinfo=UTC)
RECORDS = pa.RecordBatch.from_pylist(
    [
        {"id": ID.bytes, "parent": None, "rate": Decimal("0.10"), "born": date(1990, 1, 2), "at": MOMENT, "term": 12},
        {"id": ID.bytes, "parent": ID.bytes, "rate": None, "born": None, "at": None, "term": None},
    ],
    pa.schema(
        {
            "id": pa.binary(16),
            "parent": pa.binary(16),
            "rate": pa.decimal128(6, 2),
            "born": pa.date32(),
            "at": pa.timestamp("us", "UTC"),
            "term": pa.int16(),
        }
    ),
)


def test_rows_hold_python_values() -> None:
    """Ids are UUIDs, also where a column may be null; amounts keep their two places."""
    first, second = row_values(RECORDS)
    assert first == {
        "id": ID,
        "parent": None,
        "rate": Decimal("0.10"),
        "born": date(1990, 1, 2),
        "at": MOMENT,
        "term": 12,
    }
    assert second == {"id": ID, "parent": ID, "rate": None, "born": None, "at": None, "term": None}


def test_json_has_strings_for_what_json_lacks() -> None:
    """And leaves numbers and nulls as they are."""
    first, second = map(json_values, row_values(RECORDS))
    assert first == {
        "id": str(ID),
        "parent": None,
        "rate": "0.10",
        "born": "1990-01-02",
        "at": "2024-02-29T08:15:30.250000Z",
        "term": 12,
    }
    assert second == {"id": str(ID), "parent": str(ID), "rate": None, "born": None, "at": None, "term": None}
