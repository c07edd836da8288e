"""Alembic's entry: runs the revisions on the connection that `migrate` opened, inside its transaction."""

from alembic import context

from seed_pipelines.adapters.postgres.migrations import VERSION_SCHEMA

context.configure(
    connection=context.config.attributes["connection"],
    version_table_schema=VERSION_SCHEMA,
    transactional_ddl=True,
)
context.run_migrations()
