"""Runs and sealers that are killed at drawn moments, and a bucket that comes and goes: no report is lost or sealed twice.

Twenty-five runs; `make chaos` lets a thousand go through it.
"""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import pytest
from dagster import DagsterInstance
from tenacity import Retrying, stop_after_delay, wait_fixed

from seed_pipelines.domain.evidence.chain import verify_chain
from seed_pipelines.domain.evidence.envelope import open_envelope
from seed_pipelines.domain.evidence.object_keys import reports_of
from seed_pipelines.domain.evidence.report import link_of
from seed_pipelines.domain.evidence.statement import read_report
from seed_pipelines.orchestration.resources import SeedingFromSettings
from seed_pipelines.orchestration.settings import Settings
from seed_pipelines.seeding.outbox import report_ended_runs, seal_waiting
from seed_pipelines_tests.e2e.conftest import PROJECT_DIR, running_stack
from seed_pipelines_tests.e2e.seeding.staging import TENANT_A, TENANT_B, Staging, volumetry, write_manifest
from seed_pipelines_tests.manifest_examples import example

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(5_400)]

RUNS: Final = int(os.environ.get("SEED_CHAOS_SEALINGS", "25"))
SEED: Final = int(os.environ.get("SEED_CHAOS_SEED", "20250101"))
TENANTS: Final = {"tenant-a": TENANT_A, "tenant-b": TENANT_B}
_EVENTS: Final = ("run", "run", "run", "seal", "seal", "bucket")
_UNPROVEN: Final = (
    "SELECT count(*) FROM seed.seed_run WHERE status = 'succeeded' AND NOT EXISTS (SELECT FROM seed.evidence"
    " WHERE evidence.seed_run_id = seed_run.seed_run_id AND evidence.attempt = seed_run.attempt)"
)
_VERDICTS: Final = {"succeeded", "failed", "aborted"}
_HOLDING: Final = "SELECT count(*) FROM seed.seed_run WHERE status = 'running' AND fencing_token IS NOT NULL"
"""Those without a token were killed before they had the lease: they did nothing, and the next run of the tenant ends them."""
_ENDED: Final = "SELECT count(*) FROM seed.seed_run WHERE status <> 'running' AND fencing_token IS NOT NULL"


class Storm:
    """Two runs at a time and two sealers, which somebody kills."""

    def __init__(self, staging: Staging, manifests: dict[str, Path]) -> None:
        self._staging, self._manifests = staging, manifests
        self._workers: dict[str, subprocess.Popen[bytes]] = {}

    def begin(self) -> None:
        """Start every worker that is not there."""
        for slug, tenant in TENANTS.items():
            self._start(f"run {slug}", "run", str(self._manifests[slug]), str(tenant))
        for number in range(2):
            self._start(f"seal {number}", "seal")

    def kill(self, name: str) -> None:
        """Kill a worker where it stands; it is started again by `begin`."""
        worker = self._workers.pop(name)
        worker.kill()
        worker.wait()

    def end(self) -> None:
        """Kill all."""
        for name in list(self._workers):
            self.kill(name)

    def names(self, kind: str) -> list[str]:
        """The workers of a kind."""
        return [name for name in self._workers if name.startswith(kind)]

    def _start(self, name: str, *arguments: str) -> None:
        if name in self._workers and self._workers[name].poll() is None:
            return
        variables = {**os.environ, **self._staging.stack.environment, "SEED_LEASE_TTL_SECONDS": "2"}
        command = [sys.executable, "-m", "seed_pipelines_tests.chaos.sealing_worker", *arguments]
        self._workers[name] = subprocess.Popen(
            command, cwd=PROJECT_DIR, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )


@contextmanager
def storm(staging: Staging, manifests: dict[str, Path]) -> Iterator[Storm]:
    """A storm that ends with the block."""
    raised = Storm(staging, manifests)
    with ExitStack() as stack:
        stack.callback(raised.end)
        yield raised


def counted(staging: Staging, query: str) -> int:
    """A number that the superuser reads."""
    with staging.superuser() as connection:
        return int((connection.execute(query.encode()).fetchone() or (-1,))[0])


def await_runs(staging: Staging, number: int) -> None:
    """Wait until so many runs have ended: a process takes longer to start than a run takes."""
    for attempt in Retrying(stop=stop_after_delay(300), wait=wait_fixed(0.05)):
        with attempt:
            assert counted(staging, _ENDED) >= number


def disturb(raised: Storm, staging: Staging, drawn: random.Random) -> str:
    """One event; its name."""
    event = drawn.choice(_EVENTS)
    if event == "bucket":
        staging.stack.stack.s3.stop()
        time.sleep(drawn.random())  # how long it is away is part of what is drawn
        staging.stack.stack.up(staging.stack.purpose)
        raised.end()  # it may listen elsewhere now
    else:
        raised.kill(drawn.choice(raised.names(event)))
    raised.begin()
    return event


