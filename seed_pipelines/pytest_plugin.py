"""Fixtures for the tests of applications, which pytest finds by the entry point.

The program is imported by the fixtures that need it: a run that uses none of them does not pay for it, and coverage sees it.
"""

import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from os import PathLike

    from seed_pipelines.domain.manifest import Manifest
    from seed_pipelines.factories import FactoryRows, VaultStub

_OPTION: Final = "--seed-vault-stub"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that lets a run be repeated."""
    group = parser.getgroup("seed_pipelines", "masked rows of seed_pipelines")
    group.addoption(
        _OPTION, metavar="TEXT", help="text that vault_stub derives its masking keys from; by default a random one"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Settle the text once, before the option is handed to workers."""
    config.option.seed_vault_stub = config.option.seed_vault_stub or secrets.token_hex(8)


def pytest_report_header(config: pytest.Config) -> str:
    """Say how to get the same rows again."""
    return f"seed_pipelines: {_OPTION}={config.option.seed_vault_stub}"


@pytest.fixture
def seed_manifest() -> "Manifest | str | PathLike[str] | None":
    """The manifest, or the path of its file, whose rows the factories give; override it to name one."""
    return None


@pytest.fixture
def vault_stub(
    pytestconfig: pytest.Config, seed_manifest: "Manifest | str | PathLike[str] | None"
) -> "Iterator[VaultStub]":
    """Stand in for Vault with keys of this test run, and let the factories begin at the dataset's first row."""
    from seed_pipelines.factories import VaultStub, use_dataset

    stub = VaultStub.of(pytestconfig.option.seed_vault_stub)
    with use_dataset(seed_manifest, keys=stub):
        yield stub


@pytest.fixture
def seed_dataset(vault_stub: "VaultStub") -> "FactoryRows":
    """The dataset that the factories draw from in this test."""
    del vault_stub
    from seed_pipelines.factories.binding import rows_in_use

    return rows_in_use()
