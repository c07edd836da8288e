"""The Dagster UI of a local stack, before anything is started."""

import socket
from pathlib import Path

import pytest

from seed_pipelines.errors import RequestInvalid, StackUnavailable
from seed_pipelines.local.dagster_ui import DagsterUi
from seed_pipelines.local.paths import StackPaths


def test_a_named_port_that_is_taken_is_refused_at_once(tmp_path: Path) -> None:
    """Nothing was started, and nothing is remembered of it."""
    (tmp_path / "workspace.yaml").touch()
    paths = StackPaths.of(tmp_path / "state")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(RequestInvalid, match=f"port {port}: it is taken"),
            DagsterUi(paths).running(tmp_path, {}, port),
        ):
            pass
    assert DagsterUi(paths).record.read() is None


def test_a_folder_without_a_workspace_is_refused(tmp_path: Path) -> None:
    """It says where to be."""
    with (
        pytest.raises(StackUnavailable, match="run `seed-data up` in the project's directory"),
        DagsterUi(StackPaths.of(tmp_path / "state")).running(tmp_path, {}),
    ):
        pass
