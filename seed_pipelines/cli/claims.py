"""What the caller of a command claims: the roles it wants to act with, and for whom it asks."""

from typing import Final

import click

ROLES: Final = click.option(
    "--role",
    "roles",
    multiple=True,
    envvar="SEED_ROLES",
    metavar="ROLE",
    help="Act with this role alone, which must have been granted (repeatable). Default: all granted ones.",
)
REQUESTED_BY: Final = click.option(
    "--requested-by", envvar="SEED_REQUESTED_BY", default="", help="Name the caller claims; recorded."
)
