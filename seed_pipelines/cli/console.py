"""What people see and are asked: a terminal gets its own width, a file or pipe as many columns as a table needs."""

from typing import Final

import click
from rich.console import Console

from seed_pipelines.errors import RequestInvalid

_UNLIMITED_COLUMNS: Final = 1_000


def console(*, stderr: bool = False) -> Console:
    """A console for standard output or standard error."""
    found = Console(stderr=stderr)
    return found if found.is_terminal else Console(stderr=stderr, width=_UNLIMITED_COLUMNS)


def confirmed(question: str) -> bool:
    """Whether the person says yes to a removal; RequestInvalid where nobody answers."""
    try:
        return click.confirm(question, err=True)
    except click.Abort:
        click.echo(err=True)
        raise RequestInvalid(
            "Nothing was removed, as nobody answered: give --yes to remove without being asked."
        ) from None
