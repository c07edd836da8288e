"""Loans and their installments."""

from seed_pipelines.adapters.postgres.migrations.sql_file import run_sql_file

revision = "0006_loans"
down_revision = "0005_tenant"


def upgrade() -> None:
    """Run the SQL file of this revision."""
    run_sql_file("0006_loans.sql")
