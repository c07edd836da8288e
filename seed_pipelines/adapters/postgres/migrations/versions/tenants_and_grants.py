"""Tenants, and who may act for which."""

from seed_pipelines.adapters.postgres.migrations.sql_file import run_sql_file

revision = "0001_tenants_and_grants"
down_revision = None


def upgrade() -> None:
    """Run the SQL file of this revision."""
    run_sql_file("0001_tenants_and_grants.sql")
