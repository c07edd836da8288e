"""The error tree, its drawing and its contract."""

import inspect
import re
from pathlib import Path

import pytest

from seed_pipelines import errors
from seed_pipelines.errors import SeedError

CONTRACT = Path(__file__).parents[1] / "contracts" / "problems.md"


def concrete() -> list[type[SeedError]]:
    classes = [found for _, found in inspect.getmembers(errors, inspect.isclass) if issubclass(found, SeedError)]
    return [found for found in classes if "code" in vars(found)]


@pytest.mark.parametrize("error", concrete(), ids=lambda error: error.__name__)
def test_every_problem_type_is_in_the_contract_with_its_status_and_exit_code(error: type[SeedError]) -> None:
    row = re.compile(rf"^\| `{error.code}` \| {error.status} \| {error.exit_code} \|", re.MULTILINE)
    assert row.search(CONTRACT.read_text(encoding="utf-8"))


def test_the_contract_names_no_type_that_does_not_exist() -> None:
    named = re.findall(r"^\| `(\w+)` \|", CONTRACT.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(error.code for error in concrete())


@pytest.mark.parametrize("error", [e for e in concrete() if e is not SeedError], ids=lambda error: error.__name__)
def test_every_error_is_drawn_in_the_docstring_of_its_module(error: type[SeedError]) -> None:
    assert re.search(rf"{error.__name__} +{error.status} {error.code}$", errors.__doc__ or "", re.MULTILINE)


def test_a_problem_has_the_members_of_rfc_9457_and_its_extensions() -> None:
    problem = errors.LeaseHeld("Another run.", holder="run-1", expires_in_seconds=3).problem()
    assert problem == {
        "type": "urn:seed-pipelines:problem:lease_held",
        "title": "Another run is seeding this tenant and environment",
        "status": 409,
        "detail": "Another run.",
        "code": "lease_held",
        "exit_code": 3,
        "holder": "run-1",
        "expires_in_seconds": 3,
    }
