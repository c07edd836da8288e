"""Every command of docs/api.md and of the quick start, as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from seed_pipelines_tests.contracts.api_schemas import document
from seed_pipelines_tests.e2e.api.server import Served
from seed_pipelines_tests.e2e.conftest import PROJECT_DIR

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

COOKBOOK: Final = (PROJECT_DIR / "docs" / "api.md").read_text(encoding="utf-8")
BLOCKS: Final = re.findall(r"^```bash\n(.*?)^```", COOKBOOK, re.MULTILINE | re.DOTALL)

SOURCE_DOCUMENT: Final = """curl -X POST https://api.iabank.local/api/v1/seed-profiles/validate \\
  -H "Content-Type: application/json" \\
  -H "X-Tenant-ID: tenant-a" \\
  -H "X-Environment: staging" \\
  -H "Idempotency-Key: validate-$(uuidgen)" \\
  -d "$(yq -o=json < configs/seed_profiles/staging/tenant-a.yaml)"
"""

_UUIDGEN: Final = "import uuid; print(uuid.uuid4())"
_YQ: Final = (
    "import json, sys; from seed_pipelines.domain.manifest_document import read_document; assert sys.argv[1:] == ['-o=json'];"
    " print(json.dumps(read_document(sys.stdin.buffer.read(), 'yaml'), indent=2))"
)


def shell(api: Served, project: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script where the manifests are; `uuidgen` and `yq` need not be installed."""
    programs = project / "bin"
    programs.mkdir(exist_ok=True)
    for name, source in (("uuidgen", _UUIDGEN), ("yq", _YQ)):
        (programs / name).write_text(f"#!{sys.executable}\n{source}\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    path = os.pathsep.join((str(programs), str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = {"PATH": path, "SEED_STATE_DIR": str(api.stack.state_dir), "HOME": str(project), "NO_PROXY": "*"}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_command_of_the_cookbook_runs(api: Served, project: Path) -> None:
    """In their order, in one shell; each request is answered as the text around it says."""
    script = "".join(BLOCKS).replace("http://127.0.0.1:8000", api.address)
    script = script.replace("/tmp/", f"{project}/")  # noqa: S108 # what is written there goes elsewhere
    # A line with the status after each answer is all that is added.
    done = shell(api, project, script.replace("curl -sS", "curl -sS -w '\\n%{http_code}\\n'"))
    assert done.returncode == 0, done.stderr
    statuses = re.findall(r"^([1-5][0-9]{2})$", done.stdout, re.MULTILINE)
    assert statuses == ["200", "200", "422", "201", "304", "202", "200", "200", "200", "200"], done.stdout


def test_every_operation_is_in_the_cookbook() -> None:
    """Each path of the contract is asked for by a command."""
    commands = "".join(BLOCKS)
    for path in document()["paths"]:
        place = path.replace("/api/v1/seed-runs/{id}", "$PLACE")
        assert f"$API{place}" in commands, path


def test_the_command_of_the_source_document_runs(api: Served, project: Path) -> None:
    """As it stands there, but for the address, the folder, and the token."""
    command = SOURCE_DOCUMENT.replace("https://api.iabank.local", api.address)
    command = command.replace("configs/seed_profiles", "manifests")
    script = f'curl() {{ command curl -sS -w "\\n%{{http_code}}" -H "Authorization: Bearer {api.token()}" "$@"; }}\n{command}'
    done = shell(api, project, script)
    body, _, status = done.stdout.rpartition("\n")
    assert (done.returncode, status) == (0, "200"), done
    assert '"valid":true,"issues":[]' in body
