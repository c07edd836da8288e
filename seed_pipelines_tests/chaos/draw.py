"""Which trials are undergone: faults from a deck, in its order, and all else drawn from a seed and the trial's number.

A trial depends on the seed and its own number alone, so that it can be repeated without the others.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final, Literal

from seed_pipelines.orchestration.manifest_jobs import CHECKS_STEP, DATABASE, INTEGRITY_REPORT, VALIDATED_MANIFEST

TRIALS_VARIABLE: Final = "SEED_CHAOS_TRIALS"
SEED_VARIABLE: Final = "SEED_CHAOS_SEED"
ONLY_VARIABLE: Final = "SEED_CHAOS_ONLY"

TENANTS: Final = ("tenant-a", "tenant-b")
MODES: Final = ("baseline", "carga")
STEPS: Final = (VALIDATED_MANIFEST, "customers", "bank_accounts", DATABASE, CHECKS_STEP, INTEGRITY_REPORT)
START: Final = "start"
QUEUE: Final = "queue"
LEASE: Final = "lease"
BEGINS: Final = "begins"
ENDS: Final = "ends"
BOUNDARIES: Final = (QUEUE, LEASE, *(f"{step} {edge}" for step in STEPS for edge in (BEGINS, ENDS)))
"""Of a run: in the queue, holding the lease, and both edges of each step."""

_DEFAULT_TRIALS: Final = 20
_DEFAULT_SEED: Final = 20_250_101


class FaultName(StrEnum):
    """What happens to a run, its servers, its disks or its clock."""

    KILLED = "killed"
    STOPPED = "stopped"
    POSTGRES_RESTARTED = "postgres-restarted"
    CONNECTION_CUT = "connection-cut"
    CONNECTIONS_CUT = "connections-cut-repeatedly"
    VAULT_SEALED = "vault-sealed"
    NO_ROOM_FOR_FILES = "no-room-for-files"
    NO_ROOM_FOR_ROWS = "no-room-for-rows"
    CLOCK_MOVED = "clock-moved"
    KILLED_WITH_CLOCK_AHEAD = "killed-with-clock-ahead"


_OF_THE_RUN: Final = (FaultName.KILLED, FaultName.STOPPED, FaultName.NO_ROOM_FOR_FILES, FaultName.CLOCK_MOVED)
"""Faults that no other run feels."""

Kind = Literal["boundary", "random", "either", "before keys", "before files"]
"""From which moments a fault draws its own."""

DECK: Final[tuple[tuple[FaultName, Kind], ...]] = (
    (FaultName.KILLED, "boundary"),
    (FaultName.KILLED, "boundary"),
    (FaultName.KILLED, "boundary"),
    (FaultName.KILLED, "boundary"),
    (FaultName.KILLED, "random"),
    (FaultName.KILLED, "random"),
    (FaultName.KILLED, "random"),
    (FaultName.STOPPED, "boundary"),
    (FaultName.STOPPED, "boundary"),
    (FaultName.STOPPED, "boundary"),
    (FaultName.STOPPED, "random"),
    (FaultName.STOPPED, "random"),
    (FaultName.POSTGRES_RESTARTED, "either"),
    (FaultName.CONNECTION_CUT, "either"),
    (FaultName.CONNECTIONS_CUT, "either"),
    (FaultName.VAULT_SEALED, "before keys"),
    (FaultName.NO_ROOM_FOR_FILES, "before files"),
    (FaultName.NO_ROOM_FOR_ROWS, "either"),
    (FaultName.CLOCK_MOVED, "either"),
    (FaultName.KILLED_WITH_CLOCK_AHEAD, "either"),
)
"""Twenty trials, every fault among them; a night deals it again and again."""


@dataclass(frozen=True)
class Moment:
    """When a fault strikes."""

    boundary: str
    """START, or one of BOUNDARIES."""
    share: float = 0.0
    """How much of the work that follows the boundary is done by then, 0 to 1; 0 is the boundary itself."""


@dataclass(frozen=True)
class Trial:
    """One disturbed run and the runs that follow it."""

    seed: int
    number: int
    fault: FaultName
    moment: Moment
    mode: str
    tenant: str
    """Its slug."""
    before: str | None
    """The mode whose manifest was loaded before; None for empty tables."""
    same_key: bool
    """Whether the run that takes over a stopped one asks under its key."""
    patient: bool
    """Whether that run waits for its turn, rather than be started again and again."""
    seconds: float
    """How long a fault lasts that is mended."""
    minutes: int
    """How far the clock is moved: longer than a lease lives, and no further than the clock of the bucket for evidence may be."""
    beside: bool
    """Whether the other tenant is seeded at the same time; only where the fault is the run's own."""

    def __str__(self) -> str:
        return f"{self.number:03}-{self.fault}"

    @property
    def command(self) -> str:
        """What repeats it alone."""
        return f"{SEED_VARIABLE}={self.seed} {ONLY_VARIABLE}={self.number} python -m pytest seed_pipelines_tests/chaos"


def chosen_trials(environ: Mapping[str, str] = os.environ) -> tuple[Trial, ...]:
    """The trials that the environment asks for: how many, from which seed, or a single one."""
    seed = int(environ.get(SEED_VARIABLE) or _DEFAULT_SEED)
    if only := environ.get(ONLY_VARIABLE):
        return (drawn_trial(seed, int(only)),)
    return tuple(drawn_trial(seed, number) for number in range(int(environ.get(TRIALS_VARIABLE) or _DEFAULT_TRIALS)))


def drawn_trial(seed: int, number: int) -> Trial:
    """The trial of a number."""
    fault, kind = DECK[number % len(DECK)]
    draw = Random(f"{seed}/{number}")  # noqa: S311  # moments, not secrets
    return Trial(
        seed=seed,
        number=number,
        fault=fault,
        moment=_next_boundary(seed, number) if kind == "boundary" else _drawn_moment(draw, kind),
        mode=draw.choice(MODES),
        tenant=draw.choice(TENANTS),
        before=draw.choice((None, *MODES)),
        same_key=draw.random() < 0.5,
        patient=draw.random() < 0.75,
        seconds=draw.uniform(0.1, 2.0),
        minutes=draw.randint(1, 4),
        beside=draw.random() < 0.3 and fault in _OF_THE_RUN,
    )


def _next_boundary(seed: int, number: int) -> Moment:
    """Boundaries in an order of the seed's, one after the other for each fault, so that none is left out."""
    fault, _ = DECK[number % len(DECK)]
    earlier = sum(DECK[before % len(DECK)] == (fault, "boundary") for before in range(number))
    order = Random(f"{seed}/{fault}").sample(BOUNDARIES, len(BOUNDARIES))  # noqa: S311  # moments, not secrets
    return Moment(order[earlier % len(order)])


def _drawn_moment(draw: Random, kind: Kind) -> Moment:
    if kind == "before keys":
        return Moment(START, draw.uniform(0.0, 0.5))
    if kind == "before files":
        return Moment(draw.choice([*_until("bank_accounts")]))
    if kind == "either" and draw.random() < 0.5:
        return Moment(draw.choice(BOUNDARIES))
    return Moment(LEASE, draw.random()) if draw.random() < 0.8 else Moment(START, draw.uniform(0.0, 0.4))


def _until(step: str) -> Iterator[str]:
    for boundary in BOUNDARIES:
        yield boundary
        if boundary == f"{step} {BEGINS}":
            return
