"""Keeping a lease alive while whoever holds it is at work."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from seed_pipelines.adapters.postgres.leases import Lease
from seed_pipelines.errors import DatabaseUnavailable, LeaseLost
from seed_pipelines.seeding.services import Services

logger = logging.getLogger(__name__)

_PER_TTL = 4


@contextmanager
def kept_alive(services: Services, lease: Lease, lost: Callable[[LeaseLost], None]) -> Iterator[None]:
    """Keep a lease alive in a thread until the block ends; `lost` is told there, once, if it is gone before."""
    stop = threading.Event()
    interval = services.lease_ttl_seconds / _PER_TTL
    arguments = (services, lease, stop, interval, lost)
    heart = threading.Thread(target=_beat, args=arguments, name="lease-heartbeat", daemon=True)
    heart.start()
    try:
        yield
    finally:
        stop.set()
        heart.join()


def _beat(
    services: Services, lease: Lease, stop: threading.Event, interval: float, lost: Callable[[LeaseLost], None]
) -> None:
    while not stop.wait(interval):
        try:
            services.control.heartbeat(lease)
        except DatabaseUnavailable as error:
            logger.warning("Heartbeat of %s missed: %s", lease.holder, error.detail)
        except LeaseLost as error:
            lost(error)
            return
