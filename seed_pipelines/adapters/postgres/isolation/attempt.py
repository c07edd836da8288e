"""One attack on one relation or right, and what came of it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final, LiteralString, Protocol
from uuid import UUID

import psycopg
from psycopg import sql

from seed_pipelines.adapters.postgres.database import Connection
from seed_pipelines.adapters.postgres.undone import Asking

ANY_TENANT: Final = UUID("00000000-0000-8000-8000-000000000000")
"""A tenant that is registered nowhere."""

_NOT_WRITABLE = (
    psycopg.errors.ObjectNotInPrerequisiteState,
    psycopg.errors.FeatureNotSupported,
    psycopg.errors.WrongObjectType,
)


@dataclass(frozen=True)
class Attempt:
    """What was tried, and what it revealed; without a finding it was refused as it should be."""

    relation: str
    """Schema and relation; or the role, function, sequence or setting that was attacked."""
    attack: str
    finding: str = ""
    cure: str = ""
    """A statement, or what to do."""
    who: str = ""
    """As which login, role and tenant."""

    def as_dict(self) -> dict[str, str]:
        """The attempt as JSON."""
        return {"relation": self.relation, "attack": self.attack, "finding": self.finding, "cure": self.cure}


class Named(Protocol):
    """What has a name."""

    @property
    def name(self) -> str:
        """Schema and relation."""


@dataclass(frozen=True)
class Examination:
    """Every attack of a login, and what it was tried on."""

    login: str
    relations: tuple[str, ...]
    """Relations of tenants that were attacked."""
    attempts: Mapping[str, int]
    """Relation, or what else was attacked -> how many times."""
    holes: tuple[Attempt, ...]
    without_rows: tuple[str, ...] = ()
    """Relations in which there was no row to come back: reads of them were judged by their policies alone."""

    @classmethod
    def of(
        cls, login: str, relations: Iterable[Named], attempts: Sequence[Attempt], without_rows: tuple[str, ...] = ()
    ) -> "Examination":
        """What all attempts add up to."""
        names = tuple(relation.name for relation in relations)
        return cls(login, names, Counter(attempt.relation for attempt in attempts), _holes(attempts), without_rows)


def _holes(attempts: Iterable[Attempt]) -> tuple[Attempt, ...]:
    """What was found; one finding of several attackers is one hole that names them."""
    found: dict[tuple[str, str, str], list[Attempt]] = {}
    for attempt in attempts:
        if attempt.finding:
            found.setdefault((attempt.relation, attempt.attack, attempt.finding), []).append(attempt)
    return tuple(_merged(same) for same in found.values())


def _merged(same: list[Attempt]) -> Attempt:
    who = ", ".join(dict.fromkeys(attempt.who for attempt in same if attempt.who))
    first = same[0]
    return replace(first, finding=f"{first.finding} ({who})" if who else first.finding)


@contextmanager
def rolled_back(connection: Connection, *settings: str) -> Iterator[None]:
    """A savepoint with settings of its own, rolled back at the end."""
    with connection.transaction(force_rollback=True):
        for setting in settings:
            connection.execute(setting.encode())
        yield


def accepted(statements: Sequence[sql.Composable], *settings: LiteralString) -> Asking[list[bool]]:
    """Whether the server would run each, which it only plans: a lack of privilege, or of a way to do it, refuses it.

    One that fails in any other way was not refused.
    """
    before = tuple(map(sql.SQL, settings))
    found = yield [(*before, sql.SQL("EXPLAIN {}").format(statement)) for statement in statements]
    return [_was_accepted(one.error) for one in found]


def _was_accepted(error: psycopg.Error | None) -> bool:
    if isinstance(error, (psycopg.errors.InsufficientPrivilege, *_NOT_WRITABLE)):
        return False
    if isinstance(error, psycopg.OperationalError):
        raise error
    return True
