"""The masking keys of a plan, from Vault Transit."""

from seed_pipelines.domain.masking import MaskingKeys, fields_of
from seed_pipelines.domain.plan import Plan
from seed_pipelines.seeding.services import MaskingKeySource


def masking_keys(source: MaskingKeySource, plan: Plan) -> MaskingKeys:
    """The masking keys of a plan's tenant, environment and salt_version; VaultUnavailable."""
    metadata = plan.manifest.metadata
    names = (metadata.tenant, metadata.environment, metadata.salt_version)
    return MaskingKeys(*names, source.masking_keys(*names, fields_of(plan.entities)))
