"""The table of addresses."""

from seed_pipelines.adapters.postgres.migrations.sql_file import run_sql_file

revision = "0004_addresses"
down_revision = "0003_banking"


def upgrade() -> None:
    """Run the SQL file of this revision."""
    run_sql_file("0004_addresses.sql")
