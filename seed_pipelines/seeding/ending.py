"""How a seed run ends that goes no further: recorded, its lease given back, told to who watches."""

import logging
from collections.abc import Callable
from typing import Final, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from seed_pipelines.adapters.postgres.seed_runs import SeedRun
from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.errors import DatabaseUnavailable, Interrupted, LeaseLost, SeedError, TenantUnknown
from seed_pipelines.seeding.control_database import ControlDatabase
from seed_pipelines.seeding.request import SeedRequest
from seed_pipelines.seeding.run_record import RunRecord
from seed_pipelines.seeding.services import Services
from seed_pipelines.seeding.tracing import tell_end, tell_refusal

T = TypeVar("T")

logger = logging.getLogger(__name__)

_RECORDING_SECONDS: Final = 3
"""How long the end of a run is tried to be recorded: connections that were cut come back sooner than a server that is away."""


def abandon(record: RunRecord, error: BaseException, *, keep_lease: bool = False) -> None:
    """Record that the seed run ended by `error`, and give the lease back unless others of the seed run go on."""
    control, run = record.services.control, record.run
    recorded(run.origin, lambda: _end(control, run, error, keep_lease=keep_lease))
    tell_end(record.services, run, record.tenant.slug, error)


def give_up(
    services: Services, request: SeedRequest, profile: str, error: BaseException, *, keep_lease: bool = False
) -> None:
    """End the seed run of an origin that has no session to abandon: refused at a later step, or stopped while it entered.

    What it got to is read from the database; nothing happens if it opened no seed run. A database that is away for one
    who shares the seed run with others is no matter of theirs.
    """

    def end() -> tuple[SeedRun, Tenant] | None:
        if isinstance(error, TenantUnknown) or (keep_lease and isinstance(error, DatabaseUnavailable)):
            return None
        tenant = services.control.tenant(request.tenant)
        run = services.control.find_run(request.origin, tenant.tenant_id, request.environment, profile)
        if run is None:
            return None
        _end(services.control, run, error, keep_lease=keep_lease)
        return run, tenant

    if (ended := recorded(request.origin, end)) is None:
        tell_refusal(services, request.environment, error)
    else:
        run, tenant = ended
        tell_end(services, run, tenant.slug, error)


def end_stopped(
    services: Services, origin: str, identity: tuple[str, str, str], error: BaseException, *, keep_lease: bool = False
) -> None:
    """End the seed run of an origin that was stopped while no step was at work, which would have ended it.

    `identity` is environment, tenant and profile. Nothing happens if its seed run never began, has ended or is being sealed.
    """
    environment, slug, profile = identity

    def end() -> SeedRun | None:
        tenant = services.control.tenant(slug)
        run = services.control.find_run(origin, tenant.tenant_id, environment, profile)
        if run is None or run.status != "running":
            return None
        _end(services.control, run, error, keep_lease=keep_lease)
        return run

    if (ended := recorded(origin, end)) is not None:
        tell_end(services, ended, slug, error)


def _end(control: ControlDatabase, run: SeedRun, error: BaseException, *, keep_lease: bool) -> None:
    if isinstance(error, Exception):
        problem = error.problem() if isinstance(error, SeedError) else None
        control.finish_run(run.seed_run_id, "failed", problem)
    else:
        stopped = Interrupted("The run was stopped; what it had not committed was rolled back.")
        control.finish_run(run.seed_run_id, "aborted", stopped.problem())
    if not keep_lease:
        control.release_run(run)


def recorded(origin: str, end: Callable[[], T]) -> T | None:
    """What recording the end of a run gives; it is tried again where its connection is cut.

    None, and a line in the log, where the lease was lost or the database is away: whoever comes next ends the run.
    """
    again = Retrying(
        retry=retry_if_exception_type(DatabaseUnavailable),
        stop=stop_after_delay(_RECORDING_SECONDS),
        wait=wait_fixed(0.2),
        reraise=True,
    )
    try:
        return again(end)
    except (DatabaseUnavailable, LeaseLost) as beyond:
        logger.warning("The end of the seed run of %s could not be recorded: %s", origin, beyond.detail)
        return None
