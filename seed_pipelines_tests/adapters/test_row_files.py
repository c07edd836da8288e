"""Parquet files of rows in a local directory."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from seed_pipelines.adapters.row_files import Provenance, RowFileKey, RowFileStore
from seed_pipelines.errors import ParquetMismatch, StorageUnavailable
from seed_pipelines_tests.fakes.bucket import forgetful_bucket

KEY = RowFileKey("staging", "tenant-a", "default", "customers", "0000")
SCHEMA = pa.schema([pa.field("id", pa.binary(2), nullable=False), pa.field("status", pa.string(), nullable=False)])
MADE_FROM = Provenance("a" * 64, "1+x", "f" * 64, 0, 2)


def rows(first: str = "ACTIVE") -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [pa.array([b"aa", b"bb"], pa.binary(2)), pa.array([first, "BLOCKED"])], schema=SCHEMA
    )


@pytest.fixture
def store(tmp_path: Path) -> RowFileStore:
    return RowFileStore(str(tmp_path))


def write(store: RowFileStore, batch: pa.RecordBatch | None = None) -> None:
    store.write(KEY, SCHEMA, ["status"], [batch or rows()], MADE_FROM, lambda: ("00", "11"))


def test_what_was_written_is_read_and_described(store: RowFileStore, tmp_path: Path) -> None:
    write(store)
    assert pa.Table.from_batches(store.read(KEY, SCHEMA)) == pa.Table.from_batches([rows()])
    found = store.describe(KEY)
    assert (found.rows, found.provenance, found.leaves) == (2, MADE_FROM, ("00", "11"))
    assert Path(found.uri) == tmp_path / KEY.path
    assert found.size_bytes == (tmp_path / KEY.path).stat().st_size


def test_only_what_crosses_a_network_is_compressed(store: RowFileStore, tmp_path: Path) -> None:
    """Files of a directory hold their values as they are, those of a bucket are zstd."""
    write(store)
    bucket = RowFileStore("s3://bucket")
    bucket._filesystem = fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem())
    (tmp_path / "bucket" / KEY.path).parent.mkdir(parents=True)
    write(bucket)
    codecs = [
        pq.ParquetFile(tmp_path / path).metadata.row_group(0).column(0).compression
        for path in (KEY.path, f"bucket/{KEY.path}")
    ]
    assert codecs == ["UNCOMPRESSED", "ZSTD"]
    assert pa.Table.from_batches(bucket.read(KEY, SCHEMA)) == pa.Table.from_batches([rows()])


def test_a_large_file_is_read_piece_by_piece(store: RowFileStore) -> None:
    schema, random = pa.schema([pa.field("id", pa.binary(16), nullable=False)]), np.random.default_rng(1)
    batches = [pa.RecordBatch.from_arrays([noise(random, 20_000)], schema=schema) for _ in range(20)]
    file = store.write(KEY, schema, [], batches, MADE_FROM, tuple)
    before = pa.total_allocated_bytes()
    held = [(batch.num_rows, pa.total_allocated_bytes() - before) for batch in store.read(KEY, schema)]
    assert sum(rows for rows, _ in held) == 400_000
    assert max(allocated for _, allocated in held) < file.size_bytes / 4


def noise(random: np.random.Generator, rows: int) -> pa.FixedSizeBinaryArray:
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), rows, [None, pa.py_buffer(random.bytes(16 * rows))])


def test_the_same_rows_give_the_same_bytes(store: RowFileStore, tmp_path: Path) -> None:
    write(store)
    first = (tmp_path / KEY.path).read_bytes()
    write(store)
    assert (tmp_path / KEY.path).read_bytes() == first


def test_only_columns_of_few_values_have_a_dictionary(store: RowFileStore, tmp_path: Path) -> None:
    write(store)
    group = pq.ParquetFile(tmp_path / KEY.path).metadata.row_group(0)
    assert "RLE_DICTIONARY" not in group.column(0).encodings
    assert "RLE_DICTIONARY" in group.column(1).encodings


def test_a_source_that_fails_leaves_the_old_file(store: RowFileStore) -> None:
    write(store)

    def failing() -> "list[pa.RecordBatch]":
        raise RuntimeError("half-way")

    with pytest.raises(RuntimeError):
        store.write(KEY, SCHEMA, [], (batch for batch in failing()), MADE_FROM, tuple)
    assert pa.Table.from_batches(store.read(KEY, SCHEMA)) == pa.Table.from_batches([rows()])


def test_an_absent_file_says_what_to_materialize(store: RowFileStore) -> None:
    with pytest.raises(ParquetMismatch, match="materialize customers first"):
        store.describe(KEY)


def test_a_file_of_somebody_else_is_refused(store: RowFileStore, tmp_path: Path) -> None:
    (tmp_path / KEY.path).parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_batches([rows()]), tmp_path / KEY.path)
    with pytest.raises(ParquetMismatch, match="not written by this program"):
        store.describe(KEY)


def test_a_truncated_file_is_refused(store: RowFileStore, tmp_path: Path) -> None:
    write(store)
    path = tmp_path / KEY.path
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ParquetMismatch, match="damaged"):
        store.describe(KEY)


def test_a_directory_that_cannot_be_written_is_unavailable_storage(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(StorageUnavailable, match="customers"):
        write(RowFileStore(str(blocked)))


def test_deleting_a_dataset_takes_its_files_and_no_others(store: RowFileStore) -> None:
    write(store)
    other = RowFileKey("staging", "tenant-a", "smoke", "customers", "0000")
    store.write(other, SCHEMA, [], [rows()], MADE_FROM, tuple)
    store.delete_dataset("staging", "tenant-a", "default")
    store.delete_dataset("staging", "tenant-a", "default")
    assert store.describe(other).rows == 2
    with pytest.raises(ParquetMismatch):
        store.describe(KEY)


def test_uris_say_where_a_file_is() -> None:
    assert RowFileStore("s3://bucket/prefix").uri(KEY) == f"s3://bucket/prefix/{KEY.path}"


@pytest.mark.parametrize("megabytes", [0, 11])
def test_requests_to_a_bucket_are_counted_as_they_are_made(megabytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that a small file takes, and one of several parts; a directory takes none."""
    for name, value in {"ACCESS_KEY_ID": "none", "SECRET_ACCESS_KEY": "none", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    schema, random = pa.schema([pa.field("id", pa.binary(16), nullable=False)]), np.random.default_rng(1)
    batch = pa.RecordBatch.from_arrays([noise(random, 1 + megabytes * 65_536)], schema=schema)
    with forgetful_bucket() as bucket:
        store = RowFileStore("s3://bucket/prefix", endpoint_url=bucket.endpoint_url)
        file = store.write(KEY, schema, [], [batch], MADE_FROM, tuple)
        assert len(bucket.requests) == store.write_requests(file.size_bytes) == (4 if megabytes else 3)
    assert RowFileStore("directory").write_requests(file.size_bytes) == 0
