"""Reports, the outbox of what is to be sealed, and the evidence index."""

from seed_pipelines.adapters.postgres.migrations.sql_file import run_sql_file

revision = "0014_evidence"
down_revision = "0013_rate_limits"


def upgrade() -> None:
    """Run the SQL file of this revision."""
    run_sql_file("0014_evidence.sql")
