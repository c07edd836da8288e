"""Nothing of the published schema can be taken away unseen: each policy, FORCE, grant and key is removed in turn.

What there is to remove is read from the catalogue, so that a table that comes later is not forgotten.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Final
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from seed_pipelines.adapters.postgres.access_decisions import AccessDecision
from seed_pipelines.adapters.postgres.budget_entries import BudgetEntry
from seed_pipelines.adapters.postgres.control import PostgresControl
from seed_pipelines.adapters.postgres.database import Database, set_tenant
from seed_pipelines.adapters.postgres.idempotency import Claim
from seed_pipelines.adapters.postgres.isolation.examination import examine_control_login, examine_data_login
from seed_pipelines.adapters.postgres.leases import Lease, Terms
from seed_pipelines.adapters.postgres.rate_limits import PostgresRateLimits, RateLimitKey
from seed_pipelines.adapters.postgres.report_log import LogCheckpoint, ReportLog
from seed_pipelines.adapters.postgres.reports import ReportStore
from seed_pipelines.adapters.postgres.seed_runs import SeedRun, SeedRunStore
from seed_pipelines.adapters.postgres.tenants import Tenant, TenantDirectory, grant_role, register_tenant
from seed_pipelines.domain.service_levels import IntegrationUse
from seed_pipelines.errors import SeedError
from seed_pipelines_tests.e2e.conftest import EMPTY_EVERYTHING
from seed_pipelines_tests.e2e.postgres.conftest import (
    ENVIRONMENT,
    TENANT_A,
    Server,
    migrate_staging,
    never,
    running_server,
    succeed,
)
from seed_pipelines_tests.e2e.postgres.rows import generated
from seed_pipelines_tests.e2e.postgres.test_control import opened
from seed_pipelines_tests.e2e.postgres.test_doctor import KEYS
from seed_pipelines_tests.e2e.postgres.test_loading import load, purge

pytestmark = pytest.mark.e2e

_POLICIES: Final = """
SELECT format('%I.%I', schemaname, tablename), format('policy %I of %I.%I', policyname, schemaname, tablename),
    format('DROP POLICY %I ON %I.%I', policyname, schemaname, tablename),
    format(
        'CREATE POLICY %I ON %I.%I AS %s FOR %s TO %s', policyname, schemaname, tablename, permissive, cmd,
        array_to_string(roles, ', ')
    ) || coalesce(' USING (' || qual || ')', '') || coalesce(' WITH CHECK (' || with_check || ')', '')
FROM pg_policies WHERE schemaname IN ('seed', 'banking')
"""
_ROW_SECURITY: Final = """
SELECT oid::regclass::text, state || ' of ' || oid::regclass, format('ALTER TABLE %s %s ROW LEVEL SECURITY', oid::regclass, off),
    format('ALTER TABLE %s %s ROW LEVEL SECURITY', oid::regclass, state)
FROM pg_class CROSS JOIN (VALUES ('ENABLE', 'DISABLE'), ('FORCE', 'NO FORCE')) AS switch (state, off)
WHERE relrowsecurity AND relnamespace IN ('seed'::regnamespace, 'banking'::regnamespace)
"""
_GRANTS: Final = """
SELECT oid::regclass::text, format('%s on %s to %s', privilege_type, oid::regclass, grantee::regrole),
    format('REVOKE %s ON %s FROM %s', privilege_type, oid::regclass, grantee::regrole),
    format('GRANT %s ON %s TO %s', privilege_type, oid::regclass, grantee::regrole)
FROM pg_class CROSS JOIN aclexplode(relacl)
WHERE grantee <> relowner AND relkind IN ('r', 'p', 'v', 'S') AND relnamespace IN ('seed'::regnamespace, 'banking'::regnamespace)
UNION ALL
SELECT oid::regclass::text, format('%s (%I) on %s to %s', privilege_type, attname, oid::regclass, grantee::regrole),
    format('REVOKE %s (%I) ON %s FROM %s', privilege_type, attname, oid::regclass, grantee::regrole),
    format('GRANT %s (%I) ON %s TO %s', privilege_type, attname, oid::regclass, grantee::regrole)
