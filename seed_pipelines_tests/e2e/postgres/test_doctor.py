"""The doctor finds every hole that the literature knows, says nothing of what is sound, and leaves nothing behind."""

import pytest

from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.isolation.attempt import Examination
from seed_pipelines.adapters.postgres.isolation.examination import examine_control_login, examine_data_login
from seed_pipelines.adapters.postgres.isolation.tenant_relations import TenantRelation
from seed_pipelines.domain.entities import BY_NAME, ENTITIES
from seed_pipelines_tests.e2e.postgres.conftest import TENANT_A, TENANT_B, UNGRANTED, Server
from seed_pipelines_tests.e2e.postgres.holes import OF_THE_CONTROL_LOGIN, OF_THE_DATA_LOGIN, OWN, Hole
from seed_pipelines_tests.e2e.postgres.test_row_security import changed

pytestmark = pytest.mark.e2e

TENANTS = (TENANT_A, TENANT_B, UNGRANTED)
KEYS = {e.table: (e.unique, {column: BY_NAME[p].table for column, p in e.references.items()}) for e in ENTITIES}
ELSEWHERE = set(KEYS) - {"banking.customer"}
"""Tables that no hole is planted in: leaving them out of an examination makes it shorter."""


def near(relation: TenantRelation) -> bool:
    """Whether a planted hole may be there."""
    return relation.name not in ELSEWHERE


def examined(data: Database) -> Examination:
    """What the data login can do near the planted holes."""
    return examine_data_login(data, TENANTS, None, KEYS, near)


@pytest.fixture
def populated(stack: Server) -> Server:
    """The migrated server, and a customer of each tenant."""
    with stack.superuser() as connection:
        for tenant in (TENANT_A, TENANT_B):
            connection.execute(
                "INSERT INTO banking.customer VALUES (%s, gen_random_uuid(), '12345678909', 'Ana', 'F', '2000-01-01',"
                " %s, '+5511987654321', 'ACTIVE', 1, now())",
                [tenant.tenant_id, f"{tenant.slug}@example.com"],
            )
    return stack


@pytest.mark.usefixtures("populated")
def test_the_reference_schema_is_sound(data: Database, control: Database) -> None:
    """Every table of the published schema is attacked, and nothing is found."""
    found = examine_data_login(data, TENANTS, None, KEYS)
    assert found.holes == ()
    assert set(KEYS) | {"seed.shard_checkpoint", "seed.tenant_grant", "seed.dataset_removal"} == set(found.relations)
    assert all(found.attempts[table] >= 50 for table in KEYS)
    assert set(found.without_rows) == set(KEYS) - {"banking.customer"} | {
        "seed.shard_checkpoint",
        "seed.dataset_removal",
    }
    assert examine_control_login(control, list(KEYS)).holes == ()


@pytest.mark.parametrize("hole", OF_THE_DATA_LOGIN, ids=lambda hole: hole.id)
def test_each_hole_of_the_data_login_is_named(populated: Server, data: Database, hole: Hole) -> None:
    """One hole is planted, and the doctor names where it is, what it opens and how it is closed."""
    with changed(populated, hole.forth, hole.back):
        found = examined(data)
    named = [it for it in found.holes if it.relation == hole.relation and hole.finding in it.finding]
    assert named, found.holes
    assert all(it.cure for it in found.holes)


@pytest.mark.parametrize("hole", OF_THE_CONTROL_LOGIN, ids=lambda hole: hole.id)
def test_each_hole_of_the_control_login_is_named(stack: Server, control: Database, hole: Hole) -> None:
    """It writes no row of a tenant and no right, and becomes nobody who could."""
    with changed(stack, hole.forth, hole.back):
        found = examine_control_login(control, list(KEYS))
    named = [it for it in found.holes if it.relation == hole.relation and hole.finding in it.finding]
    assert named, found.holes


