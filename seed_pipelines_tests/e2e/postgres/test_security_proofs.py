"""What was proven of row level security is not tried again until something that it depends on has changed."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.row_security import verify_row_security
from seed_pipelines.adapters.postgres.security_proofs import SecurityProofs
from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.errors import RlsNotEnforced
from seed_pipelines_tests.e2e.postgres.conftest import TENANT_A, TENANT_B, Server
from seed_pipelines_tests.e2e.postgres.test_row_security import OWN, changed

pytestmark = pytest.mark.e2e

TABLES = ("banking.customer", "banking.bank_account")
POLICY = f"CREATE POLICY tenant ON banking.customer TO seed_loader USING ({OWN}) WITH CHECK ({OWN})"


@dataclass
class Counted:
    """The proof, and how often it was made."""

    times: int = 0
    proofs: SecurityProofs = field(init=False)

    def __post_init__(self) -> None:
        self.proofs = SecurityProofs(self)

    def __call__(self, database: Database, tenant: Tenant, tables: Sequence[str]) -> object:
        """Prove."""
        self.times += 1
        return verify_row_security(database, tenant, tables)


def test_a_proof_is_made_once_for_a_tenant_and_tables(data: Database) -> None:
    """As long as nothing changes, rows included."""
    counted = Counted()
    for _ in range(3):
        counted.proofs.ensure(data, TENANT_A, TABLES)
    assert counted.times == 1
    counted.proofs.ensure(data, TENANT_B, TABLES)
    counted.proofs.ensure(data, TENANT_A, TABLES[:1])
    assert counted.times == 3


@pytest.mark.parametrize(
    ("forth", "back"),
    [
        (
            "ALTER TABLE banking.customer NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE banking.customer FORCE ROW LEVEL SECURITY",
        ),
        (
            "ALTER TABLE banking.customer DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE banking.customer ENABLE ROW LEVEL SECURITY",
        ),
        ("DROP POLICY tenant ON banking.customer", POLICY),
        (
            "ALTER POLICY tenant ON banking.customer USING (true)",
            f"ALTER POLICY tenant ON banking.customer USING ({OWN})",
        ),
        (
            "CREATE POLICY more ON banking.customer TO seed_loader USING (true)",
            "DROP POLICY more ON banking.customer",
        ),
        ("GRANT TRUNCATE ON banking.customer TO seed_app", "REVOKE TRUNCATE ON banking.customer FROM seed_app"),
        ("ALTER TABLE banking.customer OWNER TO seed_app", "ALTER TABLE banking.customer OWNER TO seed_owner"),
        ("ALTER ROLE seed_app BYPASSRLS", "ALTER ROLE seed_app NOBYPASSRLS"),
        ("GRANT pg_read_server_files TO seed_app", "REVOKE pg_read_server_files FROM seed_app"),
        (
            "UPDATE seed.tenant_grant SET role_name = 'nobody' WHERE role_name = 'seed_app'",
            "UPDATE seed.tenant_grant SET role_name = 'seed_app' WHERE role_name = 'nobody'",
        ),
    ],
)
def test_whatever_opens_a_hole_is_seen_at_once(stack: Server, data: Database, forth: str, back: str) -> None:
    """And once it is closed, the proof holds again."""
    counted = Counted()
    counted.proofs.ensure(data, TENANT_A, TABLES)
    with changed(stack, forth, back), pytest.raises(RlsNotEnforced):
        counted.proofs.ensure(data, TENANT_A, TABLES)
    counted.proofs.ensure(data, TENANT_A, TABLES)


def test_a_policy_function_that_is_replaced_is_seen_at_once(stack: Server, data: Database) -> None:
    """The policy itself stays as it is."""
    with stack.superuser() as connection:
        (before,) = (
            connection.execute("SELECT pg_get_functiondef('seed.current_tenant()'::regprocedure)").fetchone() or ()
        )
    counted = Counted()
    counted.proofs.ensure(data, TENANT_A, TABLES)
    open_to_all = (
        "CREATE OR REPLACE FUNCTION seed.current_tenant() RETURNS uuid LANGUAGE sql STABLE"
        " RETURN NULLIF(current_setting('app.tenant_id', true), '')::uuid"
    )
    with changed(stack, open_to_all, str(before)):
        counted.proofs.ensure(data, TENANT_A, TABLES)
    assert counted.times == 2
