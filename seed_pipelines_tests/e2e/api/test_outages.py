"""Servers that stop and come back while runs are created: 503 meanwhile, and each run is there once in the end."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from uuid import uuid4

import httpx2
import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from seed_pipelines.local.stub_server import StubServer, find_prism
from seed_pipelines_tests.e2e.api.server import RUNS, TENANT_A, VALIDATE, Served, served
from seed_pipelines_tests.e2e.conftest import PROJECT_DIR, RunningStack
from seed_pipelines_tests.node_tools import NOT_INSTALLED

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

EARLY: Final = 3
"""Runs that are being created when the server stops; some may be done by then."""
LATE: Final = 3
"""Runs that are asked for when it has stopped."""


class Server(Protocol):
    """A server of the local stack."""

    def start(self) -> object: ...

    def stop(self) -> None: ...


@dataclass
class Callers:
    """Who want runs of one manifest under keys of their own, and ask until they have them."""

    api: Served
    manifest: dict[str, Any]
    keys: list[str] = field(default_factory=lambda: [f"outage-{uuid4()}" for _ in range(EARLY + LATE)])
    refusals: dict[str, list[httpx2.Response]] = field(default_factory=dict)
    """Key -> what was answered before."""

    def created(self, key: str) -> httpx2.Response:
        """The answer under a key, once it is no refusal."""
        return until(lambda: self._asked(key), lambda answer: answer.status_code == 201)

    def _asked(self, key: str) -> httpx2.Response:
        answer = self.api.post(RUNS, self.manifest, Idempotency_Key=key)
        if answer.status_code != 201:
            self.refusals.setdefault(key, []).append(answer)
        return answer


def until(ask: Callable[[], httpx2.Response], found: Callable[[httpx2.Response], bool]) -> httpx2.Response:
    """The first answer that will do."""
    retrying = Retrying(
        retry=retry_if_result(lambda answer: not found(answer)), stop=stop_after_delay(60), wait=wait_fixed(0.3)
    )
    return retrying(ask)


def through_an_outage(callers: Callers, server: Server, meanwhile: Callable[[], None]) -> list[httpx2.Response]:
    """The runs of all callers, of whom the first is answered before the server stops, and the late ones are refused."""
    late = callers.keys[EARLY:]
    with ThreadPoolExecutor(len(callers.keys)) as pool:
        sent = [pool.submit(callers.created, key) for key in callers.keys[:EARLY]]
        next(as_completed(sent))
        server.stop()
        try:
            sent += [pool.submit(callers.created, key) for key in late]
            Retrying(retry=retry_if_result(lambda seen: not seen), stop=stop_after_delay(60), wait=wait_fixed(0.05))(
                lambda: callers.refusals.keys() >= set(late)
            )
            meanwhile()
        finally:
            server.start()
        return [one.result() for one in sent]


def assert_each_is_there_once(callers: Callers, created: list[httpx2.Response]) -> None:
    """One run for a key, that of its answer, which is given again byte for byte."""
    api = callers.api
    wanted = dict(zip(callers.keys, (answer.json()["id"] for answer in created), strict=True))
    found = [(run["idempotency_key"], run["id"]) for run in pages(api) if run["idempotency_key"] in wanted]
    assert sorted(found) == sorted(wanted.items())
    for key, answer in zip(callers.keys, created, strict=True):
        again = api.post(RUNS, callers.manifest, Idempotency_Key=key)
        assert (again.status_code, again.content) == (201, answer.content)
        assert again.headers["Idempotency-Replayed"] == "true"


def pages(api: Served) -> Iterator[dict[str, Any]]:
    """Every run that the API shows."""
    place: str | None = f"{RUNS}?limit=100"
    while place is not None:
        page = api.get(place).json()
        yield from page["items"]
        place = page["next_cursor"] and f"{RUNS}?limit=100&cursor={page['next_cursor']}"


def assert_refused(callers: Callers, code: str) -> None:
    """With Problem Details of one kind, and a time to come back."""
    refusals = [answer for answers in callers.refusals.values() for answer in answers]
    assert {(answer.status_code, answer.json()["code"]) for answer in refusals} == {(503, code)}
    for answer in refusals:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert int(answer.headers["Retry-After"]) >= 1


def test_postgresql_stops_while_runs_are_created(api: Served, manifest: dict[str, Any]) -> None:
    """Whatever it had committed of a request: asked again under its key, that run is found, or made."""
    callers = Callers(api, manifest)

    def not_ready() -> None:
        assert api.get("/health/ready").status_code == 503
        assert api.get("/health/live").status_code == 200

    created = through_an_outage(callers, api.stack.stack.postgres, not_ready)
    assert_refused(callers, "database_unavailable")
    assert_each_is_there_once(callers, created)
    assert api.get("/health/ready").status_code == 200


def test_vault_stops_while_runs_are_created(api: Served, manifest: dict[str, Any]) -> None:
    """A run could not mask anything: it is not queued. What needs no Vault is answered."""
    callers = Callers(api, manifest)
    created = through_an_outage(callers, api.stack.stack.vault, lambda: assert_answered_meanwhile(api, manifest))
    assert_refused(callers, "vault_unavailable")
    assert_each_is_there_once(callers, created)


def test_a_stub_stops_while_runs_are_created(stub: StubServer, stubbed_api: Served, manifest: dict[str, Any]) -> None:
    """The deployment names it, so a run needs it."""
    callers = Callers(stubbed_api, manifest)
    created = through_an_outage(callers, stub, lambda: assert_answered_meanwhile(stubbed_api, manifest))
    assert_refused(callers, "stub_unavailable")
    assert_each_is_there_once(callers, created)


def assert_answered_meanwhile(api: Served, manifest: dict[str, Any]) -> None:
    """Validating, looking and replaying go on."""
    assert api.post(VALIDATE, manifest).status_code == 200
    assert api.get("/health/ready").status_code == 200
    runs = api.get(f"{RUNS}?limit=1").json()["items"]
    assert api.post(RUNS, manifest, Idempotency_Key=runs[0]["idempotency_key"]).status_code == 201


@pytest.fixture(scope="module")
def stub(api_stack: RunningStack) -> Iterator[StubServer]:
    """The real stub of kyc, on its own."""
    prism = find_prism(PROJECT_DIR, None)
    if prism is None or shutil.which("node") is None:
        pytest.skip(NOT_INSTALLED)
    server = StubServer(api_stack.stack.paths, "kyc", prism)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def stubbed_api(api_stack: RunningStack, stub: StubServer) -> Iterator[Served]:
    """The API of a deployment that names it."""
    variables = {"SEED_KYC_URL": stub.address, "SEED_STUB_PORTS": stub.address.rpartition(":")[2]}
    with served(api_stack, TENANT_A, SEED_API_RATE_LIMIT="100000", **variables) as found:
        yield found