def test_the_holes_have_names_of_their_own() -> None:
    """Each is planted once."""
    names = [hole.id for hole in (*OF_THE_DATA_LOGIN, *OF_THE_CONTROL_LOGIN)]
    assert len(set(names)) == len(names) >= 35


@pytest.mark.parametrize(
    ("forth", "back"),
    [
        (
            f"DROP POLICY tenant ON banking.customer; CREATE POLICY tenant ON banking.customer TO seed_loader USING ({OWN})",
            f"ALTER POLICY tenant ON banking.customer WITH CHECK ({OWN})",
        ),
        (
            f"CREATE POLICY open ON banking.customer TO seed_loader USING (true); CREATE POLICY shut ON banking.customer"
            f" AS RESTRICTIVE USING ({OWN})",
            "DROP POLICY open ON banking.customer; DROP POLICY shut ON banking.customer",
        ),
        (
            "CREATE VIEW banking.seen WITH (security_invoker) AS SELECT * FROM banking.customer;"
            " GRANT SELECT ON banking.seen TO seed_loader",
            "DROP VIEW banking.seen",
        ),
        (
            "CREATE VIEW banking.seen AS SELECT * FROM banking.customer; ALTER VIEW banking.seen OWNER TO seed_owner;"
            " GRANT SELECT ON banking.seen TO seed_loader",
            "DROP VIEW banking.seen",
        ),
        (
            "CREATE FUNCTION banking.seen() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog"
            " RETURN (SELECT count(*) FROM banking.customer); ALTER FUNCTION banking.seen OWNER TO seed_owner",
            "DROP FUNCTION banking.seen",
        ),
        (
            "CREATE TABLE banking.seen AS TABLE banking.customer",
            "DROP TABLE banking.seen",
        ),
        (
            "CREATE FUNCTION banking.noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;"
            " CREATE TRIGGER noted BEFORE INSERT ON banking.customer FOR EACH ROW EXECUTE FUNCTION banking.noted()",
            "DROP TRIGGER noted ON banking.customer; DROP FUNCTION banking.noted",
        ),
    ],
    ids=[
        "policy-with-using-only",
        "restrictive-policy",
        "view-of-its-caller",
        "view-of-an-owner-that-is-held",
        "function-of-an-owner-that-is-held",
        "table-out-of-reach",
        "trigger-that-writes-nowhere",
    ],
)
def test_what_is_sound_is_no_hole(populated: Server, data: Database, forth: str, back: str) -> None:
    """No false alarm where the isolation holds by other means."""
    with changed(populated, forth, back):
        assert examined(data).holes == ()


def test_nothing_is_left_of_the_attacks(populated: Server, data: Database) -> None:
    """Even where every attack gets through, no row is changed and no object made."""
    queries = (
        "SELECT md5(string_agg(customer::text, '' ORDER BY id)) FROM banking.customer",
        "SELECT count(*) FROM pg_class",
        "SELECT count(*) FROM seed.tenant_grant",
    )
    with populated.superuser() as connection:
        before = [connection.execute(query.encode()).fetchone() for query in queries]
        with changed(
            populated,
            "CREATE POLICY open ON banking.customer USING (true) WITH CHECK (true)",
            "DROP POLICY open ON banking.customer",
        ):
            assert examined(data).holes
        assert [connection.execute(query.encode()).fetchone() for query in queries] == before


def test_one_tenant_may_be_the_victim(populated: Server, data: Database) -> None:
    """What shows the rows of another only is no attack on it."""
    with changed(
        populated,
        f"CREATE POLICY open ON banking.customer FOR SELECT TO seed_loader USING (tenant_id = '{TENANT_B.tenant_id}')",
        "DROP POLICY open ON banking.customer",
    ):
        of_a = examine_data_login(data, TENANTS, TENANT_A, KEYS, near)
        of_b = examine_data_login(data, TENANTS, TENANT_B, KEYS, near)
    assert not any("rows of another tenant" in hole.finding for hole in of_a.holes)
    assert any("rows of another tenant came back (seed_app as tenant-a" in hole.finding for hole in of_b.holes)
