"""What subjects were allowed and refused: rows that are added and never changed."""

from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from seed_pipelines.adapters.postgres.database import Database

Action = Literal["seed", "override_window", "dry_run", "purge", "purge_expired", "read"]

_INTO: Final = """
INSERT INTO seed.access_decision (tenant_id, environment, action, claimed_roles, counted_roles, allowed, problem_code,
    requested_by, origin)
"""
ADD: Final = f"""
{_INTO} VALUES (%(tenant_id)s, %(environment)s, %(action)s, %(claimed_roles)s, %(counted_roles)s, %(allowed)s,
    %(problem_code)s, %(requested_by)s, %(origin)s)
ON CONFLICT DO NOTHING
"""
"""Adds a decision."""
ADD_ALL: Final = f"""
{_INTO} SELECT * FROM jsonb_to_recordset(%(decisions)s::jsonb) AS decided (tenant_id uuid, environment text, action text,
    claimed_roles text[], counted_roles text[], allowed boolean, problem_code text, requested_by text, origin text)
ON CONFLICT DO NOTHING
"""  # noqa: S608  # put together of constants
"""Adds several, from a JSON array of what ADD needs of each."""


@dataclass(frozen=True)
class AccessDecision:
    """One answer to one subject; who the subject is and when it was answered, the database adds itself."""

    tenant_id: UUID
    environment: str
    action: Action
    claimed_roles: tuple[str, ...]
    counted_roles: tuple[str, ...]
    """The granted roles that counted, in order."""
    problem_code: str | None
    """What it was refused with; None if it was allowed."""
    requested_by: str
    """A name given by the caller."""
    origin: str
    """The Dagster run id, `backfill:<id>`, or the id of a command."""


class AccessDecisionLog:
    """The decisions of one database."""

    def __init__(self, control: Database) -> None:
        self._control = control

    def add(self, decision: AccessDecision) -> None:
        """Add a decision, in a transaction of its own; nothing happens where its origin has the same one already."""
        with self._control.connection() as connection:
            connection.execute(ADD, decision_parameters(decision))


def decision_parameters(decision: AccessDecision) -> dict[str, object]:
    """Those of ADD."""
    return {
        **vars(decision),
        "claimed_roles": list(decision.claimed_roles),
        "counted_roles": list(decision.counted_roles),
        "allowed": decision.problem_code is None,
    }
