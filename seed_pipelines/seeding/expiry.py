"""Remove the datasets whose time to live is over, each under the lease of its tenant, and say what became of each.

A dataset expires `ttl` days after a run last loaded it, or read it back and found it right, by the clock of the database. To
remove what has expired takes no more than the right to seed: the database says whether it has, asked again under the lease.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from seed_pipelines.adapters.postgres.dataset_expiries import DatasetExpiry
from seed_pipelines.adapters.postgres.dataset_removals import DatasetRemoval
from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.errors import Forbidden, SeedError
from seed_pipelines.seeding import guards
from seed_pipelines.seeding.authorization import Caller, authorize
from seed_pipelines.seeding.purging import of_environment, remove
from seed_pipelines.seeding.services import Services


@dataclass(frozen=True)
class ExpiryOutcome:
    """What became of an expired dataset."""

    dataset: DatasetExpiry
    removed: Mapping[str, int] = field(default_factory=dict)
    """Entity -> rows deleted; empty where it stays."""
    refusal: SeedError | None = None
    """Why it stays; None where it is gone, or was renewed in the meantime."""

    @property
    def in_words(self) -> str:
        """For a table."""
        if self.refusal is not None:
            return f"stays: {self.refusal.code}. {self.refusal.detail}"
        return (
            f"removed {sum(self.removed.values()):,} rows" if self.removed else "stays: it was loaded again meanwhile"
        )


def expired_datasets(services: Services, environment: str, tenant_id: UUID | None = None) -> tuple[DatasetExpiry, ...]:
    """The expired datasets of an environment, of one tenant if it is named; TenantMismatch, DatabaseUnavailable."""
    of_environment(services, environment)
    return tuple(
        dataset
        for dataset in services.control.dataset_expiries()
        if dataset.is_expired and dataset.environment == environment and tenant_id in (None, dataset.tenant_id)
    )


def readable_expired(
    services: Services, environment: str, caller: Caller, tenant_id: UUID | None = None
) -> tuple[DatasetExpiry, ...]:
    """The expired datasets that the caller may see; RequestInvalid, Forbidden if that of a named tenant is not."""
    guards.claims_known(caller.claimed_roles)
    readable = []
    for dataset in expired_datasets(services, environment, tenant_id):
        try:
            authorize(services.control, _tenant(dataset), environment, "read", caller)
        except Forbidden:
            if tenant_id is not None:
                raise
            continue
        readable.append(dataset)
    return tuple(readable)


def purge_expired(services: Services, datasets: Iterable[DatasetExpiry], caller: Caller) -> tuple[ExpiryOutcome, ...]:
    """Remove expired datasets; one that cannot be removed is reported, and the others go on.

    The caller's `origin` is a UUID that names the Dagster run or command.
    """
    return tuple(_purge_one(services, dataset, caller) for dataset in datasets)


def _tenant(dataset: DatasetExpiry) -> Tenant:
    return Tenant(dataset.tenant_id, dataset.tenant)


def _purge_one(services: Services, dataset: DatasetExpiry, caller: Caller) -> ExpiryOutcome:
    tenant_id, environment = dataset.tenant_id, dataset.environment

    def still_expired() -> bool:
        return dataset in expired_datasets(services, environment, tenant_id)

    try:
        authorize(services.control, _tenant(dataset), environment, "purge_expired", caller)
        subject = services.control.subject()
        removal = DatasetRemoval(dataset.profile, "expired", subject, caller.origin, dataset.expires_at)
        removed = remove(services, tenant_id, environment, removal, still_expired)
    except SeedError as refusal:
        return ExpiryOutcome(dataset, refusal=refusal)
    return ExpiryOutcome(dataset, removed or {})
