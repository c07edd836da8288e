"""Parquet files of masked rows, one per entity and shard, in a local directory or an S3 bucket.

A file appears whole or not at all, and its footer says what it was made from, so that a load can refuse another's.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from seed_pipelines.errors import ParquetMismatch, StorageUnavailable

_FOOTER_KEY: Final = b"seed_pipelines"
_BATCH_ROWS: Final = 65_536
_PROBE_BYTES: Final = 1 << 20
_OVER_THE_NETWORK: Final[Mapping[str, Any]] = {"compression": "zstd", "compression_level": 1}
_ON_DISK: Final[Mapping[str, Any]] = {"compression": "none"}
"""Compressing saves some 150 MB for each second that it takes, less than a disk writes and more than a network carries."""
_PART_BYTES: Final = 10 << 20


@dataclass(frozen=True)
class RowFileKey:
    """Which file: `<environment>/<tenant>/<profile>/<entity>/<shard>.parquet`."""

    environment: str
    tenant: str
    profile: str
    entity: str
    shard: str

    @property
    def path(self) -> str:
        """The path below the store's root."""
        return f"{self.environment}/{self.tenant}/{self.profile}/{self.entity}/{self.shard}.parquet"


@dataclass(frozen=True)
class Provenance:
    """What the rows of a file were made from."""

    manifest_hash: str
    generator_version: str
    key_fingerprint: str
    first_customer: int
    end_customer: int


@dataclass(frozen=True)
class RowFile:
    """A file that was written or found."""

    uri: str
    rows: int
    size_bytes: int
    provenance: Provenance
    leaves: tuple[str, ...]
    """Digests of the blocks of rows, as computed while they were generated."""


class RowFileStore:
    """Row files below one root."""

    def __init__(self, root: str, *, endpoint_url: str | None = None) -> None:
        """`root` is a directory or `s3://bucket/prefix`; credentials come from the usual AWS places."""
        self._scheme, self._root = ("s3://", root[len("s3://") :]) if root.startswith("s3://") else ("", root)
        self._compression = _OVER_THE_NETWORK if self._scheme else _ON_DISK
        self._endpoint_url = endpoint_url
        self._filesystem: fs.FileSystem | None = None

    def write(
        self,
        key: RowFileKey,
        schema: pa.Schema,
        dictionary: list[str],
        batches: Iterable[pa.RecordBatch],
        provenance: Provenance,
        leaves: Callable[[], tuple[str, ...]],
    ) -> RowFile:
        """Store the batches under a key, replacing what was there; `leaves` is asked once all batches are taken."""
        content = pa.BufferOutputStream()
        options = {**self._compression, "use_dictionary": dictionary}
        with pq.ParquetWriter(content, schema, write_statistics=schema.names[:1], **options) as out:
            rows = 0
            for batch in batches:
                out.write_batch(batch)
                rows += batch.num_rows
            digests = leaves()
            footer = {"provenance": asdict(provenance), "leaves": digests}
            out.add_key_value_metadata({_FOOTER_KEY: json.dumps(footer)})
        buffer = content.getvalue()
        with self._translated(key):
            self._put(self._path(key), buffer)
        return RowFile(self.uri(key), rows, buffer.size, provenance, digests)

    def describe(self, key: RowFileKey) -> RowFile:
        """What is stored under a key; ParquetMismatch if there is nothing or something else."""
        with self._translated(key), self._opened(key) as source:
            parquet = pq.ParquetFile(source)
            footer = (parquet.metadata.metadata or {}).get(_FOOTER_KEY)
            if footer is None:
                raise ParquetMismatch(
                    f"{self.uri(key)} was not written by this program: materialize {key.entity} again."
                )
            facts: dict[str, Any] = json.loads(footer)
            size = self.filesystem.get_file_info(self._path(key)).size
            provenance = Provenance(**facts["provenance"])
            return RowFile(self.uri(key), parquet.metadata.num_rows, size, provenance, tuple(facts["leaves"]))

    def read(self, key: RowFileKey, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The rows of a file, in batches of bounded size; no more than a row group is in memory."""
        with self._translated(key), self._opened(key) as source:
            parquet = pq.ParquetFile(source)
            for group in range(
                parquet.num_row_groups
            ):  # asked for at once, all groups are fetched before the first batch
                for batch in parquet.iter_batches(_BATCH_ROWS, row_groups=[group], use_threads=False):
                    yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)

    def delete_dataset(self, environment: str, tenant: str, profile: str) -> None:
        """Remove every file of a dataset; no error if there is none."""
        path = f"{self._root}/{environment}/{tenant}/{profile}"
        try:
            if self.filesystem.get_file_info(path).type == fs.FileType.Directory:
                self.filesystem.delete_dir(path)
        except OSError as error:
            raise StorageUnavailable(f"{self._scheme}{path}: {error}") from error

    def write_requests(self, size_bytes: int) -> int:
        """Requests to the bucket that storing a file of so many bytes makes; none in a directory.

        Arrow stores every file as a multipart upload: one request to begin it, one for each 10 MiB, one to end it.
        """
        return 2 + max(1, -(-size_bytes // _PART_BYTES)) if self._scheme else 0

    def uri(self, key: RowFileKey) -> str:
        """Where a file is, for people."""
        return self._scheme + self._path(key)

    @property
    def filesystem(self) -> fs.FileSystem:
        """The file system of the root, connected at first use."""
        if self._filesystem is None:
            self._filesystem = self._connect()
        return self._filesystem

    def _connect(self) -> fs.FileSystem:
        if not self._scheme:
            return fs.LocalFileSystem()
        options = {"endpoint_override": self._endpoint_url} if self._endpoint_url else {}
        return fs.S3FileSystem(connect_timeout=5, request_timeout=30, **options)

    def _put(self, path: str, content: pa.Buffer) -> None:
        if self._scheme:
            with self.filesystem.open_output_stream(path) as out:
                out.write(content)
            return
        self.filesystem.create_dir(path.rpartition("/")[0])
        partial = f"{path}.partial"
        try:
            with self.filesystem.open_output_stream(partial) as out:
                out.write(content)
            self.filesystem.move(partial, path)
        except OSError:
            Path(partial).unlink(missing_ok=True)
            raise

    def _path(self, key: RowFileKey) -> str:
        return f"{self._root}/{key.path}"

    @contextmanager
    def _opened(self, key: RowFileKey) -> Iterator[pa.NativeFile]:
        """A stored file to read from; pyarrow says OSError also of pages that it cannot make sense of."""
        with self.filesystem.open_input_file(self._path(key)) as source:
            try:
                yield source
            except OSError as error:
                if self._bytes_can_be_read(key):
                    raise pa.ArrowInvalid(str(error)) from error
                raise

    def _bytes_can_be_read(self, key: RowFileKey) -> bool:
        try:
            with self.filesystem.open_input_file(self._path(key)) as source:
                while source.read(_PROBE_BYTES):
                    pass
        except OSError:
            return False
        return True

    @contextmanager
    def _translated(self, key: RowFileKey) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise ParquetMismatch(f"{self.uri(key)} does not exist: materialize {key.entity} first.") from error
        except (pa.ArrowInvalid, KeyError, TypeError, json.JSONDecodeError) as error:
            raise ParquetMismatch(f"{self.uri(key)} is damaged: materialize {key.entity} again.") from error
        except OSError as error:
            raise StorageUnavailable(f"{self.uri(key)}: {error}") from error
