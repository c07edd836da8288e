"""Columns of many rows as one value each: the SQL aggregates that pack them, and the Arrow arrays they unpack to."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
from psycopg import sql

from seed_pipelines.adapters.postgres.copy_binary import DAYS_TO_2000, MICROSECONDS_TO_2000, column_type
from seed_pipelines.errors import TargetMismatch

_SEND: Final = {
    "uuid": sql.SQL("uuid_send(coalesce({}, '00000000-0000-0000-0000-000000000000'))"),
    "text": sql.SQL("convert_to(coalesce({}, ''), 'UTF8')"),
    "date": sql.SQL("date_send(coalesce({}, '2000-01-01'))"),
    "timestamptz": sql.SQL("timestamptz_send(coalesce({}, '2000-01-01Z'))"),
    "bigint": sql.SQL("int8send(coalesce({}, 0)::bigint)"),
    "integer": sql.SQL("int4send(coalesce({}, 0))"),
    "smallint": sql.SQL("int2send(coalesce({}, 0::smallint))"),
    "boolean": sql.SQL("boolsend(coalesce({}, false))"),
}
_NUMBERS: Final = {"date": ">i4", "timestamptz": ">i8", "bigint": ">i8", "integer": ">i4", "smallint": ">i2"}
_EPOCHS: Final = {"date": DAYS_TO_2000, "timestamptz": MICROSECONDS_TO_2000}


def packed(field: "pa.Field[Any]") -> Iterator[sql.Composed]:
    """Write the aggregates of a column: how many are not null, the values, the lengths of texts, which are not null."""
    name = sql.Identifier(field.name)
    value = sql.SQL("{} * 100").format(name) if pa.types.is_decimal(field.type) else name
    kind = column_type(field.type)
    sent = _SEND[kind].format(value)
    yield sql.SQL("count({})").format(name)
    yield _joined(sent)
    if kind == "text":
        yield _joined(sql.SQL("int4send(octet_length({}))").format(sent))
    if field.nullable:
        yield _joined(sql.SQL("boolsend({} IS NOT NULL)").format(name))


def unpacked(field: "pa.Field[Any]", rows: int, values: Iterator[object]) -> "pa.Array[Any]":
    """Build the array of a column of `rows` rows from the next values of a row of aggregates.

    TargetMismatch if the field is not nullable and a null is among them.
    """
    present, content = next(values), _content(next(values))
    kind = column_type(field.type)
    data = [_data(field.type, kind, content)]
    if kind == "text":
        lengths = np.frombuffer(_content(next(values)), ">i4")
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype("<i4")
        data = [pa.py_buffer(offsets.data), pa.py_buffer(content)]
    validity = None
    if field.nullable:
        valid = np.frombuffer(_content(next(values)), "u1")
        validity = pa.py_buffer(np.packbits(valid, bitorder="little").data)
    elif present != rows:
        raise TargetMismatch(f"Column {field.name} holds nulls in seeded rows.")
    return pa.Array.from_buffers(field.type, rows, [validity, *data])


def _data(arrow: pa.DataType, kind: str, content: bytes) -> pa.Buffer:
    if kind == "boolean":
        return pa.py_buffer(np.packbits(np.frombuffer(content, "u1"), bitorder="little").data)
    if kind not in _NUMBERS:
        return pa.py_buffer(content)
    numbers = np.frombuffer(content, _NUMBERS[kind])
    if pa.types.is_decimal(arrow):
        low = numbers.astype("<i8")
        return pa.py_buffer(np.column_stack([low, low >> 63]).data)
    native = _NUMBERS[kind].replace(">", "<")
    return pa.py_buffer((numbers + numbers.dtype.type(_EPOCHS.get(kind, 0))).astype(native).data)


def _content(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError("packed columns are read in binary format")
    return value


def _joined(expression: sql.Composable) -> sql.Composed:
    return sql.SQL("string_agg({}, ''::bytea)").format(expression)
