"""The loaded rows as files in PostgreSQL's binary format, copied into tables of the superuser's own in several ways."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import UUID

import psycopg
from psycopg import sql

from seed_pipelines.adapters.postgres.database import Connection
from seed_pipelines_tests.benchmarks.measurement import Against, Measurement, Stopwatch

LOAD: Final = "load, row level security"
INDEXED: Final = "binary COPY, indexed tables"
_BARE: Final = "binary COPY, bare tables"
_BUILT: Final = "binary COPY, then the indexes"
_LEAF: Final = "partitions filled, indexed, attached"
_TABLES: Final = ("customer", "bank_account")
_PIECE: Final = 1 << 20
_FOREIGN_KEY: Final = sql.SQL("ALTER TABLE {} ADD FOREIGN KEY (tenant_id, customer_id) REFERENCES bench.customer")
_KEYS: Final = """
SELECT 'ALTER TABLE {0} ADD ' || pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = %(table)s::regclass AND contype IN ('p', 'u')
UNION ALL
SELECT replace(pg_get_indexdef(indexrelid), ' ' || %(table)s || ' ', ' {0} ') FROM pg_index
WHERE indrelid = %(table)s::regclass
AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u'))
"""
"""What makes a table's unique keys and its other indexes, with a place for the name of another table."""


def copies(url: str, tenant_id: UUID) -> Iterator[Measurement]:
    """Measure every way; `url` is that of a superuser in a database that holds rows of one tenant."""
    with psycopg.connect(url) as connection, tempfile.TemporaryDirectory() as directory:
        files = {table: Path(directory) / table for table in _TABLES}
        for table, file in files.items():
            _export(connection, table, file)
        yield Measurement(_BARE, *_filled(connection, files, _bare), note="the floor")
        indexed = _filled(connection, files, _indexed)
        yield Measurement(INDEXED, *indexed, (Against(_BARE),), "the same rules, no row security")
        built = _filled(connection, files, _bare_with_checks, _build_indexes)
        yield Measurement(_BUILT, *built, (Against(_BARE),), "no foreign key")
        leaf = _filled(connection, files, _leaves(tenant_id), _attach)
        against = (Against(LOAD, 1.5), Against(_BUILT, 0.75))
        yield Measurement(_LEAF, *leaf, against, "with foreign key; not in the product")


def _filled(
    connection: Connection,
    files: Mapping[str, Path],
    make: Callable[[Connection], Mapping[str, str]],
    finish: Callable[[Connection, str, str], None] | None = None,
) -> tuple[int, float]:
    """Rows and seconds of filling the tables that `make` makes, and finishing each; nothing is left of them."""
    watch, rows = Stopwatch(), 0
    with _schema(connection):
        names = make(connection)
        connection.commit()
        with watch.lap():
            for table, file in files.items():
                rows += _import(connection, names[table], file)
                if finish is not None:
                    finish(connection, table, names[table])
            connection.commit()
    return rows, watch.seconds


@contextmanager
def _schema(connection: Connection) -> Iterator[None]:
    connection.execute("CREATE SCHEMA bench")
    yield
    connection.execute("DROP SCHEMA bench CASCADE")
    connection.commit()


def _bare(connection: Connection, like: str = "", suffix: str = "", more: str = "") -> Mapping[str, str]:
    names = {table: f"{table}{suffix}" for table in _TABLES}
    for table, name in names.items():
        definition = (sql.Identifier("bench", name), sql.Identifier("banking", table), sql.SQL(like), sql.SQL(more))
        connection.execute(sql.SQL("CREATE TABLE {} (LIKE {} {}) {}").format(*definition))
    return names


def _bare_with_checks(connection: Connection) -> Mapping[str, str]:
    return _bare(connection, "INCLUDING CONSTRAINTS")


def _indexed(connection: Connection) -> Mapping[str, str]:
    names = _bare(connection, "INCLUDING ALL")
    connection.execute(_FOREIGN_KEY.format(sql.Identifier("bench", "bank_account")))
    return names


def _leaves(tenant_id: UUID) -> Callable[[Connection], Mapping[str, str]]:
    """Partitioned tables like those of the schema, and a table beside each that may become the tenant's partition."""

    def make(connection: Connection) -> Mapping[str, str]:
        _bare(connection, "INCLUDING ALL", more="PARTITION BY LIST (tenant_id)")
        connection.execute(_FOREIGN_KEY.format(sql.Identifier("bench", "bank_account")))
        leaves = _bare(connection, "INCLUDING CONSTRAINTS", suffix="_leaf")
        check = sql.SQL("ALTER TABLE {} ADD CHECK (tenant_id = {})")
        for leaf in leaves.values():
            connection.execute(check.format(sql.Identifier("bench", leaf), sql.Literal(tenant_id)))
        return leaves

    return make


def _build_indexes(connection: Connection, table: str, name: str) -> None:
    for (statement,) in connection.execute(_KEYS, {"table": f"banking.{table}"}).fetchall():
        connection.execute(sql.SQL(statement).format(sql.Identifier("bench", name)))


def _attach(connection: Connection, table: str, name: str) -> None:
    """The keys, the foreign key and the partition's place; the CHECK saves ATTACH a scan."""
    _build_indexes(connection, table, name)
    leaf = sql.Identifier("bench", name)
    if table == "bank_account":
        connection.execute(_FOREIGN_KEY.format(leaf))
    tenants = sql.SQL("SELECT tenant_id FROM {} LIMIT 1").format(leaf)
    (tenant_id,) = connection.execute(tenants).fetchone() or (None,)
    attach = sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES IN ({})")
    connection.execute(attach.format(sql.Identifier("bench", table), leaf, sql.Literal(tenant_id)))


def _export(connection: Connection, table: str, file: Path) -> None:
    query = sql.SQL("COPY (SELECT * FROM {} ORDER BY id) TO STDOUT (FORMAT binary)")
    with (
        connection.cursor().copy(query.format(sql.Identifier("banking", table))) as copy,
        file.open("wb") as out,
    ):
        out.writelines(copy)


def _import(connection: Connection, table: str, file: Path) -> int:
    cursor = connection.cursor()
    statement = sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(sql.Identifier("bench", table))
    with cursor.copy(statement) as copy, file.open("rb") as source:
        while piece := source.read(_PIECE):
            copy.write(piece)
    return cursor.rowcount
