"""Where the stubs are: the manifest's word before the deployment's, and the base for whatever has none."""

from seed_pipelines.domain.stub_addresses import INTEGRATIONS, NO_STUBS, StubAddresses
from seed_pipelines.orchestration.settings import Settings
from seed_pipelines_tests.worlds import manifest


def ports(addresses: StubAddresses, **integrations: str) -> dict[str, int]:
    found = addresses.endpoints(manifest(integrations=integrations))
    return {name: endpoint.port for name, endpoint in found.items()}


def test_the_manifest_comes_before_the_setting_and_the_setting_before_the_base() -> None:
    addresses = StubAddresses("http://stub:4014", {"kyc": "http://stub:4010", "antifraude": "http://stub:4013"})
    assert ports(addresses, kyc="http://stub:4019") == {
        "kyc": 4019,
        "antifraude": 4013,
        "pagamentos": 4014,
        "notificacoes": 4014,
        "financial-calculator": 4014,
    }


def test_what_has_no_address_has_no_endpoint() -> None:
    assert ports(NO_STUBS) == {}
    assert ports(NO_STUBS, pagamentos="http://stub:4011") == {"pagamentos": 4011}
    assert set(ports(StubAddresses("http://stub"))) == set(INTEGRATIONS)


def test_settings_name_them() -> None:
    settings = {"stub_base": "http://stub", "kyc_url": "http://prism:9", "stub_ports": "9,80"}
    assert ports(Settings.model_validate(settings).stubs) == {**dict.fromkeys(INTEGRATIONS, 80), "kyc": 9}
