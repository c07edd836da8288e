"""The signed reports of seed runs: composed once, in order, and kept until and after they are sealed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, LiteralString
from uuid import UUID

from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from seed_pipelines.adapters.postgres.database import Connection, Database
from seed_pipelines.adapters.postgres.idempotency import free_key, store_answer
from seed_pipelines.adapters.postgres.leases import Lease, hold_token, release_run
from seed_pipelines.adapters.postgres.queue import is_queued
from seed_pipelines.adapters.postgres.seed_runs import SeedRun, died_in_queue, find_all
from seed_pipelines.domain.evidence.chain import START, ChainHead
from seed_pipelines.errors import LeaseLost, SeedError

Verdict = Literal["succeeded", "partial", "failed", "aborted"]

REPORT_LOCK: Final = 0x5EED_0004
"""Advisory lock under which reports get their numbers."""

_IDENTITY: Final = sql.SQL("tenant_id = %s AND seed_run_id = %s AND attempt = %s")
_IS_HEARD_OF: Final = sql.SQL(
    "(EXISTS (SELECT FROM seed.lease WHERE lease.seed_run_id = run.seed_run_id AND lease.expires_at > clock_timestamp())"
    " OR {})"
).format(is_queued("run"))


@dataclass(frozen=True)
class LogPosition:
    """Where the next report goes."""

    after: ChainHead
    """The newest report of its tenant and environment."""
    log_index: int
    """Its place among all of the environment, from 0."""
    ended_at: datetime
    """When the run ended, by the clock of the database."""
    earlier_token: int | None
    """The newest fencing token of the tenant and environment before the run's own."""


@dataclass(frozen=True)
class Draft:
    """A report that was written for its place and signed."""

    envelope: bytes
    page: bytes
    answer: str | None = None
    """What is stored for the run's key once the report is sealed."""


@dataclass(frozen=True)
class Report:
    """A row of seed.report."""

    tenant_id: UUID
    seed_run_id: UUID
    attempt: int
    environment: str
    sequence: int
    log_index: int
    verdict: Verdict
    envelope: bytes
    """The DSSE envelope, byte for byte what is sealed."""
    sha256: str
    """Of the envelope, hexadecimal."""
    page: bytes
    """The report as an HTML page."""
    answer: str | None
    composed_at: datetime
    deadline_at: datetime

    @property
    def identity(self) -> list[object]:
        """Tenant, seed run and attempt: what is unique."""
        return [self.tenant_id, self.seed_run_id, self.attempt]


@dataclass(frozen=True)
class Evidence:
    """Where a report is sealed: versions that were read back."""

    bucket: str
    object_key: str
    version_id: str
    page_key: str
    page_version_id: str
    retain_until: datetime


@dataclass(frozen=True)
class Waiting:
    """A report in the outbox."""

    report: Report
    tries: int
    """How often it was tried in vain."""
    is_overdue: bool
    """Whether its deadline has passed, by the clock of the database."""


_COLUMNS: Final = sql.SQL(", ").join(sql.Identifier("report", name) for name in Report.__dataclass_fields__)
_EVIDENCE: Final = sql.SQL(", ").join(map(sql.Identifier, Evidence.__dataclass_fields__))


