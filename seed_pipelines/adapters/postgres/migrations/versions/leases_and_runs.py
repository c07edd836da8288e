"""Leases, seed runs and shard checkpoints."""

from seed_pipelines.adapters.postgres.migrations.sql_file import run_sql_file

revision = "0002_leases_and_runs"
down_revision = "0001_tenants_and_grants"


def upgrade() -> None:
    """Run the SQL file of this revision."""
    run_sql_file("0002_leases_and_runs.sql")
