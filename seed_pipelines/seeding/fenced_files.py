"""Row files as a seed run sees them: it reads all of them, and stores none once another run took over."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from seed_pipelines.adapters.row_files import Provenance, RowFile, RowFileKey
from seed_pipelines.seeding.target_database import RowFiles


@dataclass(frozen=True)
class FencedFiles:
    """Row files behind a fence."""

    files: RowFiles
    ensure_held: Callable[[], None]
    """LeaseLost where another run took over."""

    def write(
        self,
        key: RowFileKey,
        schema: pa.Schema,
        dictionary: list[str],
        batches: Iterable[pa.RecordBatch],
        provenance: Provenance,
        leaves: Callable[[], tuple[str, ...]],
    ) -> RowFile:
        """Store the batches under a key; LeaseLost, asked once all of them are taken, leaves what was there."""

        def leaves_if_held() -> tuple[str, ...]:
            self.ensure_held()
            return leaves()

        return self.files.write(key, schema, dictionary, batches, provenance, leaves_if_held)

    def describe(self, key: RowFileKey) -> RowFile:
        """What is stored under a key."""
        return self.files.describe(key)

    def read(self, key: RowFileKey, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The rows of a file."""
        return self.files.read(key, schema)

    def write_requests(self, size_bytes: int) -> int:
        """Requests that storing a file of so many bytes makes."""
        return self.files.write_requests(size_bytes)

    def delete_dataset(self, environment: str, tenant: str, profile: str) -> None:
        """Remove every file of a dataset."""
        self.files.delete_dataset(environment, tenant, profile)
