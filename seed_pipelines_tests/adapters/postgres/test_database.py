"""What the database's words become, without a server."""

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from seed_pipelines.adapters.postgres.database import Database, within
from seed_pipelines.errors import DatabaseUnavailable

MARK = "hunter2"


@pytest.mark.parametrize("url", [f"postgresql//app:{MARK}@db/x", f"host=db password={MARK} oops"])
def test_a_url_that_cannot_be_read_is_not_shown(url: str) -> None:
    """A malformed connection string may hold a password: neither message nor cause quotes it."""
    with pytest.raises(DatabaseUnavailable) as caught:
        Database(url)
    assert MARK not in str(caught.value)
    assert caught.value.__suppress_context__


def test_the_location_has_no_password() -> None:
    """A representation says where, and as whom."""
    database = Database(f"postgresql://app:{MARK}@db.example:6432/seed_dev")
    assert repr(database) == "Database('app@db.example:6432/seed_dev')"


def test_a_server_that_is_away(tmp_path: Path) -> None:
    """No server at the socket: DatabaseUnavailable, with where it was sought."""
    with pytest.raises(DatabaseUnavailable, match="seed_dev") as caught:
        Database(f"host={tmp_path} user=app password={MARK} dbname=seed_dev").ping()
    assert MARK not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "seconds"),
    [
        ("postgresql://app:p%20w@db:6432/seed_dev", "10"),
        ("host=db dbname=seed_dev", "10"),
        ("postgresql://app@db/seed_dev?connect_timeout=120", "120"),
    ],
)
def test_connecting_takes_as_long_as_the_url_says(url: str, seconds: str) -> None:
    """Ten seconds if it says nothing; all else of the URL stays."""
    parts = conninfo_to_dict(url)
    assert conninfo_to_dict(within(url, 10)) == parts | {"connect_timeout": seconds}
