"""Dagster's webserver and daemon on the local stack, which everybody who opens the UI shares."""

import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import ClassVar, Final

from seed_pipelines.errors import RequestInvalid, StackUnavailable
from seed_pipelines.local.children import Child, free_port, start, stop, until_ready
from seed_pipelines.local.server import RecordedServer

_START_SECONDS: Final = 180.0
_STOP_SECONDS: Final = 10.0
_REQUEST_SECONDS: Final = 5.0


@dataclass(frozen=True)
class DagsterUi(RecordedServer):
    """`dagster dev` of one stack: webserver, daemon and a process per code location."""

    name: ClassVar[str] = "dagster"

    @contextmanager
    def running(self, project_dir: Path, environment: Mapping[str, str], port: int | None = None) -> Iterator[Child]:
        """Start it on a loopback port, a free one if none is named; ready when entered, ended with all it started.

        `project_dir` holds workspace.yaml. Raises RequestInvalid if the named port is taken, StackUnavailable if it does
        not answer, or runs already. Runs in progress end with it and count as dead.
        """
        if self.record.running() is not None:
            raise StackUnavailable(f"The Dagster UI of this stack runs already: {self.address}")
        workspace = project_dir / "workspace.yaml"
        if not workspace.exists():
            raise StackUnavailable(f"{workspace} does not exist: run `seed-data up` in the project's directory.")
        before = self.record.read()
        chosen = free_port(port or (before.port if before else None))
        if port is not None and chosen != port:
            raise RequestInvalid(
                f"Nothing can be served at 127.0.0.1, port {port}: it is taken. Choose another --port."
            )
        command = [sys.executable, "-m", "dagster", "dev", "-w", str(workspace), "-h", "127.0.0.1", "-p", str(chosen)]
        try:
            child = start(self.record, command, log=self.log, environment=environment, cwd=project_dir, port=chosen)
            until_ready(child, lambda: _answers(child), what="The Dagster UI", seconds=_START_SECONDS, log=self.log)
            yield child
        finally:
            self.stop()

    def stop(self) -> None:
        """End it, with all that it started."""
        child = self.record.running()
        if child is not None:
            stop(child, gently=signal.SIGTERM, seconds=_STOP_SECONDS, ask_all=True)


def _answers(child: Child) -> bool:
    if child.port is None or not child.listens():
        return False
    connection = HTTPConnection("127.0.0.1", child.port, timeout=_REQUEST_SECONDS)
    try:
        connection.request("GET", "/server_info")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
