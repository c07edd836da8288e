"""Generated addresses go into the real table and come back; the table keeps what the generator promises."""

from uuid import UUID

import psycopg
import pyarrow as pa
import pytest

from seed_pipelines.adapters.postgres.checkpoints import ShardCheckpoint
from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.leases import Lease
from seed_pipelines.adapters.postgres.loading import TableLoad, load_shard
from seed_pipelines.adapters.postgres.readback import duplicates, orphans, read_rows
from seed_pipelines.adapters.postgres.target import verify_target
from seed_pipelines.domain.coherence import Landed
from seed_pipelines.domain.entities import BY_NAME
from seed_pipelines.domain.masking import Masker, MaskingKeys, fields_of
from seed_pipelines.domain.plan import Plan
from seed_pipelines_tests.e2e.postgres.conftest import ENVIRONMENT, TENANT_A, Server
from seed_pipelines_tests.fakes import FakeKeys
from seed_pipelines_tests.worlds import REFERENCE, catalogue, manifest

pytestmark = pytest.mark.e2e

CUSTOMERS, ADDRESSES = BY_NAME["customers"], BY_NAME["addresses"]
COUNT = 2_000
LIMITS = catalogue()
PLAN = Plan.of(
    manifest(in_catalogue=LIMITS, volumetry={"customers": {"cap": COUNT}, "addresses": {"cap": 3_000}}), LIMITS
)
NAMES = ("tenant-a", ENVIRONMENT, "v1")
(SHARD,) = PLAN.shards
LOW, HIGH = UUID(bytes=SHARD.id_low), UUID(bytes=SHARD.id_high)


@pytest.fixture
def loaded(data: Database, lease: Lease) -> dict[str, pa.RecordBatch]:
    """What was loaded: entity -> rows."""
    masker = Masker(MaskingKeys(*NAMES, FakeKeys().masking_keys(*NAMES, fields_of(PLAN.entities))))
    made = {e.name: masker.batch(e, PLAN.portfolio, PLAN.entity_rows(e, 0, COUNT)).records for e in PLAN.entities}
    known = ShardCheckpoint(
        tenant_id=lease.tenant_id,
        environment=ENVIRONMENT,
        profile="default",
        shard_key=SHARD.key,
        first_customer=0,
        end_customer=None,
        manifest_hash="ab" * 32,
        reference_datetime=REFERENCE,
        anchor_datetime=REFERENCE,
        salt_version="v1",
        key_fingerprint="cd" * 32,
        generator_version="1",
        dataset_tag=PLAN.dataset.tag,
        rows=PLAN.rows,
        leaves={entity.name: ("ef" * 32,) for entity in PLAN.entities},
        seed_run_id=lease.seed_run_id,
        fencing_token=lease.token,
    )
    loads = [TableLoad(e, SHARD.ids, PLAN.rows[e.name], [made[e.name]]) for e in PLAN.entities]
    assert load_shard(data, lease.tenant_id, lease=lease, checkpoint=known, tables=loads).rows == PLAN.rows
    return made


def test_generated_rows_fit_the_table_and_read_back(data: Database, loaded: dict[str, pa.RecordBatch]) -> None:
    """Nulls, truth values and accents included; nothing is an orphan, and the rule is content."""
    verify_target(data, PLAN.entities)
    tables = {}
    for entity in PLAN.entities:
        batches = list(read_rows(data, TENANT_A.tenant_id, entity, LOW, HIGH))
        tables[entity.name] = pa.Table.from_batches(batches, entity.schema)
        assert tables[entity.name].equals(pa.table(loaded[entity.name]))
    assert orphans(data, TENANT_A.tenant_id, ADDRESSES, CUSTOMERS, "customer_id", LOW, HIGH) == 0
    assert duplicates(data, TENANT_A.tenant_id, ADDRESSES, ["id"], LOW, HIGH) == 0
    (rule,) = ADDRESSES.rules
    assert not any(rule.offenders(Landed(tables, REFERENCE)).values())


@pytest.mark.parametrize(
    "change",
    [
        "is_primary = true",
        "postal_code = '1234567'",
        "state = 'XX'",
        "kind = 'HOME'",
        "complement = ''",
        "customer_id = gen_random_uuid()",
    ],
)
@pytest.mark.usefixtures("loaded")
def test_the_table_refuses_what_no_address_is(stack: Server, change: str) -> None:
    """A second primary address, wrong formats, no such customer."""
    with stack.superuser() as connection, pytest.raises(psycopg.errors.IntegrityError):
        connection.execute(f"UPDATE banking.address SET {change} WHERE NOT is_primary".encode())  # noqa: S608 - ours


def test_columns_have_comments(stack: Server) -> None:
    """Every column of the table, in the catalogue of the database."""
    with stack.superuser() as connection:
        found = connection.execute(
            "SELECT attname, col_description(attrelid, attnum) FROM pg_attribute"
            " WHERE attrelid = 'banking.address'::regclass AND attnum > 0"
        ).fetchall()
    assert {name for name, _ in found} == {"tenant_id", *ADDRESSES.schema.names}
    assert all(comment for _, comment in found)
