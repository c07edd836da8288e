"""A target whose tables are partitioned by tenant is loaded, loaded again and read back like any other."""

from collections.abc import Iterator

import pytest
from psycopg import sql

from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.leases import Lease
from seed_pipelines.adapters.postgres.readback import counts, duplicates, orphans
from seed_pipelines.adapters.postgres.row_security import verify_row_security
from seed_pipelines.adapters.postgres.target import verify_target
from seed_pipelines.errors import DatasetInUse, TargetMismatch
from seed_pipelines_tests.e2e.postgres.conftest import TENANT_A, TENANT_B, Server
from seed_pipelines_tests.e2e.postgres.rows import BANK_ACCOUNTS, CUSTOMERS, END, LOW, TABLES, generated
from seed_pipelines_tests.e2e.postgres.test_loading import landed, load, purge

pytestmark = pytest.mark.e2e

_PARENT = """
ALTER TABLE banking.{table} RENAME TO {plain};
CREATE TABLE banking.{table} (LIKE banking.{plain} INCLUDING ALL) PARTITION BY LIST (tenant_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON banking.{table} TO seed_loader;
CREATE TABLE banking.{leaf_a} PARTITION OF banking.{table} FOR VALUES IN ({a});
CREATE TABLE banking.{leaf_b} PARTITION OF banking.{table} FOR VALUES IN ({b});
"""
_SECURITY = """
ALTER TABLE banking.{relation} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON banking.{relation} TO seed_loader
    USING (tenant_id = (SELECT seed.current_tenant())) WITH CHECK (tenant_id = (SELECT seed.current_tenant()));
"""
_FOREIGN_KEY = """
ALTER TABLE banking.bank_account ADD CONSTRAINT bank_account_customer_fkey
    FOREIGN KEY (tenant_id, customer_id) REFERENCES banking.customer (tenant_id, id)
"""
_RESTORE = """
DROP TABLE banking.bank_account, banking.customer;
ALTER TABLE banking.plain_customer RENAME TO customer;
ALTER TABLE banking.plain_bank_account RENAME TO bank_account;
"""


@pytest.fixture
def partitioned(stack: Server) -> Iterator[Server]:
    """Both tables partitioned by tenant, with their keys, checks and policies, and a leaf for each of two tenants."""
    with stack.superuser() as connection, connection.transaction():
        connection.execute("SET LOCAL ROLE seed_owner")
        for table in ("customer", "bank_account"):
            names = {
                name: sql.Identifier(text)
                for name, text in {
                    "table": table,
                    "plain": f"plain_{table}",
                    "leaf_a": f"{table}_a",
                    "leaf_b": f"{table}_b",
                }.items()
            }
            tenants = {"a": sql.Literal(TENANT_A.tenant_id), "b": sql.Literal(TENANT_B.tenant_id)}
            connection.execute(sql.SQL(_PARENT).format(**names, **tenants))
            for relation in ("table", "leaf_a", "leaf_b"):
                connection.execute(sql.SQL(_SECURITY).format(relation=names[relation]))
        connection.execute(_FOREIGN_KEY)
    yield stack
    with stack.superuser() as connection:
        connection.execute(_RESTORE)


def leaves(server: Server) -> set[tuple[object, ...]]:
    """Each leaf that has rows, and how many."""
    with server.superuser() as connection:
        found = connection.execute(
            "SELECT tableoid::regclass::text, count(*) FROM banking.customer GROUP BY 1"
            " UNION ALL SELECT tableoid::regclass::text, count(*) FROM banking.bank_account GROUP BY 1"
        )
        return set(found.fetchall())


@pytest.mark.usefixtures("partitioned")
def test_the_guards_let_partitioned_tables_pass(data: Database) -> None:
    """Row security of parents and leaves, and the columns, are what is asked for."""
    tables = tuple(entity.table for entity in TABLES)
    assert verify_row_security(data, TENANT_A, tables).tables == tables
    verify_target(data, TABLES)


def test_a_shard_is_loaded_and_loaded_again(partitioned: Server, data: Database, lease: Lease) -> None:
    """Every row is in the tenant's own leaf, reads back as it was, and is replaced by the next load."""
    rows = generated(3_000)
    assert load(data, lease, rows).rows == {"customers": 3_000, "bank_accounts": 3_000}
    assert load(data, lease, rows).replaced == {"customers": 3_000, "bank_accounts": 3_000}
    assert leaves(partitioned) == {("banking.customer_a", 3_000), ("banking.bank_account_a", 3_000)}
    for entity in TABLES:
        assert landed(data, entity).combine_chunks().equals(rows.table(entity).combine_chunks())
    tenant_id = TENANT_A.tenant_id
    assert duplicates(data, tenant_id, CUSTOMERS, ["document_number"], LOW, END) == 0
    assert orphans(data, tenant_id, BANK_ACCOUNTS, CUSTOMERS, "customer_id", LOW, END) == 0


def test_a_dataset_is_made_smaller_and_purged(partitioned: Server, data: Database, lease: Lease) -> None:
    """Nothing of the larger one is left, and then nothing at all."""
    load(data, lease, generated(300))
    load(data, lease, generated(10))
    assert counts(data, TENANT_A.tenant_id, TABLES, LOW, END) == {"customers": 10, "bank_accounts": 10}
    purge(data, lease)
    assert leaves(partitioned) == set()


def test_refusals_have_the_same_words(partitioned: Server, data: Database, lease: Lease) -> None:
    """A taken value and a row of the application that refers to a seeded one stop the load; the old rows stay."""
    old = generated(10)
    load(data, lease, old)
    with partitioned.superuser() as connection:
        connection.execute(
            "INSERT INTO banking.customer SELECT tenant_id, gen_random_uuid(), '00010000003', full_name, gender,"
            " birth_date, 'own@example.com', phone, status, monthly_income, registered_at"
            " FROM banking.customer LIMIT 1"
        )
    with pytest.raises(TargetMismatch) as taken:
        load(data, lease, generated(10, salt=1))
    assert "00010000003" not in taken.value.detail
    with partitioned.superuser() as connection:
        connection.execute(
            "INSERT INTO banking.bank_account SELECT tenant_id, gen_random_uuid(), customer_id, '9999',"
            " branch_check_digit, account_number, account_check_digit, account_type, status, balance, opened_at"
            " FROM banking.bank_account LIMIT 1"
        )
    with pytest.raises(DatasetInUse, match=r"banking\.bank_account"):
        load(data, lease, generated(10))
    assert landed(data, CUSTOMERS).equals(old.customers)
