"""Digests of an entity's rows that depend on the rows alone, not on shards, batches, files or the library that wrote them.

A leaf is SHA-256 over 0x00 and the canonical bytes of the rows that hang on 4,096 consecutive customers; the digest of
an entity is the root of the Merkle tree over its leaves (RFC 6962, section 2.1).

Canonical bytes of a block: its header (RFC 8785 JSON: entity, number of rows, name and type of each column), then column
by column: for a nullable column one byte a row (1 where there is a value), the values little-endian (nulls as zero),
text as all byte lengths (uint32) followed by all bytes.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import rfc8785
from numpy.typing import NDArray

from seed_pipelines.domain.ids import customer_indices

BLOCK: Final = 4096
"""Customers in a leaf."""

_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"


class BlockDigests:
    """Digests the rows of an entity block by block, as they pass by in id order, keeping one block at a time."""

    def __init__(self, entity: str, schema: pa.Schema, first_customer: int, end_customer: int) -> None:
        """`first_customer` begins a block; `end_customer` is exclusive."""
        self._schema = schema
        self._header = _header_until_rows(entity, schema)
        self._end = -(-end_customer // BLOCK)
        self._block = first_customer // BLOCK
        self._pending: list[pa.RecordBatch] = []
        self._leaves: list[str] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Take the next rows."""
        if batch.num_rows == 0:
            return
        numbers = np.minimum(customer_indices(batch.column("id")) // np.uint64(BLOCK), np.uint64(self._end))
        borders = np.flatnonzero(np.diff(numbers)) + 1
        for start, end in zip([0, *borders], [*borders, batch.num_rows], strict=True):
            self._close_until(int(numbers[start]))
            self._pending.append(batch.slice(start, end - start))

    def finish(self) -> tuple[str, ...]:
        """The leaf digests (hex) up to the end.

        A block without rows has a leaf too. Rows in blocks beyond the end add one leaf, so that a surplus is seen.
        """
        if self._pending:
            self._close()
        self._close_until(self._end)
        return tuple(self._leaves)

    def _close_until(self, block: int) -> None:
        while self._block < block:
            self._close()

    def _close(self) -> None:
        self._leaves.append(_leaf(self._header, pa.Table.from_batches(self._pending, self._schema)))
        self._pending = []
        self._block += 1


def block_leaves(
    entity: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch], first_customer: int, end_customer: int
) -> tuple[str, ...]:
    """Leaf digests (hex) of the blocks of customers [first_customer, end_customer), from batches in id order."""
    digests = BlockDigests(entity, schema, first_customer, end_customer)
    for batch in batches:
        digests.add(batch)
    return digests.finish()


def merkle_root(leaves: Iterable[str]) -> str:
    """Root (hex) of the RFC 6962 tree over leaf digests; SHA-256 of nothing for no leaves."""
    level = [bytes.fromhex(leaf) for leaf in leaves]
    return _root(level).hex() if level else hashlib.sha256().hexdigest()


def dataset_digest(roots: Mapping[str, str]) -> str:
    """One digest (hex) for the roots of all entities: SHA-256 over their RFC 8785 JSON."""
    return hashlib.sha256(rfc8785.dumps(dict(roots))).hexdigest()


def _root(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(_NODE + _root(leaves[:split]) + _root(leaves[split:])).digest()


def _leaf(header: bytes, table: pa.Table) -> str:
    digest = hashlib.sha256(_LEAF + header + b"%d}" % table.num_rows)
    for field, column in zip(table.schema, table.columns, strict=True):
        if column.num_chunks:
            values = column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)
            for part in _column_bytes(field, values):
                digest.update(part)
    return digest.hexdigest()


def _header_until_rows(entity: str, schema: pa.Schema) -> bytes:
    """The header of a block as far as it is the same for every block: the number of rows is its last member."""
    columns = [[field.name, str(field.type)] for field in schema]
    return rfc8785.dumps({"entity": entity, "rows": 0, "columns": columns}).removesuffix(b"0}")


def _column_bytes(field: pa.Field, values: pa.Array) -> Iterator[bytes | memoryview]:
    if field.nullable:
        yield pc.cast(pc.is_valid(values), pa.uint8()).buffers()[1].to_pybytes()
        values = pc.fill_null(values, _zero(field.type))
    elif values.null_count:
        raise ValueError(f"column {field.name} must not hold nulls")
    if pa.types.is_string(values.type) or pa.types.is_binary(values.type):
        offsets = _view(values.buffers()[1], "<i4", values.offset, len(values) + 1)
        yield np.diff(offsets).astype("<u4").data
        yield memoryview(values.buffers()[2] or b"")[int(offsets[0]) : int(offsets[-1])]
        return
    if pa.types.is_boolean(values.type):
        values = pc.cast(values, pa.uint8())
    width = values.type.bit_width // 8
    yield _view(values.buffers()[1], "u1", values.offset * width, len(values) * width).data


def _view(buffer: pa.Buffer, dtype: str, offset: int, count: int) -> NDArray[np.integer]:
    kind = np.dtype(dtype)
    return np.frombuffer(buffer, dtype=kind, count=count, offset=offset * kind.itemsize)


def _zero(kind: pa.DataType) -> pa.Scalar:
    if pa.types.is_string(kind):
        return pa.scalar("", kind)
    if pa.types.is_fixed_size_binary(kind):
        return pa.scalar(bytes(kind.byte_width), kind)
    return pa.scalar(0, pa.int32() if pa.types.is_date(kind) else pa.int64()).cast(kind)
