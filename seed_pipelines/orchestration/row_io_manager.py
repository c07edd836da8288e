"""Gives the rows of a seeded entity to other people's assets: as a table, a stream or a data frame."""

from collections.abc import Iterator
from logging import Logger
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
import pyarrow as pa

from seed_pipelines.adapters.row_files import RowFileStore
from seed_pipelines.domain.entities import BY_NAME
from seed_pipelines.domain.ids import uuid_texts
from seed_pipelines.errors import DependencyUnavailable, RequestInvalid, SeedError
from seed_pipelines.orchestration.settings import Settings
from seed_pipelines.orchestration.steps import failure
from seed_pipelines.seeding.stored_rows import StoredRows

if TYPE_CHECKING:
    import pandas as pd

SEEDED_ROWS: Final = "seeded_rows"
"""The key of the resource."""

_KEY_PARTS: Final = 4


class SeededRowsIOManager(dg.ConfigurableIOManager):
    """Reads the Parquet files of the asset [environment, tenant, profile, entity], for the partitions of the input.

    The annotation of the input chooses what it gets, in the order of the ids:

    - `pyarrow.Table`: the rows as they are stored; ids are 16 bytes.
    - `pyarrow.RecordBatchReader`: the same, in batches of at most 65,536 rows that are read when asked for.
    - `pandas.DataFrame`: every column keeps its Arrow type (`pandas.ArrowDtype`), so that money stays decimal, dates are
      dates and nulls are nulls; ids are UUIDs as text.

    An entity of the tenant has its rows in the first partition; the others have none. It only reads. Failures carry
    Problem Details; those of a storage that is away may be retried.
    """

    data_url: str
    """Directory or `s3://bucket/prefix` of the Parquet files."""
    s3_endpoint_url: str | None = None
    """S3 server other than AWS."""

    @classmethod
    def of(cls, settings: Settings) -> "SeededRowsIOManager":
        """A manager that reads where the settings say the files are."""
        return cls(data_url=settings.data_url, s3_endpoint_url=settings.s3_endpoint_url)

    def load_input(self, context: dg.InputContext) -> Any:
        """The rows of the input."""
        try:
            return _typed(context, self._stored_rows(context))
        except SeedError as error:
            raise _failure(context.log, error) from error

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Refuse: the files belong to the seeding assets."""
        del obj
        error = RequestInvalid(f"{SEEDED_ROWS} only reads: give the output {context.name} another io_manager_key.")
        raise _failure(context.log, error)

    def _stored_rows(self, context: dg.InputContext) -> StoredRows:
        path = context.asset_key.path if context.has_asset_key else ()
        if len(path) != _KEY_PARTS or path[-1] not in BY_NAME:
            raise RequestInvalid(
                f"The input {context.name} is {'/'.join(path) or 'no asset'}: {SEEDED_ROWS} reads assets with the key "
                f"[environment, tenant, profile, entity], where the entity is {' or '.join(BY_NAME)}."
            )
        if not context.has_asset_partitions:
            raise RequestInvalid(
                f"{'/'.join(path)} has no partitions here: describe it by an asset spec whose partitions are its shards."
            )
        environment, tenant, profile, entity = path
        store = RowFileStore(self.data_url, endpoint_url=self.s3_endpoint_url)
        return StoredRows.of(store, BY_NAME[entity], (environment, tenant, profile), list(context.asset_partition_keys))


def _typed(context: dg.InputContext, rows: StoredRows) -> "pa.Table | pa.RecordBatchReader | pd.DataFrame":
    wanted, schema = context.dagster_type.typing_type, rows.entity.schema
    if wanted is pa.Table:
        return pa.Table.from_batches(rows.batches(), schema)
    if wanted is pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(schema, _failing_well(context.log, rows))
    import pandas as pd  # noqa: PLC0415  # half a second, for those alone who ask for it

    if wanted is pd.DataFrame:
        table = pa.Table.from_batches(map(_with_text_ids, rows.batches()), _text_ids(schema))
        return table.to_pandas(types_mapper=pd.ArrowDtype)
    raise RequestInvalid(
        f"The input {context.name} is annotated with {wanted}: {SEEDED_ROWS} gives a pandas.DataFrame, a pyarrow.Table "
        "or a pyarrow.RecordBatchReader."
    )


def _failing_well(log: Logger, rows: StoredRows) -> Iterator[pa.RecordBatch]:
    """The batches; what goes wrong on the way is a failure of the step that takes them."""
    try:
        yield from rows.batches()
    except SeedError as error:
        raise _failure(log, error) from error


def _failure(log: Logger, error: SeedError) -> dg.Failure:
    return failure(log, error, allow_retries=isinstance(error, DependencyUnavailable))


def _with_text_ids(rows: pa.RecordBatch) -> pa.RecordBatch:
    schema = _text_ids(rows.schema)
    columns = [uuid_texts(column) if _is_id(column.type) else column for column in rows.columns]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _text_ids(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field.with_type(pa.string()) if _is_id(field.type) else field for field in schema])


def _is_id(kind: pa.DataType) -> bool:
    return bool(kind == pa.binary(16))
