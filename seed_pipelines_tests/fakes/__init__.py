"""In-memory twins of the ports in `seed_pipelines.seeding`."""

from seed_pipelines_tests.fakes.control import FakeControl
from seed_pipelines_tests.fakes.evidence_bucket import FakeEvidenceBucket
from seed_pipelines_tests.fakes.keys import FakeKeys
from seed_pipelines_tests.fakes.reports import FakeReports
from seed_pipelines_tests.fakes.signer import FakeSigner
from seed_pipelines_tests.fakes.stubs import FakeStubs
from seed_pipelines_tests.fakes.tables import FakeTables
from seed_pipelines_tests.fakes.telemetry import FakeTelemetry

__all__ = [
    "FakeControl",
    "FakeEvidenceBucket",
    "FakeKeys",
    "FakeReports",
    "FakeSigner",
    "FakeStubs",
    "FakeTables",
    "FakeTelemetry",
]
