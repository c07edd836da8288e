"""What seed runs had of the outside systems."""

from seed_pipelines.adapters.postgres.migrations.sql_file import run_sql_file

revision = "0015_integration_use"
down_revision = "0014_evidence"


def upgrade() -> None:
    """Run the SQL file of this revision."""
    run_sql_file("0015_integration_use.sql")
