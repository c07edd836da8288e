"""Whatever an address looks like, a run that names it is refused before anything is queued, locked, derived or drawn."""

from collections.abc import Mapping
from typing import Final

import pytest

from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines.domain.entities import ENTITIES
from seed_pipelines.domain.manifest import inspect
from seed_pipelines.domain.stub_addresses import SETTINGS, StubAddresses
from seed_pipelines.errors import ExternalCallsBlocked
from seed_pipelines.seeding.seed_run import admit, enter
from seed_pipelines_tests.bypasses import BYPASSES
from seed_pipelines_tests.manifest_examples import changed, example
from seed_pipelines_tests.worlds import World, manifest

FEWEST: Final = 60
LONE_SURROGATES: Final = frozenset({"a character that only a surrogate stands for"})
"""What no JSON or YAML file can hold, though a variable may."""


def issues_of(address: str) -> list[str]:
    """Where the schema and the rules of manifests object to an address, the hash apart."""
    document = changed(example(), "/integrations", {"kyc": address})
    found = (issue.pointer for issue in inspect(document, Catalogue.packaged(), ENTITIES))
    return [pointer for pointer in found if not pointer.startswith("/integrity")]


ADDRESSES: Final[Mapping[str, str]] = {
    trick: address for trick, address in BYPASSES.items() if trick not in LONE_SURROGATES and not issues_of(address)
}
"""Those that are written as an address may be, so that it is the guard that has to refuse them."""


def test_the_table_is_long() -> None:
    """And none of it stands there twice."""
    assert len(set(BYPASSES.values())) == len(BYPASSES)
    assert len(ADDRESSES) >= FEWEST


def nothing_began(world: World) -> bool:
    """Whether nobody was queued, no run and lease is known, and Vault was not asked."""
    control = world.control
    return not (control.queue or control.runs or control.leases or control.keys or world.keys.asked)


@pytest.mark.parametrize("trick", BYPASSES)
def test_in_a_setting(world: World, trick: str) -> None:
    """At the base or at one outside system, for a run and for a dry run."""
    wanted = manifest(in_catalogue=world.catalogue)
    for number, (integration, setting) in enumerate([("", "SEED_STUB_BASE"), *SETTINGS.items()]):
        address = BYPASSES[trick]
        world.stubs = StubAddresses(own={integration: address}) if integration else StubAddresses(base=address)
        request = world.request(wanted, origin=f"run-{number}")
        for rehearsal in (False, True):
            with pytest.raises(ExternalCallsBlocked) as refusal:
                admit(world.services, request, rehearsal=rehearsal)
            assert refusal.value.extensions["endpoint"] == setting
    assert nothing_began(world)


@pytest.mark.parametrize("trick", ADDRESSES)
def test_in_a_manifest(world: World, trick: str) -> None:
    """Beside an address that is a stub's, and in place of one."""
    world.stubs = StubAddresses(own={"kyc": "http://127.0.0.1:4010"})
    addresses = {"pagamentos": "http://localhost:4011", "kyc": ADDRESSES[trick]}
    wanted = manifest(in_catalogue=world.catalogue, integrations=addresses)
    with pytest.raises(ExternalCallsBlocked) as refusal:
        enter(world.services, world.request(wanted))
    assert refusal.value.extensions["endpoint"] == "integrations.kyc"
    assert nothing_began(world)


@pytest.mark.parametrize("trick", sorted(BYPASSES.keys() - ADDRESSES.keys() - LONE_SURROGATES))
def test_what_is_no_address_makes_a_manifest_invalid(trick: str) -> None:
    """The schema, which is asked before, objects to that member and to nothing else."""
    assert set(issues_of(BYPASSES[trick])) == {"/integrations/kyc"}