class ReportStore:
    """The reports of one database."""

    def __init__(self, control: Database) -> None:
        self._control = control

    def compose(
        self,
        run: SeedRun,
        verdict: Verdict,
        draft: Callable[[LogPosition], Draft],
        *,
        deadline_seconds: float,
        lease: Lease | None = None,
    ) -> Report:
        """The report of a run's attempt: the one that is there, or a new one in the next place, which waits to be sealed.

        Reports are written one at a time. A run at work must hold its lease and ends with it: it is `sealing` from then
        on. LeaseLost. Whatever `draft` raises leaves nothing behind.
        """
        with self._control.connection() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [REPORT_LOCK])
            found = _find(connection, run.tenant_id, run.seed_run_id, run.attempt)
            if found is not None:
                return found
            ended_at = _begin_sealing(connection, run, lease) if run.ended_at is None else run.ended_at
            position = _next_position(connection, run, ended_at)
            written = draft(position)
            connection.execute(
                "INSERT INTO seed.report (tenant_id, seed_run_id, attempt, environment, sequence, log_index, verdict,"
                " envelope, sha256, page, answer, deadline_at) VALUES (%(tenant)s, %(run)s, %(attempt)s, %(environment)s,"
                " %(sequence)s, %(log_index)s, %(verdict)s, %(envelope)s, encode(sha256(%(envelope)s), 'hex'), %(page)s,"
                " %(answer)s, clock_timestamp() + make_interval(secs => %(deadline)s))",
                {
                    "tenant": run.tenant_id,
                    "run": run.seed_run_id,
                    "attempt": run.attempt,
                    "environment": run.environment,
                    "sequence": position.after.sequence + 1,
                    "log_index": position.log_index,
                    "verdict": verdict,
                    "envelope": written.envelope,
                    "page": written.page,
                    "answer": written.answer,
                    "deadline": deadline_seconds,
                },
            )
            connection.execute(
                "INSERT INTO seed.sealing (tenant_id, seed_run_id, attempt) VALUES (%s, %s, %s)",
                [run.tenant_id, run.seed_run_id, run.attempt],
            )
            composed = _find(connection, run.tenant_id, run.seed_run_id, run.attempt)
        if composed is None:
            raise LookupError(f"the report of seed run {run.seed_run_id} is not where it was written")
        return composed

    def find(self, tenant_id: UUID, seed_run_id: UUID, attempt: int) -> Report | None:
        """The report of an attempt."""
        with self._control.connection() as connection:
            return _find(connection, tenant_id, seed_run_id, attempt)

    def evidence(self, tenant_id: UUID, seed_run_id: UUID, attempt: int) -> Evidence | None:
        """Where the report of an attempt is sealed; None while it is not."""
        query = sql.SQL("SELECT {} FROM seed.evidence WHERE {}").format(_EVIDENCE, _IDENTITY)
        with self._control.connection() as connection, connection.cursor(row_factory=class_row(Evidence)) as cursor:
            return cursor.execute(query, [tenant_id, seed_run_id, attempt]).fetchone()

    def waiting(self, environment: str, *, due_only: bool = True, limit: int = 100) -> tuple[Waiting, ...]:
        """The reports of the outbox, the oldest first; those that are to be tried now, or all."""
        query = sql.SQL(
            "SELECT {}, tries, deadline_at <= clock_timestamp() FROM seed.sealing"
            " JOIN seed.report USING (tenant_id, seed_run_id, attempt)"
            " WHERE environment = %s AND (next_try_at <= clock_timestamp() OR NOT %s) ORDER BY log_index LIMIT %s"
        ).format(_COLUMNS)
        with self._control.connection() as connection:
            rows = connection.execute(query, [environment, due_only, limit]).fetchall()
        return tuple(Waiting(Report(*row[:-2]), row[-2], row[-1]) for row in rows)

    def record_evidence(self, report: Report, evidence: Evidence) -> bool:
        """Take a sealed report out of the outbox; a run that was `sealing` has ended with its verdict and is answered.

        Its lease is given back with it, all or nothing; False if somebody else recorded it before.
        """
        with self._control.connection() as connection:
            release_run(connection, report.tenant_id, report.environment, report.seed_run_id)
            taken = connection.execute(_of("DELETE FROM seed.sealing WHERE {}"), report.identity).rowcount
            if not taken:
                return False
            insert = sql.SQL(
                "INSERT INTO seed.evidence (tenant_id, seed_run_id, attempt, {})"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
            ).format(_EVIDENCE)
            connection.execute(insert, [*report.identity, *vars(evidence).values()])
            ended = connection.execute(
                _of("UPDATE seed.seed_run SET status = %s WHERE status = 'sealing' AND {}"),
                [report.verdict, *report.identity],
            ).rowcount
            if ended and report.answer is not None:
                store_answer(connection, report.tenant_id, report.seed_run_id, report.answer)
        return True

    def postpone(self, report: Report, problem: Mapping[str, Any], seconds: float) -> None:
        """Try a report again after some seconds; past its deadline, its run has failed for that problem."""
        with self._control.connection() as connection:
            connection.execute(
                _of(
                    "UPDATE seed.sealing SET tries = tries + 1, problem = %s,"
                    " next_try_at = clock_timestamp() + make_interval(secs => %s) WHERE {}"
                ),
                [Jsonb(dict(problem)), seconds, *report.identity],
            )
            failed = connection.execute(
                "UPDATE seed.seed_run AS run SET status = 'failed', problem = %s FROM seed.report"
                " WHERE report.tenant_id = run.tenant_id AND report.seed_run_id = run.seed_run_id"
                " AND report.attempt = run.attempt AND run.status = 'sealing' AND deadline_at <= clock_timestamp()"
                " AND run.tenant_id = %s AND run.seed_run_id = %s AND run.attempt = %s",
                [Jsonb(dict(problem)), *report.identity],
            ).rowcount
            if failed:
                free_key(connection, report.seed_run_id)

    def unreported(self, environment: str) -> tuple[SeedRun, ...]:
        """Seed runs that held a lease, ended, and have no report of the attempt.

        One that did not get the lease again has one to come if it never had any, and did something before.
        """
        condition = sql.SQL(
            "environment = %s AND manifest IS NOT NULL AND (fencing_token IS NOT NULL OR ("
            " EXISTS (SELECT FROM seed.budget_entry AS paid WHERE paid.tenant_id = run.tenant_id"
            " AND paid.seed_run_id = run.seed_run_id) AND NOT EXISTS (SELECT FROM seed.report"
            " WHERE report.tenant_id = run.tenant_id AND report.seed_run_id = run.seed_run_id)))"
            " AND status NOT IN ('running', 'sealing') AND NOT EXISTS (SELECT FROM seed.report"
            " WHERE report.tenant_id = run.tenant_id AND report.seed_run_id = run.seed_run_id"
            " AND report.attempt = run.attempt)"
        )
        with self._control.connection() as connection:
            return find_all(connection, condition, [environment])

    def silent(self, environment: str) -> tuple[SeedRun, ...]:
        """Running seed runs that have no lease, or one that expired, and no place in the queue."""
        condition = sql.SQL("environment = %s AND status = 'running' AND NOT {}").format(_IS_HEARD_OF)
        with self._control.connection() as connection:
            return find_all(connection, condition, [environment])

    def end_silent(self, run: SeedRun) -> bool:
        """End a silent seed run as aborted and take its lease away; False if it is heard of again.

        Its writers are waited for, and can write nothing afterwards.
        """
        silence: SeedError = LeaseLost(
            "Its process stopped keeping the lease alive; what it had not committed was rolled back."
        )
        if run.fencing_token is None:
            silence = died_in_queue()
        with self._control.connection() as connection:
            connection.execute(
                "DELETE FROM seed.lease WHERE tenant_id = %s AND environment = %s AND seed_run_id = %s"
                " AND expires_at <= clock_timestamp()",
                [run.tenant_id, run.environment, run.seed_run_id],
            )
            ended = (
                connection.execute(
                    sql.SQL(
                        "UPDATE seed.seed_run AS run SET status = 'aborted', problem = %s, ended_at = clock_timestamp()"
                        " WHERE status = 'running' AND {} AND fencing_token IS NOT DISTINCT FROM %s AND NOT {}"
                    ).format(_IDENTITY, _IS_HEARD_OF),
                    [Jsonb(silence.problem()), run.tenant_id, run.seed_run_id, run.attempt, run.fencing_token],
                ).rowcount
                == 1
            )
            if ended:
                free_key(connection, run.seed_run_id)
            return ended


