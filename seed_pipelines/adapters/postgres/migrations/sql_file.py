"""One SQL file of the published schema, run as a revision."""

import psycopg
from alembic import op

from seed_pipelines.contract_files import contract_file


def run_sql_file(name: str) -> None:
    """Run every statement of `contracts/database/<name>` in the revision's transaction."""
    script = contract_file(f"database/{name}").read_bytes()
    driver = op.get_bind().connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError("migrations run through psycopg")
    driver.execute(script)
