"""Slots of an environment, the queue for them, and idempotency keys."""

from seed_pipelines.adapters.postgres.migrations.sql_file import run_sql_file

revision = "0009_admission"
down_revision = "0008_limits_and_contracts"


def upgrade() -> None:
    """Run the SQL file of this revision."""
    run_sql_file("0009_admission.sql")
