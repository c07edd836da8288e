"""Fixtures of the unit tests."""

from pathlib import Path

import pytest
from hypothesis import settings

from seed_pipelines_tests.worlds import World

# Machines are shared: how long an example takes says nothing about the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Fakes of every outside system, inside the window."""
    return World(tmp_path)
