"""Remove a loaded dataset: its rows, its checkpoints and its Parquet files, under the lease."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from seed_pipelines.adapters.postgres.access_decisions import Action
from seed_pipelines.adapters.postgres.dataset_removals import DatasetRemoval
from seed_pipelines.adapters.postgres.tenants import Tenant
from seed_pipelines.domain.entities import ENTITIES
from seed_pipelines.domain.ids import dataset_tag, end_of_dataset, lowest_id
from seed_pipelines.errors import TenantMismatch
from seed_pipelines.seeding.authorization import Caller, authorize
from seed_pipelines.seeding.heartbeat import kept_alive
from seed_pipelines.seeding.services import Services
from seed_pipelines.seeding.turn import acquire

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedDataset:
    """What the checkpoints say of a dataset."""

    tenant: str
    environment: str
    profile: str
    manifest_hashes: tuple[str, ...]
    rows: Mapping[str, int]


def loaded_dataset(
    services: Services, tenant_id: UUID, environment: str, profile: str, caller: Caller
) -> LoadedDataset:
    """What a purge would remove; TenantUnknown, TenantMismatch, DatabaseUnavailable, Forbidden unless it may be read."""
    return _loaded(services, _admitted(services, tenant_id, environment, "read", caller), environment, profile)


def of_environment(services: Services, environment: str) -> None:
    """The database belongs to the environment; TenantMismatch, DatabaseUnavailable."""
    found = services.control.environment()
    if found != environment:
        raise TenantMismatch(f"The database is {found}, not {environment}.", requested={"environment": environment})


def purge(services: Services, tenant_id: UUID, environment: str, profile: str, caller: Caller) -> Mapping[str, int]:
    """Remove a dataset; rows deleted per entity. Forbidden unless seed-admin, LeaseHeld, DatasetInUse."""
    tenant = _admitted(services, tenant_id, environment, "purge", caller)
    dataset = _loaded(services, tenant, environment, profile)
    removal = DatasetRemoval(profile, "asked", services.control.subject(), caller.origin)
    deleted = remove(services, tenant_id, environment, removal)
    return {name: rows for name, rows in (deleted or {}).items() if rows or name in dataset.rows}


def remove(
    services: Services,
    tenant_id: UUID,
    environment: str,
    removal: DatasetRemoval,
    still_wanted: Callable[[], bool] = lambda: True,
) -> Mapping[str, int] | None:
    """Remove a dataset under the lease of its tenant, if it is `still_wanted` then; rows deleted per entity, None if not.

    Rows and checkpoints go in one transaction, and the files with them: whatever fails, or kills it, before its end
    leaves every row there. Raises LeaseHeld, LeaseLost, RlsNotEnforced, DatasetInUse, DatabaseUnavailable,
    StorageUnavailable.
    """
    tenant = services.control.tenant(tenant_id)
    tables = [entity.table for entity in services.target.present(ENTITIES)]
    services.target.verify_row_security(tenant, tables)
    origin = removal.origin
    lease = acquire(services, tenant_id, environment, UUID(origin), origin)
    try:
        if not still_wanted():
            return None
        tag = dataset_tag(tenant.slug, environment, removal.profile)

        def remove_files() -> None:
            services.row_files.delete_dataset(environment, tenant.slug, removal.profile)

        services.control.forget_answers(tenant_id, environment, removal.profile)
        ids = (lowest_id(tag, 0), end_of_dataset(tag))
        with kept_alive(services, lease, lambda lost: logger.warning("The removal %s: %s", origin, lost.detail)):
            return services.target.purge(lease, removal, ids, ENTITIES, remove_files)
    finally:
        services.control.release(lease)


def _admitted(services: Services, tenant_id: UUID, environment: str, action: Action, caller: Caller) -> Tenant:
    tenant = services.control.tenant(tenant_id)
    of_environment(services, environment)
    authorize(services.control, tenant, environment, action, caller)
    return tenant


def _loaded(services: Services, tenant: Tenant, environment: str, profile: str) -> LoadedDataset:
    checkpoints = [c for c in services.target.checkpoints(tenant.tenant_id, environment) if c.profile == profile]
    there = {name for checkpoint in checkpoints for name in checkpoint.rows}
    names = [entity.name for entity in ENTITIES if entity.name in there]
    rows = {name: sum(checkpoint.rows.get(name, 0) for checkpoint in checkpoints) for name in names}
    hashes = tuple(dict.fromkeys(checkpoint.manifest_hash for checkpoint in checkpoints))
    return LoadedDataset(tenant.slug, environment, profile, hashes, rows)
