"""The commands as they are installed: what they say of themselves, the manifests of this repository, the layers."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from seed_pipelines.cli import main
from seed_pipelines.cli.run import seed_data
from seed_pipelines_tests.e2e.conftest import PROJECT_DIR

COMMANDS = main.list_commands(click.Context(main))
SOURCE_FLAGS = (
    "--tenant-id",
    "--environment",
    "--manifest-path",
    "--mode",
    "--dry-run",
    "--idempotency-key",
    "--role",
    "--requested-by",
)


def installed(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a program of the virtual environment in the project's directory."""
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT_DIR, timeout=120)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    """With what it does and every option in words."""
    shown = CliRunner().invoke(main, [command, "--help"])
    assert shown.exit_code == 0, shown.output
    found = main.get_command(click.Context(main), command)
    assert found is not None
    assert found.help
    assert command in shown.output


def test_seed_data_has_every_flag_of_the_source_document() -> None:
    """And its help lists the exit codes."""
    shown = installed("seed_data", "--help")
    assert shown.returncode == 0, shown.stderr
    for flag in SOURCE_FLAGS:
        assert f"{flag} " in shown.stdout
    assert "Exit codes: 0 done; 2 validation" in shown.stdout


def test_a_flag_that_is_missing_or_wrong_is_a_validation_error() -> None:
    """Exit 2, before anything is asked."""
    for arguments in (["--environment", "staging"], ["--tenant-id", "tenant-a", "--environment", "staging"]):
        refused = CliRunner().invoke(seed_data, arguments)
        assert refused.exit_code == 2
        assert "--tenant-id" in refused.stderr


def test_the_manifests_of_the_repository_are_valid() -> None:
    """`seed-data validate manifests --json`: all of them, with their hashes."""
    done = installed("seed-data", "validate", "manifests", "--json")
    assert done.returncode == 0, done.stdout
    report = json.loads(done.stdout)
    assert report["valid"] is True
    environments = {Path(file["file"]).parent.name for file in report["files"]}
    assert environments == {"dev", "homolog", "staging", "perf", "dr"}
    assert all(len(file["manifest_hash"]) == 64 for file in report["files"])


def test_imports_run_downwards() -> None:
    """Every contract of import-linter is kept."""
    done = installed("lint-imports", "--no-cache")
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout
