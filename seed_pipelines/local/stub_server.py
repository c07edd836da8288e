"""The stubs of outside systems in the local stack: Prism, which answers as the OpenAPI files in `contracts/stubs` say."""

import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final

from seed_pipelines.contract_files import contract_file
from seed_pipelines.domain.stub_addresses import Integration
from seed_pipelines.errors import StackUnavailable
from seed_pipelines.local.children import Child, serve, start, stop
from seed_pipelines.local.server import RecordedServer

PORTS: Final[Mapping[Integration, int]] = {
    "kyc": 4010,
    "pagamentos": 4011,
    "notificacoes": 4012,
    "antifraude": 4013,
    "financial-calculator": 4014,
}
"""Outside system -> where its stub listens, unless somebody else does; in the order in which they are shown."""

_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 5.0
_REQUEST_SECONDS: Final = 5.0


@dataclass(frozen=True)
class StubServer(RecordedServer):
    """The stub of one outside system."""

    integration: Integration
    prism: Path | None = None
    """Prism's command; None if it is not installed."""

    @property
    def name(self) -> str:
        """What it is called."""
        return f"stub-{self.integration}"

    @property
    def data(self) -> Path:
        """The OpenAPI file that it serves."""
        return Path(str(contract_file(f"stubs/{self.integration}.openapi.yaml")))

    def start(self) -> Child:
        """Start the server, or return the one that runs; StackUnavailable if it does not start."""
        running = self.record.running()
        if running is not None and self.healthy():
            return running
        self.stop()
        return serve(
            self.record,
            self._launched,
            self.healthy,
            what=f"The stub of {self.integration}",
            seconds=_START_SECONDS,
            log=self.log,
            preferred=PORTS[self.integration],
        )

    def healthy(self) -> bool:
        """Whether the recorded process serves its port and answers."""
        child = self.record.running()
        if child is None or child.port is None or not child.listens():
            return False
        connection = HTTPConnection("127.0.0.1", child.port, timeout=_REQUEST_SECONDS)
        try:
            connection.request("GET", "/")
            return connection.getresponse().getheader("Content-Type") == "application/problem+json"
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def stop(self) -> None:
        """End the recorded server."""
        child = self.record.read()
        if child is not None:
            stop(child, gently=signal.SIGTERM, seconds=_STOP_SECONDS)

    def _launched(self, port: int) -> Child:
        node = shutil.which("node")
        if self.prism is None or node is None:
            raise StackUnavailable(_NOT_INSTALLED)
        options = ["--host", "127.0.0.1", "--port", str(port), "--multiprocess", "false", "--verboseLevel", "warn"]
        return start(
            self.record,
            [node, str(self.prism), "mock", *options, str(self.data)],
            log=self.log,
            environment={"PATH": os.defpath, "HOME": str(self.paths.run)},
            cwd=self.paths.run,
            port=port,
        )


_NOT_INSTALLED: Final = (
    "Prism, which serves the stubs of outside systems, is not installed. Install Node.js 20 or newer and run"
    " `make node_modules/installed` in the project, or name Prism's command in SEED_PRISM; or go on without the stubs:"
    " `seed-data up --without-stubs`."
)


def find_prism(project_dir: Path, named: str | None) -> Path | None:
    """Find Prism's command: the one named, else in the project's `node_modules`, else on the PATH."""
    if named:
        return Path(named).expanduser().resolve()
    beside = project_dir / "node_modules" / ".bin" / "prism"
    if beside.exists():
        return beside.resolve()
    found = shutil.which("prism")
    return Path(found).resolve() if found else None
