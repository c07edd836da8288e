"""Waiting for one's turn: a place in the queue of the environment, until the lease and a slot are had."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from seed_pipelines.adapters.postgres.idempotency import Claim
from seed_pipelines.adapters.postgres.leases import Lease, Terms
from seed_pipelines.adapters.postgres.seed_runs import SeedRun
from seed_pipelines.errors import ConcurrencyCap, LeaseHeld, QueuePending, SeedError
from seed_pipelines.seeding.services import Services

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


def acquire_in_turn(services: Services, run: SeedRun, claim: Claim, patience: Patience) -> Lease:
    """The lease, a slot and the key of a seed run, once it is its turn.

    Raises LeaseHeld, ConcurrencyCap or QueuePending where nobody waits, QueueExpired after five minutes,
    IdempotencyConflict and IdempotencyInProgress.
    """
    control = services.control
    entry_id = control.enter_queue(run.tenant_id, run.environment, run.origin)
    try:
        patience.entered(entry_id)
        terms = Terms(RUNS_PER_ENVIRONMENT, entry_id, claim)
        while True:
            control.stay_in_queue(entry_id)
            try:
                return control.acquire(
                    run.tenant_id, run.environment, run.seed_run_id, run.origin, services.holder_finished, terms
                )
            except (LeaseHeld, ConcurrencyCap, QueuePending) as refusal:
                if not patience.waits(refusal):
                    raise
    finally:
        control.leave_queue(entry_id)
