"""Rows of the tenant itself are changed in place, and removed where nothing refers to them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest

from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.leases import Lease
from seed_pipelines.adapters.postgres.loading import LoadedShard, TableLoad, load_shard, purge_dataset
from seed_pipelines.adapters.postgres.readback import read_rows
from seed_pipelines.adapters.postgres.target import verify_target
from seed_pipelines.domain.entities import BY_NAME, ENTITIES
from seed_pipelines.domain.ids import end_of_dataset, lowest_id, row_ids
from seed_pipelines.domain.streams import Stream
from seed_pipelines.errors import DatasetInUse, TargetMismatch
from seed_pipelines_tests.e2e.postgres.conftest import TENANT_A, TENANT_B, Server, checkpoint
from seed_pipelines_tests.e2e.postgres.rows import END, LOW, REMOVAL, TAG, generated, no_files
from seed_pipelines_tests.e2e.postgres.test_row_security import changed

pytestmark = pytest.mark.e2e

CONSULTANTS: Final = BY_NAME["consultants"]
STATE: Final = "SELECT id, commission_pct, status, xmin::text FROM banking.consultant ORDER BY id"


def consultants(count: int, **others: dict[int, Any]) -> pa.Table:
    """Consultants with the values of some columns replaced, by row."""
    numbers = np.arange(count, dtype=np.uint64)
    ids = row_ids(TAG, numbers, np.zeros_like(numbers), Stream(1)).to_pylist()
    rows = [
        {
            "id": row_id,
            "document_number": f"{number:011}",
            "full_name": "Zoë d'Ávila",
            "email": f"{number}@example.com",
            "phone": "+5511987654321",
            "commission_pct": Decimal("1.25"),
            "status": "ACTIVE",
            "hired_on": 10_000,
        }
        for number, row_id in enumerate(ids)
    ]
    for column, values in others.items():
        for number, value in values.items():
            rows[number][column] = value
    return pa.Table.from_pylist(rows, CONSULTANTS.schema)


def load(database: Database, lease: Lease, rows: pa.Table, count: int | None = None) -> LoadedShard:
    """Load consultants as a shard does that has, or brings along, `count` of them; without rows, one that has none."""
    end = lowest_id(TAG, rows.num_rows if count is None else count)
    ids, surplus = (LOW.bytes, end), (end, end_of_dataset(TAG))
    table = TableLoad(CONSULTANTS, ids, rows.num_rows, rows.to_batches(), surplus)
    known = replace(checkpoint(lease, generated(1)), rows={"consultants": rows.num_rows}, leaves={})
    return load_shard(database, lease.tenant_id, lease=lease, checkpoint=known, tables=[table])


def landed(database: Database) -> pa.Table:
    """What tenant-a holds."""
    return pa.Table.from_batches(read_rows(database, TENANT_A.tenant_id, CONSULTANTS, LOW, END), CONSULTANTS.schema)


def state(server: Server) -> dict[UUID, tuple[object, ...]]:
    """Id -> what may change of a row, and the transaction that wrote it."""
    with server.superuser() as connection:
        return {UUID(str(row[0])): row[1:] for row in connection.execute(STATE)}


@dataclass(frozen=True)
class Notes:
    """A table of the application with a foreign key to consultants."""

    server: Server

    def refer_to(self, *numbers: int) -> None:
        """Let rows of tenant-a refer to some consultants."""
        ids = consultants(max(numbers) + 1).column("id").to_pylist()
        for number in numbers:
            self.execute("INSERT INTO banking.note VALUES (%s, %s)", TENANT_A.tenant_id, UUID(bytes=ids[number]))

    def execute(self, statement: str, *values: object) -> None:
        """Run a statement as a superuser."""
        with self.server.superuser() as connection:
            connection.execute(statement.encode(), values)


@pytest.fixture
def notes(stack: Server) -> Iterator[Notes]:
    """The table, which the login may read."""
    found = Notes(stack)
    found.execute(
        "CREATE TABLE banking.note (tenant_id uuid, consultant_id uuid,"
        " FOREIGN KEY (tenant_id, consultant_id) REFERENCES banking.consultant)"
    )
    found.execute("GRANT SELECT ON banking.note TO seed_loader")
    yield found
    found.execute("DROP TABLE banking.note")


def test_a_changed_row_is_changed_in_place_though_others_refer_to_it(
    data: Database, lease: Lease, notes: Notes
) -> None:
    """The row keeps its id; whoever refers to it sees the new values."""
    load(data, lease, consultants(5))
    notes.refer_to(0, 1, 4)
    wanted = consultants(5, commission_pct={1: Decimal("3.75")}, status={4: "INACTIVE"})
    assert load(data, lease, wanted).replaced == {"consultants": 0}
    assert landed(data).equals(wanted)
    with notes.server.superuser() as connection:
        found = connection.execute(
            "SELECT commission_pct, status FROM banking.consultant JOIN banking.note ON id = consultant_id ORDER BY id"
        ).fetchall()
    assert found == [(Decimal("1.25"), "ACTIVE"), (Decimal("3.75"), "ACTIVE"), (Decimal("1.25"), "INACTIVE")]


def test_a_row_that_is_the_same_is_not_written(stack: Server, data: Database, lease: Lease) -> None:
    """Its xmin stays; that of a changed and of a new row is the load's."""
    load(data, lease, consultants(5))
    before = state(stack)
    load(data, lease, consultants(5))
    assert state(stack) == before
    load(data, lease, consultants(6, status={2: "INACTIVE"}))
    after = list(state(stack).items())
    assert [number for number, item in enumerate(after) if item not in before.items()] == [2, 5]


