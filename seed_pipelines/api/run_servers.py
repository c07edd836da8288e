"""The servers that a run will need besides the databases, asked before it is put into the queue."""

from collections.abc import Collection
from dataclasses import dataclass

from seed_pipelines.adapters.outbound import OutboundClient
from seed_pipelines.adapters.vault import TransitKeys
from seed_pipelines.domain.outbound import Endpoint


@dataclass(frozen=True)
class RunServers:
    """Vault, and the stubs that a manifest or the deployment names."""

    vault: TransitKeys
    stubs: OutboundClient

    def ask(self, endpoints: Collection[Endpoint]) -> None:
        """Vault is unsealed and each stub gives an answer of any status; VaultUnavailable, StubUnavailable."""
        self.vault.check()
        for endpoint in dict.fromkeys(endpoints):
            self.stubs.request("GET", endpoint, "/")
