"""Masking keys from a test key, as Transit would derive them."""

from collections.abc import Mapping, Sequence

from seed_pipelines.errors import VaultUnavailable
from seed_pipelines.factories import VaultStub


class FakeKeys(VaultStub):
    """The same keys every time; counts how often it was asked, and can be sealed."""

    def __init__(self, material: bytes = b"not a secret: the fakes' key") -> None:
        super().__init__(material)
        self.sealed = False
        self.asked = 0

    def masking_keys(
        self, tenant: str, environment: str, salt_version: str, fields: Sequence[str]
    ) -> Mapping[str, bytes]:
        """32 bytes for each field."""
        if self.sealed:
            raise VaultUnavailable("Vault is sealed.")
        self.asked += 1
        return super().masking_keys(tenant, environment, salt_version, fields)
