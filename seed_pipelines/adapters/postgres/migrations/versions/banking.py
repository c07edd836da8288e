"""The banking tables."""

from seed_pipelines.adapters.postgres.migrations.sql_file import run_sql_file

revision = "0003_banking"
down_revision = "0002_leases_and_runs"


def upgrade() -> None:
    """Run the SQL file of this revision."""
    run_sql_file("0003_banking.sql")
