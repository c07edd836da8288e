"""The start-up check finds each way in which another tenant's rows could be seen or written."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql

from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.leases import Lease
from seed_pipelines.adapters.postgres.row_security import verify_row_security
from seed_pipelines.errors import RlsNotEnforced
from seed_pipelines_tests.e2e.postgres.conftest import TENANT_A, TENANT_B, UNGRANTED, Server
from seed_pipelines_tests.e2e.postgres.rows import TABLES, generated
from seed_pipelines_tests.e2e.postgres.test_loading import load

pytestmark = pytest.mark.e2e

SECURED = [*(entity.table for entity in TABLES), "seed.shard_checkpoint"]
OWN = "tenant_id = (SELECT seed.current_tenant())"


@contextmanager
def changed(stack: Server, forth: str, back: str) -> Iterator[None]:
    """A change of the schema or the roles, undone at the end."""
    with stack.superuser() as connection:
        connection.execute(forth.encode())
    try:
        yield
    finally:
        with stack.superuser() as connection:
            connection.execute(back.encode())


def holes(database: Database, table: str = "banking.customer") -> list[str]:
    """What the check finds amiss in a table."""
    with pytest.raises(RlsNotEnforced) as caught:
        verify_row_security(database, TENANT_A, [table])
    found: list[str] = caught.value.extensions["holes"]
    return found


def test_the_reference_schema_holds(data: Database, lease: Lease) -> None:
    """Every table is checked, empty or not, and the evidence says what was tried."""
    for _ in range(2):
        evidence = verify_row_security(data, TENANT_A, SECURED)
        assert evidence.login == "seed_app"
        assert evidence.roles == ("seed_app", "seed_loader")
        assert evidence.tables == tuple(SECURED)
        assert "banking.customer: insert a row of another tenant" in evidence.trials
        load(data, lease, generated(5))


def test_nothing_is_left_of_the_trials(stack: Server, data: Database) -> None:
    """The rows that were tried are rolled back."""
    verify_row_security(data, TENANT_A, SECURED)
    with stack.superuser() as connection:
        assert connection.execute("SELECT count(*) FROM banking.customer").fetchone() == (0,)


@pytest.mark.parametrize(
    ("forth", "back", "hole"),
    [
        (
            "ALTER TABLE banking.customer NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE banking.customer FORCE ROW LEVEL SECURITY",
            "banking.customer: row level security is not forced",
        ),
        (
            "ALTER TABLE banking.customer DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE banking.customer ENABLE ROW LEVEL SECURITY",
            "banking.customer: insert a row of another tenant: not refused",
        ),
        (
            "DROP POLICY tenant ON banking.customer",
            f"CREATE POLICY tenant ON banking.customer TO seed_loader USING ({OWN}) WITH CHECK ({OWN})",
            "banking.customer: no policy for the login",
        ),
        (
            "CREATE POLICY open ON banking.customer FOR INSERT WITH CHECK (true)",
            "DROP POLICY open ON banking.customer",
            "banking.customer: insert a row of another tenant: not refused",
        ),
        (
            "CREATE POLICY open ON banking.customer FOR SELECT USING (status <> 'X' OR status IS NULL)",
            "DROP POLICY open ON banking.customer",
            "banking.customer: policies for SELECT: a row of another tenant is let through",
        ),
        (
            "CREATE POLICY open ON banking.customer FOR DELETE USING (true)",
            "DROP POLICY open ON banking.customer",
            "banking.customer: policies for DELETE: a row of another tenant is let through",
        ),
        (
            "CREATE POLICY open ON banking.customer FOR UPDATE USING (false) WITH CHECK (true)",
            "DROP POLICY open ON banking.customer",
            "banking.customer: policies for UPDATE: a row of another tenant is let in",
        ),
        (
            "CREATE POLICY unset ON banking.customer USING (coalesce(current_setting('app.tenant_id', true), '') = '')",
            "DROP POLICY unset ON banking.customer",
            "banking.customer: policies for SELECT: a row while no tenant is set is let through",
        ),
        (
            "GRANT TRUNCATE ON banking.customer TO seed_app",
            "REVOKE TRUNCATE ON banking.customer FROM seed_app",
            "banking.customer: the login may TRUNCATE, which asks no policy",
        ),
        (
            "ALTER TABLE banking.customer OWNER TO seed_loader",
            "ALTER TABLE banking.customer OWNER TO seed_owner;"
            " GRANT SELECT, INSERT, UPDATE, DELETE ON banking.customer TO seed_loader;"
            " REVOKE TRUNCATE, REFERENCES, TRIGGER ON banking.customer FROM seed_loader",
            "banking.customer: the login is or may become its owner seed_loader",
        ),
        ("ALTER ROLE seed_app SUPERUSER", "ALTER ROLE seed_app NOSUPERUSER", "login seed_app is a superuser"),
        ("ALTER ROLE seed_app BYPASSRLS", "ALTER ROLE seed_app NOBYPASSRLS", "login seed_app is BYPASSRLS"),
        (
            "CREATE ROLE inner_role BYPASSRLS; CREATE ROLE outer_role;"
            " GRANT inner_role TO outer_role; GRANT outer_role TO seed_app",
            "DROP ROLE inner_role; DROP ROLE outer_role",
            "login seed_app may become inner_role, which is BYPASSRLS",
        ),
        (
            "GRANT seed_owner TO seed_app",
            "REVOKE seed_owner FROM seed_app",
            "banking.customer: the login is or may become its owner seed_owner",
        ),
    ],
)
def test_each_hole_is_named(stack: Server, data: Database, forth: str, back: str, hole: str) -> None:
    """One change to the schema or the roles, one hole more."""
    with changed(stack, forth, back):
        assert hole in holes(data)
    verify_row_security(data, TENANT_A, SECURED)


def test_rows_that_are_there_are_tried_too(stack: Server, data: Database, lease: Lease) -> None:
    """A row cannot be moved to another tenant, and is not seen without a tenant."""
    load(data, lease, generated(5))
    with changed(
        stack,
        "CREATE POLICY open ON banking.customer USING (true) WITH CHECK (true)",
        "DROP POLICY open ON banking.customer",
    ):
        found = holes(data)
    assert "banking.customer: move a row to another tenant: not refused" in found
    assert "banking.customer: rows are visible while no tenant is set" in found


def test_rows_of_another_tenant_are_seen(stack: Server, data: Database) -> None:
    """Visible rows of another tenant are a hole of their own."""
    with stack.superuser() as connection:
        connection.execute(
            "INSERT INTO banking.customer VALUES (%s, gen_random_uuid(), '12345678909', 'Ana', 'F', '2000-01-01',"
            " 'a@example.com', '+5511987654321', 'ACTIVE', 1, now())",
            [TENANT_B.tenant_id],
        )
    with changed(
        stack, "CREATE POLICY open ON banking.customer FOR SELECT USING (true)", "DROP POLICY open ON banking.customer"
    ):
        assert "banking.customer: rows of another tenant are visible" in holes(data)


def test_a_restrictive_policy_may_do_the_work(stack: Server, data: Database) -> None:
    """An open permissive policy is no hole where a restrictive one closes it."""
    with changed(
        stack,
        f"CREATE POLICY open ON banking.customer USING (true); CREATE POLICY shut ON banking.customer AS RESTRICTIVE"
        f" USING ({OWN})",
        "DROP POLICY open ON banking.customer; DROP POLICY shut ON banking.customer",
    ):
        verify_row_security(data, TENANT_A, ["banking.customer"])


def test_a_missing_table_is_a_hole(data: Database) -> None:
    """What does not exist is not isolated."""
    assert holes(data, "banking.card") == ["banking.card does not exist"]


def test_a_tenant_that_was_not_granted_is_a_hole(data: Database) -> None:
    """The login may not act for the tenant, though the setting says so."""
    with pytest.raises(RlsNotEnforced) as caught:
        verify_row_security(data, UNGRANTED, ["banking.customer"])
    assert caught.value.extensions["holes"] == [
        "banking.customer: the policies refuse the tenant's own rows: the login was not granted the tenant"
    ]


def test_another_tenants_row_is_refused(data: Database) -> None:
    """The policy, not a constraint, refuses the row."""
    with psycopg.connect(data._url) as connection:
        connection.execute("SELECT set_config('app.tenant_id', %s, true)", [str(TENANT_A.tenant_id)])
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            connection.execute("INSERT INTO banking.customer (tenant_id) VALUES (%s)", [TENANT_B.tenant_id])


PARTITIONED = """
CREATE TABLE banking.card (tenant_id uuid NOT NULL, id uuid NOT NULL, PRIMARY KEY (tenant_id, id))
    PARTITION BY LIST (tenant_id);
