"""A pytest project elsewhere installs the package and uses its factories, with nothing of this source tree on its path."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[3]

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

PROJECT: Final = """
from importlib.metadata import entry_points
from pathlib import Path

from faker import Faker

import seed_pipelines
from seed_pipelines.contract_files import contract_file
from seed_pipelines.factories import BankAccountFactory, CustomerFactory, SeedProvider


def test_the_installed_package_is_used(pytestconfig):
    target = Path(pytestconfig.getoption("--installed-in"))
    assert target in Path(seed_pipelines.__file__).parents
    assert target in Path(str(contract_file("api.openapi.yaml"))).parents


def test_factory_mascaramento(vault_stub):
    customer = CustomerFactory.build()
    assert customer.documento != "12345678901"  # PII mascarada


def test_rows_hang_together(seed_dataset):
    accounts = BankAccountFactory.build_batch(5, blocked=True)
    assert {account.status for account in accounts} == {"BLOCKED"}
    assert all(account.customer.id == account.customer_id for account in accounts)


def test_faker(vault_stub):
    fake = Faker("pt_BR")
    fake.add_provider(SeedProvider)
    assert len(fake.seed_cpf()) == 11
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as it is published."""
    directory = tmp_path_factory.mktemp("wheel")
    _run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)], ROOT)
    (built,) = directory.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def target(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the wheel is installed; what it depends on stays where it is."""
    directory = tmp_path_factory.mktemp("site")
    options = ["--no-deps", "--no-index", "--no-compile", "--disable-pip-version-check", "--quiet"]
    _run([sys.executable, "-m", "pip", "install", *options, "--target", str(directory), str(wheel)], directory)
    return directory


def test_the_wheel_has_every_data_file(wheel: Path) -> None:
    """Those of the package, and the contracts."""
    packaged = {path for path in (ROOT / "seed_pipelines").rglob("*") if path.is_file() and path.suffix != ".pyc"}
    contracts = {path for path in (ROOT / "contracts").rglob("*") if path.is_file()}
    wanted = {str(path.relative_to(ROOT)) for path in packaged}
    wanted |= {f"seed_pipelines/{path.relative_to(ROOT)}" for path in contracts}
    assert sorted(wanted - set(zipfile.ZipFile(wheel).namelist())) == []


def test_a_project_elsewhere_uses_the_factories(target: Path, tmp_path: Path) -> None:
    """Pytest finds the plugin by its entry point."""
    (tmp_path / "conftest.py").write_text('def pytest_addoption(parser):\n    parser.addoption("--installed-in")\n')
    (tmp_path / "test_customers.py").write_text(PROJECT, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--installed-in={target}", "-v"]
    output = _run(command, tmp_path, {"PYTHONPATH": str(target)})
    assert "4 passed" in output, output
    assert "seed_pipelines: --seed-vault-stub=" in output, output


def _run(command: list[str], directory: Path, variables: Mapping[str, str] | None = None) -> str:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    done = subprocess.run(
        command, cwd=directory, env={**inherited, **(variables or {})}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
