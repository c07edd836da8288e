"""A hundred starts at once, by commands, by Dagster and by the code that serves requests: one run for a key."""

import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest
from dagster import DagsterInstance

from seed_pipelines.adapters.postgres.idempotency import Replay
from seed_pipelines.domain.manifest import Manifest
from seed_pipelines.errors import SeedError
from seed_pipelines.orchestration.manifest_jobs import IDEMPOTENCY_KEY_TAG
from seed_pipelines.orchestration.resources import SeedingFromSettings
from seed_pipelines.orchestration.settings import Settings
from seed_pipelines.seeding import sealing
from seed_pipelines.seeding.request import SeedRequest
from seed_pipelines.seeding.seed_run import ask, held
from seed_pipelines.seeding.services import Services
from seed_pipelines_tests.e2e.conftest import PROJECT_DIR
from seed_pipelines_tests.e2e.postgres.lease_history import events, recorded, violations
from seed_pipelines_tests.e2e.seeding.staging import (
    OVERRIDE,
    STAGING_MANIFEST,
    TENANT_A,
    Staging,
    finish,
    volumetry,
    write_manifest,
)
from seed_pipelines_tests.in_process import seed_shards

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

KEY: Final = "one-of-a-hundred"
COMMANDS, DAGSTER_RUNS, REQUESTS = 4, 2, 94
FEWER_REQUESTS = 26
SLOTS = 2
ONCE_AND_REFUSED: Final = {"idempotency_in_progress", "queue_pending", "lease_held"}


@pytest.fixture
def deployed(staging: Staging, monkeypatch: pytest.MonkeyPatch) -> Staging:
    """Staging whose variables this process has too; a hundred threads of it connect at once, and may be slow."""
    for name, value in staging.variables.items():
        patient = name.endswith("DATABASE_URL")
        monkeypatch.setenv(name, f"{value}{'&' if '?' in value else '?'}connect_timeout=120" if patient else value)
    return staging


def in_process(services: Services, manifest: Manifest) -> str:
    """What serves requests: ask, and seed where nobody else does."""
    request = SeedRequest(
        origin=str(uuid4()),
        tenant=TENANT_A,
        environment="staging",
        read_manifest=lambda: manifest,
        idempotency_key=KEY,
        window_override="a test at any hour",
    )
    try:
        session = ask(services, request)
        if isinstance(session, Replay):
            return "repeated"
        with held(session):
            seed_shards(session)
            sealing.finish(session)
    except SeedError as refusal:
        return refusal.code
    return "seeded"


def by_command(staging: Staging, manifest: Path) -> str:
    """`seed_data`."""
    done = finish(staging.start("--idempotency-key", KEY, "--json", "--manifest-path", manifest, *OVERRIDE), 300)
    if done.exit_code == 0:
        return "seeded or repeated"
    return str(done.problem["code"])


def by_dagster(staging: Staging) -> str:
    """`dagster job execute` with the key as a tag; the staging manifest, by a subject that cannot override its window."""
    command = [
        *(str(Path(sys.executable).with_name("dagster")), "job", "execute"),
        *("-m", "seed_pipelines.definitions", "-j", "seed__staging__tenant_a"),
        *("--tags", f'{{"{IDEMPOTENCY_KEY_TAG}": "{KEY}"}}'),
    ]
    environment = {**os.environ, **staging.stack.service_environment}
    done = subprocess.run(command, env=environment, cwd=PROJECT_DIR, capture_output=True, text=True, check=False)
    found = [code for code in (*ONCE_AND_REFUSED, "idempotency_conflict", "outside_window") if code in done.stderr]
    return "seeded" if done.returncode == 0 else found[0] if found else done.stderr[-2000:]


def start_all(staging: Staging, manifests: list[Path], requests: int) -> "Counter[str]":
    """Starts by three ways at once, their manifests by turns; how they ended."""
    seeding = SeedingFromSettings(Settings())
    with DagsterInstance.ephemeral() as instance, ThreadPoolExecutor(requests) as pool:
        services = seeding.services("staging", instance)
        read = [seeding.read_manifest(path) for path in manifests]
        commands = [pool.submit(by_command, staging, manifests[number % len(manifests)]) for number in range(COMMANDS)]
        dagster = [pool.submit(by_dagster, staging) for _ in range(DAGSTER_RUNS)]
        others = [pool.submit(in_process, services, read[number % len(read)]) for number in range(requests)]
        return Counter(future.result() for future in (*commands, *dagster, *others))


def succeeded_runs(staging: Staging) -> int:
    """Seed runs that took effect."""
    with staging.superuser() as connection:
        found = connection.execute("SELECT count(*) FROM seed.seed_run WHERE status = 'succeeded'").fetchone()
    return int((found or (-1,))[0])


def test_one_key_is_one_run(deployed: Staging) -> None:
    """Every other start is repeated or refused, in the same words; the record of leases shows no overlap."""
    with deployed.superuser() as superuser, recorded(superuser):
        ends = start_all(deployed, [STAGING_MANIFEST], REQUESTS)
        history = events(superuser)
    assert succeeded_runs(deployed) == 1, ends
    assert set(ends) <= ONCE_AND_REFUSED | {
        "seeded",
        "repeated",
        "seeded or repeated",
        "outside_window",
        "idempotency_conflict",
    }
    assert violations(history, SLOTS) == []
    assert [event.event for event in history].count("began") == 1


def test_two_manifests_under_one_key_are_one_run_and_conflicts(deployed: Staging, tmp_path: Path) -> None:
    """Whichever came first; the other manifest is never seeded."""
    other = write_manifest(tmp_path / "other.json", volumetry=volumetry(99, 119))
    with deployed.superuser() as superuser, recorded(superuser):
        ends = start_all(deployed, [STAGING_MANIFEST, other], FEWER_REQUESTS)
        history = events(superuser)
    assert succeeded_runs(deployed) == 1, ends
    assert ends["idempotency_conflict"] > 0
    assert violations(history, SLOTS) == []
