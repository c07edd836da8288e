"""What an entity is: a table's columns, how each is drawn, which are PII, and what the rows hang on."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from seed_pipelines.domain.catalogue import MOST_CUSTOMERS, SLICES
from seed_pipelines.domain.children import Rows
from seed_pipelines.domain.coherence import Rule
from seed_pipelines.domain.dataset import Dataset
from seed_pipelines.domain.ids import row_ids
from seed_pipelines.domain.masking import Codes, PiiClass
from seed_pipelines.domain.permutation import AffinePermutation
from seed_pipelines.domain.portfolio import CUSTOMERS, Portfolio
from seed_pipelines.domain.streams import Stream, derive_key


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
    nullable: bool = False


class Entity(ABC):
    """One kind of row, generated for a customer index and an ordinal; for entities of the tenant, for a row number."""

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
    hangs_on: ClassVar["type[Entity] | None"] = None
    """What the rows hang on; None for customers and for entities of the tenant."""
    most_per_parent: ClassVar[int] = 50
    """Rows per row of the parent, on average, above which a manifest is refused."""
    fewest_per_parent: ClassVar[int] = 0
    """Likewise, below which it is refused."""
    most_rows: ClassVar[int] = MOST_CUSTOMERS
    """Rows above which a manifest is refused, of what hangs on nothing: as many as a profile has unique values for."""
    of_tenant: ClassVar[bool] = False
    """Whether the rows belong to the tenant itself: they are loaded before all others, and kept while referred to."""
    requires: ClassVar[Mapping[str, int]] = {}
    """Entities besides the parent that must be seeded too, and the fewest rows of each."""
    references: ClassVar[Mapping[str, str]] = {}
    """Column -> entity whose id it holds; a column that may be null holds none where that entity is not seeded."""
    rules: ClassVar[tuple[Rule, ...]] = ()
    """What must hold between the rows and those of other entities, once they have landed."""

    @property
    def parent(self) -> "Entity | None":
        """What the rows hang on."""
        return None if self.hangs_on is None else self.hangs_on()

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the rows."""
        return pa.schema([pa.field(column.name, column.type, nullable=column.nullable) for column in self.columns])

    @property
    def pii_columns(self) -> tuple[str, ...]:
        """The loaded columns that are masked."""
        return tuple(column.name for column in self.columns if column.pii)

    @abstractmethod
    def draw(self, portfolio: Portfolio, rows: Rows) -> Codes:
        """Unmasked codes of the rows."""

    @abstractmethod
    def render(self, portfolio: Portfolio, rows: Rows, codes: Codes) -> pa.RecordBatch:
        """The rows as they are loaded, from codes."""

    def invalid_values(self, rows: pa.RecordBatch | pa.Table) -> Mapping[str, int]:
        """Rule -> how many of the rows break it, for every rule about check digits and formats that the rows must keep."""
        del rows
        return {}

    @classmethod
    def stream(cls, dataset: Dataset, column: str) -> Stream:
        """The random stream of one of the entity's columns."""
        return dataset.stream(cls.name, column)

    @classmethod
    def ids(cls, dataset: Dataset, rows: Rows) -> pa.FixedSizeBinaryArray:
        """The ids of the rows."""
        return row_ids(
            dataset.tag, rows.customers, rows.ordinals, id_stream(dataset, cls.name, of_tenant=cls.of_tenant)
        )

    @classmethod
    def unique_codes(
        cls, dataset: Dataset, column: str, size: int, numbers: NDArray[np.uint64], *, most: int = MOST_CUSTOMERS
    ) -> NDArray[np.uint64]:
        """Codes in [0, size), a different one for each number below `most` in every profile of the tenant and environment.

        Raises ValueError where `size` is too small for `most` numbers in each profile, or a number is not below `most`.
        """
        if most * SLICES > size or (len(numbers) and int(numbers.max()) >= most):
            raise ValueError(f"{cls.name}.{column}: {size} codes do not suffice for the numbers of every profile")
        key = derive_key(dataset.permutation_key, cls.name, column)
        return AffinePermutation.of(key, size).apply(numbers + np.uint64(dataset.slice_number * most))

    def batch(self, values: Mapping[str, pa.Array]) -> pa.RecordBatch:
        """A record batch of the entity's schema from its columns by name."""
        return pa.RecordBatch.from_arrays([values[column.name] for column in self.columns], schema=self.schema)


def id_stream(dataset: Dataset, entity: str, *, of_tenant: bool) -> Stream:
    """What the keyed bits of an entity's ids are drawn from.

    Those of an entity of the tenant do not depend on the generator's version: its rows are updated in place, while rows of
    shards that another version made still refer to them.
    """
    return Stream.of(dataset.permutation_key if of_tenant else dataset.seed_key, entity, "id")


def tenant_row_of(portfolio: Portfolio, entity: str, customers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The number of the row of an entity of the tenant that looks after each customer; neighbours share one.

    It stays the same when both are raised in proportion.
    """
    return customers * np.uint64(portfolio.counts.get(entity, 0)) // np.uint64(portfolio.counts[CUSTOMERS])


def tenant_ids(
    portfolio: Portfolio, entity: str, numbers: NDArray[np.uint64], absent: NDArray[np.bool_] | None = None
) -> pa.FixedSizeBinaryArray:
    """The ids of rows of an entity of the tenant; null where absent, and everywhere if the entity is not seeded."""
    if entity not in portfolio.counts:
        return pa.nulls(len(numbers), pa.binary(16))
    stream = id_stream(portfolio.dataset, entity, of_tenant=True)
    ids = row_ids(portfolio.dataset.tag, numbers, np.zeros_like(numbers), stream)
    return ids if absent is None else ids_where(~absent, ids)


def ids_where(present: NDArray[np.bool_], ids: pa.FixedSizeBinaryArray) -> pa.FixedSizeBinaryArray:
    """The ids where present, and null elsewhere."""
    return pc.if_else(pa.array(present), ids, pa.scalar(None, pa.binary(16)))


def timestamps(seconds: NDArray[np.int64]) -> pa.TimestampArray:
    """UTC timestamps from whole seconds since 1970-01-01T00:00Z."""
    return pa.array(seconds * 1_000_000).cast(pa.timestamp("us", "UTC"))


def dates(days: NDArray[np.int64], *, absent: NDArray[np.bool_] | None = None) -> pa.Date32Array:
    """Dates from days since 1970-01-01; null where absent."""
    return pa.array(days.astype(np.int32), mask=absent).cast(pa.date32())


def money(cents: NDArray[Any], precision: int) -> pa.Decimal128Array:
    """Decimals of two places from whole cents."""
    words = np.empty((len(cents), 2), dtype="<i8")
    words[:, 0] = cents
    words[:, 1] = cents >> 63
    return pa.Decimal128Array.from_buffers(pa.decimal128(precision, 2), len(cents), [None, pa.py_buffer(words)])


def labels(codes: NDArray[Any], names: tuple[str, ...]) -> pa.StringArray:
    """The name at each code."""
    return pa.array(names, pa.string()).take(pa.array(codes))


def outside(values: pa.Array | pa.ChunkedArray, names: tuple[str, ...]) -> int:
    """How many are none of the names, or null."""
    return invalid(pc.is_in(values, pa.array(names, pa.string())))


def invalid(valid: pa.BooleanArray | pa.ChunkedArray) -> int:
    """How many are false or null."""
    return len(valid) - int(pc.sum(valid).as_py() or 0)
