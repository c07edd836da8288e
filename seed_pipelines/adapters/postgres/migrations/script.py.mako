"""${message}."""

from seed_pipelines.adapters.postgres.migrations.sql_file import run_sql_file

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Run the SQL file of this revision."""
    run_sql_file("${up_revision}.sql")
