"""Answers to requests that threads ask for at once, through a real server."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from tenacity import Retrying, stop_after_delay, wait_fixed

from seed_pipelines.adapters.postgres.control import PostgresControl
from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.idempotency import Claim
from seed_pipelines.adapters.postgres.request_answers import RequestAnswers
from seed_pipelines.errors import IdempotencyConflict, IdempotencyInProgress, OutsideWindow
from seed_pipelines_tests.e2e.postgres.conftest import ENVIRONMENT, TENANT_A, TENANT_B, Server

pytestmark = pytest.mark.e2e

CLAIM = Claim(TENANT_A.tenant_id, ENVIRONMENT, "validate", "key", "a" * 64, "")
THREADS = 12
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


def await_waiting(stack: Server, number: int) -> None:
    """Until so many transactions wait for a key."""
    with stack.superuser() as connection:
        connection.autocommit = True
        for attempt in Retrying(stop=stop_after_delay(20), wait=wait_fixed(0.02)):
            with attempt:
                assert connection.execute(WAITING).fetchone() == (number,)


def test_one_is_worked_on_while_the_others_wait_for_its_answer(stack: Server, control: Database) -> None:
    """The work is not done before all others have come and wait."""
    answers, computed = RequestAnswers(control), []

    def work() -> str:
        await_waiting(stack, THREADS - 1)
        computed.append(1)
        return '{"é": 1}'

    with ThreadPoolExecutor(THREADS) as threads:
        given = list(threads.map(lambda _: answers.once(CLAIM, work), range(THREADS)))
    assert len(computed) == 1
    assert {found.text for found in given} == {'{"é": 1}'}
    assert sorted(found.repeated for found in given) == [False] + [True] * (THREADS - 1)


def test_other_keys_operations_and_tenants_do_not_wait(control: Database) -> None:
    """In the middle of the work for one, each of the others is answered."""
    answers = RequestAnswers(control, patience_seconds=1)
    others = [replace(CLAIM, key="b"), replace(CLAIM, operation="seed_run_cancel")]
    others.append(replace(CLAIM, tenant_id=TENANT_B.tenant_id))
    answers.once(CLAIM, lambda: str([answers.once(other, lambda: "done").text for other in others]))
    assert answers.find(CLAIM) == "['done', 'done', 'done']"


def test_patience_ends(control: Database) -> None:
    """Whoever has waited long enough is told to ask again."""
    answers = RequestAnswers(control, patience_seconds=0.1)

    def work() -> str:
        with pytest.raises(IdempotencyInProgress):
            RequestAnswers(control, patience_seconds=0.1).once(CLAIM, lambda: "never")
        return "done"

    assert answers.once(CLAIM, work).text == "done"


def test_what_fails_leaves_the_key_free(control: Database) -> None:
    answers = RequestAnswers(control)

    def fail() -> str:
        raise OutsideWindow("Not now.", opens_at="2025-01-01T00:00:00+00:00")

    with pytest.raises(OutsideWindow):
        answers.once(CLAIM, fail)
    assert answers.find(CLAIM) is None
    assert not answers.once(replace(CLAIM, manifest_hash="b" * 64), lambda: "done").repeated
    with pytest.raises(IdempotencyConflict):
        answers.find(CLAIM)


def test_an_id_is_kept_until_its_key_is_answered(stack: Server, control: Database) -> None:
    """Also by a process that died before it answered; another manifest has another one, and so has the next day."""
    answers, claim = RequestAnswers(control), replace(CLAIM, operation="seed_run_request")
    first = answers.reserved(claim)
    assert answers.reserved(claim) == first
    other = answers.reserved(replace(claim, manifest_hash="b" * 64))
    assert other != first
    with stack.superuser() as connection:
        connection.execute("UPDATE seed.idempotency_key SET claimed_at = claimed_at - interval '1 day'")
    assert answers.reserved(replace(claim, manifest_hash="b" * 64)) != other


def test_roles_are_those_of_the_named_subject(stack: Server, control: Database) -> None:
    """Not those of the login that asks."""
    found = PostgresControl(control, 60)
    with stack.superuser() as connection:
        connection.execute(
            "INSERT INTO seed.role_grant (subject, role, tenant_id, environment) VALUES ('token:ci', 'seed-read', %s, %s)"
            " ON CONFLICT DO NOTHING",
            [TENANT_A.tenant_id, ENVIRONMENT],
        )
    assert found.roles_of("token:ci", TENANT_A.tenant_id, ENVIRONMENT) == {"seed-read"}
    assert found.roles_of("token:stranger", TENANT_A.tenant_id, ENVIRONMENT) == frozenset()
    assert found.roles_of("token:ci", TENANT_B.tenant_id, ENVIRONMENT) == frozenset()
