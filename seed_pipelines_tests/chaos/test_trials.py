"""Runs of the real command that are disturbed at drawn moments: what the runs after them leave is what undisturbed ones leave.

Twenty trials, every fault among them; `make chaos` undergoes two hundred.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from seed_pipelines_tests.chaos.draw import Trial, chosen_trials
from seed_pipelines_tests.chaos.ground import Ground
from seed_pipelines_tests.chaos.undergoing import Undergoing
from seed_pipelines_tests.e2e.conftest import running_stack
from seed_pipelines_tests.e2e.seeding.staging import Staging

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Staging of a stack of its own, whose servers are restarted, sealed and short of room, and what undisturbed runs leave."""
    with running_stack() as stack:
        yield Ground.prepared(Staging.of(stack), tmp_path_factory.mktemp("chaos"))


@pytest.mark.parametrize("trial", chosen_trials(), ids=str)
def test_nothing_remains_of_a_disturbance(trial: Trial, ground: Ground, tmp_path: Path) -> None:
    """Old or new shards right after it; in the end every row, checkpoint and count, and nothing that outlives a run."""
    try:
        Undergoing(ground, trial, tmp_path).undergo()
    except BaseException as error:
        error.add_note(f"{trial}\nRepeat it alone: {trial.command}")
        raise
