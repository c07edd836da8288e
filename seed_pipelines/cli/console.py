"""Where tables go: a terminal gets its own width, a file or pipe as many columns as the table needs."""

from typing import Final

from rich.console import Console

_UNLIMITED_COLUMNS: Final = 1_000


def console(*, stderr: bool = False) -> Console:
    """A console for standard output or standard error."""
    found = Console(stderr=stderr)
    return found if found.is_terminal else Console(stderr=stderr, width=_UNLIMITED_COLUMNS)