def test_surplus_goes_where_nothing_refers_to_it(data: Database, lease: Lease, notes: Notes) -> None:
    """What is referred to stays as it is until it no longer is; a load without rows of its own looks after it too."""
    load(data, lease, consultants(10))
    notes.refer_to(2, 6, 8)
    assert load(data, lease, consultants(5)).replaced == {"consultants": 3}
    kept = consultants(10).take([0, 1, 2, 3, 4, 6, 8])
    assert landed(data).equals(kept)
    nothing = consultants(0)
    assert load(data, lease, nothing, 5).replaced == {"consultants": 0}
    notes.execute("TRUNCATE banking.note")
    assert load(data, lease, nothing, 5).replaced == {"consultants": 2}
    assert landed(data).equals(consultants(5))


def test_a_kept_row_is_taken_up_again_by_a_larger_plan(data: Database, lease: Lease, notes: Notes) -> None:
    """It is one of the plan's rows again, and there is no second one with its values."""
    load(data, lease, consultants(10))
    notes.refer_to(8)
    load(data, lease, consultants(5))
    load(data, lease, consultants(12))
    assert landed(data).equals(consultants(12))


def test_a_reference_that_is_not_complete_keeps_nothing(data: Database, lease: Lease, notes: Notes) -> None:
    """Null refers to nothing, and a row of another tenant with the same id to another row."""
    load(data, lease, consultants(2))
    notes.refer_to(1)
    notes.execute("UPDATE banking.note SET tenant_id = NULL")
    notes.execute(
        "INSERT INTO banking.consultant SELECT %s, id, document_number, full_name, email, phone, commission_pct,"
        " status, hired_on FROM banking.consultant",
        TENANT_B.tenant_id,
    )
    notes.execute(
        "INSERT INTO banking.note SELECT tenant_id, id FROM banking.consultant WHERE tenant_id = %s", TENANT_B.tenant_id
    )
    assert load(data, lease, consultants(1)).replaced == {"consultants": 1}
    assert landed(data).equals(consultants(1))


def test_a_referring_table_that_the_login_may_not_read_stops_the_load(
    data: Database, lease: Lease, notes: Notes
) -> None:
    """What it refers to cannot be known: DatasetInUse names it, and everything stays as it was."""
    load(data, lease, consultants(3))
    notes.refer_to(2)
    notes.execute("REVOKE SELECT ON banking.note FROM seed_loader")
    with pytest.raises(DatasetInUse, match=r"banking\.note"):
        load(data, lease, consultants(2, status={0: "INACTIVE"}))
    assert landed(data).equals(consultants(3))


def test_rows_of_the_application_in_the_same_range_stay(stack: Server, data: Database, lease: Lease) -> None:
    """They have ids of another version."""
    with stack.superuser() as connection:
        connection.execute(
            "INSERT INTO banking.consultant VALUES (%s, %s, '99999999999', 'Own', 'own@example.com', '+5511987654321',"
            " 1, 'ACTIVE', '2020-01-01')",
            [TENANT_A.tenant_id, UUID(int=(TAG << 104) + (9 << 90) + (4 << 76))],
        )
    load(data, lease, consultants(3))
    assert load(data, lease, consultants(1)).replaced == {"consultants": 2}
    assert len(state(stack)) == 2


def test_a_purge_takes_them_unless_they_are_referred_to(data: Database, lease: Lease, notes: Notes) -> None:
    """A purge keeps nothing, so it is refused while rows of the application refer to rows of the dataset."""
    options: dict[str, Any] = {
        "lease": lease,
        "removal": REMOVAL,
        "ids": (LOW.bytes, END.bytes),
        "entities": ENTITIES,
        "remove_files": no_files,
    }
    load(data, lease, consultants(3))
    notes.refer_to(2)
    with pytest.raises(DatasetInUse, match=r"banking\.note"):
        purge_dataset(data, TENANT_A.tenant_id, **options)
    notes.execute("TRUNCATE banking.note")
    assert purge_dataset(data, TENANT_A.tenant_id, **options)["consultants"] == 3


def test_the_reference_schema_takes_them_and_they_need_update(stack: Server, data: Database) -> None:
    """Rows that are changed in place need one privilege more than others."""
    of_tenant = [entity for entity in ENTITIES if entity.of_tenant]
    verify_target(data, of_tenant)
    forth, back = (
        f"{verb} UPDATE ON banking.supplier {whom} seed_loader" for verb, whom in (("REVOKE", "FROM"), ("GRANT", "TO"))
    )
    with changed(stack, forth, back), pytest.raises(TargetMismatch) as caught:
        verify_target(data, of_tenant)
    assert caught.value.extensions["mismatches"] == ["banking.supplier: the login lacks UPDATE"]


@pytest.mark.parametrize(
    ("entity", "column"),
    [
        ("tenant_users", "email"),
        ("consultants", "document_number"),
        ("account_categories", "code"),
        ("suppliers", "email"),
    ],
)
def test_every_unique_key_starts_with_the_tenant(stack: Server, entity: str, column: str) -> None:
    """Two tenants may hold the same value, one tenant may not."""
    table = BY_NAME[entity].table
    with stack.superuser() as connection:
        found = connection.execute(
            "SELECT array_agg(attname::text ORDER BY place) FROM pg_constraint,"
            " unnest(conkey) WITH ORDINALITY AS key (number, place), pg_attribute"
            " WHERE conrelid = to_regclass(%s) AND contype = 'u' AND attrelid = conrelid AND attnum = number GROUP BY conname",
            [table],
        ).fetchall()
    assert (["tenant_id", column],) in found
    assert all(columns[0] == "tenant_id" for (columns,) in found)  # type: ignore[index]  # an array of names
