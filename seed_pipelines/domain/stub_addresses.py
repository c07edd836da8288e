"""Where the stubs of the outside systems are: what a deployment says, and what a manifest says instead."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from seed_pipelines.domain.frozen_mapping import FrozenMapping
from seed_pipelines.domain.manifest import Manifest
from seed_pipelines.domain.outbound import STUB_PORTS, Endpoint, endpoint_of

Integration: TypeAlias = Literal["kyc", "antifraude", "pagamentos", "notificacoes", "financial-calculator"]

BASE_SETTING: Final = "SEED_STUB_BASE"
SETTINGS: Final[Mapping[Integration, str]] = {
    "kyc": "SEED_KYC_URL",
    "antifraude": "SEED_ANTIFRAUDE_URL",
    "pagamentos": "SEED_PAGAMENTOS_URL",
    "notificacoes": "SEED_NOTIFICACOES_URL",
}
"""Outside system -> the setting with its address; the financial calculator is at the base."""
INTEGRATIONS_MEMBER: Final = "integrations."
"""How an address of a manifest is called; one of the deployment is called after its setting."""
INTEGRATIONS: Final[tuple[Integration, ...]] = (*SETTINGS, "financial-calculator")


@dataclass(frozen=True)
class StubAddresses:
    """The addresses that a deployment gives."""

    base: str | None = None
    """Of the outside systems that have none of their own."""
    own: Mapping[str, str] = field(default_factory=lambda: FrozenMapping[str]({}))
    """Outside system -> its address."""
    ports: frozenset[int] = STUB_PORTS

    def endpoints(self, manifest: Manifest) -> Mapping[Integration, Endpoint]:
        """The endpoint of each outside system that has one, the manifest's before the deployment's own before the base.

        Every address is examined, also one that another takes the place of; ExternalCallsBlocked for the first that is
        not a stub's.
        """
        found: dict[Integration, Endpoint] = {}
        if self.base is not None:
            base = endpoint_of(BASE_SETTING, self.base, self.ports)
            found = dict.fromkeys(INTEGRATIONS, base)
        for integration, setting in SETTINGS.items():
            if integration in self.own:
                found[integration] = endpoint_of(setting, self.own[integration], self.ports)
            asked = getattr(manifest.integrations, integration, None)
            if asked is not None:
                found[integration] = endpoint_of(f"{INTEGRATIONS_MEMBER}{integration}", asked, self.ports)
        return found


NO_STUBS: Final = StubAddresses()
"""No addresses of a deployment's own."""