@pytest.fixture(scope="module")
def after(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staging]:
    """Staging after the storm, once everything that waited was sealed."""
    folder, drawn = tmp_path_factory.mktemp("storm"), random.Random(SEED)  # noqa: S311  # moments, not secrets
    manifests = {
        slug: write_manifest(
            folder / f"{slug}.json", metadata={**example()["metadata"], "tenant": slug}, volumetry=volumetry(5, 6)
        )
        for slug in TENANTS
    }
    with running_stack() as stack:
        staging, events = Staging.of(stack), Counter[str]()
        with storm(staging, manifests) as raised:
            raised.begin()
            while counted(staging, _ENDED) < RUNS or not _is_varied(staging, events):
                await_runs(staging, counted(staging, _ENDED) + drawn.randint(1, 4))
                time.sleep(0.5 * drawn.random())  # the moment of the next event is part of what is drawn
                assert counted(staging, _UNPROVEN) == 0
                events[disturb(raised, staging, drawn)] += 1
        drain(staging)
        yield staging


def _is_varied(staging: Staging, events: "Counter[str]") -> bool:
    """Whether everything happened that the storm is for, and every kind of end was seen."""
    return set(_EVENTS) <= set(events) and set(statuses(staging)) >= _VERDICTS


def drain(staging: Staging) -> None:
    """What the sensor does once the storm is over, until nothing is left to do."""
    with (
        patch.dict(os.environ, {**staging.stack.service_environment, "SEED_LEASE_TTL_SECONDS": "2"}),
        DagsterInstance.ephemeral() as instance,
    ):
        services = SeedingFromSettings(Settings()).services("staging", instance)
        until = time.monotonic() + 120
        while time.monotonic() < until:
            assert report_ended_runs(services, "staging") == {}
            seal_waiting(services, "staging", due_only=False)
            left = counted(staging, "SELECT count(*) FROM seed.sealing")
            if not left + counted(staging, _HOLDING):
                return
            time.sleep(0.5)  # a lease that nobody keeps alive lives for two seconds


def test_each_run_that_held_its_lease_has_one_sealed_report(after: Staging) -> None:
    """And no run has succeeded without."""
    assert counted(after, _UNPROVEN) == 0
    assert counted(after, "SELECT count(*) FROM seed.sealing") == 0
    unreported = (
        "SELECT count(*) FROM seed.seed_run WHERE fencing_token IS NOT NULL AND NOT EXISTS (SELECT FROM seed.evidence"
        " WHERE evidence.seed_run_id = seed_run.seed_run_id AND evidence.attempt = seed_run.attempt)"
    )
    assert counted(after, unreported) == 0
    versions = Counter(version["Key"] for version in sealed_versions(after) if version["Key"].endswith(".dsse.json"))
    assert set(versions.values()) == {1}
    assert len(versions) == counted(after, "SELECT count(*) FROM seed.report") >= RUNS
    verdicts = statuses(after)
    assert set(verdicts) >= _VERDICTS, verdicts


@pytest.mark.parametrize("slug", TENANTS)
def test_the_chain_of_each_tenant_has_no_gap(after: Staging, slug: str) -> None:
    """As the bucket alone shows it."""
    keys = public_keys(after)
    client = after.stack.stack.s3.client()
    found = []
    for version in sealed_versions(after):
        if not version["Key"].startswith(reports_of("staging", slug)) or not version["Key"].endswith(".dsse.json"):
            continue
        place = {"Bucket": "seed-evidence", "Key": version["Key"], "VersionId": version["VersionId"]}
        opened = open_envelope(client.get_object(**place)["Body"].read(), keys)
        found.append(link_of(opened, read_report(opened.statement)))
    assert verify_chain(found).sequence == len(found)


def sealed_versions(staging: Staging) -> list[dict[str, Any]]:
    """Every version in the bucket below the tenants' reports, by key."""
    pages = staging.stack.stack.s3.client().get_paginator("list_object_versions").paginate(Bucket="seed-evidence")
    return [
        dict(version)
        for page in pages
        for version in page.get("Versions", [])
        if any(version["Key"].startswith(reports_of("staging", slug)) for slug in TENANTS)
    ]


def statuses(staging: Staging) -> dict[str, int]:
    """How many runs stand how."""
    with staging.superuser() as connection:
        return dict(connection.execute("SELECT status, count(*) FROM seed.seed_run GROUP BY status").fetchall())


def public_keys(staging: Staging) -> Any:
    """What verifies the reports."""
    with patch.dict(os.environ, staging.stack.service_environment), DagsterInstance.ephemeral() as instance:
        return SeedingFromSettings(Settings()).services("staging", instance).evidence.signer.public_keys()