def _of(statement: LiteralString) -> sql.Composed:
    """A statement about one attempt, which stands for its braces."""
    return sql.SQL(statement).format(_IDENTITY)


def _begin_sealing(connection: Connection, run: SeedRun, lease: Lease | None) -> datetime:
    if lease is None:
        raise LeaseLost(f"Seed run {run.seed_run_id} cannot end well without its lease.")
    hold_token(connection, lease)
    begun = connection.execute(
        _of(
            "UPDATE seed.seed_run SET status = 'sealing', ended_at = clock_timestamp()"
            " WHERE status = 'running' AND {} RETURNING ended_at"
        ),
        [run.tenant_id, run.seed_run_id, run.attempt],
    ).fetchone()
    if begun is None:
        raise LeaseLost(f"Seed run {run.seed_run_id} was ended while it was at work.", token=lease.token)
    ended_at: datetime = begun[0]
    return ended_at


def _next_position(connection: Connection, run: SeedRun, ended_at: datetime) -> LogPosition:
    last = connection.execute(
        "SELECT sequence, sha256 FROM seed.report WHERE tenant_id = %s AND environment = %s"
        " ORDER BY sequence DESC LIMIT 1",
        [run.tenant_id, run.environment],
    ).fetchone()
    log_index, earlier_token = connection.execute(
        "SELECT (SELECT coalesce(max(log_index) + 1, 0) FROM seed.report WHERE environment = %(environment)s),"
        " (SELECT max(fencing_token) FROM seed.seed_run WHERE tenant_id = %(tenant)s"
        " AND environment = %(environment)s AND seed_run_id <> %(run)s AND started_at < %(started)s)",
        {
            "environment": run.environment,
            "tenant": run.tenant_id,
            "run": run.seed_run_id,
            "started": run.started_at,
        },
    ).fetchone() or (0, None)
    return LogPosition(START if last is None else ChainHead(*last), log_index, ended_at, earlier_token)


def _find(connection: Connection, tenant_id: UUID, seed_run_id: UUID, attempt: int) -> Report | None:
    query = sql.SQL("SELECT {} FROM seed.report WHERE {}").format(_COLUMNS, _IDENTITY)
    with connection.cursor(row_factory=class_row(Report)) as cursor:
        return cursor.execute(query, [tenant_id, seed_run_id, attempt]).fetchone()
