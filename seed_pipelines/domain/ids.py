"""Row ids: UUIDv8 (RFC 9562, section 5.8) that carry the dataset, the customer and the ordinal, in row order.

    bits   0-23   dataset tag: tenant, environment and profile
    bits  24-59   customer index, high bits first (the four version bits stand in the middle of it)
    bits  60-...  variant, ordinal (22 bits), 40 keyed bits

Byte order is row order, so a range of customers is one range of ids in every table that hangs on customers.
"""

import hashlib
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from seed_pipelines.domain.streams import Stream

ORDINAL_BITS: Final = 22
_KEYED_BITS: Final = 40
_VERSION: Final = 0x8
_VARIANT: Final = 0b10
_TAGS: Final = 1 << 24
_TEXT_SIZE: Final = 36
_DIGIT_PLACES: Final = np.delete(np.arange(_TEXT_SIZE), [8, 13, 18, 23])
_DIGITS_OF_BYTE: Final = np.frombuffer(bytes(range(256)).hex().encode("ascii"), dtype="V2")


def dataset_tag(tenant: str, environment: str, profile: str) -> int:
    """The 24 bits that every id of a dataset starts with."""
    digest = hashlib.sha256("\x1f".join(("dataset", tenant, environment, profile)).encode()).digest()
    return int.from_bytes(digest[:3], "big")


def row_ids(
    tag: int, customers: NDArray[np.uint64], ordinals: NDArray[np.uint64], stream: Stream
) -> pa.FixedSizeBinaryArray:
    """Ids of 16 bytes for (customer index, ordinal) pairs of equal shape."""
    high = np.uint64(tag << 40) | ((customers >> np.uint64(12)) << np.uint64(16))
    high |= np.uint64(_VERSION << 12) | (customers & np.uint64(0xFFF))
    low = np.uint64(_VARIANT << 62) | (ordinals << np.uint64(_KEYED_BITS))
    low |= stream.words((customers << np.uint64(ORDINAL_BITS)) | ordinals) >> np.uint64(64 - _KEYED_BITS)
    words = np.empty((len(customers), 2), dtype=">u8")
    words[:, 0] = high
    words[:, 1] = low
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(customers), [None, pa.py_buffer(words)])


def customer_indices(ids: pa.FixedSizeBinaryArray) -> NDArray[np.uint64]:
    """The customer index of each id."""
    buffer = ids.buffers()[1]
    words = np.frombuffer(buffer, dtype=">u8", count=2 * (ids.offset + len(ids))).reshape(-1, 2)
    high = words[ids.offset :, 0].astype(np.uint64)
    upper = (high >> np.uint64(16)) & np.uint64(0xFFFFFF)
    return (upper << np.uint64(12)) | (high & np.uint64(0xFFF))


def uuid_texts(ids: pa.FixedSizeBinaryArray) -> pa.StringArray:
    """Ids of 16 bytes as UUIDs (RFC 9562, section 4): 36 characters, hexadecimal digits in lower case; null where null."""
    count = len(ids)
    values = np.frombuffer(ids.buffers()[1] or b"", dtype=np.uint8, count=16 * (ids.offset + count)).reshape(-1, 16)
    text = np.full((count, _TEXT_SIZE), ord("-"), dtype=np.uint8)
    text[:, _DIGIT_PLACES] = _DIGITS_OF_BYTE[values[ids.offset :]].view(np.uint8).reshape(count, 32)
    offsets = np.arange(count + 1, dtype=np.int32) * np.int32(_TEXT_SIZE)
    texts = pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(text))
    return pc.if_else(ids.is_valid(), texts, None) if ids.null_count else texts


def lowest_id(tag: int, customer: int) -> bytes:
    """The lowest id (16 bytes) that rows of `customer` can have."""
    high = tag << 40 | (customer >> 12) << 16 | _VERSION << 12 | (customer & 0xFFF)
    return (high << 64 | _VARIANT << 62).to_bytes(16, "big")


def end_of_dataset(tag: int) -> bytes | None:
    """The first id (16 bytes) beyond the dataset; None where no id lies beyond."""
    return None if tag + 1 == _TAGS else (tag + 1 << 104).to_bytes(16, "big")
