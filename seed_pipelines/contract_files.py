"""Where the published contracts are: inside an installed package, beside the package in a source tree."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path


def contract_file(name: str) -> Traversable:
    """The file or folder `name` (parts separated by `/`) below `contracts/`; raises FileNotFoundError."""
    package = files("seed_pipelines")
    installed = package.joinpath("contracts")
    contracts = installed if installed.is_dir() else Path(str(package)).parent / "contracts"
    found = contracts.joinpath(*name.split("/"))
    if not (found.is_file() or found.is_dir()):
        raise FileNotFoundError(f"no contract {name!r} in {contracts}")
    return found
