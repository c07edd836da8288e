"""Statements that are tried together: each from the same state, none with an effect, all with their outcome."""

import psycopg
import pytest
from psycopg import sql

from seed_pipelines.adapters.postgres.database import TENANT_SETTING, Database
from seed_pipelines.adapters.postgres.undone import Statements, acting_for, tried
from seed_pipelines_tests.e2e.postgres.conftest import TENANT_A, Server

pytestmark = pytest.mark.e2e


def asked(*texts: str) -> Statements:
    """A statement, after the settings for it."""
    return tuple(sql.SQL(text) for text in texts)


def test_each_has_its_outcome_and_none_an_effect_on_the_next(data: Database) -> None:
    """One that fails neither ends the transaction nor hides those after it; a constraint is named."""
    with data.connection() as connection:
        connection.execute("CREATE TEMPORARY TABLE once (id int CONSTRAINT small CHECK (id < 3)) ON COMMIT DROP")
        found = tried(
            connection,
            [
                asked("INSERT INTO once VALUES (1), (2)"),
                asked("INSERT INTO once VALUES (3)"),
                asked("SELECT nothing"),
                asked("SELECT FROM once"),
                asked("SELECT FROM generate_series(1, 3)"),
            ],
        )
        assert [one.rows for one in found] == [2, 0, 0, 0, 3]
        assert [type(one.error) for one in found if one.error] == [
            psycopg.errors.CheckViolation,
            psycopg.errors.UndefinedColumn,
        ]
        assert found[1].constraint == "small"
        assert [one.shows_rows for one in found] == [True, False, False, False, True]
        assert connection.execute("SELECT count(*) FROM once").fetchone() == (0,)


def test_settings_are_for_one_statement_alone(data: Database) -> None:
    """Each acts for its own tenant, and the transaction for the one it acted for before."""
    seen = f"SELECT WHERE current_setting('{TENANT_SETTING}') = '{TENANT_A.tenant_id}'"
    with data.tenant_transaction(TENANT_A.tenant_id) as connection:
        found = tried(connection, [(acting_for(""), *asked(seen)), asked(seen), (acting_for("%"), *asked(seen))])
        assert [one.shows_rows for one in found] == [False, True, False]
        assert connection.execute(seen.encode()).rowcount == 1


def test_what_is_asked_twice_is_tried_once(stack: Server) -> None:
    """A sequence, which no rollback takes back, tells."""
    with stack.superuser() as connection, connection.transaction():
        connection.execute("CREATE TEMPORARY SEQUENCE told")
        found = tried(connection, [asked("SELECT nextval('told')")] * 3)
        assert [one.rows for one in found] == [1, 1, 1]
        assert connection.execute("SELECT last_value FROM told").fetchone() == (1,)


def test_nothing_is_asked_of_the_server_where_nothing_is_to_be_tried(data: Database) -> None:
    """Not even in a transaction that has failed."""
    with data.connection() as connection:
        assert tried(connection, []) == []


def test_no_name_ends_the_block(stack: Server) -> None:
    """Quotes of every kind, braces and percent signs stay what they are."""
    name = sql.Identifier("a'b\"c$$ {} %s $undone$; SELECT 1")
    with stack.superuser() as connection, connection.transaction(force_rollback=True):
        connection.execute(sql.SQL("CREATE TABLE {} ()").format(name))
        (found,) = tried(connection, [(sql.SQL("INSERT INTO {} DEFAULT VALUES").format(name),)])
        assert (found.rows, found.error) == (1, None)


def test_a_lock_that_is_not_given_is_no_refusal(stack: Server, data: Database) -> None:
    """Nobody knows what the statement would have done, and those after it do not wait as well."""
    with stack.superuser() as other, other.transaction(), data.connection() as connection:
        other.execute("LOCK TABLE banking.customer IN ACCESS EXCLUSIVE MODE")
        connection.execute("SAVEPOINT before")
        slow = asked("SET LOCAL lock_timeout = '50ms'", "SELECT FROM banking.customer")
        with pytest.raises(psycopg.errors.LockNotAvailable, match="lock timeout"):
            tried(connection, [slow, asked("SELECT pg_sleep(30)")])
        connection.execute("ROLLBACK TO SAVEPOINT before")


def test_a_statement_that_takes_too_long_ends_them_all(data: Database) -> None:
    """The time is for all that is tried together."""
    with data.connection() as connection:
        connection.execute("SET LOCAL statement_timeout = '100ms'")
        connection.execute("SAVEPOINT before")
        with pytest.raises(psycopg.errors.QueryCanceled, match="statement timeout"):
            tried(connection, [asked("SELECT 1"), asked("SELECT pg_sleep(30)")])
        connection.execute("ROLLBACK TO SAVEPOINT before")
