"""Limits of accounts, and contracts of loans."""

from seed_pipelines.adapters.postgres.migrations.sql_file import run_sql_file

revision = "0008_limits_and_contracts"
down_revision = "0007_transactions"


def upgrade() -> None:
    """Run the SQL file of this revision."""
    run_sql_file("0008_limits_and_contracts.sql")
