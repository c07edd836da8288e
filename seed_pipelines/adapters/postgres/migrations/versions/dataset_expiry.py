"""When datasets expire, and what was removed."""

from seed_pipelines.adapters.postgres.migrations.sql_file import run_sql_file

revision = "0011_dataset_expiry"
down_revision = "0010_budget"


def upgrade() -> None:
    """Run the SQL file of this revision."""
    run_sql_file("0011_dataset_expiry.sql")
