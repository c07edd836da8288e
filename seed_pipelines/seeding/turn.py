"""Waiting for one's turn: a place in the queue of the environment, until the lease and a slot are had."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from seed_pipelines.adapters.postgres.leases import NO_TERMS, Lease, Terms
from seed_pipelines.adapters.postgres.queue import UNSEEN_SECONDS
from seed_pipelines.adapters.postgres.seed_runs import NewSeedRun, SeedRun
from seed_pipelines.errors import ConcurrencyCap, DatabaseUnavailable, LeaseHeld, QueuePending, SeedError
from seed_pipelines.seeding.control_database import ControlDatabase
from seed_pipelines.seeding.services import Services

logger = logging.getLogger(__name__)

RUNS_PER_ENVIRONMENT: Final = 2
"""How many tenants of an environment are seeded at once."""


def _leaves(_refusal: SeedError) -> bool:
    return False


def _silent(_entry_id: int) -> None:
    pass


@dataclass(frozen=True)
class Patience:
    """What whoever asks does in the queue."""

    entered: Callable[[int], None] = _silent
    """Told the id of the queue entry."""
    waits: Callable[[SeedError], bool] = _leaves
    """Told why it is not its turn; returns, after a while, whether to ask again."""


IMPATIENT: Final = Patience()
"""Asks once."""


@contextmanager
def place_in_queue(control: ControlDatabase, wanted: NewSeedRun, patience: Patience) -> Iterator[int]:
    """A place in the queue of the environment, given up on leaving; the id of its entry.

    It is taken before the seed run is opened: one that has neither a token nor a place in the queue is dead.
    """
    entry_id = control.enter_queue(wanted.tenant_id, wanted.environment, wanted.origin)
    try:
        patience.entered(entry_id)
        yield entry_id
    finally:
        try:
            control.leave_queue(entry_id)
        except DatabaseUnavailable as away:
            # It dies by itself, and what happened in the queue is what is to be told.
            logger.warning("Entry %s stays in the queue for %s s: %s", entry_id, UNSEEN_SECONDS, away.detail)


def acquire_in_turn(services: Services, run: SeedRun, terms: Terms, patience: Patience) -> Lease:
    """The lease of a seed run with all of its terms, once it is the turn of its queue entry.

    Raises LeaseHeld, ConcurrencyCap or QueuePending where nobody waits, QueueExpired after five minutes,
    IdempotencyConflict and IdempotencyInProgress.
    """
    while True:
        if terms.entry is not None:
            services.control.stay_in_queue(terms.entry)
        try:
            return acquire(services, run.tenant_id, run.environment, run.seed_run_id, run.origin, terms)
        except (LeaseHeld, ConcurrencyCap, QueuePending) as refusal:
            if not patience.waits(refusal):
                raise


def acquire(
    services: Services, tenant_id: UUID, environment: str, seed_run_id: UUID, holder: str, terms: Terms = NO_TERMS
) -> Lease:
    """The lease of a tenant, new or taken over. What still writes under one that nobody keeps alive is ended after a while.

    Raises LeaseHeld, and whatever the terms let the port raise.
    """
    control, finished = services.control, services.holder_finished
    while True:
        try:
            return control.acquire(tenant_id, environment, seed_run_id, holder, finished, terms)
        except LeaseHeld as refusal:
            token = refusal.extensions.get("token")
            if token is None or not (ended := services.target.end_writers(token)):
                raise
            logger.warning("Ended %s transactions under token %s, whose lease nobody keeps alive.", ended, token)
