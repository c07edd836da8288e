"""Settings, from environment variables."""

import pytest
from pydantic import ValidationError

from seed_pipelines.domain.retention import Retention
from seed_pipelines.orchestration.settings import Settings

ENDPOINTS = ("SEED_EVIDENCE_ENDPOINT_URL", "SEED_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL")


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*ENDPOINTS, "SEED_EVIDENCE_BUCKET", "SEED_EVIDENCE_RETENTION_DAYS", "SEED_EVIDENCE_RETENTION_YEARS"):
        monkeypatch.delenv(name, raising=False)


def test_reports_are_retained_as_long_as_they_must_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless a deployment asks for more."""
    assert Settings().evidence_retention == Retention(30, 5)
    monkeypatch.setenv("SEED_EVIDENCE_RETENTION_DAYS", "60")
    monkeypatch.setenv("SEED_EVIDENCE_RETENTION_YEARS", "10")
    assert Settings().evidence_retention == Retention(60, 10)


@pytest.mark.parametrize(
    ("name", "value"), [("SEED_EVIDENCE_RETENTION_DAYS", "29"), ("SEED_EVIDENCE_RETENTION_YEARS", "4")]
)
def test_a_shorter_retention_is_no_setting(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """It is refused before anything is sealed."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.removeprefix("SEED_").lower()):
        Settings()


def test_evidence_is_where_the_parquet_files_are_unless_it_has_a_server_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The most particular variable decides."""
    assert Settings().evidence_endpoint_url is None
    for name in reversed(ENDPOINTS):
        monkeypatch.setenv(name, f"https://{name.lower()}.example")
        assert Settings().evidence_endpoint_url == f"https://{name.lower()}.example"
