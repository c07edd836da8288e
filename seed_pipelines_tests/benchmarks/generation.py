"""Stages that need no server: drawing, masking, Parquet, digests; other libraries beside them."""

import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import fastfpe.ff1
import numpy as np
import pyarrow as pa

from seed_pipelines.adapters.row_files import RowFileStore
from seed_pipelines.domain.brazil.digits import decimal_strings, parsed
from seed_pipelines.domain.children import Rows
from seed_pipelines.domain.entities import ENTITIES, Entity
from seed_pipelines.domain.ff1 import FF1
from seed_pipelines.domain.masking import Masker, MaskingKeys, fields_of, unmasked_batch
from seed_pipelines.domain.plan import CHUNK_CUSTOMERS, Plan
from seed_pipelines.seeding.generation import generate, provenance, row_file_key
from seed_pipelines_tests.benchmarks.measurement import Against, Measurement, Stopwatch, shortest
from seed_pipelines_tests.benchmarks.other_generators import FAKER, MIMESIS, faker_customers, mimesis_customers
from seed_pipelines_tests.fakes import FakeKeys

FASTFPE: Final = "PyPI fastfpe, FF1, 9 digits"
_KEY: Final = bytes(range(32))
_TWEAK: Final = b"tenant-a"
_FF1_DIGITS: Final = 9
_LOOPED: Final = 5_000
"""Rows of what makes one at a time."""


@dataclass(frozen=True)
class Bench:
    """A plan, its masker and a place for files: what generating needs."""

    plan: Plan
    masker: Masker
    row_files: RowFileStore

    @classmethod
    def of(cls, plan: Plan, directory: Path) -> "Bench":
        """A bench with keys of its own, warmed up: vocabularies read, FF1 tables made."""
        metadata = plan.manifest.metadata
        names = (metadata.tenant, metadata.environment, metadata.salt_version)
        keys = FakeKeys().masking_keys(*names, fields_of(ENTITIES))
        bench = cls(plan, Masker(MaskingKeys(*names, keys)), RowFileStore(str(directory)))
        for entity in plan.entities:
            for rows in islice(bench.chunks(entity), 4):
                bench.masked(entity, rows)
        return bench

    def chunks(self, entity: Entity) -> Iterator[Rows]:
        """The rows of an entity, a chunk at a time, as a run makes them."""
        for shard in self.plan.shards:
            for first, end in self.plan.chunks(shard):
                yield self.plan.entity_rows(entity, first, end)

    def masked(self, entity: Entity, rows: Rows) -> pa.RecordBatch:
        """The masked rows."""
        return self.masker.batch(entity, self.plan.portfolio, rows).records


def measure(bench: Bench) -> Iterator[Measurement]:
    """Every stage before the database."""
    plan = bench.plan
    customers, accounts = plan.entities
    yield faker_customers(_LOOPED)
    yield mimesis_customers(_LOOPED)
    yield _drawn(bench, customers)
    yield _masked(bench, customers, Against(FAKER, 150), Against(MIMESIS, 50))
    yield _masked(bench, accounts)
    yield from _ff1(plan.rows[customers.name])
    yield _parquet(bench)
    yield _files(bench, [customers], Against(goal=1_500_000), Against(FAKER))
    yield _files(bench, plan.entities, Against(FAKER))


def _drawn(bench: Bench, entity: Entity) -> Measurement:
    def draw() -> None:
        for rows in bench.chunks(entity):
            unmasked_batch(entity, bench.plan.portfolio, rows)

    return Measurement(f"generate {entity.name}", bench.plan.rows[entity.name], shortest(draw), (Against(FAKER),))


def _masked(bench: Bench, entity: Entity, *against: Against) -> Measurement:
    def mask() -> None:
        for rows in bench.chunks(entity):
            bench.masked(entity, rows)

    name = f"generate, mask {entity.name}"
    return Measurement(name, bench.plan.rows[entity.name], shortest(mask), against, "every column of personal data")


def _ff1(rows: int) -> Iterator[Measurement]:
    """Chunks as in a run, the tables of the rounds made before the clock starts."""
    numbers = np.arange(rows, dtype=np.uint64) * np.uint64(7_919) % np.uint64(10**_FF1_DIGITS)
    chunks = np.split(numbers, range(CHUNK_CUSTOMERS, rows, CHUNK_CUSTOMERS))
    texts = [decimal_strings(chunk, _FF1_DIGITS) for chunk in chunks]
    cipher = FF1(_KEY, _TWEAK, radix=10, length=_FF1_DIGITS)
    cipher.encrypt(np.arange(cipher.size // 1000, dtype=np.uint64))

    def text_to_text(chunk: pa.StringArray) -> pa.StringArray:
        return decimal_strings(cipher.encrypt(parsed(chunk, _FF1_DIGITS)[0]), _FF1_DIGITS)

    few, key, tweak = texts[0][:_LOOPED].to_pylist(), _KEY.hex(), _TWEAK.hex()
    theirs = [fastfpe.ff1.encrypt(key, tweak, string.digits, text) for text in few]
    if text_to_text(texts[0])[: len(few)].to_pylist() != theirs:
        raise ValueError("the two implementations of FF1 differ")
    seconds = shortest(lambda: [fastfpe.ff1.encrypt(key, tweak, string.digits, text) for text in few])
    yield Measurement(FASTFPE, len(few), seconds, note="text to text")
    seconds = shortest(lambda: [text_to_text(chunk) for chunk in texts])
    yield Measurement("FF1, 9 digits: text to text", rows, seconds, (Against(FASTFPE, 80),), "equal to fastfpe's")
    seconds = shortest(lambda: [cipher.encrypt(chunk) for chunk in chunks])
    yield Measurement("FF1, 9 digits: integers", rows, seconds, (Against(FASTFPE),))


def _parquet(bench: Bench) -> Measurement:
    """Batches are made outside the lap."""
    watch, size = Stopwatch(), 0
    for shard in bench.plan.shards:
        for entity in bench.plan.entities:
            batches = [
                bench.masked(entity, bench.plan.entity_rows(entity, *chunk)) for chunk in bench.plan.chunks(shard)
            ]
            few = [column.name for column in entity.columns if column.few_values]
            key = row_file_key(bench.plan, entity, shard)
            with watch.lap():
                made = provenance(bench, entity, shard)
                size += bench.row_files.write(key, entity.schema, few, batches, made, lambda: ()).size_bytes
    rows = bench.plan.total_rows
    return Measurement("Parquet files", rows, watch.seconds, (Against(FAKER),), f"{size / rows:.0f} bytes a row")


def _files(bench: Bench, entities: Sequence[Entity], *against: Against) -> Measurement:
    def write() -> None:
        for shard in bench.plan.shards:
            for entity in entities:
                generate(bench, entity, shard)

    rows = sum(bench.plan.rows[entity.name] for entity in entities)
    names = " and ".join(entity.name for entity in entities)
    return Measurement(f"generate, mask, Parquet, digest: {names}", rows, shortest(write), against)
