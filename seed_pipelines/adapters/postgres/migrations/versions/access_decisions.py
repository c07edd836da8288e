"""Access decisions."""

from seed_pipelines.adapters.postgres.migrations.sql_file import run_sql_file

revision = "0012_access_decisions"
down_revision = "0011_dataset_expiry"


def upgrade() -> None:
    """Run the SQL file of this revision."""
    run_sql_file("0012_access_decisions.sql")
