"""Rows of the tenant itself."""

from seed_pipelines.adapters.postgres.migrations.sql_file import run_sql_file

revision = "0005_tenant"
down_revision = "0004_addresses"


def upgrade() -> None:
    """Run the SQL file of this revision."""
    run_sql_file("0005_tenant.sql")
