"""The stubs of the local stack with the real Prism: they answer as their pacts say, on loopback, and end with the stack."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from seed_pipelines.adapters.outbound import OutboundClient
from seed_pipelines.contract_files import contract_file
from seed_pipelines.domain.entities.customers import STATUSES
from seed_pipelines.domain.stub_addresses import BASE_SETTING, INTEGRATIONS, SETTINGS, Integration, StubAddresses
from seed_pipelines.errors import StackUnavailable
from seed_pipelines.local.paths import StackPaths
from seed_pipelines.local.stack import LocalStack, Purpose
from seed_pipelines.local.stub_server import PORTS
from seed_pipelines.orchestration.settings import Settings
from seed_pipelines_tests.e2e.conftest import PROJECT_DIR, RunningStack, running_stack
from seed_pipelines_tests.node_tools import needs_prism
from seed_pipelines_tests.worlds import manifest

pytestmark = [
    pytest.mark.e2e,
    needs_prism,
]


@pytest.fixture(scope="module")
def stubbed(one_tenant: Path) -> Iterator[RunningStack]:
    """A stack with stubs, which a test may end as long as it brings them up again."""
    with running_stack(one_tenant, stubs=True) as stack:
        yield stack


def addresses(stack: RunningStack) -> StubAddresses:
    """What a run reads from the stack's variables."""
    read = {name.removeprefix("SEED_").lower(): value for name, value in stack.environment.items()}
    return Settings.model_validate(read).stubs


def asked(stack: RunningStack, integration: Integration, request: dict[str, Any], prefer: str) -> Any:
    """The stub's answer to the request of a pact."""
    endpoint = addresses(stack).endpoints(manifest())[integration]
    fields = {name: value for name, (value,) in request["headers"].items() if name != "Prefer"}
    return OutboundClient().request(
        request["method"],
        endpoint,
        request["path"],
        content=request["body"]["content"],
        headers={**fields, "Prefer": prefer},
    )


def pact(integration: Integration) -> list[dict[str, Any]]:
    """The interactions of a pact."""
    return list(json.loads(contract_file(f"pacts/{integration}.json").read_bytes())["interactions"])


@pytest.mark.parametrize("integration", INTEGRATIONS)
class TestAnswers:
    def test_the_stub_keeps_its_pact(self, stubbed: RunningStack, integration: Integration) -> None:
        """Status, fields and body of every interaction, from the real server."""
        for interaction in pact(integration):
            promised = interaction["response"]
            answer = asked(stubbed, integration, interaction["request"], interaction["request"]["headers"]["Prefer"][0])
            assert (answer.status, answer.json()) == (promised["status"], promised["body"]["content"])
            for name, (value,) in promised["headers"].items():
                assert answer.headers[name.lower()] == value

    def test_the_status_of_the_customer_decides(self, stubbed: RunningStack, integration: Integration) -> None:
        """Each status gets an answer of its own, which says whom it is about."""
        request = pact(integration)[0]["request"]
        answers = []
        for status in STATUSES:
            request["body"]["content"]["customer_status"] = status
            answers.append(asked(stubbed, integration, request, f"example={status}").json())
        assert tuple(answer["customer_status"] for answer in answers) == STATUSES
        assert len({json.dumps(answer) for answer in answers}) == len(STATUSES)

    def test_a_request_that_breaks_the_contract_is_refused(
        self, stubbed: RunningStack, integration: Integration
    ) -> None:
        request = pact(integration)[0]["request"]
        request["body"]["content"]["customer_status"] = "RICH"
        answer = asked(stubbed, integration, request, "example=ACTIVE")
        assert (answer.status, answer.json()["code"]) == (422, "request_invalid")


class TestServers:
    def test_up_again_changes_nothing(self, stubbed: RunningStack) -> None:
        before = stubbed.stack.status()
        assert [server.name for server in before.servers][3:] == [f"stub-{integration}" for integration in PORTS]
        assert stubbed.stack.up(stubbed.purpose) == before
        assert before.healthy

    def test_they_listen_on_loopback_only(self, stubbed: RunningStack) -> None:
        for stub in stubbed.stack.stubs:
            child = stub.record.running()
            assert child is not None
            listening = psutil.Process(child.pid).net_connections(kind="inet")
            assert {it.laddr for it in listening if it.status == psutil.CONN_LISTEN} == {("127.0.0.1", child.port)}

    def test_a_killed_stub_is_missed_and_comes_back(self, stubbed: RunningStack) -> None:
        environment = stubbed.environment
        victim = stubbed.stack.stubs[0].record.running()
        assert victim is not None
        process = psutil.Process(victim.pid)
        process.kill()
        process.wait(10)
        assert not stubbed.stack.status().healthy
        with pytest.raises(StackUnavailable, match="stub-kyc"):
            _ = stubbed.environment
        assert stubbed.stack.up(stubbed.purpose).healthy
        assert stubbed.environment == environment

    def test_ports_taken_by_strangers_are_left_to_them(self, stubbed: RunningStack) -> None:
        """Down ends every stub; up finds other ports, which the variables name and the guard admits."""
        children = [stub.record.running() for stub in stubbed.stack.stubs]
        stubbed.stack.down()
        assert all(child is not None and child.process() is None for child in children)
        taken = {child.port for child in children if child is not None and child.port is not None}
        with ExitStack() as strangers:
            for port in taken:
                strangers.enter_context(closing(socket.create_server(("127.0.0.1", port))))
            assert stubbed.stack.up(stubbed.purpose).healthy
            moved = addresses(stubbed)
            endpoints = moved.endpoints(manifest())
            assert {it.port for it in endpoints.values()} == moved.ports
            assert taken.isdisjoint(moved.ports)
            assert asked(stubbed, "kyc", pact("kyc")[0]["request"], "example=ACTIVE").status == 200


class TestWithout:
    def test_a_stack_without_stubs_starts_none_and_names_none(self, local_stack: RunningStack) -> None:
        assert all(stub.record.read() is None for stub in local_stack.stack.stubs)
        assert {*SETTINGS.values(), BASE_SETTING, "SEED_STUB_PORTS"}.isdisjoint(local_stack.environment)

    def test_without_prism_the_way_out_is_named(self, one_tenant: Path, local_stack: RunningStack) -> None:
        lacking = LocalStack(StackPaths.of(local_stack.state_dir))
        with pytest.raises(StackUnavailable, match=r"node_modules/installed.*--without-stubs"):
            lacking.up(Purpose(PROJECT_DIR, one_tenant, stubs=True))
        assert local_stack.stack.status().healthy
