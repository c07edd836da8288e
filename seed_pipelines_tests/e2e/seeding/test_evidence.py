"""Runs and their evidence, with the real servers: nothing has succeeded before its report is sealed, and nothing is lost."""

import os
import signal
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch
from uuid import UUID

import pytest
from botocore.exceptions import ClientError
from dagster import DagsterInstance
from tenacity import Retrying, stop_after_delay, wait_fixed

from seed_pipelines.domain.evidence.chain import verify_chain
from seed_pipelines.domain.evidence.envelope import open_envelope
from seed_pipelines.domain.evidence.log import checkpoint, read_checkpoint
from seed_pipelines.domain.evidence.object_keys import reports_of
from seed_pipelines.domain.evidence.report import link_of
from seed_pipelines.domain.evidence.statement import read_report
from seed_pipelines.local.s3_server import EVIDENCE_BUCKET
from seed_pipelines.orchestration.resources import SeedingFromSettings
from seed_pipelines.orchestration.settings import Settings
from seed_pipelines.seeding.outbox import report_ended_runs, seal_waiting
from seed_pipelines.seeding.services import Services
from seed_pipelines_tests.e2e.conftest import RunningStack, running_stack
from seed_pipelines_tests.e2e.seeding.staging import OVERRIDE, STAGING_MANIFEST, TENANT_A, Staging, finish

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

SEED = ("--manifest-path", STAGING_MANIFEST, *OVERRIDE)


@pytest.fixture(scope="module")
def stack() -> Iterator[RunningStack]:
    """A stack of its own, whose S3 server may be stopped."""
    with running_stack() as running:
        yield running


@pytest.fixture
def staging(stack: RunningStack) -> Staging:
    """Staging where its servers are now: one that was started again may listen elsewhere."""
    return Staging.of(stack)


@pytest.fixture
def services(staging: Staging) -> Iterator[Services]:
    """What the sensor that seals has."""
    with patch.dict(os.environ, staging.stack.service_environment), DagsterInstance.ephemeral() as instance:
        yield SeedingFromSettings(Settings()).services("staging", instance)


@pytest.fixture
def client(staging: Staging) -> Any:
    """The S3 server, asked by the owner of the bucket."""
    return staging.stack.stack.s3.client()


def statuses(staging: Staging) -> dict[UUID, str]:
    """Seed run -> how it stands."""
    with staging.superuser() as connection:
        return dict(connection.execute("SELECT seed_run_id, status FROM seed.seed_run").fetchall())


def unsealed(staging: Staging) -> int:
    """Reports in the outbox."""
    with staging.superuser() as connection:
        return int((connection.execute("SELECT count(*) FROM seed.sealing").fetchone() or (-1,))[0])


def sealed_versions(client: Any) -> list[dict[str, Any]]:
    """Every version of every envelope of the tenant, in the order of their sequence."""
    listed = client.list_object_versions(Bucket=EVIDENCE_BUCKET, Prefix=reports_of("staging", "tenant-a"))
    assert "DeleteMarkers" not in listed
    return [version for version in listed["Versions"] if version["Key"].endswith(".dsse.json")]


def fetched(client: Any, version: dict[str, Any]) -> bytes:
    """Its bytes."""
    found = client.get_object(Bucket=EVIDENCE_BUCKET, Key=version["Key"], VersionId=version["VersionId"])
    data: bytes = found["Body"].read()
    return data


def test_a_run_is_proven_by_a_sealed_report(staging: Staging, services: Services, client: Any) -> None:
    """Signed by Transit, locked in COMPLIANCE mode, and no command of the program's can take it away again."""
    done = staging.seed(*SEED, "--json")
    assert done.exit_code == 0, done.stderr
    named = done.outcome["report"]
    version = next(found for found in sealed_versions(client) if found["Key"] == named["object_key"])
    opened = open_envelope(fetched(client, version), services.evidence.signer.public_keys())
    report = read_report(opened.statement)
    assert opened.sha256 == named["sha256"]
    assert report["verdict"] == "succeeded"
    assert report["dataset_digest"] == done.outcome["digest"]
    assert report["checklist"]["failed"] == 0
    assert report["window"]["overridden_because"] in (None, OVERRIDE[1])
    place = {"Bucket": EVIDENCE_BUCKET, "Key": version["Key"], "VersionId": version["VersionId"]}
    lock = client.get_object_retention(**place)["Retention"]
    assert lock["Mode"] == "COMPLIANCE"
    assert (lock["RetainUntilDate"] - version["LastModified"]).days >= 30 + 5 * 365
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_object(**place, BypassGovernanceRetention=True)
    assert unsealed(staging) == 0


