"""Concurrency pools: one per tenant and environment, in which one run works at a time."""

from collections.abc import Iterable
from typing import Final

from dagster import DagsterInstance

RUNS_AT_A_TIME: Final = 1


def tenant_pool(environment: str, tenant: str) -> str:
    """The pool of a tenant in an environment."""
    return f"seed/{environment}/{tenant}".replace("-", "_")


def limit_pools(instance: DagsterInstance, pools: Iterable[str]) -> tuple[str, ...]:
    """Give each pool its own limit where it has none; the pools that were given one.

    A pool that Dagster makes by itself, from the instance's default limit, is not enforced in the pass that makes it.
    """
    storage = instance.event_log_storage
    limited = {pool.name for pool in storage.get_pool_limits() if not pool.from_default}
    missing = tuple(sorted(set(pools) - limited))
    for pool in missing:
        storage.set_concurrency_slots(pool, RUNS_AT_A_TIME)
    return missing
