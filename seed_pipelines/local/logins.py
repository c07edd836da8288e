"""The logins and databases of the local stack's PostgreSQL, and whose bearer tokens its API believes."""

from typing import Final

APP: Final = "seed_app"
SERVICE: Final = "seed_service"
OPERATOR: Final = "seed_operator"
DAGSTER: Final = "dagster"
MIGRATOR: Final = "seed_migrator"

ISSUER: Final = "urn:seed-pipelines:local-stack"
AUDIENCE: Final = "seed-pipelines"
TOKEN_SUBJECT: Final = "operator"  # noqa: S105  # a name
"""The `sub` of the tokens that the stack issues."""
TOKEN_GRANTEE: Final = f"token:{TOKEN_SUBJECT}"
"""The same as it stands in the grants."""


def database_of(environment: str) -> str:
    """Name the database of an environment; the argument may be a placeholder."""
    return f"seed_{environment}"