CREATE TABLE banking.card_a PARTITION OF banking.card FOR VALUES IN ({a});
CREATE TABLE banking.card_b PARTITION OF banking.card FOR VALUES IN ({b});
ALTER TABLE banking.card ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, DELETE ON banking.card TO seed_loader;
CREATE POLICY tenant ON banking.card TO seed_loader USING (tenant_id = (SELECT seed.current_tenant()))
"""


@pytest.fixture
def partitioned(stack: Server) -> Iterator[Server]:
    """A table partitioned by tenant, without a partition for any other."""
    script = sql.SQL(PARTITIONED).format(a=str(TENANT_A.tenant_id), b=str(TENANT_B.tenant_id))
    with stack.superuser() as connection:
        connection.execute(script)
    yield stack
    with stack.superuser() as connection:
        connection.execute("DROP TABLE banking.card")


def test_a_table_partitioned_by_tenant_is_tried_with_the_partitions_tenants(
    partitioned: Server, data: Database
) -> None:
    """A random tenant has no partition, so the tenants of the partitions are tried."""
    assert verify_row_security(data, TENANT_A, ["banking.card"]).tables == ("banking.card",)
    with changed(
        partitioned,
        "CREATE POLICY open ON banking.card FOR INSERT WITH CHECK (true)",
        "DROP POLICY open ON banking.card",
    ):
        assert "banking.card: insert a row of another tenant: not refused" in holes(data, "banking.card")


def test_a_partition_that_the_login_can_reach_is_a_hole(partitioned: Server, data: Database) -> None:
    """A partition read directly asks its own policies, and has none."""
    with partitioned.superuser() as connection:
        connection.execute("GRANT SELECT ON banking.card_b TO seed_loader")
    assert "banking.card_b: row level security is not enabled" in holes(data, "banking.card")
