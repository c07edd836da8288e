"""The guards of a seed run, one function each, in the order in which `admission` asks them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, get_args

from seed_pipelines.adapters.postgres.access_decisions import Action
from seed_pipelines.adapters.postgres.checkpoints import ShardCheckpoint
from seed_pipelines.adapters.postgres.tenants import Role
from seed_pipelines.domain import window
from seed_pipelines.domain.dataset import Dataset
from seed_pipelines.domain.ids import dataset_tag
from seed_pipelines.domain.manifest import Manifest
from seed_pipelines.domain.stub_addresses import StubAddresses
from seed_pipelines.errors import (
    BudgetExceeded,
    CanaryOutOfScope,
    Forbidden,
    ManifestInvalid,
    MaskingKeyChanged,
    OutsideWindow,
    ReferenceDatetimeDrift,
    RequestInvalid,
    TenantMismatch,
)
from seed_pipelines.seeding.request import SeedRequest

LONGEST_KEY: Final = 255
_ADMIN: Final = frozenset({"seed-admin"})
_RUNNER: Final = _ADMIN | {"seed-runner"}
_ROLES: Final = get_args(Role)
_REQUIRED: Final[Mapping[Action, frozenset[str]]] = {
    "seed": _RUNNER,
    "override_window": _ADMIN,
    "dry_run": _RUNNER,
    "purge": _ADMIN,
    "purge_expired": _RUNNER,
    "read": _RUNNER | {"seed-read"},
}
"""Action -> the roles of which one is needed."""
_PURGE = "`seed-data purge` removes the loaded dataset"


def same_identity(request: SeedRequest, manifest: Manifest, tenant_slug: str, database_environment: str) -> None:
    """The command, the manifest and the database name one tenant, environment and mode; TenantMismatch."""
    metadata = manifest.metadata
    wanted = (
        ("tenant", metadata.tenant, tenant_slug),
        ("environment", metadata.environment, request.environment),
        ("environment", metadata.environment, database_environment),
        ("mode", manifest.mode, request.mode or manifest.mode),
    )
    for what, in_manifest, elsewhere in wanted:
        if in_manifest != elsewhere:
            raise TenantMismatch(
                f"The manifest's {what} is {in_manifest}, but the run was asked for {elsewhere}.",
                manifest={what: in_manifest},
                requested={what: elsewhere},
            )


def in_canary(manifest: Manifest) -> None:
    """A canary for named tenants names this one; CanaryOutOfScope."""
    tenants = manifest.canary.tenants if manifest.canary else None
    if tenants is not None and manifest.metadata.tenant not in tenants:
        raise CanaryOutOfScope(
            f"The canary is for {', '.join(tenants)}, not for {manifest.metadata.tenant}.",
            tenants=list(tenants),
        )


def counted_roles(claimed: Sequence[str], granted: frozenset[str]) -> frozenset[str]:
    """The roles that count: what was claimed and granted; where nothing was claimed, all that was granted."""
    return granted & frozenset(claimed) if claimed else granted


def claims_known(claimed: Sequence[str]) -> None:
    """Each role that the caller claims exists; RequestInvalid."""
    unknown = [role for role in claimed if role not in _ROLES]
    if unknown:
        names = ", ".join(repr(role) for role in unknown)
        raise RequestInvalid(f"{names} is no role; the roles are {', '.join(_ROLES)}.")


def claims_granted(
    subject: str, claimed: Sequence[str], granted: frozenset[str], tenant_slug: str, environment: str
) -> None:
    """Each role that the caller claims exists and was granted to the session's subject; RequestInvalid, Forbidden."""
    claims_known(claimed)
    missing = [role for role in claimed if role not in granted]
    if missing:
        raise Forbidden(
            f"{', '.join(missing)} is claimed for {tenant_slug} in {environment}, but was not granted to {subject}.",
            subject=subject,
            claimed=missing,
        )


def may(action: Action, subject: str, roles: frozenset[str], tenant_slug: str, environment: str) -> None:
    """One of the roles that count allows the action; Forbidden."""
    required = _REQUIRED[action]
    if not roles & required:
        raise Forbidden(
            f"{subject} acts as {' and '.join(sorted(roles)) or 'nobody'} for {tenant_slug} in {environment}; {action} needs "
            f"{' or '.join(sorted(required))}. Roles claimed with --role or SEED_ROLES leave out the other granted ones.",
            subject=subject,
            required=sorted(required),
        )


