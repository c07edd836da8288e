"""What every server of the stack has: a name, a record of its process, an address and a log."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from seed_pipelines.local.children import Record
from seed_pipelines.local.paths import StackPaths


@dataclass(frozen=True)
class RecordedServer(ABC):
    """A server of one stack that listens on a loopback port."""

    paths: StackPaths

    @property
    @abstractmethod
    def name(self) -> str:
        """What it is called."""

    @property
    def record(self) -> Record:
        """What is on record about its process."""
        return Record(self.paths.run / f"{self.name}.json")

    @property
    def address(self) -> str:
        """Where it answers; empty while it has no port."""
        child = self.record.read()
        return f"http://127.0.0.1:{child.port}" if child and child.port else ""

    @property
    def log(self) -> Path:
        """What it has to say."""
        return self.paths.logs / f"{self.name}.log"
