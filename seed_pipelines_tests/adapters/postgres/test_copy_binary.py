"""Rows of the PGCOPY binary format, byte for byte."""

import struct
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from seed_pipelines.adapters.postgres.copy_binary import HEADER, TRAILER, column_type, encode

UUID_BYTES = bytes(range(16))
NULL = b"\xff\xff\xff\xff"


def field(payload: bytes) -> bytes:
    """A field as the format's documentation draws it."""
    return struct.pack(">i", len(payload)) + payload


VECTORS = [
    (pa.binary(16), UUID_BYTES, UUID_BYTES),
    (pa.string(), "Conceição", "Conceição".encode()),
    (pa.string(), "", b""),
    (pa.date32(), date(2000, 1, 1), struct.pack(">i", 0)),
    (pa.date32(), date(1969, 12, 31), struct.pack(">i", -10_958)),
    (pa.timestamp("us", "UTC"), datetime(2000, 1, 1, 0, 0, 1, tzinfo=UTC), struct.pack(">q", 1_000_000)),
    (pa.timestamp("us", "UTC"), datetime(1970, 1, 1, tzinfo=UTC), struct.pack(">q", -946_684_800_000_000)),
    (pa.decimal128(16, 2), Decimal("-12.34"), struct.pack(">q", -1234)),
    (pa.decimal128(18, 2), Decimal("9999999999999999.99"), struct.pack(">q", 10**18 - 1)),
    (pa.int64(), -2, struct.pack(">q", -2)),
    (pa.int32(), 70_000, struct.pack(">i", 70_000)),
    (pa.int16(), -7, struct.pack(">h", -7)),
    (pa.bool_(), True, b"\x01"),
    (pa.bool_(), False, b"\x00"),
]


@pytest.mark.parametrize(("kind", "value", "payload"), VECTORS)
def test_a_value_and_a_null(kind: pa.DataType, value: object, payload: bytes) -> None:
    """Each type's payload follows its length; a null has length -1 and no payload."""
    batch = pa.record_batch([pa.array([value, None], kind)], names=["column"])
    assert bytes(encode(batch)) == b"\x00\x01" + field(payload) + b"\x00\x01" + NULL


def test_columns_of_fixed_and_variable_width_are_interleaved() -> None:
    """A row holds its fields in the order of the columns, whatever their widths."""
    columns = [pa.array([value], kind) for kind, value, _ in VECTORS]
    batch = pa.record_batch(columns, names=[str(number) for number in range(len(columns))])
    expected = struct.pack(">h", len(VECTORS)) + b"".join(field(payload) for _, _, payload in VECTORS)
    assert bytes(encode(batch)) == expected


@pytest.mark.parametrize(("kind", "value", "payload"), VECTORS)
def test_a_slice_is_encoded_alone(kind: pa.DataType, value: object, payload: bytes) -> None:
    """Rows before and after the slice do not show."""
    batch = pa.record_batch([pa.array([None, None, None, value, None, value], kind)], names=["column"])
    assert bytes(encode(batch.slice(3, 2))) == b"\x00\x01" + field(payload) + b"\x00\x01" + NULL
    assert bytes(encode(batch.slice(5, 1))) == b"\x00\x01" + field(payload)


def test_no_rows_are_no_bytes() -> None:
    """An empty batch adds nothing between header and trailer."""
    assert bytes(encode(pa.record_batch([pa.array([], pa.string())], names=["column"]))) == b""


@pytest.mark.parametrize(
    "kind",
    [
        pa.decimal128(19, 2),
        pa.decimal128(10, 3),
        pa.timestamp("us"),
        pa.timestamp("ms", "UTC"),
        pa.float64(),
        pa.binary(8),
    ],
)
def test_other_types_are_refused(kind: pa.DataType) -> None:
    """Nothing is guessed for a type without an encoding."""
    with pytest.raises(TypeError, match="no binary encoding"):
        column_type(kind)


def test_the_frame_of_the_format() -> None:
    """The header has no flags and no extension, the trailer is a field count of -1."""
    assert HEADER.hex() == "5047434f50590aff0d0a000000000000000000"
    assert struct.pack(">h", -1) == TRAILER
