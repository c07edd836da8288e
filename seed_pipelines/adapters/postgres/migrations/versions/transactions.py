"""Financial transactions."""

from seed_pipelines.adapters.postgres.migrations.sql_file import run_sql_file

revision = "0007_transactions"
down_revision = "0006_loans"


def upgrade() -> None:
    """Run the SQL file of this revision."""
    run_sql_file("0007_transactions.sql")
