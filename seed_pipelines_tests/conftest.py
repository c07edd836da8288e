"""Fixtures of the unit tests."""

from pathlib import Path

import pytest

from seed_pipelines_tests.worlds import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Fakes of every outside system, inside the window."""
    return World(tmp_path)
