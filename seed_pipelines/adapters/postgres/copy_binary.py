"""Arrow record batches as PGCOPY binary rows (PostgreSQL documentation, COPY, Binary Format), column by column.

A row is its number of fields (2 bytes), then each field's length (4 bytes, -1 for null) and payload, all
big-endian.
"""

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""Signature, flags and the length of the (empty) header extension."""
TRAILER: Final = b"\xff\xff"
"""A field count of -1."""
MONEY_SCALE: Final = 2
"""Decimals travel as whole hundredths."""
DAYS_TO_2000: Final = 10_957
MICROSECONDS_TO_2000: Final = 946_684_800_000_000
"""PostgreSQL counts from 2000-01-01, Arrow from 1970-01-01."""

_NULL: Final = pa.scalar(b"\xff\xff\xff\xff", pa.binary())
_LONG_DIGITS: Final = 18
"""Decimal digits that always fit 64 bits."""

Bytes = NDArray[np.uint8]
Column: TypeAlias = "pa.Array[Any]"
Part: TypeAlias = "Bytes | pa.Array[Any]"


def encode(batch: pa.RecordBatch) -> memoryview:
    """Encode the rows of a batch, without header and trailer.

    Columns are fixed_size_binary(16) (uuid), string (text), date32 (date), timestamp[us, UTC] (timestamptz),
    decimal128(p <= 18, 2) (bigint of hundredths), int64, int32, int16 and bool. TypeError for another type.
    """
    if batch.num_rows == 0:
        return memoryview(b"")
    count = np.frombuffer(len(batch.columns).to_bytes(2, "big"), np.uint8)
    parts: list[Part] = [np.broadcast_to(count, (batch.num_rows, 2))]
    for column in batch.columns:
        parts.extend(_text(column) if pa.types.is_string(column.type) else _fixed(column))
    rows = pc.call_function("binary_join_element_wise", [*_merged(parts), pa.scalar(b"", pa.binary())])
    end = np.frombuffer(_memory(rows, 1), "<i4", count=batch.num_rows + 1)[-1]
    return _memory(rows, 2)[: int(end)]


def column_type(kind: pa.DataType) -> str:
    """Name the type of the staging column that an Arrow type is copied into; TypeError if there is none."""
    if pa.types.is_decimal128(kind):
        if kind.precision > _LONG_DIGITS or kind.scale != MONEY_SCALE:
            raise TypeError(f"no binary encoding for {kind}: decimals have {MONEY_SCALE} places and fit 64 bits")
        return "bigint"
    if kind == pa.timestamp("us", "UTC"):
        return "timestamptz"
    names = {
        pa.binary(16): "uuid",
        pa.string(): "text",
        pa.date32(): "date",
        pa.int64(): "bigint",
        pa.int32(): "integer",
        pa.int16(): "smallint",
        pa.bool_(): "boolean",
    }
    if kind not in names:
        raise TypeError(f"no binary encoding for {kind}")
    return names[kind]


def _text(column: Column) -> list[Part]:
    lengths = np.diff(np.frombuffer(_memory(column, 1), "<i4")[column.offset :][: len(column) + 1])
    if column.null_count:
        lengths = np.where(_valid(column), lengths, -1)
    return [_big_endian(lengths, ">i4"), column.cast(pa.binary()).fill_null(b"")]


def _fixed(column: Column) -> list[Part]:
    payload = _payload(column)
    rows, width = payload.shape
    length = np.frombuffer(width.to_bytes(4, "big"), np.uint8)
    field = np.hstack([np.broadcast_to(length, (rows, 4)), payload])
    if column.null_count == 0:
        return [field]
    return [pc.if_else(column.is_valid(), _binary(field), _NULL)]


def _payload(column: Column) -> Bytes:
    """Lay out one row of bytes for each value; whatever stands there where the column is null."""
    column_type(column.type)
    if pa.types.is_boolean(column.type):
        bits = np.unpackbits(np.frombuffer(_memory(column, 1), np.uint8), bitorder="little")
        return bits[column.offset :][: len(column)].reshape(-1, 1)
    width = column.type.bit_width // 8
    stored = _memory(column, 1)[column.offset * width : (column.offset + len(column)) * width]
    if pa.types.is_fixed_size_binary(column.type):
        return np.frombuffer(stored, np.uint8).reshape(-1, width)
    if pa.types.is_decimal128(column.type):
        return _big_endian(np.frombuffer(stored, "<i8")[::2], ">i8")
    values = np.frombuffer(stored, f"<i{width}")
    if pa.types.is_date32(column.type):
        values = values - np.int32(DAYS_TO_2000)
    if pa.types.is_timestamp(column.type):
        values = values - np.int64(MICROSECONDS_TO_2000)
    return _big_endian(values, f">i{width}")


def _valid(column: Column) -> NDArray[np.bool_]:
    bits = np.unpackbits(np.frombuffer(_memory(column, 0), np.uint8), bitorder="little")
    return bits[column.offset :][: len(column)].astype(np.bool_)


def _memory(column: Column, number: int) -> memoryview:
    buffer = column.buffers()[number]
    return memoryview(b"") if buffer is None else memoryview(buffer)


def _big_endian(values: NDArray[Any], kind: str) -> Bytes:
    return np.ascontiguousarray(values, dtype=kind).view(np.uint8).reshape(len(values), -1)


def _merged(parts: list[Part]) -> Iterator[Column]:
    """Join neighbours of fixed width before the rows are joined from what is left."""
    matrices: list[Bytes] = []
    for part in parts:
        if isinstance(part, np.ndarray):
            matrices.append(part)
            continue
        if matrices:
            yield _binary(np.hstack(matrices))
            matrices = []
        yield part
    if matrices:
        yield _binary(np.hstack(matrices))


def _binary(matrix: Bytes) -> Column:
    rows, width = matrix.shape
    offsets = np.arange(0, (rows + 1) * width, width, dtype="<i4")
    data = np.ascontiguousarray(matrix)
    return pa.Array.from_buffers(pa.binary(), rows, [None, pa.py_buffer(offsets.data), pa.py_buffer(data.data)])
