"""The masking keys of a plan, from whatever holds the tenant's key."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from seed_pipelines.domain.masking import MaskedEntity, MaskingKeys, fields_of
from seed_pipelines.domain.plan import Plan


class MaskingKeySource(Protocol):
    """Where the masking keys come from: Vault Transit."""

    def masking_keys(
        self, tenant: str, environment: str, salt_version: str, fields: Sequence[str]
    ) -> Mapping[str, bytes]:
        """32 bytes for each field; VaultUnavailable."""


def masking_keys(source: MaskingKeySource, plan: Plan, entities: Iterable[MaskedEntity] | None = None) -> MaskingKeys:
    """The masking keys of a plan's tenant, environment and salt_version, for some of its entities or all; VaultUnavailable."""
    metadata = plan.manifest.metadata
    names = (metadata.tenant, metadata.environment, metadata.salt_version)
    return MaskingKeys(*names, source.masking_keys(*names, fields_of(plan.entities if entities is None else entities)))
