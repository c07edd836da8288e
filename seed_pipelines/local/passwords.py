"""Password files of libpq, one line for each login."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from seed_pipelines.local.paths import write_private

_FIELD: Final = re.compile(r"((?:\\.|[^:\\])*)(?::|$)")


def read_passwords(file: Path) -> dict[str, str]:
    """Read login -> password; empty if there is no such file."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    found = {}
    for line in lines:
        fields = [re.sub(r"\\(.)", r"\1", field) for field in _FIELD.findall(line)]
        if len(fields) >= 5:
            found[fields[3]] = fields[4]
    return found


def write_passwords(file: Path, host: Path, port: int, passwords: Mapping[str, str]) -> None:
    """Write passwords for every database of the server at a socket directory; only the owner may read them."""
    lines = (
        ":".join(re.sub(r"([:\\])", r"\\\1", field) for field in (str(host), str(port), "*", login, password))
        for login, password in passwords.items()
    )
    write_private(file, "".join(f"{line}\n" for line in lines))
