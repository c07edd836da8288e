"""Masking keys from a test key, as Transit would derive them."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence

from seed_pipelines.errors import VaultUnavailable


class FakeKeys:
    """HMAC-SHA256 under one key; counts how often it was asked, and can be sealed."""

    def __init__(self, material: bytes = b"not a secret: the fakes' key") -> None:
        self.material = material
        self.sealed = False
        self.asked = 0

    def masking_keys(
        self, tenant: str, environment: str, salt_version: str, fields: Sequence[str]
    ) -> Mapping[str, bytes]:
        """32 bytes for each field."""
        if self.sealed:
            raise VaultUnavailable("Vault is sealed.")
        self.asked += 1
        where = f"{tenant}/{environment}/{salt_version}/"
        return {name: hmac.digest(self.material, (where + name).encode(), hashlib.sha256) for name in fields}
