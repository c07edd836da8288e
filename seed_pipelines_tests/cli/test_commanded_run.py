"""What `seed_data` says of a run."""

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from seed_pipelines.cli.commanded_run import _step_times
from seed_pipelines.seeding.seed_run import enter
from seed_pipelines_tests.worlds import World


@dataclass(frozen=True)
class _StorageAway:
    """A Dagster instance whose storage went away."""

    def get_run_step_stats(self, run_id: str) -> Any:
        raise OperationalError("SELECT", {}, Exception("gone"))


def test_storage_that_went_away_after_the_run_does_not_hide_its_outcome(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """The times of the steps are missing, and it says so."""
    session = enter(world.services, world.request())
    instance: Any = _StorageAway()
    assert _step_times(session, instance, session.run.origin) == []
    assert "the times of the steps are not shown" in capsys.readouterr().err
