"""Tables that cannot take the rows are refused before anything is loaded; the encoding is what the server expects."""

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import psycopg
import pyarrow as pa
import pytest
from psycopg import sql

from seed_pipelines.adapters.postgres.copy_binary import HEADER, TRAILER, column_type, encode
from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.packed_columns import packed, unpacked
from seed_pipelines.adapters.postgres.target import target_columns, verify_target
from seed_pipelines.errors import TargetMismatch
from seed_pipelines_tests.e2e.postgres.conftest import Server
from seed_pipelines_tests.e2e.postgres.rows import CUSTOMERS, TABLES
from seed_pipelines_tests.e2e.postgres.test_row_security import changed

pytestmark = pytest.mark.e2e

REFERRING = (
    "CREATE TABLE banking.note (tenant_id uuid, customer_id uuid,"
    " FOREIGN KEY (tenant_id, customer_id) REFERENCES banking.customer ON DELETE CASCADE)"
)


def test_the_reference_schema_fits(data: Database) -> None:
    """Nothing is amiss, and the columns are known."""
    verify_target(data, TABLES)
    columns = {column.name: column.type for column in target_columns(data, "banking.customer")}
    assert columns["monthly_income"] == "numeric(14,2)"
    assert target_columns(data, "banking.card") == ()


@pytest.mark.parametrize(
    ("forth", "back", "reason"),
    [
        (
            "ALTER TABLE banking.customer RENAME phone TO tel; ALTER TABLE banking.customer ALTER tel DROP NOT NULL",
            "ALTER TABLE banking.customer RENAME tel TO phone; ALTER TABLE banking.customer ALTER phone SET NOT NULL",
            "banking.customer has no column phone",
        ),
        (
            "ALTER TABLE banking.customer ALTER monthly_income TYPE numeric(10,2)",
            "ALTER TABLE banking.customer ALTER monthly_income TYPE numeric(14,2)",
            "banking.customer.monthly_income is numeric(10,2), not numeric(14,2)",
        ),
        (
            "ALTER TABLE banking.customer ADD risk text NOT NULL",
            "ALTER TABLE banking.customer DROP risk",
            "banking.customer.risk must be filled and has no default",
        ),
        (
            "REVOKE INSERT ON banking.customer FROM seed_loader",
            "GRANT INSERT ON banking.customer TO seed_loader",
            "banking.customer: the login lacks INSERT",
        ),
        (
            REFERRING,
            "DROP TABLE banking.note",
            "note_tenant_id_customer_id_fkey of banking.note would delete or change rows along with those of"
            " banking.customer",
        ),
        (
            "ALTER TABLE banking.customer RENAME TO person",
            "ALTER TABLE banking.person RENAME TO customer",
            "banking.customer does not exist",
        ),
    ],
)
def test_each_mismatch_is_named(stack: Server, data: Database, forth: str, back: str, reason: str) -> None:
    """One change of the table, one reason."""
    with changed(stack, forth, back), pytest.raises(TargetMismatch) as caught:
        verify_target(data, [CUSTOMERS])
    assert caught.value.extensions["mismatches"] == [reason]


def test_columns_that_need_no_value_are_no_mismatch(stack: Server, data: Database) -> None:
    """Defaults, generated columns, wider numbers and bounded texts are the target's own affair."""
    with changed(
        stack,
        "ALTER TABLE banking.customer ADD risk text NOT NULL DEFAULT 'low',"
        " ADD shout text GENERATED ALWAYS AS (upper(full_name)) STORED,"
        " ALTER monthly_income TYPE numeric(20,2), ALTER full_name TYPE varchar(120)",
        "ALTER TABLE banking.customer DROP risk, DROP shout,"
        " ALTER monthly_income TYPE numeric(14,2), ALTER full_name TYPE text",
    ):
        verify_target(data, TABLES)


VALUES = {
    pa.binary(16): UUID(int=7).bytes,
    pa.string(): "São João\n\t\\N",
    pa.date32(): date(1950, 2, 28),
    pa.timestamp("us", "UTC"): datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    pa.decimal128(16, 2): Decimal("-99999999999999.99"),
    pa.int64(): -(2**63),
    pa.int32(): 2**31 - 1,
    pa.int16(): -1,
    pa.bool_(): True,
}


def test_every_type_survives_the_way_there_and_back(stack: Server) -> None:
    """Values and nulls of each type, copied in binary and packed out again; the server reads what psycopg writes."""
    fields = [pa.field(f"c{number}", kind) for number, kind in enumerate(VALUES)]
    columns = [pa.array([value, None, value], kind) for kind, value in VALUES.items()]
    batch = pa.record_batch(columns, schema=pa.schema(fields))
    definitions = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(field.name), sql.SQL(column_type(field.type))) for field in fields
    )
    with psycopg.connect(stack.url("seed_app")) as connection:
        connection.execute("SET TIME ZONE 'America/Sao_Paulo'")
        connection.execute(sql.SQL("CREATE TEMPORARY TABLE ours ({})").format(definitions))
        connection.execute(sql.SQL("CREATE TEMPORARY TABLE theirs ({})").format(definitions))
        with connection.cursor().copy("COPY ours FROM STDIN (FORMAT binary)") as copy:
            for part in (HEADER, encode(batch), TRAILER):
                copy.write(part)
        with connection.cursor().copy("COPY theirs FROM STDIN (FORMAT binary)") as copy:
            copy.set_types([column_type(field.type) for field in fields])
            for row in zip(*(column.to_pylist() for column in columns), strict=True):
                copy.write_row([_python(value) for value in row])
        different = "SELECT count(*) FROM (TABLE ours EXCEPT ALL TABLE theirs) AS x"
        assert connection.execute(different).fetchone() == (0,)
        money = sql.SQL("SELECT c0, c1, c2, c3, c4 * 0.01 AS c4, c5, c6, c7, c8 FROM ours")
        query = sql.SQL("SELECT {} FROM ({}) AS page").format(
            sql.SQL(", ").join(aggregate for field in fields for aggregate in packed(field)), money
        )
        found = connection.execute(query, binary=True).fetchone()
    assert found is not None
    values = iter(found)
    assert [unpacked(field, 3, values) for field in fields] == columns


def test_a_null_where_none_may_be_is_refused(stack: Server) -> None:
    """A column that was declared without nulls is not read back with a value made up for one."""
    field = pa.field("c0", pa.int32(), nullable=False)
    query = sql.SQL("SELECT {} FROM (VALUES (1), (NULL)) AS page (c0)").format(sql.SQL(", ").join(packed(field)))
    with psycopg.connect(stack.url("seed_app")) as connection:
        found = connection.execute(query, binary=True).fetchone()
    assert found is not None
    with pytest.raises(TargetMismatch, match="c0"):
        unpacked(field, 2, iter(found))


def _python(value: object) -> object:
    if isinstance(value, bytes):
        return UUID(bytes=value)
    return int(value * 100) if isinstance(value, Decimal) else value
