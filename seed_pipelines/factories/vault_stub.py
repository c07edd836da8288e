"""Masking keys for tests, which have no Vault."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence

from seed_pipelines.domain.masking import KEY_BYTES


class VaultStub:
    """HMAC-SHA256 under a key made on the spot, where Transit would use the tenant's; the same key gives the same rows."""

    def __init__(self, material: bytes | None = None) -> None:
        self.material = secrets.token_bytes(KEY_BYTES) if material is None else material

    @classmethod
    def of(cls, text: str) -> "VaultStub":
        """The stub whose key derives from a text."""
        return cls(hashlib.sha256(text.encode()).digest())

    def masking_keys(
        self, tenant: str, environment: str, salt_version: str, fields: Sequence[str]
    ) -> Mapping[str, bytes]:
        """32 bytes for each field."""
        where = f"{tenant}/{environment}/{salt_version}/"
        return {name: hmac.digest(self.material, (where + name).encode(), hashlib.sha256) for name in fields}
