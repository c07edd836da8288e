"""What must hold between rows of several entities: rules, asked of the rows as they landed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


@dataclass(frozen=True)
class Landed:
    """Rows as they were read back: whole families of customers, and the entities of the tenant that they refer to."""

    tables: Mapping[str, pa.Table]
    """Entity -> its rows, in id order."""
    reference_datetime: datetime
    """What payments and states are seen from."""


def cents(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Whole hundredths of a decimal column of two places, as they are stored; 0 for null."""
    values = column.combine_chunks()
    words = np.frombuffer(values.buffers()[1] or b"", dtype="<i8").reshape(-1, 2)
    found = words[values.offset : values.offset + len(values), 0].astype(np.int64)
    return found if values.null_count == 0 else np.where(present(column), found, 0)


def days(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Days since 1970-01-01 of a date column; 0 for null."""
    return np.asarray(column.cast(pa.int32()).fill_null(0), dtype=np.int64)


def microseconds(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Microseconds since 1970-01-01T00:00Z of a timestamp column; 0 for null."""
    return np.asarray(column.cast(pa.int64()).fill_null(0), dtype=np.int64)


def present(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Where a column is not null."""
    return np.asarray(column.is_valid())


def equals(column: pa.ChunkedArray, value: str) -> NDArray[np.bool_]:
    """Where a text column is a value."""
    return np.asarray(pc.equal(column, value).fill_null(False))


def joined(children: pa.Table, column: str, parents: pa.Table) -> tuple[pa.Table, NDArray[np.int64]]:
    """The children whose parent is there, and the position of each one's parent; the others break a foreign key."""
    positions = pc.index_in(children.column(column).combine_chunks(), parents.column("id").combine_chunks())
    found = pc.is_valid(positions)
    return children.filter(found).combine_chunks(), np.asarray(positions.drop_null(), dtype=np.int64)


def offending(**broken: NDArray[np.bool_]) -> dict[str, int]:
    """Aspect -> how many rows break it; `_` in the name of an aspect stands for a blank."""
    return {name.replace("_", " "): int(np.count_nonzero(rows)) for name, rows in broken.items()}


@dataclass(frozen=True)
class Rule:
    """One check of coherence."""

    name: str
    description: str
    entities: tuple[str, ...]
    """Applies where all of these are seeded."""
    offenders: Callable[[Landed], Mapping[str, int]]
    """What is broken -> rows that break it; every aspect that was looked at is named, with 0 where nothing is amiss.

    It works on the landed rows alone, by other means than those that drew them.
    """
