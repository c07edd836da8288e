"""Idempotency keys by the age of their answers, and by the seed run that claims them."""

from seed_pipelines.adapters.postgres.migrations.sql_file import run_sql_file

revision = "0016_answers_by_age"
down_revision = "0015_integration_use"


def upgrade() -> None:
    """Run the SQL file of this revision."""
    run_sql_file("0016_answers_by_age.sql")
