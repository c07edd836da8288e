"""Worlds with sealed runs."""

from pathlib import Path

import pytest

from seed_pipelines_tests.seeding.verification.sealed_runs import SealedWorld, sealed_world


@pytest.fixture
def world(tmp_path: Path) -> SealedWorld:
    """Fakes of every outside system, whose bucket does not keep what it is given."""
    return sealed_world(tmp_path)
