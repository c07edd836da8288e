"""Preparing a database with the commands instead of `seed-data up`."""

import pytest
from click.testing import CliRunner, Result

from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.tenants import TenantDirectory
from seed_pipelines.cli import main
from seed_pipelines.local.paths import StackPaths
from seed_pipelines_tests.e2e.conftest import RunningStack

pytestmark = pytest.mark.e2e

TENANT_ID = "11111111-2222-4333-8444-555555555555"


def run(stack: RunningStack, *arguments: str) -> Result:
    url = stack.environment["SEED_DATABASE_URL"].replace("{environment}", "dr").replace("seed_app", "seed_migrator")
    options = ["--database-url", url, "--environment", "dr"]
    passwords = StackPaths.of(stack.state_dir).provisioning_passwords
    return CliRunner().invoke(main, [*arguments, *options], env={"PGPASSFILE": str(passwords)})


def test_migrating_again_changes_nothing_and_another_environment_is_refused(local_stack: RunningStack) -> None:
    first, second = (run(local_stack, "migrate") for _ in range(2))
    assert first.exit_code == second.exit_code == 0, first.output
    assert first.output == second.output
    assert "0016_answers_by_age" in first.output


def test_a_registered_tenant_is_known_with_its_grants(
    local_stack: RunningStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = ("register", "tenant-own", "--tenant-id", TENANT_ID)
    grants = ("--app-login", "seed_app", "--grant", "seed_operator=seed-admin")
    for _ in range(2):
        result = run(local_stack, *register, *grants)
        assert result.exit_code == 0, result.output
    assert TENANT_ID in result.output
    monkeypatch.setenv("PGPASSFILE", local_stack.environment["PGPASSFILE"])
    url = local_stack.environment["SEED_CONTROL_DATABASE_URL"].replace("{environment}", "dr")
    directory = TenantDirectory(Database(url))
    known = directory.by_slug("tenant-own")
    assert str(known.tenant_id) == TENANT_ID
    assert directory.roles(known.tenant_id, "dr") == {"seed-admin"}


@pytest.mark.parametrize("grant", ["seed-admin", "=seed-admin", "seed_operator=root"])
def test_a_grant_that_is_none_is_refused_before_anything_changes(local_stack: RunningStack, grant: str) -> None:
    result = run(local_stack, "register", "tenant-never", "--grant", grant)
    assert result.exit_code == 2
    assert "LOGIN=ROLE" in result.output
