"""Every change of a lease, recorded by the database itself, and what must hold of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import psycopg

_RECORD: Final = """
CREATE SCHEMA history;
CREATE TABLE history.lease_event (
    number bigserial PRIMARY KEY, event text, tenant_id uuid, environment text, token bigint, slot smallint
);
CREATE FUNCTION history.record() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $function$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO history.lease_event (event, tenant_id, environment, token, slot)
        VALUES ('ended', OLD.tenant_id, OLD.environment, OLD.token, OLD.slot);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO history.lease_event (event, tenant_id, environment, token, slot)
        VALUES ('began', NEW.tenant_id, NEW.environment, NEW.token, NEW.slot);
    END IF;
    RETURN NULL;
END
$function$;
CREATE TRIGGER history AFTER INSERT OR UPDATE OF token OR DELETE ON seed.lease
FOR EACH ROW EXECUTE FUNCTION history.record();
"""
_FORGET: Final = "DROP TRIGGER history ON seed.lease; DROP SCHEMA history CASCADE;"


@dataclass(frozen=True)
class LeaseEvent:
    """A lease that began or ended."""

    event: str
    tenant_id: UUID
    environment: str
    token: int
    slot: int | None


@contextmanager
def recorded(superuser: "psycopg.Connection[tuple[object, ...]]") -> Iterator[None]:
    """Record every change of a lease within the block; read it with `events`."""
    superuser.execute(_RECORD.encode())
    try:
        yield
    finally:
        superuser.execute(_FORGET.encode())


def events(superuser: "psycopg.Connection[tuple[object, ...]]") -> list[LeaseEvent]:
    """What was recorded so far, in order."""
    rows = superuser.execute(
        "SELECT event, tenant_id, environment, token, slot FROM history.lease_event ORDER BY number"
    )
    return [LeaseEvent(*row) for row in rows]  # type: ignore[arg-type]  # the columns of the table above


def violations(history: list[LeaseEvent], slots: int) -> list[str]:
    """What of a history must not be: two holders of a tenant, too many of an environment, a token that goes back."""
    found: list[str] = []
    holders: dict[tuple[str, UUID], LeaseEvent] = {}
    newest = 0
    for step in history:
        place = (step.environment, step.tenant_id)
        if step.event == "ended":
            if holders.pop(place, None) is None:
                found.append(f"token {step.token} ended and had not begun")
            continue
        if place in holders:
            found.append(f"token {step.token} began while {holders[place].token} held")
        if step.token <= newest:
            found.append(f"token {step.token} came after {newest}")
        newest = max(newest, step.token)
        holders[place] = step
        in_slots = [held.slot for (environment, _), held in holders.items() if environment == step.environment]
        taken = [slot for slot in in_slots if slot is not None]
        if len(taken) > slots or len(set(taken)) != len(taken):
            found.append(f"token {step.token}: slots {sorted(taken)} of {step.environment} at once")
    return found
