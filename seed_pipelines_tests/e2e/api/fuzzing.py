"""Rounds of schemathesis against a served API: how many, what it is told, and what it found."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml
from starlette.routing import compile_path

from seed_pipelines.contract_files import contract_file
from seed_pipelines_tests.contracts.api_schemas import document
from seed_pipelines_tests.e2e.api.fuzzing_hooks import MANIFEST_FILE
from seed_pipelines_tests.e2e.conftest import PROJECT_DIR

REQUESTS_VARIABLE: Final = "SEED_FUZZ_REQUESTS"
SECONDS_VARIABLE: Final = "SEED_FUZZ_SECONDS"
SEED_VARIABLE: Final = "SEED_FUZZ_SEED"

_TOKEN_VARIABLE: Final = "SEED_FUZZ_TOKEN"  # noqa: S105 # the name of a variable
_RECORD: Final = "record.ndjson"
_COMPONENT: Final = "#/components/schemas/Manifest"
_SETTINGS: Final = """\
hooks = "seed_pipelines_tests.e2e.api.fuzzing_hooks"
headers = {{ "X-Tenant-ID" = "{tenant}", "X-Environment" = "{environment}" }}

[auth.openapi.bearer]
bearer = "${{{token}}}"

[phases.stateful.generation]
max-examples = {chains}
mode = "{mode}"

# A manifest may be right by its schema and wrong by a rule; what is under a key, another one.
[[operations]]
include-operation-id = ["validateSeedProfile", "createSeedRun"]
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "409", "422"]

# A run may have gone on meanwhile, or the caller not have said what it has seen.
[[operations]]
include-operation-id = "cancelSeedRun"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "404", "409", "412", "428"]
"""


@dataclass(frozen=True)
class Effort:
    """How much is asked of the API."""

    requests: int
    """At least so many, unless the time is over before."""
    seconds: float
    seed: int
    """Of the first round; each has the next one."""
    examples: int
    """Most drawn requests for an operation in a round."""
    chains: int
    """Most chains of requests in a round."""
    whole_manifests: bool
    """Manifests are drawn by their own schema, or are any objects; the former takes thousands of requests."""

    @property
    def longest_seconds(self) -> float:
        """After which something hangs: a quarter of an hour for a round, and half a second for each request."""
        return 900 + (self.requests / 2 if self.seconds == float("inf") else self.seconds)

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> "Effort":
        """The one that the variables ask for; without any, a round that is over soon."""
        requests, seconds = (variables.get(name) for name in (REQUESTS_VARIABLE, SECONDS_VARIABLE))
        seed = int(variables.get(SEED_VARIABLE, "1"))
        if requests is None and seconds is None:
            return cls(1, 0, seed, 5, 20, whole_manifests=False)
        wanted = sys.maxsize if requests is None else int(requests)
        allowed = float("inf") if requests is not None else float(seconds or 0)
        return cls(wanted, allowed, seed, 60, 60, whole_manifests=True)


@dataclass(frozen=True)
class Round:
    """What came of one call of schemathesis."""

    seed: int
    code: int
    """0 if nothing was found."""
    answers: Counter[tuple[str, int]]
    """Operation and status -> how often."""
    said: str

    @property
    def requests(self) -> int:
        """How many were answered."""
        return self.answers.total()


@dataclass(frozen=True)
class Target:
    """What is asked, as whom, and with which manifest."""

    address: str
    tenant: str
    environment: str
    manifest: Mapping[str, Any]


def rounds(target: Target, token: Callable[[], str], effort: Effort, folder: Path) -> Iterator[Round]:
    """Rounds until one finds something, there were enough requests, or the time is over; `token` gives one for a round."""
    began, sent, seed = time.monotonic(), 0, effort.seed
    _write(target, effort, folder)
    while True:
        done = _round(target, token(), effort, seed, folder)
        yield done
        sent, seed = sent + done.requests, seed + 1
        if done.code or sent >= effort.requests or time.monotonic() - began >= effort.seconds > 0:
            return


def _write(target: Target, effort: Effort, folder: Path) -> None:
    """The contract, with a manifest that is deployed as its example, and what schemathesis is to know beyond it."""
    contract = yaml.safe_load(contract_file("api.openapi.yaml").read_bytes())
    if effort.whole_manifests:
        schema = contract_file("seed-profile.schema.json").read_text(encoding="utf-8")
        whole = json.loads(schema.replace('"#/$defs/', f'"{_COMPONENT}/$defs/'))
        contract["components"]["schemas"]["Manifest"] = {
            key: part for key, part in whole.items() if key not in ("$id", "$schema", "examples")
        }
    for media in contract["components"]["requestBodies"]["Manifest"]["content"].values():
        media["example"] = dict(target.manifest)
    (folder / MANIFEST_FILE).write_text(json.dumps(dict(target.manifest)), encoding="utf-8")
    (folder / "api.yaml").write_text(yaml.safe_dump(contract, sort_keys=False), encoding="utf-8")
    settings = _SETTINGS.format(
        tenant=target.tenant,
        environment=target.environment,
        token=_TOKEN_VARIABLE,
        chains=effort.chains,
        # What is refused ends a chain: where there are few of them, each is to go far.
        mode="all" if effort.whole_manifests else "positive",
    )
    (folder / "schemathesis.toml").write_text(settings, encoding="utf-8")


def _round(target: Target, token: str, effort: Effort, seed: int, folder: Path) -> Round:
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", "schemathesis.toml", "run"]
    command += ["--no-color", "--seed", str(seed), "--generation-database", "none", "--continue-on-failure"]
    command += ["--report", "ndjson", "--report-ndjson-path", _RECORD]
    command += ["--checks", "all", "--max-examples", str(effort.examples), "api.yaml", "--url", target.address]
    if seed > effort.seed:
        # The cases at the bounds are the same in every round.
        command += ["--phases", "fuzzing,stateful"]
    environment = {**os.environ, "NO_PROXY": "*", "PYTHONPATH": str(PROJECT_DIR), _TOKEN_VARIABLE: token}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return Round(seed, done.returncode, _answers(folder / _RECORD), done.stdout + done.stderr)


def _answers(record: Path) -> Counter[tuple[str, int]]:
    """What is counted from the record of a round, which is then removed; nothing if there is none."""
    found: Counter[tuple[str, int]] = Counter()
    if not record.exists():
        return found  # schemathesis did not come to asking anything, and says why
    with record.open(encoding="utf-8") as lines:
        for line in lines:
            scenario = json.loads(line).get("ScenarioFinished", {"recorder": {}})
            for interaction in scenario["recorder"].get("interactions", {}).values():
                asked, answer = interaction["request"], interaction.get("response")
                if answer is not None:
                    found[_operation(asked["method"], urlsplit(asked["uri"]).path), answer["status_code"]] += 1
    record.unlink()
    return found


def _operation(method: str, path: str) -> str:
    """The operation that a request is for; the method and the path where there is none."""
    for template, methods in document()["paths"].items():
        if method.lower() in methods and compile_path(template)[0].match(path):
            return str(methods[method.lower()]["operationId"])
    return f"{method} elsewhere"
