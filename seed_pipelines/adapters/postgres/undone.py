"""Statements that are tried together and undone one by one, hundreds in one exchange with the server."""

import json
import secrets
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar

import psycopg
from psycopg import sql

from seed_pipelines.adapters.postgres.database import TENANT_SETTING, Connection

Statements = tuple[sql.Composable, ...]
"""What is tried is the last one; the others are run before it, as settings for it."""

_MOST_TOGETHER: Final = 500
_TRIED_TOGETHER: Final = """
DO {tag}
DECLARE
    statements jsonb; one text; answer jsonb; answers jsonb := '[]'; found bigint; code text; hit text; said text;
BEGIN
    FOR statements IN SELECT jsonb_array_elements({asked}) LOOP
        BEGIN
            FOR one IN SELECT jsonb_array_elements_text(statements) LOOP
                EXECUTE one;
            END LOOP;
            GET DIAGNOSTICS found = ROW_COUNT;
            RAISE SQLSTATE 'UNDO1';
        EXCEPTION
            WHEN SQLSTATE 'UNDO1' THEN
                answer := jsonb_build_object('rows', found);
            WHEN OTHERS THEN
                GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, hit = CONSTRAINT_NAME, said = MESSAGE_TEXT;
                IF code = '55P03' OR left(code, 2) IN ('08', '53', '57', '58') THEN
                    RAISE;  -- no lock, or no resources: what the statement would have done is not known
                END IF;
                answer := jsonb_build_object('rows', 0, 'code', code, 'constraint', hit, 'message', said);
        END;
        answers := answers || answer;
    END LOOP;
    PERFORM set_config('undone.answers', answers::text, true);
END
{tag};
SELECT current_setting('undone.answers')
"""


@dataclass(frozen=True)
class Tried:
    """What came of a statement."""

    rows: int
    """It answered with or changed; none where it failed."""
    error: psycopg.Error | None = None
    constraint: str = ""
    """Which was violated."""

    @property
    def succeeded(self) -> bool:
        """Whether it did not fail; raises OperationalError where it says nothing of who may do what."""
        if isinstance(self.error, psycopg.OperationalError):
            raise self.error
        return self.error is None

    @property
    def shows_rows(self) -> bool:
        """Whether rows came back; a statement that fails shows none. Raises as `succeeded` does."""
        return self.succeeded and self.rows > 0


T = TypeVar("T")

Asking = Generator[Sequence[Statements], list[Tried], T]
"""Somebody who yields questions, is sent their answers, and returns what it makes of them."""


def tried(connection: Connection, asked: Sequence[Statements]) -> list[Tried]:
    """What comes of each, tried from the same state and undone but for what no rollback undoes; the same is tried once.

    Each runs in a subtransaction of a block of PL/pgSQL, which the login needs USAGE of, as PUBLIC has it. OperationalError, at
    once, where the server goes away, lacks a resource, or gives no lock in time.
    """
    texts = [tuple(statement.as_string(connection) for statement in statements) for statements in asked]
    distinct = tuple(dict.fromkeys(texts))
    found: dict[tuple[str, ...], Tried] = {}
    for first in range(0, len(distinct), _MOST_TOGETHER):
        some = distinct[first : first + _MOST_TOGETHER]
        found |= zip(some, _tried_at_once(connection, some), strict=True)
    return [found[text] for text in texts]


def answered(connection: Connection, asking: Iterable[Asking[T]]) -> list[T]:
    """What each makes of its answers, in their order; what several ask at the same time is tried together."""
    made: dict[int, T] = {}
    waiting = dict(enumerate(asking))
    answers: dict[int, list[Tried]] = {}
    while waiting:
        questions: dict[int, Sequence[Statements]] = {}
        for place, one in [*waiting.items()]:
            try:
                questions[place] = one.send(answers[place]) if place in answers else next(one)
            except StopIteration as end:
                made[place] = end.value
                del waiting[place]
        found = iter(tried(connection, [statements for asked in questions.values() for statements in asked]))
        answers = {place: list(islice(found, len(asked))) for place, asked in questions.items()}
    return [made[place] for place in sorted(made)]


def _tried_at_once(connection: Connection, distinct: Sequence[tuple[str, ...]]) -> Iterator[Tried]:
    # Names and policies of the database stand in the block: they must not be able to end it.
    tag = sql.SQL(f"$undone_{secrets.token_hex(16)}$")
    cursor = connection.execute(sql.SQL(_TRIED_TOGETHER).format(tag=tag, asked=sql.Literal(json.dumps(distinct))))
    cursor.nextset()
    ((answers,),) = cursor.fetchall()
    return map(_tried, json.loads(answers))


def acting_for(tenant_id: object) -> sql.Composed:
    """A setting: the statement is of a tenant; of none for an empty text, of nonsense for any other."""
    return sql.SQL("SET LOCAL {} = {}").format(
        sql.SQL(".").join(map(sql.Identifier, TENANT_SETTING.split("."))), sql.Literal(str(tenant_id))
    )


def _tried(answer: Mapping[str, Any]) -> Tried:
    match answer:
        case {"rows": int(rows), "code": str(code), "constraint": str(constraint), "message": str(message)}:
            return Tried(rows, psycopg.errors.lookup(code)(message), constraint)
        case {"rows": int(rows)}:
            return Tried(rows)
    raise LookupError(f"the server answered {answer!r}")
