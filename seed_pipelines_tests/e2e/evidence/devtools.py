"""A tab of Chromium, driven by the DevTools protocol through two pipes: no port is opened."""

import fcntl
import json
import os
import select
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final

_PATIENCE_SECONDS: Final = 60
_FREE: Final = 10
"""Above the descriptors 3 and 4, on which Chromium reads and writes."""


class DevTools:
    """A browser with one empty tab, from entering to leaving; whatever it does not answer in time is a TimeoutError."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        """`command` starts the browser, without what this protocol needs."""
        self._command, self._environ = (*command, "--remote-debugging-pipe"), environ
        self._asked = 0
        self._unread = b""
        self._events: list[tuple[str, Any]] = []

    def __enter__(self) -> "DevTools":
        """Start the browser, and open its tab."""
        (reads, self._to), (self._from, writes) = os.pipe(), os.pipe()
        given = [fcntl.fcntl(end, fcntl.F_DUPFD, _FREE) for end in (reads, writes)]
        shell = ["bash", "-c", f'exec "$0" "$@" 3<&{given[0]} 4>&{given[1]}', *self._command]
        self._process = subprocess.Popen(
            shell, pass_fds=given, env=self._environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for end in (reads, writes, *given):
            os.close(end)
        self._session: dict[str, str] = {}
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the browser, which ends with its pipes."""
        os.close(self._to)
        os.close(self._from)
        self._process.terminate()
        self._process.wait(_PATIENCE_SECONDS)

    def ask(self, method: str, **parameters: Any) -> Any:
        """What the browser answers."""
        self._asked += 1
        question = {"id": self._asked, "method": method, "params": parameters, **self._session}
        os.write(self._to, json.dumps(question).encode() + b"\0")
        for message in self._messages():
            if message.get("id") == self._asked:
                return message["result"]
        raise EOFError(method)

    def until(self, event: str) -> list[tuple[str, Any]]:
        """The events since the last call, up to the next of this name: each with what it says."""
        while event not in (name for name, _ in self._events):
            next(self._messages())
        seen, self._events = self._events, []
        return seen

    def _messages(self) -> Iterator[Any]:
        patience = time.monotonic() + _PATIENCE_SECONDS
        while True:
            whole, end, rest = self._unread.partition(b"\0")
            if not end:
                self._read(patience - time.monotonic())
                continue
            self._unread = rest
            message = json.loads(whole)
            if "method" in message:
                self._events.append((message["method"], message["params"]))
            yield message

    def _read(self, seconds: float) -> None:
        if not select.select([self._from], [], [], max(seconds, 0))[0]:
            raise TimeoutError("the browser does not answer")
        found = os.read(self._from, 1 << 20)
        if not found:
            raise EOFError("the browser has ended")
        self._unread += found
