"""Rate limits."""

from seed_pipelines.adapters.postgres.migrations.sql_file import run_sql_file

revision = "0013_rate_limits"
down_revision = "0012_access_decisions"


def upgrade() -> None:
    """Run the SQL file of this revision."""
    run_sql_file("0013_rate_limits.sql")
