"""Decisions on access on a real server: who wrote them, that they stay, and what never counts."""

from dataclasses import replace
from typing import Any

import psycopg
import pytest

from seed_pipelines.adapters.postgres.access_decisions import AccessDecision
from seed_pipelines.adapters.postgres.control import PostgresControl
from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.tenants import TenantDirectory, grant_role
from seed_pipelines.errors import Forbidden, RequestInvalid
from seed_pipelines.seeding.authorization import Caller, authorize
from seed_pipelines_tests.e2e.postgres.conftest import ENVIRONMENT, TENANT_A, Server

pytestmark = pytest.mark.e2e

DECISION = AccessDecision(
    tenant_id=TENANT_A.tenant_id,
    environment=ENVIRONMENT,
    action="seed",
    claimed_roles=("seed-runner",),
    counted_roles=("seed-runner",),
    problem_code=None,
    requested_by="ana",
    origin="run-1",
)


@pytest.fixture
def service(stack: Server) -> PostgresControl:
    """The control tables as the login of the services sees them, whose roles are seed-runner alone."""
    return PostgresControl(Database(stack.url("seed_service")), 60)


def recorded(stack: Server, columns: str, origin: str) -> list[tuple[Any, ...]]:
    """What an auditor reads, who acts as the owner."""
    with psycopg.connect(stack.url("seed_migrator")) as connection:
        connection.execute("SET LOCAL ROLE seed_owner")
        query = f"SELECT {columns} FROM seed.access_decision WHERE origin = %s ORDER BY decision_id"  # noqa: S608  # constants
        return connection.execute(query.encode(), [origin]).fetchall()


def test_refusals_stay_on_record_though_the_request_fails(stack: Server, service: PostgresControl) -> None:
    """The database adds who asked and when; steps that ask again add nothing."""
    caller = Caller("run-refused", "ana")
    for _ in range(3):
        authorize(service, TENANT_A, ENVIRONMENT, "seed", caller)
        with pytest.raises(Forbidden):
            authorize(service, TENANT_A, ENVIRONMENT, "purge", caller)
    columns = "subject, action, claimed_roles, counted_roles, allowed, problem_code, requested_by"
    assert recorded(stack, columns, "run-refused") == [
        ("seed_service", "seed", [], ["seed-runner"], True, None, "ana"),
        ("seed_service", "purge", [], ["seed-runner"], False, "forbidden", "ana"),
    ]
    clock = "decided_at BETWEEN now() - interval '1 minute' AND clock_timestamp()"
    assert recorded(stack, clock, "run-refused") == [(True,), (True,)]


def test_the_same_answer_is_kept_once_and_another_one_beside_it(stack: Server, service: PostgresControl) -> None:
    """Other roles that counted, another subject or another problem make another answer."""
    origin = "run-once"
    for decision in (DECISION, DECISION, replace(DECISION, requested_by="bia")):
        service.record_decision(replace(decision, origin=origin))
    service.record_decision(replace(DECISION, origin=origin, counted_roles=("seed-admin", "seed-runner")))
    service.record_decision(replace(DECISION, origin=origin, problem_code="forbidden"))
    service.record_decision(replace(DECISION, origin=origin, problem_code="request_invalid"))
    PostgresControl(Database(stack.url("seed_operator")), 60).record_decision(replace(DECISION, origin=origin))
    assert len(recorded(stack, "1", origin)) == 5


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE seed.access_decision SET allowed = true, problem_code = NULL",
        "DELETE FROM seed.access_decision",
        "TRUNCATE seed.access_decision",
        "SELECT FROM seed.access_decision",
        "INSERT INTO seed.access_decision (tenant_id, environment, subject, action, claimed_roles, counted_roles, allowed,"
        " requested_by, origin) SELECT tenant_id, environment, 'somebody', 'seed', '{}', '{}', true, '', 'forged'"
        " FROM seed.role_grant LIMIT 1",
        "INSERT INTO seed.access_decision (tenant_id, environment, decided_at, action, claimed_roles, counted_roles,"
        " allowed, requested_by, origin) SELECT tenant_id, environment, '2020-01-01', 'seed', '{}', '{}', true, '',"
        " 'forged' FROM seed.role_grant LIMIT 1",
        "DROP TABLE seed.access_decision",
        "ALTER TABLE seed.access_decision DISABLE TRIGGER append_only",
        "ALTER TABLE seed.access_decision NO FORCE ROW LEVEL SECURITY",
    ],
)
@pytest.mark.parametrize("login", ["seed_service", "seed_operator", "seed_app"])
def test_a_login_of_the_program_can_neither_change_nor_forge_nor_read_a_decision(
    stack: Server, service: PostgresControl, login: str, tampering: str
) -> None:
    """It may add its own, and that is all."""
    service.record_decision(DECISION)
    before = recorded(stack, "*", "run-1")
    with psycopg.connect(stack.url(login)) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(tampering.encode())
    assert recorded(stack, "*", "run-1") == before
    assert recorded(stack, "*", "forged") == []


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE seed.access_decision SET requested_by = ''",
        "DELETE FROM seed.access_decision",
        "TRUNCATE seed.access_decision",
    ],
)
@pytest.mark.parametrize("role", ["seed_owner", "postgres"])
def test_rows_stay_even_for_the_owner_and_a_superuser(
    stack: Server, service: PostgresControl, role: str, tampering: str
) -> None:
    """Only one who removes the trigger first could do it, which is no slip."""
    service.record_decision(DECISION)
    with stack.superuser() as connection:
        connection.execute(f"SET ROLE {role}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            connection.execute(tampering.encode())
    assert len(recorded(stack, "1", "run-1")) == 1


def test_a_service_is_never_seed_admin(stack: Server) -> None:
    """It cannot be granted the role, and a grant that was slipped in does not count; nor for a member of the service."""
    migrator, which = stack.url("seed_migrator"), (TENANT_A.tenant_id, ENVIRONMENT)
    slipped = "INSERT INTO seed.role_grant (tenant_id, environment, subject, role) VALUES (%s, %s, %s, 'seed-admin')"
    with stack.superuser() as connection:
        connection.execute("CREATE ROLE seed_service_two LOGIN IN ROLE seed_service")
        try:
            for subject in ("seed_service", "seed_service_two"):
                with pytest.raises(RequestInvalid, match="never seed-admin"):
                    grant_role(migrator, subject, "seed-admin", *which)
            with pytest.raises(psycopg.errors.CheckViolation):
                connection.execute(slipped, [*which, "seed_service"])
            connection.execute(slipped, [*which, "seed_service_two"])
            grant_role(migrator, "seed_service_two", "seed-read", *which)
            assert TenantDirectory(Database(stack.url("seed_service_two"))).roles(*which) == {"seed-read"}
        finally:
            connection.execute("DELETE FROM seed.role_grant WHERE subject = 'seed_service_two'")
            connection.execute("DROP ROLE seed_service_two")
