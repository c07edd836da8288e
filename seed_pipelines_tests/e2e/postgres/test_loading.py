"""A shard is loaded whole, in place of the old one, and reads back as it was."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

import pyarrow as pa
import pytest

from seed_pipelines.adapters.postgres.checkpoints import CheckpointStore
from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.entity_table import EntityTable
from seed_pipelines.adapters.postgres.leases import Lease, LeaseStore
from seed_pipelines.adapters.postgres.loading import LoadedShard, TableLoad, load_shard, purge_dataset
from seed_pipelines.adapters.postgres.readback import counts, duplicates, orphans, read_rows
from seed_pipelines.errors import DatabaseUnavailable, DatasetInUse, LeaseLost, ParquetMismatch, TargetMismatch
from seed_pipelines_tests.e2e.conftest import EMPTY_EVERYTHING
from seed_pipelines_tests.e2e.postgres.conftest import ENVIRONMENT, TENANT_A, TENANT_B, Server, checkpoint
from seed_pipelines_tests.e2e.postgres.rows import (
    BANK_ACCOUNTS,
    CUSTOMERS,
    END,
    LOW,
    REMOVAL,
    TABLES,
    Rows,
    generated,
    no_files,
)

pytestmark = pytest.mark.e2e


def load(
    database: Database, lease: Lease, rows: Rows, tables: Sequence[TableLoad] | None = None, **options: float
) -> LoadedShard:
    """Load rows as the only shard of the dataset."""
    return load_shard(
        database,
        lease.tenant_id,
        lease=lease,
        checkpoint=checkpoint(lease, rows),
        tables=rows.loads() if tables is None else tables,
        **options,
    )


def purge(database: Database, lease: Lease, remove_files: Callable[[], None] = no_files) -> Mapping[str, int]:
    """Remove the dataset."""
    return purge_dataset(
        database,
        lease.tenant_id,
        lease=lease,
        removal=REMOVAL,
        ids=(LOW.bytes, END.bytes),
        entities=TABLES,
        remove_files=remove_files,
    )


def landed(database: Database, entity: EntityTable) -> pa.Table:
    """What tenant-a holds of an entity."""
    return pa.Table.from_batches(read_rows(database, TENANT_A.tenant_id, entity, LOW, END), entity.schema)


def test_rows_read_back_as_they_were_loaded(data: Database, lease: Lease) -> None:
    """Every column comes back with the same bytes, over several pages."""
    rows = generated(70_000)
    loaded = load(data, lease, rows)
    assert loaded.rows == {"customers": 70_000, "bank_accounts": 70_000}
    assert loaded.replaced == {"customers": 0, "bank_accounts": 0}
    for entity in TABLES:
        assert landed(data, entity).combine_chunks().equals(rows.table(entity).combine_chunks())


def test_rows_may_come_in_any_order(data: Database, lease: Lease) -> None:
    """Id order makes a load faster, and nothing else."""
    rows = generated(3_000)
    disordered = rows.customers.to_batches(max_chunksize=700)[::-1]
    load(data, lease, rows, rows.with_batches(customers=disordered))
    assert landed(data, CUSTOMERS).combine_chunks().equals(rows.customers.combine_chunks())


def test_a_second_load_leaves_the_same_rows_once(data: Database, lease: Lease) -> None:
    """Loading again replaces; the checkpoint is replaced with it."""
    rows = generated(300)
    load(data, lease, rows)
    assert load(data, lease, rows).replaced == {"customers": 300, "bank_accounts": 300}
    assert landed(data, CUSTOMERS).equals(rows.customers)
    (known,) = CheckpointStore(data).of(TENANT_A.tenant_id, ENVIRONMENT)
    expected = checkpoint(lease, rows)
    assert (known.rows, known.leaves, known.fencing_token) == (expected.rows, expected.leaves, lease.token)
    assert known.loaded_at is not None


def test_a_smaller_dataset_leaves_nothing_behind(data: Database, lease: Lease) -> None:
    """Rows of the range that the new shard lacks are gone."""
    load(data, lease, generated(300))
    load(data, lease, generated(10))
    assert counts(data, TENANT_A.tenant_id, TABLES, LOW, END) == {"customers": 10, "bank_accounts": 10}


def test_a_failing_second_entity_leaves_the_old_rows(data: Database, lease: Lease) -> None:
    """An exception while the accounts are copied rolls back the customers too."""
    old = generated(100)
    load(data, lease, old)
    new = generated(100, salt=1)

    def damaged() -> Iterator[pa.RecordBatch]:
        yield new.bank_accounts.to_batches()[0]
        raise ParquetMismatch("damaged")

    with pytest.raises(ParquetMismatch, match="damaged"):
        load(data, lease, new, new.with_batches(bank_accounts=damaged()))
    assert landed(data, CUSTOMERS).equals(old.customers)
    assert landed(data, BANK_ACCOUNTS).equals(old.bank_accounts)


def test_a_killed_connection_leaves_the_old_rows(stack: Server, data: Database, lease: Lease) -> None:
    """pg_terminate_backend in the middle of the load: the old data, and DatabaseUnavailable."""
    old = generated(100)
    load(data, lease, old)
    new = generated(100, salt=1)

    def killed() -> Iterator[pa.RecordBatch]:
        yield new.bank_accounts.to_batches()[0]
        with stack.superuser() as connection:
            found = connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'seed_app'"
            ).fetchall()
        assert (True,) in found
        yield new.bank_accounts.to_batches()[0]

    with pytest.raises(DatabaseUnavailable):
        load(data, lease, new, new.with_batches(bank_accounts=killed()))
    assert landed(data, CUSTOMERS).equals(old.customers)
    assert landed(data, BANK_ACCOUNTS).equals(old.bank_accounts)


def test_a_load_past_its_time_is_ended_by_the_server(data: Database, lease: Lease) -> None:
    """The transaction's timeout is the server's own: it strikes as soon as the writer goes on."""
    rows = generated(10)

    def slow() -> Iterator[pa.RecordBatch]:
        yield from rows.customers.to_batches()
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            pass

    with pytest.raises(DatabaseUnavailable):
        load(data, lease, rows, rows.with_batches(customers=slow()), timeout_seconds=0.3)
    assert counts(data, TENANT_A.tenant_id, TABLES, LOW, END) == {"customers": 0, "bank_accounts": 0}


def test_rows_of_others_survive(stack: Server, data: Database, lease: Lease) -> None:
    """Another tenant's rows and the application's own rows in the same id range stay."""
    own, other = generated(20, first=5_000, version=4, salt=2), generated(20, salt=3)
    with stack.superuser() as connection:
        for tenant_id, rows in ((TENANT_A.tenant_id, own), (TENANT_B.tenant_id, other)):
            for row in rows.customers.to_pylist():
                values = {**row, "id": str(row["id"].hex()), "tenant_id": tenant_id}
                names = ", ".join(values)
                marks = ", ".join(f"%({name})s" for name in values)
                connection.execute(f"INSERT INTO banking.customer ({names}) VALUES ({marks})".encode(), values)  # noqa: S608 - the names are the schema's
    load(data, lease, generated(10))
    purge(data, lease)
    with stack.superuser() as connection:
        found = connection.execute("SELECT tenant_id, count(*) FROM banking.customer GROUP BY tenant_id").fetchall()
    assert set(found) == {(TENANT_A.tenant_id, 20), (TENANT_B.tenant_id, 20)}
    assert CheckpointStore(data).of(TENANT_A.tenant_id, ENVIRONMENT) == ()


def test_application_rows_that_refer_to_seeded_ones_stop_the_load(stack: Server, data: Database, lease: Lease) -> None:
    """The table that holds them is named, and the old rows stay."""
    old = generated(10)
    load(data, lease, old)
    with stack.superuser() as connection:
        connection.execute(
            "INSERT INTO banking.bank_account SELECT tenant_id, gen_random_uuid(), customer_id, '9999',"
            " branch_check_digit, account_number, account_check_digit, account_type, status, balance, opened_at"
            " FROM banking.bank_account LIMIT 1"
        )
    with pytest.raises(DatasetInUse, match=r"banking\.bank_account") as caught:
        load(data, lease, generated(10))
    assert caught.value.extensions == {"table": "banking.bank_account", "constraint": "bank_account_customer_fkey"}
    assert landed(data, CUSTOMERS).equals(old.customers)


def test_a_deferred_reference_stops_the_load_too(stack: Server, data: Database, lease: Lease) -> None:
    """A foreign key that is checked at the end of the transaction is answered like any other."""
    old = generated(10)
    load(data, lease, old)
    with stack.superuser() as connection:
        connection.execute(
            "CREATE TABLE banking.note AS SELECT tenant_id, id AS customer_id FROM banking.customer"
            " WHERE document_number = '00000000009';"
            " ALTER TABLE banking.note ADD FOREIGN KEY (tenant_id, customer_id) REFERENCES banking.customer"
            " DEFERRABLE INITIALLY DEFERRED"
        )
    try:
        assert load(data, lease, old).replaced["customers"] == 10
        with pytest.raises(DatasetInUse, match=r"banking\.note"):
            load(data, lease, generated(5))
    finally:
        with stack.superuser() as connection:
            connection.execute("DROP TABLE banking.note")
    assert landed(data, CUSTOMERS).equals(old.customers)


def test_a_purge_needs_the_lease(leases: LeaseStore, data: Database, lease: Lease) -> None:
    """Whoever lost the lease deletes nothing."""
    load(data, lease, generated(10))
    leases.release(lease)
    with pytest.raises(LeaseLost):
        purge(data, lease)
    assert counts(data, TENANT_A.tenant_id, TABLES, LOW, END) == {"customers": 10, "bank_accounts": 10}


def test_a_value_taken_by_an_application_row_is_named_without_the_value(
    stack: Server, data: Database, lease: Lease
) -> None:
    """TargetMismatch names the constraint and the table, and quotes nothing of the row."""
    load(data, lease, generated(10))
    with stack.superuser() as connection:
        connection.execute(
            "INSERT INTO banking.customer SELECT tenant_id, gen_random_uuid(), '00010000003', full_name, gender,"
            " birth_date, 'own@example.com', phone, status, monthly_income, registered_at"
            " FROM banking.customer LIMIT 1"
        )
    with pytest.raises(TargetMismatch) as caught:
        load(data, lease, generated(10, salt=1))
    assert caught.value.extensions == {"table": "banking.customer", "constraint": "customer_document_number_key"}
    assert "00010000003" not in caught.value.detail
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_rows_outside_the_shard_or_other_than_planned_are_refused(data: Database, lease: Lease) -> None:
    """An id of another dataset, an id of another version, or a row too few changes nothing."""
    for rows in (generated(10, tag=7), generated(10, version=4)):
        with pytest.raises(ParquetMismatch, match="10 of them"):
            load(data, lease, rows)
    rows = generated(10)
    with pytest.raises(ParquetMismatch, match="9 rows were read where 10 were planned"):
        load(data, lease, rows, rows.with_batches(customers=rows.customers.slice(1).to_batches()))
    assert counts(data, TENANT_A.tenant_id, TABLES, LOW, END) == {"customers": 0, "bank_accounts": 0}


def test_shards_are_independent(data: Database, lease: Lease) -> None:
    """A shard replaces its own id range and checkpoint, and no other's."""
    border = UUID(bytes=generated(1, first=4_096).customers.column("id")[0].as_py()[:8] + bytes(8))
    first, second = generated(20), generated(30, first=4_096)
    shards = {"0000": (first, LOW, border, 0, 4_096), "0001": (second, border, END, 4_096, None)}
    for key in ("0000", "0001", "0000"):
        rows, low, high, start, end = shards[key]
        known = replace(checkpoint(lease, rows), shard_key=key, first_customer=start, end_customer=end)
        load_shard(
            data,
            lease.tenant_id,
            lease=lease,
            checkpoint=known,
            tables=rows.loads(low, high),
        )
    assert (
        landed(data, CUSTOMERS).combine_chunks()
        == pa.concat_tables([first.customers, second.customers]).combine_chunks()
    )
    found = CheckpointStore(data).of(TENANT_A.tenant_id, ENVIRONMENT)
    assert [(known.shard_key, known.end_customer) for known in found] == [("0000", 4_096), ("0001", None)]


