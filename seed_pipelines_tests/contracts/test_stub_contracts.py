"""The stubs of the outside systems, their pacts, and the script that holds them to one another."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import yaml

from seed_pipelines.adapters.outbound import OutboundClient
from seed_pipelines.contract_files import contract_file
from seed_pipelines.domain.amortization import Book
from seed_pipelines.domain.entities.customers import STATUSES
from seed_pipelines.domain.stub_addresses import INTEGRATIONS, NO_STUBS
from seed_pipelines.errors import ExternalCallsBlocked
from seed_pipelines_tests.fakes.raw_stub import listening, sends
from seed_pipelines_tests.node_tools import ROOT, needs_spectral
from seed_pipelines_tests.worlds import manifest

SCRIPT: Final = ROOT / "scripts" / "ci" / "validate-seed-contracts.sh"
GUARD: Final = "seed-data-outbound-block"

each_stub = pytest.mark.parametrize("name", INTEGRATIONS)


def document(name: str) -> dict[str, Any]:
    """The OpenAPI document of a stub."""
    return dict(yaml.safe_load(contract_file(f"stubs/{name}.openapi.yaml").read_bytes()))


def interactions(name: str) -> list[dict[str, Any]]:
    """The interactions of a pact."""
    return list(json.loads(contract_file(f"pacts/{name}.json").read_bytes())["interactions"])


def successes(name: str) -> Iterator[dict[str, Any]]:
    """The examples of each answer of success of a stub: example's name -> value."""
    for methods in document(name)["paths"].values():
        for operation in methods.values():
            answer = next(found for status, found in operation["responses"].items() if status.startswith("2"))
            examples = answer["content"]["application/json"]["examples"]
            yield {example: found["value"] for example, found in examples.items()}


class TestStubs:
    @each_stub
    def test_every_status_of_a_seeded_customer_has_an_answer_that_says_so(self, name: str) -> None:
        for examples in successes(name):
            assert tuple(sorted(examples)) == tuple(sorted(STATUSES))
            assert all(value["customer_status"] == status for status, value in examples.items())

    @each_stub
    def test_the_answers_for_two_statuses_differ_in_more_than_the_status(self, name: str) -> None:
        for examples in successes(name):
            own = ("customer_status", "_id")
            bare = {
                status: {key: value for key, value in answer.items() if not key.endswith(own)}
                for status, answer in examples.items()
            }
            assert bare["ACTIVE"] != bare["DELINQUENT"] != bare["CANCELED"]

    def test_what_the_stubs_share_is_the_same_in_all(self) -> None:
        """Each document stands alone, as the comparison with pacts needs it."""
        documents = {name: document(name)["components"] for name in INTEGRATIONS}
        kyc = documents["kyc"]
        for components in documents.values():
            for kind in ("parameters", "headers", "responses"):
                assert components[kind] == kyc[kind]
            for schema in ("CustomerStatus", "AnswerId", "Problem"):
                assert components["schemas"][schema] == kyc["schemas"][schema]
        (statuses,) = {tuple(it["schemas"]["CustomerStatus"]["enum"]) for it in documents.values()}
        assert statuses == STATUSES

    @each_stub
    def test_paths_begin_with_the_name_so_that_one_base_can_serve_all(self, name: str) -> None:
        assert all(path.startswith(f"/{name}/v1/") for path in document(name)["paths"])

    def test_the_calculator_calculates_as_the_seeded_loans_do(self) -> None:
        (examples,) = successes("financial-calculator")
        for status in ("ACTIVE", "DELINQUENT"):
            answer = examples[status]
            rate = int(answer["monthly_rate_pct"].replace(".", ""))
            book = Book(np.array([1_000_000]), np.array([rate]), np.array([4]), np.array([False]))
            amortised, interest = book.parts
            found = [
                tuple(int(row[part].replace(".", "")) for part in ("amortization", "interest", "amount"))
                for row in answer["installments"]
            ]
            assert found == list(zip(amortised, interest, book.amount, strict=True))
            assert int(answer["total"].replace(".", "")) == sum(book.amount)


