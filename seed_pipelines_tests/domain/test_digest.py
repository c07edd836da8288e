"""Canonical digests."""

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines.domain.digest import BLOCK, block_leaves, dataset_digest, merkle_root
from seed_pipelines.domain.ids import row_ids
from seed_pipelines.domain.streams import Stream

SCHEMA = pa.schema(
    [
        pa.field("id", pa.binary(16), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("amount", pa.decimal128(16, 2), nullable=False),
        pa.field("at", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("paid", pa.date32(), nullable=True),
        pa.field("note", pa.string(), nullable=True),
        pa.field("open", pa.bool_(), nullable=False),
    ]
)


def batch(first: int, end: int) -> pa.RecordBatch:
    customers = np.arange(first, end, dtype=np.uint64)
    count = end - first
    columns = [
        row_ids(7, customers, np.zeros_like(customers), Stream(1)),
        pa.array([f"name {n}" * (n % 3) for n in range(first, end)]),
        pa.array([Decimal(n) / 100 - 5 for n in range(first, end)], pa.decimal128(16, 2)),
        pa.array(
            [datetime(2025, 1, 1, 0, n % 60, tzinfo=UTC) for n in range(first, end)],
            pa.timestamp("us", "UTC"),
        ),
        pa.array([None if n % 2 else n for n in range(first, end)], pa.int32()).cast(pa.date32()),
        pa.array([None if n % 5 else "x" for n in range(first, end)], pa.string()),
        pa.array([n % 2 == 0 for n in range(count)]),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def leaves(batches: list[pa.RecordBatch], end: int = 3 * BLOCK) -> tuple[str, ...]:
    return block_leaves("things", SCHEMA, batches, 0, end)


@given(st.lists(st.integers(1, 3 * BLOCK - 1), max_size=6))
def test_digests_do_not_depend_on_how_rows_are_batched(cuts: list[int]) -> None:
    whole = batch(0, 3 * BLOCK)
    borders = [0, *sorted(set(cuts)), whole.num_rows]
    parts = [whole.slice(start, end - start) for start, end in pairwise(borders)]
    assert leaves(parts) == leaves([whole])


@pytest.mark.parametrize("column", [0, 1, 2, 3, 4, 5, 6])
def test_every_column_counts(column: int) -> None:
    whole = batch(0, BLOCK)
    other = whole.column(column).take(pa.array([1, 0, *range(2, BLOCK)]))
    changed = whole.set_column(column, SCHEMA.field(column), other)
    assert leaves([whole], BLOCK) != leaves([changed], BLOCK)


def test_a_null_is_not_an_empty_value() -> None:
    note = pa.array(["" if value is None else value for value in batch(0, BLOCK).column("note").to_pylist()])
    changed = batch(0, BLOCK).set_column(5, SCHEMA.field(5), note)
    assert leaves([batch(0, BLOCK)], BLOCK) != leaves([changed], BLOCK)


def test_a_null_where_none_may_be_is_refused() -> None:
    names = pa.array([None] * BLOCK, pa.string())
    with pytest.raises(ValueError, match="name"):
        leaves([batch(0, BLOCK).set_column(1, SCHEMA.field(1), names)], BLOCK)


def test_the_bytes_are_the_documented_ones() -> None:
    schema = pa.schema([SCHEMA.field("id"), SCHEMA.field("name")])
    ids = batch(0, 2).column("id")
    rows = pa.RecordBatch.from_arrays([ids, pa.array(["é", "bc"])], schema=schema)
    columns = [["id", "fixed_size_binary[16]"], ["name", "string"]]
    header = rfc8785.dumps({"entity": "things", "rows": 2, "columns": columns})
    text = (2).to_bytes(4, "little") * 2 + "ébc".encode()
    expected = hashlib.sha256(b"\x00" + header + b"".join(ids.to_pylist()) + text).hexdigest()
    assert block_leaves("things", schema, [rows], 0, 2) == (expected,)


def test_a_block_without_rows_has_a_leaf_and_a_surplus_adds_one() -> None:
    assert len(leaves([batch(2 * BLOCK, 2 * BLOCK + 5)])) == 3
    assert len(leaves([batch(0, 2 * BLOCK + 1)], BLOCK)) == 2


def test_an_id_far_beyond_the_end_adds_one_leaf_and_not_millions() -> None:
    customers = np.array([0, 1, 1 << 35], dtype=np.uint64)
    ids = row_ids(7, customers, np.zeros_like(customers), Stream(1))
    assert len(leaves([batch(0, 3).set_column(0, SCHEMA.field("id"), ids)], BLOCK)) == 2


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 11])
def test_the_root_is_that_of_rfc_6962(count: int) -> None:
    data = [bytes([number]) for number in range(count)]

    def tree_head(entries: list[bytes]) -> bytes:
        if len(entries) == 1:
            return hashlib.sha256(b"\x00" + entries[0]).digest()
        split = 1
        while split * 2 < len(entries):
            split *= 2
        return hashlib.sha256(b"\x01" + tree_head(entries[:split]) + tree_head(entries[split:])).digest()

    hashed = [hashlib.sha256(b"\x00" + entry).hexdigest() for entry in data]
    assert merkle_root(hashed) == tree_head(data).hex()


def test_the_root_of_nothing_is_the_hash_of_nothing() -> None:
    assert merkle_root([]) == hashlib.sha256(b"").hexdigest()


def test_a_dataset_digest_names_its_entities() -> None:
    assert dataset_digest({"a": "00", "b": "11"}) != dataset_digest({"b": "00", "a": "11"})
    assert dataset_digest({"a": "00", "b": "11"}) == dataset_digest({"b": "11", "a": "00"})