def test_duplicates_and_orphans_are_counted(stack: Server, data: Database, lease: Lease) -> None:
    """With the constraints dropped, broken rows show."""
    load(data, lease, generated(10))
    with stack.superuser() as connection:
        connection.execute("ALTER TABLE banking.customer DROP CONSTRAINT customer_document_number_key")
        connection.execute("ALTER TABLE banking.bank_account DROP CONSTRAINT bank_account_customer_fkey")
    try:
        with stack.superuser() as connection:
            connection.execute(
                "UPDATE banking.customer SET document_number = '00000000001' WHERE document_number = '00000000002'"
            )
            connection.execute("DELETE FROM banking.customer WHERE document_number = '00000000005'")
        tenant_id = TENANT_A.tenant_id
        assert duplicates(data, tenant_id, CUSTOMERS, ["document_number"], LOW, END) == 2
        assert duplicates(data, tenant_id, CUSTOMERS, ["email"], LOW, END) == 0
        assert orphans(data, tenant_id, BANK_ACCOUNTS, CUSTOMERS, "customer_id", LOW, END) == 1
    finally:
        with stack.superuser() as connection:
            connection.execute(EMPTY_EVERYTHING.encode())
            connection.execute(
                "ALTER TABLE banking.customer ADD CONSTRAINT customer_document_number_key UNIQUE (tenant_id, document_number)"
            )
            connection.execute(
                "ALTER TABLE banking.bank_account ADD CONSTRAINT bank_account_customer_fkey"
                " FOREIGN KEY (tenant_id, customer_id) REFERENCES banking.customer (tenant_id, id)"
            )


def test_loading_rate(data: Database, lease: Lease) -> None:
    """Print how long 100,000 rows take; the figure is information, not a promise."""
    rows = generated(50_000)
    started = time.perf_counter()
    load(data, lease, rows)
    loaded = time.perf_counter()
    read = sum(landed(data, entity).num_rows for entity in TABLES)
    finished = time.perf_counter()
    print(f"load {100_000 / (loaded - started):,.0f} rows/s, read back {read / (finished - loaded):,.0f} rows/s")
    assert read == 100_000