def usable_key(key: str) -> None:
    """An idempotency key is 1 to 255 printable characters, with no space at its ends; RequestInvalid."""
    if not (1 <= len(key) <= LONGEST_KEY and key.isprintable() and key == key.strip()):
        raise RequestInvalid(
            f"An idempotency key has 1 to {LONGEST_KEY} printable characters and no space at its ends."
        )


def inside_window(manifest: Manifest, now: datetime, override: str | None) -> None:
    """It is off-peak, or there is a reason for overriding the window; OutsideWindow, RequestInvalid."""
    if window.contains(manifest.window, now):
        return
    if override is None:
        opening = window.next_opening(manifest.window, now)
        raise OutsideWindow(
            f"It is {now:%H:%M} UTC; the window is {manifest.window.start_utc:%H:%M} to "
            f"{manifest.window.end_utc:%H:%M} UTC and opens next at {opening:%Y-%m-%dT%H:%MZ}."
            " Before, only a dry run goes on, or who may override it with a reason (`seed_data --override-window`).",
            opens_at=opening.isoformat(),
        )
    if not override.strip():
        raise RequestInvalid("The override of the window needs a reason.")


def outbound_allowed(manifest: Manifest, stubs: StubAddresses) -> None:
    """Every address of an outside system, the manifest's and the deployment's, is that of a stub; ExternalCallsBlocked."""
    stubs.endpoints(manifest)


def within_budget(manifest: Manifest, cost: Decimal) -> None:
    """A run from nothing costs no more than the manifest's cap; BudgetExceeded."""
    budget = manifest.budget
    if budget is not None and cost > budget.cost_cap_brl:
        raise BudgetExceeded(
            f"The plan costs about {cost} BRL, the manifest allows {budget.cost_cap_brl} BRL: nothing was drawn. "
            "`seed-data plan` shows what costs what.",
            needed_brl=str(cost),
            cost_cap_brl=str(budget.cost_cap_brl),
        )


def no_drift(manifest: Manifest, checkpoints: Iterable[ShardCheckpoint]) -> None:
    """What is loaded was made for the same datetimes and salt; ReferenceDatetimeDrift, MaskingKeyChanged."""
    metadata = manifest.metadata
    for loaded in checkpoints:
        if loaded.salt_version != metadata.salt_version:
            raise MaskingKeyChanged(
                f"Profile {loaded.profile} is loaded with salt_version {loaded.salt_version}, the manifest has "
                f"{metadata.salt_version}. {_PURGE}.",
                loaded=loaded.salt_version,
                manifest=metadata.salt_version,
            )
        if loaded.profile != metadata.profile:
            _distinct_tags(loaded, metadata.profile, metadata.tenant)
            continue
        for what in ("reference_datetime", "anchor_datetime"):
            there, here = getattr(loaded, what), getattr(manifest, what)
            if there != here:
                raise ReferenceDatetimeDrift(
                    f"The loaded dataset has {what} {there.isoformat()}, the manifest {here.isoformat()}. {_PURGE}.",
                    loaded=there.isoformat(),
                    manifest=here.isoformat(),
                )


def same_key(fingerprint: str, dataset: Dataset, checkpoints: Iterable[ShardCheckpoint]) -> None:
    """What is loaded was masked with the same key; MaskingKeyChanged."""
    for loaded in checkpoints:
        if loaded.key_fingerprint != fingerprint:
            raise MaskingKeyChanged(
                f"Profile {loaded.profile} of {dataset.tenant} is loaded with another masking key. {_PURGE}.",
                loaded=loaded.key_fingerprint,
                current=fingerprint,
            )


def _distinct_tags(loaded: ShardCheckpoint, profile: str, tenant: str) -> None:
    if loaded.dataset_tag == dataset_tag(tenant, loaded.environment, profile):
        raise ManifestInvalid(
            f"Profiles {loaded.profile} and {profile} of {tenant} share one dataset tag: rename one of them.",
            issues=[],
        )
