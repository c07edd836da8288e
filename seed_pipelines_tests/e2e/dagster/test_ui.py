"""`seed-data ui` and `seed-data pools` on a real stack."""

import json
import os
import subprocess

import pytest

from seed_pipelines.domain.catalogue import ENVIRONMENTS
from seed_pipelines_tests.e2e.conftest import PROJECT_DIR, RunningStack
from seed_pipelines_tests.e2e.dagster.conftest import PROGRAM
from seed_pipelines_tests.e2e.dagster.webserver import Webserver

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ENTRIES = "query { workspaceOrError { ... on Workspace { locationEntries { name loadStatus } } } }"


def seed_data(stack: RunningStack, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **stack.service_environment}
    return subprocess.run(
        [*PROGRAM, *arguments],
        env=environment,
        cwd=PROJECT_DIR,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def test_pools_are_limited_once(dagster_stack: RunningStack) -> None:
    first, again = seed_data(dagster_stack, "pools"), seed_data(dagster_stack, "pools")

    assert first.stdout in ("7 pools, 7 of them new.\n", "7 pools, 0 of them new.\n"), first.stderr
    assert again.stdout == "7 pools, 0 of them new.\n"


def test_up_limits_the_pools_of_new_tenants_only(dagster_stack: RunningStack) -> None:
    manifests = str(dagster_stack.purpose.manifests_dir)
    catalogue = str(dagster_stack.purpose.catalogue_file)
    up = seed_data(
        dagster_stack, "up", "--quiet", "--without-stubs", "--manifests", manifests, "--catalogue", catalogue
    )
    limited = dagster_stack.stack.paths.dagster_home / "limited-pools.json"
    written = limited.stat().st_mtime_ns
    again = seed_data(
        dagster_stack, "up", "--quiet", "--without-stubs", "--manifests", manifests, "--catalogue", catalogue
    )

    assert (up.returncode, again.returncode) == (0, 0), up.stderr + again.stderr
    assert "staging/tenant-a" in json.loads(limited.read_text(encoding="utf-8"))
    assert limited.stat().st_mtime_ns == written


def test_every_environment_is_a_code_location(webserver: Webserver) -> None:
    entries = webserver.ask(ENTRIES)["workspaceOrError"]["locationEntries"]

    assert {entry["name"]: entry["loadStatus"] for entry in entries} == dict.fromkeys(ENVIRONMENTS, "LOADED")


def test_a_second_ui_names_the_first(webserver: Webserver, dagster_stack: RunningStack) -> None:
    second = seed_data(dagster_stack, "ui")

    assert second.returncode == 4
    assert webserver.address in json.loads(second.stderr)["detail"]
    assert webserver.ask(ENTRIES)
