"""Staging on a running stack: the commands that seed it, and what is in it afterwards, seen from outside."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import IO, Any, Final
from uuid import NAMESPACE_DNS, UUID, uuid4, uuid5

import psycopg
from psycopg import sql
from tenacity import Retrying, stop_after_delay, wait_fixed

from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines_tests.e2e.conftest import EMPTY_EVERYTHING, PROJECT_DIR, RunningStack
from seed_pipelines_tests.e2e.suspension import suspend
from seed_pipelines_tests.manifest_examples import example, sealed

TENANT_A: Final = uuid5(NAMESPACE_DNS, "tenant-a.seed-pipelines.example")
TENANT_B: Final = uuid5(NAMESPACE_DNS, "tenant-b.seed-pipelines.example")
STAGING_MANIFEST: Final = PROJECT_DIR / "manifests/staging/tenant-a.yaml"
OVERRIDE: Final = ("--override-window", "an end-to-end test at any hour")

NO_KEY: Final = "(no key)"
"""Among the arguments of a command: leave the key to the command."""

_OWN_VARIABLES: Final = ("SEED_", "DAGSTER_", "AWS_", "VAULT_", "PG")
_SEEDED: Final = ("banking.customer", "banking.bank_account")
_STATE: Final = (*_SEEDED, "seed.shard_checkpoint", "seed.lease")


@dataclass(frozen=True)
class Finished:
    """A command that ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def outcome(self) -> dict[str, Any]:
        """What `--json` printed."""
        outcome: dict[str, Any] = json.loads(self.stdout)
        return outcome

    @property
    def problem(self) -> dict[str, Any]:
        """The Problem Details on stderr, below whatever warnings came before."""
        problem: dict[str, Any] = json.loads("{" + ("\n" + self.stderr).rpartition("\n{\n")[2])
        return problem


@dataclass(frozen=True)
class Contents:
    """What a database and the data directory hold; equal only if nothing at all was written in between."""

    tables: Mapping[str, tuple[int, str]]
    """Table -> rows, and a digest over them and the transactions that wrote them."""
    files: Mapping[str, tuple[int, int]]
    """File -> size and time of its last change."""


