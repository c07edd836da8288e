"""Servers as detached child processes: recorded before they run, recognised later, ended by process id."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import psutil
from tenacity import (
    Retrying,
    retry_if_exception_type,
    retry_if_result,
    stop_after_attempt,
    stop_after_delay,
    wait_fixed,
)

from seed_pipelines.errors import StackUnavailable
from seed_pipelines.local.paths import write_private
from seed_pipelines.local.system_user import Account

_START_TOLERANCE_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.03
_ATTEMPTS: Final = 3
_LOG_TAIL_BYTES: Final = 2_000

_WAITING_CHILD: Final = 'exec 3<&0; ( read -r go <&3 && exec "$@" 3<&- </dev/null ) >&2 & echo $!'
"""Starts the command only after a line on standard input, and never if that closes first."""


@dataclass(frozen=True)
class Child:
    """A server process, as recorded when it was started."""

    pid: int
    started: float
    """Its start time in seconds since 1970, which tells it from a later process with the same id."""
    port: int | None = None
    """Loopback TCP port it serves; None for a Unix socket."""

    def process(self) -> psutil.Process | None:
        """Find the process if it still runs, never another one with the same id."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) <= _START_TOLERANCE_SECONDS
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None

    def listens(self) -> bool:
        """Whether this process, and not a stranger, serves its port."""
        process = self.process()
        if process is None or self.port is None:
            return False
        try:
            family = [process, *process.children(recursive=True)]
            return any(
                connection.status == psutil.CONN_LISTEN and connection.laddr.port == self.port
                for member in family
                for connection in member.net_connections(kind="tcp")
            )
        except psutil.NoSuchProcess:
            return False


@dataclass(frozen=True)
class Record:
    """The file that remembers a child."""

    path: Path

    def read(self) -> Child | None:
        """Return the child last started, running or not; None if there was none or the file is damaged."""
        try:
            return Child(**json.loads(self.path.read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def running(self) -> Child | None:
        """Return the child, if it runs."""
        child = self.read()
        return child if child is not None and child.process() is not None else None

    def write(self, child: Child) -> None:
        """Remember a child in place of the one before."""
        write_private(self.path, json.dumps(asdict(child)))


def start(
    record: Record,
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str],
    cwd: Path,
    port: int | None = None,
    account: Account | None = None,
) -> Child:
    """Start a command in a session of its own, on record before its first instruction: none is lost."""
    with (
        log.open("ab") as errors,
        subprocess.Popen(  # noqa: S603  # the stack's own servers
            ["/bin/sh", "-c", _WAITING_CHILD, "seed-stack", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=dict(environment),
            cwd=cwd,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        ) as shell,
    ):
        written, asked = shell.stdin, shell.stdout
        if written is None or asked is None:
            raise RuntimeError("both were asked to be pipes")
        pid = int(asked.readline())
        child = Child(pid, psutil.Process(pid).create_time(), port)
        record.write(child)
        written.write(b"go\n")
        written.close()
    return child


def until_ready(child: Child, ready: Callable[[], bool], *, what: str, seconds: float, log: Path) -> None:
    """Wait until the child answers; StackUnavailable with the end of its log if it dies or takes too long."""

    def settled() -> bool:
        if child.process() is None:
            raise StackUnavailable(f"{what} ended while it was started. The end of {log}:\n{tail(log)}")
        return ready()

    retrying = Retrying(
        retry=retry_if_result(lambda done: not done),
        stop=stop_after_delay(seconds),
        wait=wait_fixed(_POLL_SECONDS),
        retry_error_callback=lambda _: False,
    )
    if not retrying(settled):
        raise StackUnavailable(f"{what} did not answer within {seconds:g} s. The end of {log}:\n{tail(log)}")


def serve(
    record: Record,
    launch: Callable[[int], Child],
    ready: Callable[[], bool],
    *,
    what: str,
    seconds: float,
    log: Path,
    preferred: int | None = None,
) -> Child:
    """Start a server on a free loopback port, the one before or the preferred one where that is free, and wait for it.

    `launch` starts it on the port it is given. Somebody else may take the port in between: another is tried
    then. Raises StackUnavailable.
    """

    def once() -> Child:
        before = record.read()
        child = launch(free_port(before.port if before and before.port else preferred))
        try:
            until_ready(child, ready, what=what, seconds=seconds, log=log)
        except StackUnavailable:
            stop(child, gently=signal.SIGKILL, seconds=seconds)
            record.write(replace(child, port=None))
            raise
        return child

    return Retrying(retry=retry_if_exception_type(StackUnavailable), stop=stop_after_attempt(_ATTEMPTS), reraise=True)(
        once
    )


def stop(child: Child, *, gently: signal.Signals, seconds: float, ask_all: bool = False) -> None:
    """End a child and what it started, and nothing else: by request, then after `seconds` by force.

    `ask_all` is for a child that does not pass the request on to what it started.
    """
    process = child.process()
    if process is None:
        return
    try:
        family = [*process.children(recursive=True), process]
        for member in family if ask_all else [process]:
            with suppress(psutil.NoSuchProcess):
                member.send_signal(gently)
        _, alive = psutil.wait_procs(family, timeout=seconds)
        for member in alive:
            member.kill()
        psutil.wait_procs(alive, timeout=seconds)
    except psutil.NoSuchProcess:
        return


def free_port(preferred: int | None = None) -> int:
    """Find a free loopback TCP port: the preferred one if nobody took it."""
    for wanted in (preferred or 0, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise StackUnavailable("No loopback TCP port is free.")


def tail(log: Path) -> str:
    """Read the last lines of a log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LOG_TAIL_BYTES), os.SEEK_SET)
            return file.read().decode("utf-8", "replace").strip()
    except FileNotFoundError:
        return ""
