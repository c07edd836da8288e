"""Rows that keep the rules of the reference schema, made without the generator."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seed_pipelines.adapters.postgres.dataset_removals import DatasetRemoval
from seed_pipelines.adapters.postgres.entity_table import EntityTable
from seed_pipelines.adapters.postgres.loading import TableLoad
from seed_pipelines.domain.entities import BY_NAME, Entity

TAG: Final = 0x5EED01
LOW: Final = UUID(int=TAG << 104)
END: Final = UUID(int=TAG + 1 << 104)
CUSTOMERS: Final = BY_NAME["customers"]
BANK_ACCOUNTS: Final = BY_NAME["bank_accounts"]
TABLES: Final[tuple[Entity, ...]] = (CUSTOMERS, BANK_ACCOUNTS)
REMOVAL: Final = DatasetRemoval("default", "asked", "seed_operator", "11111111-2222-4333-8444-555555555555")


def no_files() -> None:
    """What a purge without Parquet files removes of them."""


@dataclass(frozen=True)
class Rows:
    """Rows of both entities, one account a customer."""

    customers: pa.Table
    bank_accounts: pa.Table

    def table(self, entity: EntityTable) -> pa.Table:
        """The rows of an entity."""
        return self.customers if entity.name == CUSTOMERS.name else self.bank_accounts

    def with_batches(self, **batches: Iterable[pa.RecordBatch]) -> Sequence[TableLoad]:
        """What a load takes, some of it from other sources, by entity."""
        return [replace(load, batches=batches.get(load.entity.name, load.batches)) for load in self.loads()]

    def loads(self, low: UUID = LOW, high: UUID | None = END) -> Sequence[TableLoad]:
        """What a load takes, as the rows of a range of ids."""
        ids = (low.bytes, None if high is None else high.bytes)
        return [
            TableLoad(entity, ids, self.table(entity).num_rows, self.table(entity).to_batches(max_chunksize=1000))
            for entity in TABLES
        ]


def generated(count: int, *, first: int = 0, tag: int = TAG, version: int = 8, salt: int = 0) -> Rows:
    """`count` customers from index `first`; unique values depend on the index and `salt`."""
    index = np.arange(first, first + count, dtype=np.uint64)
    texts = pa.array(index.astype(np.int64) + salt * 10**7)
    digits = pc.utf8_lpad(texts.cast(pa.string()), 11, "0")
    ids = _ids(index, tag, version, ordinal=0)
    when = pa.array(index.astype(np.int64) * 86_400_000_000 % 10**15, pa.int64()).cast(pa.timestamp("us", "UTC"))
    customers = {
        "id": ids,
        "document_number": digits,
        "full_name": pc.binary_join_element_wise("João d'Água ", texts.cast(pa.string()), ""),
        "gender": _cycled(["F", "M"], count),
        "birth_date": pa.array((index % np.uint64(20_000)).astype(np.int32) - 5_000, pa.int32()).cast(pa.date32()),
        "email": pc.binary_join_element_wise(digits, "@example.com", ""),
        "phone": _cycled(["+5511987654321"], count),
        "status": _cycled(["ACTIVE", "BLOCKED", "DELINQUENT", "CANCELED"], count),
        "monthly_income": _money(index.astype(np.int64) * 317, pa.decimal128(14, 2)),
        "registered_at": when,
    }
    accounts = {
        "id": _ids(index, tag, version, ordinal=1),
        "customer_id": ids,
        "branch": pc.utf8_slice_codeunits(digits, 0, 4),
        "branch_check_digit": _cycled(["0", "X"], count),
        "account_number": pc.utf8_slice_codeunits(digits, 3, 11),
        "account_check_digit": _cycled(["1"], count),
        "account_type": _cycled(["CHECKING", "SAVINGS"], count),
        "status": _cycled(["ACTIVE"], count),
        "balance": _money(index.astype(np.int64) * 1_003 - 99_999, pa.decimal128(16, 2)),
        "opened_at": when,
    }
    return Rows(_table(CUSTOMERS, customers), _table(BANK_ACCOUNTS, accounts))


def _table(entity: EntityTable, values: dict[str, Any]) -> pa.Table:
    return pa.Table.from_arrays([values[name] for name in entity.schema.names], schema=entity.schema)


def _ids(index: np.ndarray[Any, np.dtype[np.uint64]], tag: int, version: int, *, ordinal: int) -> "pa.Array[Any]":
    words = np.empty((len(index), 2), dtype=">u8")
    words[:, 0] = (
        np.uint64(tag << 40 | version << 12) | (index >> np.uint64(12)) << np.uint64(16) | index & np.uint64(0xFFF)
    )
    words[:, 1] = 1 << 63 | ordinal << 40
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(index), [None, pa.py_buffer(words.data)])


def _cycled(values: Sequence[str], count: int) -> "pa.Array[Any]":
    return pa.array(values, pa.string()).take(pa.array(np.arange(count) % len(values)))


def _money(cents: np.ndarray[Any, np.dtype[np.int64]], kind: pa.DataType) -> "pa.Array[Any]":
    words = np.column_stack([cents, cents >> 63])
    return pa.Array.from_buffers(kind, len(cents), [None, pa.py_buffer(words.data)])
