"""What commands import: most of their time, where they do little else."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import click
import pytest
from click.testing import CliRunner

from seed_pipelines.cli import _WORDS, main
from seed_pipelines_tests.cli.test_plan import written

HEAVY: Final = {"dagster", "pandas", "psycopg", "sqlalchemy", "alembic", "boto3", "botocore", "pyarrow.dataset"}
PROGRAM: Final = """
import json, sys
from seed_pipelines.cli import main
try:
    main()
except SystemExit as end:
    print(json.dumps({"exit_code": end.code, "modules": sorted(sys.modules)}), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (["--help"], 0),
        (["validate", "MANIFEST"], 0),
        (["seal", "MANIFEST"], 0),
        (["plan", "MANIFEST"], 0),
        (["plan", "MANIFEST", "--against", "MANIFEST", "--json"], 0),
        (["show", "customers", "0", "--manifest", "MANIFEST"], 4),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_light_commands_import_nothing_heavy(tmp_path: Path, arguments: list[str], exit_code: int) -> None:
    """No Dagster, no database driver, no pandas; `show` gets as far as the Vault of a stack that is not there."""
    manifest = str(written(tmp_path / "a.yaml"))
    command = [sys.executable, "-c", PROGRAM, *(manifest if word == "MANIFEST" else word for word in arguments)]
    environment = {"PATH": os.defpath, "SEED_STATE_DIR": str(tmp_path / "no-stack")}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found = json.loads(done.stderr.splitlines()[-1])
    assert found["exit_code"] == exit_code, done.stderr
    assert HEAVY.isdisjoint(found["modules"])


def test_the_list_of_commands_is_that_of_their_own_help() -> None:
    """Every command is listed, with words that its help begins with."""
    with click.Context(main) as context:
        commands = {name: main.get_command(context, name) for name in main.list_commands(context)}
    assert list(_WORDS) == list(commands)
    for name, command in commands.items():
        assert command is not None
        assert " ".join((command.help or "").split()).startswith(_WORDS[name])
    shown = " ".join(CliRunner().invoke(main, ["--help"]).stdout.split())
    for name, words in _WORDS.items():
        assert f"{name} {words.rstrip('.')}" in shown
