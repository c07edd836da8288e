"""What seed runs cost."""

from seed_pipelines.adapters.postgres.migrations.sql_file import run_sql_file

revision = "0010_budget"
down_revision = "0009_admission"


def upgrade() -> None:
    """Run the SQL file of this revision."""
    run_sql_file("0010_budget.sql")
