"""The doctor: every attack on the isolation of a database's tenants, by both logins, and what came of it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from seed_pipelines.adapters.postgres.isolation.attempt import Attempt, Examination
from seed_pipelines.domain.entities import BY_NAME, ENTITIES
from seed_pipelines.errors import RlsNotEnforced, TenantMismatch
from seed_pipelines.seeding.services import Services


@dataclass(frozen=True)
class Diagnosis:
    """What both logins could do, and what they could not."""

    environment: str
    tenants: tuple[str, ...]
    """Slugs of the tenants that the data login acted as."""
    victim: str | None
    """Slug of the tenant whose rows were attacked; None for all."""
    data: Examination
    control: Examination

    @property
    def holes(self) -> tuple[Attempt, ...]:
        """What was not refused, by relation; what both logins meet stands there once."""
        found = dict.fromkeys((*self.data.holes, *self.control.holes))
        return tuple(sorted(found, key=lambda hole: hole.relation))

    @property
    def relations(self) -> tuple[str, ...]:
        """The relations that either login attacked, by name."""
        return tuple(sorted({*self.data.relations, *self.control.relations}))

    @property
    def attacks(self) -> int:
        """How many there were."""
        return sum(self.data.attempts.values()) + sum(self.control.attempts.values())

    @property
    def summary(self) -> str:
        """One sentence."""
        found = len(self.holes)
        verdict = "no hole" if not found else f"{found} hole{'' if found == 1 else 's'}"
        return (
            f"{self.environment}: {verdict} in {len(self.relations)} relations after {self.attacks:,} attacks"
            f" on the rows of {self.victim or 'every tenant'}, as {', '.join(self.tenants) or 'no registered tenant'},"
            f" as none and as strangers, by {self.data.login} and {self.control.login}; every one was rolled back."
        )

    def as_dict(self) -> dict[str, Any]:
        """The diagnosis as JSON."""
        return {
            "environment": self.environment,
            "tenants": list(self.tenants),
            "victim": self.victim,
            "logins": {"data": self.data.login, "control": self.control.login},
            "attacks": {"data": dict(self.data.attempts), "control": dict(self.control.attempts)},
            "relations": list(self.relations),
            "without_rows": list(self.data.without_rows),
            "holes": [hole.as_dict() for hole in self.holes],
        }


def examine(services: Services, environment: str, tenant_id: UUID | None = None) -> Diagnosis:
    """Attack the rows of a tenant, or of all, as every registered tenant, as none and as strangers; all is rolled back.

    Raises TenantMismatch for a database of another environment, TenantUnknown, DatabaseUnavailable.
    """
    control = services.control
    found = control.environment()
    if found != environment:
        raise TenantMismatch(
            f"The database belongs to environment {found}, not to {environment}.",
            manifest={"environment": environment},
            requested={"environment": found},
        )
    victim = None if tenant_id is None else control.tenant(tenant_id)
    tenants = control.registered_tenants()
    keys = {
        entity.table: (entity.unique, {column: BY_NAME[parent].table for column, parent in entity.references.items()})
        for entity in services.target.present(ENTITIES)
    }
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="doctor") as beside:
        by_control_login = beside.submit(control.examine, list(keys))
        by_data_login = services.target.examine(tenants, victim, keys)
    return Diagnosis(
        environment,
        tuple(tenant.slug for tenant in tenants),
        victim.slug if victim else None,
        by_data_login,
        by_control_login.result(),
    )


def require_sound(*diagnoses: Diagnosis) -> None:
    """RlsNotEnforced, with every hole and its cure, if there is one."""
    found = [(diagnosis.environment, hole) for diagnosis in diagnoses for hole in diagnosis.holes]
    if found:
        raise RlsNotEnforced(
            " ".join(diagnosis.summary for diagnosis in diagnoses if diagnosis.holes),
            holes=[f"{hole.relation}: {hole.attack}: {hole.finding}" for _, hole in found],
            findings=[{"environment": environment, **hole.as_dict()} for environment, hole in found],
        )
