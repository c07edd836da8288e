"""What happens to a run in a trial, and how it may end then."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tenacity import Retrying, retry_if_result, wait_fixed

from seed_pipelines.local.children import stop
from seed_pipelines_tests.chaos.draw import FaultName, Trial
from seed_pipelines_tests.e2e.seeding.small_disk import table_on_small_disk
from seed_pipelines_tests.e2e.seeding.staging import Staging

KILLED: Final = -signal.SIGKILL
"""The exit code of a process that was killed."""

_CLOCK: Final = Path(__file__).with_name("moved_clock")
_MEGABYTES: Final = 48
_LARGEST_FILE: Final = 4096
_CUTS: Final = 12
_BETWEEN_CUTS_SECONDS: Final = 0.1
_MINUTE: Final = 60


@dataclass(frozen=True)
class Scene:
    """Where a fault strikes."""

    staging: Staging
    trial: Trial
    folder: Path
    """Of the trial alone."""
    process: "subprocess.Popen[str]"

    def ends_within(self, seconds: float) -> bool:
        """Whether the run ends within some seconds."""
        try:
            self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        return True


Strike = Callable[[Scene], AbstractContextManager[None]]
"""Breaks something; what outlives the run is mended on leaving."""


@dataclass(frozen=True)
class Fault:
    """A fault, and how a run may end that it befell."""

    strike: Strike
    problems: frozenset[str] = frozenset()
    """Problems it may end with; it may also succeed."""
    kills: bool = False
    """Whether the run cannot say a word."""
    prepared: Callable[[Staging, Path], AbstractContextManager[Mapping[str, str]]] = lambda _staging, _folder: (
        nullcontext({})
    )
    """What has to be so before the run starts; further variables of the run."""


@contextmanager
def _killed(scene: Scene) -> Iterator[None]:
    scene.process.kill()
    scene.process.wait()
    yield


@contextmanager
def _stopped(scene: Scene) -> Iterator[None]:
    scene.process.send_signal(signal.SIGSTOP)
    yield
    scene.process.send_signal(signal.SIGCONT)


@contextmanager
def _postgres_restarted(scene: Scene) -> Iterator[None]:
    """In immediate mode: nothing is written down before it ends, and it recovers when it starts."""
    postgres = scene.staging.stack.stack.postgres
    child = postgres.record.read()
    if child is None:
        raise AssertionError(postgres.record)
    stop(child, gently=signal.SIGQUIT, seconds=30)
    postgres.start()
    yield


def _connections_cut(times: int) -> Strike:
    @contextmanager
    def cut(scene: Scene) -> Iterator[None]:
        """Whatever connections the run has at that time; where it has none, as soon as it has one."""
        cut_at_least_one = Retrying(
            retry=retry_if_result(lambda found: not found and scene.process.poll() is None), wait=wait_fixed(0.005)
        )
        with scene.staging.superuser() as superuser:
            for _ in range(times):
                cut_at_least_one(
                    lambda: superuser.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE backend_type = 'client backend' AND usename <> 'postgres'"
                    ).fetchall()
                )
                if scene.ends_within(_BETWEEN_CUTS_SECONDS):
                    break
        yield

    return cut


@contextmanager
def _vault_sealed(scene: Scene) -> Iterator[None]:
    vault = scene.staging.stack.stack.vault
    vault.client().sys.seal()
    try:
        scene.ends_within(scene.trial.seconds)
    finally:
        vault.start()
    yield


@contextmanager
def _no_room_for_files(scene: Scene) -> Iterator[None]:
    """No file of the run may grow any more: the kernel refuses it, as on a full disk."""
    subprocess.run(["prlimit", f"--pid={scene.process.pid}", f"--fsize={_LARGEST_FILE}"], check=True)
    yield


@contextmanager
def _small_disk(staging: Staging, folder: Path) -> Iterator[Mapping[str, str]]:
    with table_on_small_disk(staging, _MEGABYTES) as disk:
        (folder / "disk").symlink_to(disk)
        yield {}


@contextmanager
def _no_room_for_rows(scene: Scene) -> Iterator[None]:
    ballast = scene.folder / "disk" / "ballast"
    free = shutil.disk_usage(ballast.parent).free
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free)
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def _movable_clock(_staging: Staging, folder: Path) -> Iterator[Mapping[str, str]]:
    clock = folder / "clock"
    clock.write_text("0", encoding="ascii")
    yield {"PYTHONPATH": str(_CLOCK), "MOVED_CLOCK_FILE": str(clock)}


def _set_clock(scene: Scene, minutes: int) -> None:
    new = scene.folder / "clock.new"
    new.write_text(str(minutes * _MINUTE), encoding="ascii")
    new.replace(scene.folder / "clock")


@contextmanager
def _clock_moved(scene: Scene) -> Iterator[None]:
    """Ahead, and then behind."""
    _set_clock(scene, scene.trial.minutes)
    scene.ends_within(scene.trial.seconds)
    _set_clock(scene, -scene.trial.minutes)
    yield


@contextmanager
def _clock_always_ahead(_staging: Staging, folder: Path) -> Iterator[Mapping[str, str]]:
    with _movable_clock(_staging, folder) as variables:
        (folder / "clock").write_text(str(4 * _MINUTE), encoding="ascii")
        yield variables


_AWAY: Final = frozenset({"database_unavailable"})
_OVERTAKEN: Final = frozenset({"lease_lost", "idempotency_conflict", "queue_expired", *_AWAY})
"""Of who stood still: the lease, the key or the place is another's, or the server ended the transaction it stood still in."""
FAULTS: Final[Mapping[FaultName, Fault]] = {
    FaultName.KILLED: Fault(_killed, kills=True),
    FaultName.STOPPED: Fault(_stopped, _OVERTAKEN),
    FaultName.POSTGRES_RESTARTED: Fault(_postgres_restarted, _AWAY),
    FaultName.CONNECTION_CUT: Fault(_connections_cut(1), _AWAY),
    FaultName.CONNECTIONS_CUT: Fault(_connections_cut(_CUTS), _AWAY),
    FaultName.VAULT_SEALED: Fault(_vault_sealed, frozenset({"vault_unavailable"})),
    FaultName.NO_ROOM_FOR_FILES: Fault(_no_room_for_files, frozenset({"storage_unavailable"})),
    FaultName.NO_ROOM_FOR_ROWS: Fault(_no_room_for_rows, _AWAY, prepared=_small_disk),
    FaultName.CLOCK_MOVED: Fault(_clock_moved, prepared=_movable_clock),
    FaultName.KILLED_WITH_CLOCK_AHEAD: Fault(_killed, kills=True, prepared=_clock_always_ahead),
}