class TestPacts:
    @each_stub
    def test_a_pact_promises_the_example_that_its_request_prefers(self, name: str) -> None:
        """What a consumer's test relies on is what the served stub answers."""
        (examples, *_) = successes(name)
        for interaction in interactions(name):
            key, _, value = interaction["request"]["headers"]["Prefer"][0].partition("=")
            answer = interaction["response"]
            if key == "code":
                assert answer["status"] == int(value) == 429
                shared = document(name)["components"]["responses"]["TooManyRequests"]
                examples_of_failure = shared["content"]["application/problem+json"]["examples"]
                assert answer["body"]["content"] == examples_of_failure["rate_limited"]["value"]
                assert answer["headers"]["Retry-After"] == [str(shared["headers"]["Retry-After"]["example"])]
            else:
                assert interaction["request"]["body"]["content"]["customer_status"] == value
                assert answer["body"]["content"] == examples[value]

    @pytest.mark.parametrize("interaction", interactions(GUARD), ids=lambda it: it["description"])
    def test_the_guard_keeps_its_pact(self, interaction: dict[str, Any]) -> None:
        """What it lets through arrives unchanged both ways; what it refuses is refused in these words, and never sent."""
        address = interaction["providerStates"][0]["params"]["address"]
        request, response = interaction["request"], interaction["response"]
        asked_for = manifest(integrations={"kyc": address})
        if response["status"] == ExternalCallsBlocked.status:
            with pytest.raises(ExternalCallsBlocked) as refusal:
                NO_STUBS.endpoints(asked_for)
            assert refusal.value.problem() == response["body"]["content"]
            return
        endpoint = NO_STUBS.endpoints(asked_for)["kyc"]
        assert endpoint.authority == request["headers"]["Host"][0]
        body = json.dumps(response["body"]["content"]).encode()
        fields = "".join(f"{name}: {value}\r\n" for name, (value,) in response["headers"].items())
        head = f"HTTP/1.1 {response['status']} Said\r\n{fields}Content-Length: {len(body)}\r\n\r\n".encode()
        with listening(sends(head + body)) as stub:
            answer = OutboundClient().request(
                request["method"],
                replace(endpoint, port=stub.port),
                request["path"],
                content=request["body"]["content"],
                headers={"Prefer": request["headers"]["Prefer"][0]},
            )
            (sent,) = stub.asked
        assert (answer.status, answer.json()) == (response["status"], response["body"]["content"])
        assert all(answer.headers[name.lower()] == value for name, (value,) in response["headers"].items())
        asked, _, sent_body = sent.partition(b"\r\n\r\n")
        assert json.loads(sent_body) == request["body"]["content"]
        for name, (value,) in request["headers"].items():
            assert name == "Host" or f"{name}: {value}".encode() in asked

    def test_the_pact_of_the_guard_has_a_refusal(self) -> None:
        assert sorted(it["response"]["status"] for it in interactions(GUARD)) == [200, 429, 503]


def _edit(name: str, change: Callable[[Any], None]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / name
        if path.suffix == ".json":
            parsed = json.loads(path.read_text())
            change(parsed)
            path.write_text(json.dumps(parsed))
        else:
            parsed = yaml.safe_load(path.read_text())
            change(parsed)
            path.write_text(yaml.safe_dump(parsed))

    return edit


def _remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


ABSENCES: Final[dict[str, tuple[Callable[[Path], object], str]]] = {
    "a pact": (_remove("pacts/kyc.json"), "pacts/kyc.json is missing"),
    "the pact of the guard": (_remove(f"pacts/{GUARD}.json"), f"pacts/{GUARD}.json is missing"),
    "a stub": (_remove("stubs/antifraude.openapi.yaml"), "stubs/antifraude.openapi.yaml is missing"),
    "the script's knowledge of a stub": (
        lambda folder: shutil.copy(folder / "stubs/kyc.openapi.yaml", folder / "stubs/credito.openapi.yaml"),
        "credito.openapi.yaml is not among",
    ),
}

FAULTS: Final = {
    "answers-429": _edit(
        "stubs/pagamentos.openapi.yaml",
        lambda it: it["paths"]["/pagamentos/v1/payments/{payment_id}"]["get"]["responses"].pop("429"),
    ),
    "answers-2xx": _edit(
        "stubs/kyc.openapi.yaml", lambda it: it["paths"]["/kyc/v1/checks/{check_id}"]["get"]["responses"].pop("200")
    ),
    "retry-after": _edit(
        "stubs/notificacoes.openapi.yaml",
        lambda it: it["components"]["responses"]["TooManyRequests"]["headers"].pop("Retry-After"),
    ),
    "pact-429": _edit("pacts/financial-calculator.json", lambda it: it["interactions"].pop(1)),
    "pact-2xx": _edit("pacts/notificacoes.json", lambda it: it["interactions"].pop(0)),
    "pacts/kyc.json does not fit stubs/kyc.openapi.yaml": _edit(
        "pacts/kyc.json", lambda it: it["interactions"][0]["request"].update(path="/kyc/v2/checks")
    ),
    "pacts/antifraude.json does not fit stubs/antifraude.openapi.yaml": _edit(
        "pacts/antifraude.json", lambda it: it["interactions"][0]["response"]["body"]["content"].update(score="high")
    ),
}
"""What the script says -> a fault in a file of its own."""


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Contracts that a test may break."""
    for kind in ("stubs", "pacts"):
        shutil.copytree(ROOT / "contracts" / kind, tmp_path / kind)
    return tmp_path


@needs_spectral
class TestScript:
    def test_the_contracts_of_the_repository_pass(self) -> None:
        done = _validated(ROOT / "contracts")
        assert (done.returncode, done.stderr) == (0, ""), done.stdout

    @pytest.mark.parametrize("absence", ABSENCES)
    def test_what_is_missing_is_named(self, copied: Path, absence: str) -> None:
        plant, words = ABSENCES[absence]
        plant(copied)
        done = _validated(copied)
        assert done.returncode == 1
        assert words in done.stderr

    def test_every_planted_fault_is_named(self, copied: Path) -> None:
        """Each in a file of its own, and by its own words."""
        for plant in FAULTS.values():
            plant(copied)
        done = _validated(copied)
        assert done.returncode == 1
        said = done.stdout + done.stderr
        assert [words for words in FAULTS if words not in said] == []

    def test_one_fault_is_enough(self, copied: Path) -> None:
        FAULTS["answers-429"](copied)
        done = _validated(copied)
        assert done.returncode == 1
        assert done.stderr.count("FAULT") == 1


def _validated(folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([str(SCRIPT), str(folder)], capture_output=True, text=True, check=False, timeout=180)
