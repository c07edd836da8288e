"""Rows as their Parquet files have them, held against the digests that they were written with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa

from seed_pipelines.adapters.row_files import RowFile, RowFileKey
from seed_pipelines.domain.digest import BlockDigests
from seed_pipelines.domain.entities import Entity
from seed_pipelines.domain.plan import is_first_shard
from seed_pipelines.errors import ParquetMismatch
from seed_pipelines.seeding.target_database import RowFiles


@dataclass(frozen=True)
class StoredRows:
    """The rows of an entity in some shards of a dataset; none where those shards have no rows of it."""

    row_files: RowFiles
    entity: Entity
    files: tuple[tuple[RowFileKey, RowFile], ...]
    """In the order of the shards."""

    @classmethod
    def of(
        cls, row_files: RowFiles, entity: Entity, dataset: tuple[str, str, str], shard_keys: Sequence[str]
    ) -> "StoredRows":
        """The rows of the shards of a dataset (environment, tenant, profile).

        Raises ParquetMismatch where a file is absent or damaged, or the files were not made from one plan;
        StorageUnavailable.
        """
        wanted = [key for key in sorted(shard_keys) if is_first_shard(key) or not entity.of_tenant]
        keys = [RowFileKey(*dataset, entity.name, shard) for shard in wanted]
        files = tuple((key, row_files.describe(key)) for key in keys)
        for (_, one), (_, other) in pairwise(files):
            _refuse_mixture(entity, one, other)
        return cls(row_files, entity, files)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows in id order, in batches of bounded size; ParquetMismatch where they are not those that were written."""
        for key, file in self.files:
            yield from verified_rows(self.row_files, self.entity, key, file)


def verified_rows(row_files: RowFiles, entity: Entity, key: RowFileKey, file: RowFile) -> Iterator[pa.RecordBatch]:
    """The rows of a file, in batches of bounded size; ParquetMismatch at the end where others than those were written."""
    made = file.provenance
    digests = BlockDigests(entity.name, entity.schema, made.first_customer, made.end_customer)
    for batch in row_files.read(key, entity.schema):
        digests.add(batch)
        yield batch
    if digests.finish() != file.leaves:
        raise ParquetMismatch(
            f"{file.uri} does not hold the rows it was written with: materialize {entity.name} again."
        )


def _refuse_mixture(entity: Entity, one: RowFile, other: RowFile) -> None:
    first, second = one.provenance, other.provenance
    if (
        first.manifest_hash != second.manifest_hash
        or first.generator_version != second.generator_version
        or first.key_fingerprint != second.key_fingerprint
        or first.end_customer > second.first_customer
    ):
        raise ParquetMismatch(
            f"{one.uri} and {other.uri} were made from different manifests, or with another key, generator or shard "
            f"border: materialize {entity.name} again, in every partition."
        )
