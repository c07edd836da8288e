"""What an entity is: a table's columns, how each is drawn, which are PII, and what the rows hang on."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from seed_pipelines.domain.children import Rows
from seed_pipelines.domain.dataset import Dataset
from seed_pipelines.domain.ids import row_ids
from seed_pipelines.domain.masking import Codes, PiiClass
from seed_pipelines.domain.streams import Stream


@dataclass(frozen=True)
class Column:
    """A column of the rows as they are loaded."""

    name: str
    type: pa.DataType
    description: str
    pii: str = ""
    """What kind of personal data it would be, were it real; empty for none."""
    few_values: bool = False
    """Worth a dictionary in Parquet."""


class Entity(ABC):
    """One kind of row, generated for a customer index and an ordinal."""

    name: ClassVar[str]
    """Plural, as in a manifest's volumetry."""
    table: ClassVar[str]
    """Schema and table that the rows are loaded into."""
    description: ClassVar[str]
    columns: ClassVar[tuple[Column, ...]]
    pii: ClassVar[Mapping[str, PiiClass]]
    """The codes that are PII, by name."""
    unique: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """Columns that are unique together within a tenant, besides the id."""
    references: ClassVar[Mapping[str, str]] = {}
    """Column -> entity whose id it holds."""

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the rows; no column is nullable."""
        return pa.schema([pa.field(column.name, column.type, nullable=False) for column in self.columns])

    @property
    def pii_columns(self) -> tuple[str, ...]:
        """The loaded columns that are masked."""
        return tuple(column.name for column in self.columns if column.pii)

    @abstractmethod
    def draw(self, dataset: Dataset, rows: Rows) -> Codes:
        """Unmasked codes of the rows."""

    @abstractmethod
    def render(self, dataset: Dataset, rows: Rows, codes: Codes) -> pa.RecordBatch:
        """The rows as they are loaded, from codes."""

    @abstractmethod
    def invalid_values(self, rows: pa.RecordBatch | pa.Table) -> Mapping[str, int]:
        """Rule -> how many of the rows break it, for every rule about check digits and formats that the rows must keep."""

    def stream(self, dataset: Dataset, column: str) -> Stream:
        """The random stream of one of the entity's columns."""
        return dataset.stream(self.name, column)

    def ids(self, dataset: Dataset, rows: Rows) -> pa.FixedSizeBinaryArray:
        """The ids of the rows."""
        return row_ids(dataset.tag, rows.customers, rows.ordinals, self.stream(dataset, "id"))

    def batch(self, values: Mapping[str, pa.Array]) -> pa.RecordBatch:
        """A record batch of the entity's schema from its columns by name."""
        return pa.RecordBatch.from_arrays([values[column.name] for column in self.columns], schema=self.schema)


def money(cents: NDArray[Any], precision: int) -> pa.Decimal128Array:
    """Decimals of two places from whole cents."""
    words = np.empty((len(cents), 2), dtype="<i8")
    words[:, 0] = cents
    words[:, 1] = cents >> 63
    return pa.Decimal128Array.from_buffers(pa.decimal128(precision, 2), len(cents), [None, pa.py_buffer(words)])


def labels(codes: NDArray[Any], names: tuple[str, ...]) -> pa.StringArray:
    """The name at each code."""
    return pa.array(names, pa.string()).take(pa.array(codes))


def invalid(valid: pa.BooleanArray | pa.ChunkedArray) -> int:
    """How many are false or null."""
    return len(valid) - int(pc.sum(valid).as_py() or 0)