@dataclass(frozen=True)
class Staging:
    """The staging database of a stack, and commands that find it by environment variables as a deployment's do."""

    stack: RunningStack
    variables: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, stack: RunningStack) -> "Staging":
        """Staging on a stack that is up."""
        return cls(stack, stack.environment)

    def start(self, *arguments: str | Path, tenant: UUID = TENANT_A, **variables: str) -> "subprocess.Popen[str]":
        """Start `seed_data` for a tenant in staging; a new run each time, unless a key or NO_KEY is among the arguments."""
        command = ["seed_data", "--tenant-id", str(tenant), "--environment", "staging"]
        command += [str(argument) for argument in arguments if argument != NO_KEY]
        if not {"--idempotency-key", NO_KEY} & set(arguments):
            command += ["--idempotency-key", f"test-{uuid4()}"]
        return self.start_program(command, **variables)

    def start_program(self, command: list[str], **variables: str) -> "subprocess.Popen[str]":
        """Start a program of the virtual environment with the stack's variables, and others in place of some."""
        program, *arguments = command
        return subprocess.Popen(
            [str(Path(sys.executable).with_name(program)), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=PROJECT_DIR,
            env={**_foreign_variables(), **self.variables, **variables},
        )

    def start_stopped(self, *arguments: str | Path, **variables: str) -> "subprocess.Popen[str]":
        """Start `seed_data` and stop it (SIGSTOP) once it holds the lease."""
        process = self.start(*arguments, tenant=TENANT_A, **variables)
        if process.stdout is None:
            raise AssertionError(process)
        await_lease(process.stdout)
        suspend(process, self.stack)
        return process

    def seed(self, *arguments: str | Path, tenant: UUID = TENANT_A, **variables: str) -> Finished:
        """Run `seed_data` for a tenant in staging until it ends."""
        return finish(self.start(*arguments, tenant=tenant, **variables))

    def run(self, *command: str) -> Finished:
        """Run a program of the virtual environment until it ends."""
        return finish(self.start_program([*command]))

    def refusals(self) -> list[tuple[str, str, str]]:
        """Subject, action and problem of every refusal on record, in their order."""
        query = "SELECT subject, action, problem_code FROM seed.access_decision WHERE NOT allowed ORDER BY decision_id"
        with self.superuser() as connection:
            return [(str(who), str(what), str(why)) for who, what, why in connection.execute(query)]

    def superuser(self) -> "psycopg.Connection[tuple[Any, ...]]":
        """A connection that sees everything and commits each statement."""
        return psycopg.connect(self.stack.stack.postgres.provisioning_url("postgres", "seed_staging"), autocommit=True)

    def visible_rows(self, tenant: UUID | None) -> tuple[int, int]:
        """Customers and bank accounts that the data login sees with a tenant set, or none."""
        url = self.variables["SEED_DATABASE_URL"].replace("{environment}", "staging")
        with psycopg.connect(url, passfile=self.variables["PGPASSFILE"]) as connection:
            if tenant is not None:
                connection.execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant)])
            customers, accounts = (
                connection.execute(sql.SQL("SELECT count(*) FROM {}").format(_name(table))).fetchone() or (-1,)
                for table in _SEEDED
            )
        return int(customers[0]), int(accounts[0])

    def await_step(self, step: str) -> None:
        """Wait until the newest run of the instance has materialized an asset."""
        url = self.stack.stack.postgres.provisioning_url("postgres", "dagster")
        query = (
            "SELECT count(*) FROM event_logs WHERE dagster_event_type = 'ASSET_MATERIALIZATION' AND step_key LIKE %s"
            " AND run_id = (SELECT run_id FROM runs ORDER BY id DESC LIMIT 1)"
        )
        with psycopg.connect(url, autocommit=True) as storage:
            for attempt in Retrying(stop=stop_after_delay(60), wait=wait_fixed(0.02)):
                with attempt:
                    assert storage.execute(query, [f"{step}%"]).fetchone() == (1,)

    def materialization(self, run_id: str, asset: str) -> str:
        """What Dagster's storage recorded when a run materialized an asset."""
        url = self.stack.stack.postgres.provisioning_url("postgres", "dagster")
        with psycopg.connect(url) as connection:
            events = connection.execute(
                "SELECT event FROM event_logs WHERE run_id = %s AND dagster_event_type = 'ASSET_MATERIALIZATION'"
                " AND asset_key LIKE %s",
                [run_id, f'%"{asset}"]'],
            ).fetchall()
        return "\n".join(str(event) for (event,) in events)

    def contents(self) -> Contents:
        """Everything a run may write, apart from the record of runs and their refusals."""
        files = {
            str(path.relative_to(self.data_dir)): (path.stat().st_size, path.stat().st_mtime_ns)
            for path in sorted(self.data_dir.rglob("*"))
            if path.is_file()
        }
        return Contents({table: self._table(table, "t.xmin::text || t::text") for table in _STATE}, files)

    def rows_digest(self) -> Mapping[str, tuple[int, str]]:
        """The seeded tables as they read, whoever wrote them and when: table -> rows and digest."""
        return {table: self._table(table, "t::text") for table in _SEEDED}

    def clear(self) -> None:
        """Take away what runs left: rows, checkpoints, leases, records of runs, files."""
        with self.superuser() as connection:
            connection.execute(EMPTY_EVERYTHING.encode())
        for path in self.data_dir.iterdir():
            shutil.rmtree(path)

    @property
    def data_dir(self) -> Path:
        """Where the Parquet files are."""
        return self.stack.stack.paths.data

    @contextmanager
    def changed(self, change: str, undo: str) -> Iterator[None]:
        """Change the database by one statement, and undo it by another."""
        with self.superuser() as connection:
            connection.execute(change.encode())
        try:
            yield
        finally:
            with self.superuser() as connection:
                connection.execute(undo.encode())

    @contextmanager
    def postgres_away(self) -> Iterator[None]:
        """Stop PostgreSQL for a while."""
        self.stack.stack.postgres.stop()
        try:
            yield
        finally:
            self.stack.stack.postgres.start()

    @contextmanager
    def vault_away(self) -> Iterator[None]:
        """Stop OpenBao for a while."""
        self.stack.stack.vault.stop()
        try:
            yield
        finally:
            self.stack.stack.vault.start()

    @contextmanager
    def vault_sealed(self) -> Iterator[None]:
        """Seal OpenBao for a while; it keeps running."""
        self.stack.stack.vault.client().sys.seal()
        try:
            yield
        finally:
            self.stack.stack.vault.start()

    def _table(self, table: str, row: str) -> tuple[int, str]:
        query = sql.SQL(
            "SELECT count(*), coalesce(md5(string_agg({row}, E'\\n' ORDER BY t::text)), '') FROM {table} AS t"
        )
        with self.superuser() as connection:
            found = connection.execute(query.format(row=sql.SQL(row), table=_name(table))).fetchone()
        if found is None:
            raise AssertionError(table)
        return int(found[0]), str(found[1])


def await_lease(stdout: IO[str]) -> None:
    """Read the lines that `seed_data` prints once it holds the lease."""
    printed = list(takewhile(lambda line: not line.startswith("seed_run_id="), stdout))
    if len(printed) != 3:
        raise AssertionError(printed)


def finish(process: "subprocess.Popen[str]", seconds: float = 180) -> Finished:
    """Wait until a command ends."""
    stdout, stderr = process.communicate(timeout=seconds)
    return Finished(process.returncode, stdout, stderr)


def write_manifest(path: Path, **changes: Any) -> Path:
    """The staging manifest of tenant-a with other top-level members, sealed, as a JSON file."""
    path.write_text(json.dumps(sealed({**example(), **changes})))
    return path


def window(opens: float, closes: float) -> dict[str, str]:
    """The member `window` of a manifest, in hours from now."""
    now = datetime.now(UTC)
    return {
        "start_utc": f"{now + timedelta(hours=opens):%H:%M}",
        "end_utc": f"{now + timedelta(hours=closes):%H:%M}",
    }


def volumetry(customers: int, bank_accounts: int) -> dict[str, Any]:
    """The member `volumetry` of a manifest."""
    return {"customers": {"cap": customers}, "bank_accounts": {"cap": bank_accounts}}


def write_catalogue(path: Path, rows_per_shard: int) -> Path:
    """A catalogue that allows ten million rows of everything, in shards of another size."""
    packaged = Catalogue.packaged().model_dump(mode="json")
    caps = {name: {"base": 10_000_000, "load": 10_000_000} for name in packaged["entities"]}
    path.write_text(json.dumps({**packaged, "entities": caps, "rows_per_shard": rows_per_shard}))
    return path


def _foreign_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(_OWN_VARIABLES)}


def _name(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split("."))