def test_reports_form_a_chain_and_a_log(staging: Staging, services: Services, client: Any) -> None:
    """As the bucket alone shows it."""
    for _ in range(2):
        assert staging.seed(*SEED).exit_code == 0
    keys = services.evidence.signer.public_keys()
    opened = [open_envelope(fetched(client, version), keys) for version in sealed_versions(client)]
    links = [link_of(envelope, read_report(envelope.statement)) for envelope in opened]
    assert verify_chain(links).sequence == len(links)
    last = services.evidence.log.last_checkpoint("staging")
    assert last is not None
    sealed = client.get_object(Bucket=EVIDENCE_BUCKET, Key=last.object_key, VersionId=last.version_id)["Body"].read()
    head = read_checkpoint(open_envelope(sealed, keys).statement)
    expected = checkpoint("staging", [envelope.sha256 for envelope in opened], head.at)
    assert (head.tree_size, head.root) == (expected.tree_size, expected.root)


def test_nothing_begins_while_the_bucket_is_away(staging: Staging) -> None:
    """Exit 4, no seed run, no row."""
    before = statuses(staging)
    staging.stack.stack.s3.stop()
    try:
        refused = staging.seed(*SEED)
    finally:
        staging.stack.stack.up(staging.stack.purpose)
    assert refused.exit_code == 4
    assert refused.problem["code"] == "worm_unavailable"
    assert statuses(staging) == before


def test_a_bucket_that_goes_away_during_a_run_delays_its_success(staging: Staging, services: Services) -> None:
    """The run fails in Dagster; its report waits, is sealed later, and the run has succeeded then, for who asks again too."""
    key = ("--idempotency-key", "worm-outage")
    process = staging.start_stopped(*SEED, *key)
    staging.stack.stack.s3.stop()
    try:
        process.send_signal(signal.SIGCONT)
        ended = finish(process)
        assert ended.exit_code == 4, ended.stderr
        assert ended.problem["code"] == "worm_unavailable"
        assert unsealed(staging) == 1
        (run,) = (run for run, status in statuses(staging).items() if status == "sealing")
        (attempt,) = seal_waiting(services, "staging", due_only=False)
        assert attempt.evidence is None, attempt.problem
    finally:
        staging.stack.stack.up(staging.stack.purpose)
    with patch.dict(os.environ, staging.stack.service_environment), DagsterInstance.ephemeral() as instance:
        again = SeedingFromSettings(Settings()).services("staging", instance)
        (attempt,) = seal_waiting(again, "staging", due_only=False)
    assert attempt.evidence is not None, attempt.problem
    assert unsealed(staging) == 0
    assert statuses(staging)[run] == "succeeded"


def test_a_killed_run_is_reported_by_the_sensor(staging: Staging, services: Services, client: Any) -> None:
    """As aborted, once its lease has run out."""
    process = staging.start_stopped(*SEED, *("--idempotency-key", "killed"))
    process.kill()
    process.communicate()
    with staging.superuser() as connection:
        connection.execute("UPDATE seed.lease SET expires_at = now() - interval '1 second'")
    assert report_ended_runs(services, "staging") == {}
    (attempt,) = seal_waiting(services, "staging")
    assert attempt.report.verdict == "aborted"
    assert attempt.evidence is not None, attempt.problem
    newest = sealed_versions(client)[-1]
    report = read_report(open_envelope(fetched(client, newest), services.evidence.signer.public_keys()).statement)
    assert [problem["code"] for problem in report["errors"]] == ["lease_lost"]
    assert staging.seed(*SEED).exit_code == 0


def test_a_run_that_fails_is_reported_before_the_command_ends(
    staging: Staging, services: Services, client: Any
) -> None:
    """A disk that is full, a check that is red: whatever stopped it stands in a sealed report."""
    process = staging.start_stopped(*SEED)
    with staging.superuser() as connection:
        connection.execute("ALTER TABLE banking.bank_account NO FORCE ROW LEVEL SECURITY")
    try:
        process.send_signal(signal.SIGCONT)
        ended = finish(process)
    finally:
        with staging.superuser() as connection:
            connection.execute("ALTER TABLE banking.bank_account FORCE ROW LEVEL SECURITY")
    assert ended.exit_code == 6, ended.stderr
    for attempt in Retrying(stop=stop_after_delay(10), wait=wait_fixed(0.2)):
        with attempt:
            assert unsealed(staging) == 0
    newest = sealed_versions(client)[-1]
    report = read_report(open_envelope(fetched(client, newest), services.evidence.signer.public_keys()).statement)
    assert report["verdict"] == "failed"
    assert [problem["code"] for problem in report["errors"]] == ["rls_not_enforced"]
    assert report["tenant"]["id"] == str(TENANT_A)
