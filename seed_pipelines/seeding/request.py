"""What somebody asked for: one intention to seed, however it was started."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from seed_pipelines.domain.manifest import Manifest


@dataclass(frozen=True)
class SeedRequest:
    """A seed run that somebody wants; guards decide whether it may start."""

    origin: str
    """The Dagster run id, or `backfill:<id>`: those who share it share the seed run, its lease and its report."""
    tenant: UUID | str
    """Id or slug."""
    environment: str
    read_manifest: Callable[[], Manifest]
    """Reads and validates the manifest anew; raises what is wrong with it."""
    mode: str | None = None
    """The mode asked for on the command line; None takes the manifest's."""
    requested_by: str = ""
    """A name given by the caller; recorded as claimed, never trusted."""
    claimed_roles: tuple[str, ...] = ()
    """Roles that the caller wants to act with, all of which the subject must have; none for all that it has."""
    idempotency_key: str | None = None
    """Who asks again under a key gets the answer that was given; None stands for `seed-data:<manifest_hash>`."""
    window_override: str | None = None
    """Why a seed-admin starts it outside the window; None to keep the window."""
