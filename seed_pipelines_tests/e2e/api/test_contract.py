"""The served API against its contract, by requests that nobody thought of."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from seed_pipelines_tests.e2e.api.server import Served
from seed_pipelines_tests.e2e.conftest import PROJECT_DIR

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

_CHECKS: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)


def test_whatever_is_sent_is_answered_as_the_contract_says(api: Served, tmp_path: Path) -> None:
    """Every operation, with values at and beyond its bounds, without its header fields, and with drawn ones."""
    headers = {name: value for name, value in api.headers().items() if name.startswith(("Authorization", "X-"))}
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", "--no-color", "--seed", "1", "-n", "5"]
    command += [str(PROJECT_DIR / "contracts" / "api.openapi.yaml"), "--url", api.address]
    command += ["--phases", "coverage,fuzzing", "--checks", ",".join(_CHECKS), "--continue-on-failure"]
    for name, value in headers.items():
        command += ["--header", f"{name}: {value}"]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "NO_PROXY": "*"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "Selected: 7/7" in done.stdout
    generated = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert generated is not None
    assert int(generated[2]) > 100
