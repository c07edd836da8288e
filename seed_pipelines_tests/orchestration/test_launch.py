"""A manifest's job run in this process, and what is said of how it ended."""

from dataclasses import dataclass
from uuid import uuid4

import pytest
from dagster import DagsterInstance
from dagster_shared.error import SerializableErrorInfo
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError

from seed_pipelines.adapters.postgres.budget_entries import BudgetEntry, Spending
from seed_pipelines.adapters.postgres.leases import Lease
from seed_pipelines.orchestration.launch import _unexplained, launch
from seed_pipelines_tests.fakes.control import FakeControl
from seed_pipelines_tests.orchestration.dagster_worlds import FakeSeeding, job_of
from seed_pipelines_tests.worlds import TENANT, World, manifest


@dataclass
class _Failing(FakeControl):
    """In a step, something is raised that is none of our errors."""

    error: type[Exception] = OperationalError

    def charge(self, lease: Lease, entry: BudgetEntry) -> Spending:
        if issubclass(self.error, DBAPIError):
            raise self.error("INSERT", {}, Exception("gone"))
        raise self.error("odd")


def problem_after(world: World, error: type[Exception]) -> str:
    """The code of what ends a run in whose first step an error is raised."""
    world.control = _Failing("staging", (TENANT,), error=error)
    job = job_of(world, manifest(in_catalogue=world.catalogue))
    with DagsterInstance.ephemeral() as instance:
        problem = launch(job, FakeSeeding(world), instance, str(uuid4()))
    assert problem is not None
    return str(problem["code"])


@pytest.mark.parametrize("error", [OperationalError, DatabaseError])
def test_storage_that_goes_away_in_a_step_is_a_database_that_is_unavailable(
    world: World, error: type[Exception]
) -> None:
    """Dagster writes its events in the midst of steps; whoever runs it again gets on."""
    assert problem_after(world, error) == "database_unavailable"


def test_so_is_storage_that_goes_away_between_the_lines_of_a_step() -> None:
    """Dagster raises it by itself there, and wraps it in nothing."""
    errors = [SerializableErrorInfo(name, [], name) for name in ("OperationalError", "LookupError")]
    assert _unexplained("run", errors[:1])["code"] == "database_unavailable"
    assert _unexplained("run", errors)["code"] == "internal_error"


def test_an_error_that_nobody_knows_stays_one(world: World) -> None:
    """Its name is all that is said of it; the rest is in the log."""
    assert problem_after(world, LookupError) == "internal_error"