FROM pg_class JOIN pg_attribute ON attrelid = oid CROSS JOIN aclexplode(attacl)
WHERE grantee <> relowner AND relnamespace IN ('seed'::regnamespace, 'banking'::regnamespace)
UNION ALL
SELECT oid::regprocedure::text, format('EXECUTE on %s to %s', oid::regprocedure, grantee::regrole),
    format('REVOKE EXECUTE ON FUNCTION %s FROM %s', oid::regprocedure, grantee::regrole),
    format('GRANT EXECUTE ON FUNCTION %s TO %s', oid::regprocedure, grantee::regrole)
FROM pg_proc CROSS JOIN aclexplode(proacl)
WHERE grantee <> proowner AND pronamespace IN ('seed'::regnamespace, 'banking'::regnamespace)
UNION ALL
SELECT nspname::text, format('USAGE on %I to %s', nspname, grantee::regrole),
    format('REVOKE USAGE ON SCHEMA %I FROM %s', nspname, grantee::regrole),
    format('GRANT USAGE ON SCHEMA %I TO %s', nspname, grantee::regrole)
FROM pg_namespace CROSS JOIN aclexplode(nspacl)
WHERE grantee <> nspowner AND nspname IN ('seed', 'banking')
"""
_KEYS: Final = """
SELECT conrelid::regclass::text, format('%I of %s', conname, conrelid::regclass),
    format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),
    format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
FROM pg_constraint
WHERE contype = 'f' AND array_length(conkey, 1) > 1 AND connamespace IN ('seed'::regnamespace, 'banking'::regnamespace)
UNION ALL
SELECT conrelid::regclass::text, format('%I of %s', conname, conrelid::regclass),
    format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', conrelid::regclass, conname),
    format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) || coalesce((
        SELECT string_agg(format(
            '; ALTER TABLE %s ADD CONSTRAINT %I %s', child.conrelid::regclass, child.conname, pg_get_constraintdef(child.oid)
        ), '') FROM pg_constraint AS child WHERE child.contype = 'f' AND child.conindid = own.conindid
    ), '')
FROM pg_constraint AS own
WHERE contype IN ('p', 'u') AND array_length(conkey, 1) > 1 AND connamespace IN ('seed'::regnamespace, 'banking'::regnamespace)
UNION ALL
SELECT indrelid::regclass::text, format('%s', indexrelid::regclass), format('DROP INDEX %s', indexrelid::regclass),
    pg_get_indexdef(indexrelid)
FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE indisunique AND indnatts > 1 AND relnamespace IN ('seed'::regnamespace, 'banking'::regnamespace)
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u'))
"""
PARTS: Final = {"policies": _POLICIES, "row_security": _ROW_SECURITY, "grants": _GRANTS, "keys": _KEYS}
TWINS: Final = (
    ("banking.address", ("customer_id",)),
    ("banking.installment", ("loan_id", "number")),
    ("banking.credit_limit", ("bank_account_id",)),
    ("banking.contract", ("loan_id",)),
    ("banking.financial_transaction", ("installment_id",)),
    ("seed.role_grant", ("environment", "subject", "role")),
    ("seed.tenant_grant", ("role_name",)),
    ("seed.queue_entry", ("entry_id",)),
    ("seed.dataset_removal", ("removal_id",)),
    ("seed.integration_use", ("entry_id",)),
    ("seed.report", ("seed_run_id", "attempt")),
    ("seed.report", ("environment", "sequence")),
    ("seed.report", ("environment", "log_index")),
    ("seed.sealing", ("seed_run_id", "attempt")),
    ("seed.evidence", ("seed_run_id", "attempt")),
)
"""Keys that neither the entities nor the work of a run need: no two rows may agree in them."""
FEWEST: Final = {"policies": 35, "row_security": 56, "grants": 108, "keys": 56}


_USE: Final = IntegrationUse("kyc", "0000", 3, 1, 1, 2, 0.5, 1.5, (1.5, 2.25), {"APPROVED": 1})
_PIECE: Final = BudgetEntry("load/0000", "load", "", "0000", 4, 0, 0, Decimal("0.1"), Decimal("0.01"), "v1")


@pytest.fixture(scope="module")
def migrated() -> Iterator[Server]:
    """A server of its own: indexes that were dropped and made again come in another order, which plans depend on."""
    with running_server() as server:
        yield migrate_staging(server)


@contextmanager
def removed(stack: Server, forth: str, back: str) -> Iterator[None]:
    """A part of the schema taken away, and put back at the end."""
    with stack.superuser() as connection:
        connection.execute(forth.encode())
    try:
        yield
    finally:
        with stack.superuser() as connection:
            connection.execute("SET session_replication_role = replica")  # decisions are kept by a trigger
            connection.execute("TRUNCATE seed.access_decision")
            connection.execute("RESET session_replication_role")
            connection.execute(EMPTY_EVERYTHING.encode())
            connection.execute(back.encode())


def twin(
    connection: "psycopg.Connection[tuple[object, ...]]", table: str, number: int, key: Sequence[str]
) -> Mapping[str, object]:
    """A row of a table as JSON; rows of other numbers agree with it in the key alone."""
    found = connection.execute(
        "SELECT attname::text, atttypid::regtype::text FROM pg_attribute"
        " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
        [table],
    )
    values: Mapping[str, Callable[[int], object]] = {
        "uuid": lambda varied: str(UUID(int=varied)),
        "text": str,
        "boolean": lambda _: True,
        "jsonb": lambda varied: {"number": varied},
        "double precision[]": lambda varied: [varied],
        "date": lambda varied: f"200{varied}-01-01",
        "timestamp with time zone": lambda varied: f"200{varied}-01-01",
    }
    return {str(name): values.get(str(kind), int)(0 if name in key else number) for name, kind in found}


class Probe:
    """What notices that something is gone: the doctor, or the work of a seed run."""

    def __init__(self, stack: Server) -> None:
        self.stack = stack
        self.data, self.control = Database(stack.url("seed_app")), Database(stack.url("seed_service"))

    def notices(self, relation: str) -> bool:
        """Whether anything is amiss near a relation."""
        return self.doctor(relation) or self.fails()

    def doctor(self, relation: str) -> bool:
        """Whether the doctor finds a hole there."""
        try:
            found = examine_data_login(self.data, [TENANT_A], None, KEYS, lambda it: it.name == relation).holes
            return bool(found or examine_control_login(self.control, list(KEYS), lambda it: it.name == relation).holes)
        except SeedError:
            return True

    def fails(self) -> bool:
        """Whether a seed run can no longer do its work, with each privilege and key that it was given."""
        try:
            self.work()
        except (SeedError, psycopg.Error, AssertionError, pytest.fail.Exception):
            return True
        return False

    def work(self) -> None:
        """Register, wait in the queue, take the lease, load, report, read back, answer, and purge."""
        migrator = self.stack.url("seed_migrator")
        newcomer = Tenant(uuid4(), f"newcomer-{uuid4().hex[:8]}")
        register_tenant(migrator, newcomer)
        grant_role(migrator, "seed_service", "seed-runner", newcomer.tenant_id, ENVIRONMENT)
        directory = TenantDirectory(self.control)
        assert directory.by_slug(newcomer.slug) == newcomer
        assert directory.environment() == ENVIRONMENT
        assert directory.roles(newcomer.tenant_id, ENVIRONMENT) == {"seed-runner"}
        control = PostgresControl(self.control, 60)
        run, lease = self._admitted(control)
        control.fence_run(run, lease)
        control.heartbeat(lease)
        for _ in range(2):
            control.charge(lease, _PIECE)
            self._decided(control, run.origin)
        assert control.spending(run.seed_run_id).pieces == {_PIECE.piece}
        control.record_integrations(lease, [_USE])
        assert control.integration_uses(run.seed_run_id) == (_USE,)
        assert self._decisions(run.origin) == 1
        rates = PostgresRateLimits(self.control)
        key = RateLimitKey(TENANT_A.tenant_id, ENVIRONMENT, f"probe-{uuid4()}")
        assert [rates.take(key, 1, 60, 1).allowed for _ in range(2)] == [True, False]
        load(self.data, lease, generated(2))
        control.record_shard(lease, "0000", {"passed": True})
        control.record_shard(lease, "0000", {"passed": True})
        assert set(control.shard_reports(run.seed_run_id)) == {"0000"}
        assert [expiry.rows for expiry in control.dataset_expiries()] == [4]
        self._sealed(control, run, lease)
        assert control.answer_of(run) == "done"
        again, lease = self._admitted(control)
        control.fence_run(again, lease)
        control.finish_run(again.seed_run_id, "failed", None)
        assert again.seed_run_id in {ended.seed_run_id for ended in ReportStore(self.control).unreported(ENVIRONMENT)}
        purge(self.data, lease)
        control.forget_answers(TENANT_A.tenant_id, ENVIRONMENT, "default")
        assert control.answer_of(run) is None
        control.release(lease)
        self._privileges()
        self._keys(run.tenant_id)

    def _admitted(self, control: PostgresControl) -> tuple[SeedRun, Lease]:
        """A seed run that left the queue with its lease, a slot and its key."""
        run = opened(SeedRunStore(self.control), f"run-{uuid4()}")
        entry = control.enter_queue(TENANT_A.tenant_id, ENVIRONMENT, run.origin)
        control.stay_in_queue(entry)
        claim = Claim(TENANT_A.tenant_id, ENVIRONMENT, "seed_run", str(uuid4()), "ab" * 32, "default")
        lease = control.acquire(
            TENANT_A.tenant_id, ENVIRONMENT, run.seed_run_id, "probe", never, Terms(2, entry, claim)
        )
        return run, lease

    def _sealed(self, control: PostgresControl, run: SeedRun, lease: Lease) -> None:
        """Report a run, try in vain to seal it, seal it, and sign the log."""
        reports, log = ReportStore(self.control), ReportLog(self.control)
        assert reports.silent(ENVIRONMENT) == ()
        succeed(control, run, lease, "done", postponed_for={"detail": "The bucket is away."})
        assert reports.waiting(ENVIRONMENT) == ()
        assert reports.evidence(run.tenant_id, run.seed_run_id, run.attempt) is not None
        newest = log.entries(ENVIRONMENT)[-1]
        log.record_checkpoint(ENVIRONMENT, LogCheckpoint(newest.log_index + 1, "ab" * 32, b"head", "log", "1"))
        assert log.last_checkpoint(ENVIRONMENT) is not None
        for _ in range(2):
            log.record_probe(ENVIRONMENT, None)
        assert log.last_probe(ENVIRONMENT) is not None

    def _decided(self, control: PostgresControl, origin: str) -> None:
        control.record_decision(
            AccessDecision(
                tenant_id=TENANT_A.tenant_id,
                environment=ENVIRONMENT,
                action="seed",
                claimed_roles=(),
                counted_roles=("seed-runner",),
                problem_code=None,
                requested_by="",
                origin=origin,
            )
        )

    def _decisions(self, origin: str) -> int:
        """How many decisions the owner of the schema reads."""
        with Database(self.stack.url("seed_migrator")).connection() as connection:
            connection.execute("SET LOCAL ROLE seed_owner")
            row = connection.execute("SELECT count(*) FROM seed.access_decision WHERE origin = %s", [origin]).fetchone()
        return int((row or (-1,))[0])

    def _keys(self, tenant_id: UUID) -> None:
        with self.stack.superuser() as connection:
            with pytest.raises(psycopg.errors.ForeignKeyViolation), connection.transaction(force_rollback=True):
                connection.execute(
                    "INSERT INTO seed.shard_report VALUES (%s, gen_random_uuid(), 'lost', true, '{}')", [tenant_id]
                )
            with pytest.raises(psycopg.errors.ForeignKeyViolation), connection.transaction(force_rollback=True):
                connection.execute(
                    "INSERT INTO seed.budget_entry VALUES"
                    " (%s, gen_random_uuid(), 'lost', 'load', '', '0000', 0, 0, 0, 0, 0, 'v1', 1)",
                    [tenant_id],
                )
            for statement in (
                "INSERT INTO seed.integration_use VALUES"
                " (%s, DEFAULT, gen_random_uuid(), 'kyc', '0000', 0, 0, 0, 0, 0, 0, '{}', '{}', 1)",
                "INSERT INTO seed.sealing VALUES (%s, gen_random_uuid(), 1)",
                "INSERT INTO seed.evidence VALUES (%s, gen_random_uuid(), 1, '', '', '', '', '', now())",
            ):
                with pytest.raises(psycopg.errors.ForeignKeyViolation), connection.transaction(force_rollback=True):
                    connection.execute(statement.encode(), [tenant_id])
            with pytest.raises(psycopg.errors.UniqueViolation), connection.transaction(force_rollback=True):
                connection.execute(
                    "INSERT INTO seed.lease SELECT tenant_id, 'staging', 1000 + row_number() OVER (), gen_random_uuid(),"
                    " 'twin', now(), now(), 1 FROM seed.tenant"
                )
            with pytest.raises(psycopg.errors.UniqueViolation), connection.transaction(force_rollback=True):
                connection.execute(
                    "INSERT INTO seed.access_decision (tenant_id, decision_id, environment, action, claimed_roles,"
                    " counted_roles, allowed, requested_by, origin) OVERRIDING SYSTEM VALUE SELECT %s, -1, 'staging', 'seed',"
                    " '{}', '{}', true, '', number::text FROM generate_series(1, 2) AS number",
                    [tenant_id],
                )
            for table, key in TWINS:
                name = sql.Identifier(*table.split("."))
                create = sql.SQL("CREATE TEMPORARY TABLE twin (LIKE {} INCLUDING INDEXES) ON COMMIT DROP").format(name)
                insert = sql.SQL("INSERT INTO twin SELECT * FROM jsonb_populate_recordset(NULL::{}, %s)").format(name)
                twins = [twin(connection, table, number, ("tenant_id", *key)) for number in (1, 2)]
                with connection.transaction(force_rollback=True):
                    connection.execute(create)
                    with pytest.raises(psycopg.errors.UniqueViolation):
                        connection.execute(insert, [Jsonb(twins)])

    def _privileges(self) -> None:
        with self.data.connection() as connection:
            set_tenant(connection, TENANT_A.tenant_id)
            connection.execute("SELECT name FROM seed.environment")
            for table in KEYS:
                name = sql.Identifier(*table.split("."))
                for statement in (
                    "UPDATE {} SET id = id WHERE false",
                    "DELETE FROM {} WHERE false",
                    "INSERT INTO {0} SELECT * FROM {0} WHERE false",
                ):
                    connection.execute(sql.SQL(statement).format(name))
        with self.control.connection() as connection:
            connection.execute("SELECT FROM seed.shard_checkpoint")
            assert connection.execute("SELECT count(*) > 0 FROM seed.dataset_removal").fetchone() == (True,)


def test_the_probe_is_quiet_where_nothing_is_amiss(stack: Server) -> None:
    """Otherwise it would notice everything."""
    probe = Probe(stack)
    assert not probe.fails()
    assert not any(probe.doctor(table) for table in (*KEYS, "seed.lease", "seed.tenant", "seed.shard_checkpoint"))


@pytest.mark.parametrize("part", PARTS)
def test_whatever_is_taken_away_is_noticed(stack: Server, part: str) -> None:
    """Every policy, FORCE, ENABLE, grant and composite key, one at a time, by the doctor or by the work itself."""
    with stack.superuser() as connection:
        found = connection.execute(PARTS[part].encode()).fetchall()
    assert len(found) >= FEWEST[part]
    unnoticed, probe = [], Probe(stack)
    for relation, name, forth, back in found:
        with removed(stack, str(forth), str(back)):
            if not probe.notices(str(relation)):
                unnoticed.append(str(name))
    assert not unnoticed, ", ".join(unnoticed)
    assert not probe.fails()
