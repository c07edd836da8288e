"""Stages that need no server: drawing, masking, Parquet, digests; Faker and another FF1 beside them."""

import string
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import fastfpe.ff1
import numpy as np
import pyarrow as pa
from faker import Faker

from seed_pipelines.adapters.row_files import RowFileStore
from seed_pipelines.domain.brazil.digits import decimal_strings, parsed
from seed_pipelines.domain.children import Rows
from seed_pipelines.domain.entities import ENTITIES, Entity
from seed_pipelines.domain.ff1 import FF1
from seed_pipelines.domain.masking import Masker, MaskingKeys, fields_of, unmasked_batch
from seed_pipelines.domain.plan import Plan
from seed_pipelines.seeding.generation import generate, provenance, row_file_key
from seed_pipelines_tests.benchmarks.measurement import Measurement, Stopwatch
from seed_pipelines_tests.fakes import FakeKeys

FAKER: Final = "Faker, customers"
FASTFPE: Final = "PyPI fastfpe, FF1, 9 digits"
_KEY: Final = bytes(range(32))
_TWEAK: Final = b"tenant-a"
_FF1_DIGITS: Final = 9


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
    yield _faker(min(20_000, plan.rows[customers.name]))
    yield _drawn(bench, customers)
    yield _masked(bench, customers)
    yield _masked(bench, accounts)
    yield from _ff1(plan.rows[customers.name])
    yield _parquet(bench)
    yield _files(bench)


def _faker(rows: int) -> Measurement:
    fake = Faker("pt_BR")
    fake.seed_instance(1)
    watch = Stopwatch()
    with watch.lap():
        for _ in range(rows):
            _faker_row(fake)
    return Measurement(FAKER, rows, watch.seconds, note="pt_BR, a row at a time; not masked, not unique")


def _faker_row(fake: Any) -> dict[str, Any]:
    gender = fake.random_element(("F", "M"))
    return {
        "id": fake.uuid4(),
        "document_number": fake.cpf(),
        "full_name": fake.name_female() if gender == "F" else fake.name_male(),
        "gender": gender,
        "birth_date": fake.date_of_birth(minimum_age=18, maximum_age=90),
        "email": fake.safe_email(),
        "phone": fake.cellphone_number(),
        "status": fake.random_element(("ACTIVE", "BLOCKED", "DELINQUENT", "CANCELED")),
        "monthly_income": fake.pydecimal(left_digits=5, right_digits=2, positive=True),
        "registered_at": fake.date_time_between("-12y"),
    }


def _drawn(bench: Bench, entity: Entity) -> Measurement:
    watch = Stopwatch()
    with watch.lap():
        for rows in bench.chunks(entity):
            unmasked_batch(entity, bench.plan.portfolio, rows)
    return Measurement(f"generate {entity.name}", bench.plan.rows[entity.name], watch.seconds, FAKER)


def _masked(bench: Bench, entity: Entity) -> Measurement:
    watch = Stopwatch()
    with watch.lap():
        for rows in bench.chunks(entity):
            bench.masked(entity, rows)
    return Measurement(f"generate, mask {entity.name}", bench.plan.rows[entity.name], watch.seconds, FAKER)


def _ff1(rows: int) -> Iterator[Measurement]:
    numbers = np.arange(rows, dtype=np.uint64) * np.uint64(7_919) % np.uint64(10**_FF1_DIGITS)
    texts = decimal_strings(numbers, _FF1_DIGITS)
    few = texts[: min(rows, 50_000)].to_pylist()
    watch = Stopwatch()
    with watch.lap():
        theirs = [fastfpe.ff1.encrypt(_KEY.hex(), _TWEAK.hex(), string.digits, text) for text in few]
    yield Measurement(FASTFPE, len(few), watch.seconds, note="text to text")
    cipher = FF1(_KEY, _TWEAK, radix=10, length=_FF1_DIGITS)
    watch = Stopwatch()
    with watch.lap():
        ours = decimal_strings(cipher.encrypt(parsed(texts, _FF1_DIGITS)[0]), _FF1_DIGITS)
    if ours[: len(few)].to_pylist() != theirs:
        raise ValueError("the two implementations of FF1 differ")
    yield Measurement("FF1, 9 digits: text to text", rows, watch.seconds, FASTFPE, "equal to fastfpe's")
    watch = Stopwatch()
    with watch.lap():
        cipher.encrypt(numbers)
    yield Measurement("FF1, 9 digits: integers", rows, watch.seconds, FASTFPE)


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
    return Measurement("Parquet files", rows, watch.seconds, FAKER, f"{size / rows:.0f} bytes a row")


def _files(bench: Bench) -> Measurement:
    watch = Stopwatch()
    with watch.lap():
        for shard in bench.plan.shards:
            for entity in bench.plan.entities:
                generate(bench, entity, shard)
    return Measurement("generate, mask, Parquet, digest", bench.plan.total_rows, watch.seconds, FAKER)
