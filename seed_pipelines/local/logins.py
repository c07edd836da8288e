"""The logins and databases of the local stack's PostgreSQL."""

from typing import Final

APP: Final = "seed_app"
SERVICE: Final = "seed_service"
OPERATOR: Final = "seed_operator"
DAGSTER: Final = "dagster"
MIGRATOR: Final = "seed_migrator"


def database_of(environment: str) -> str:
    """Name the database of an environment; the argument may be a placeholder."""
    return f"seed_{environment}"
