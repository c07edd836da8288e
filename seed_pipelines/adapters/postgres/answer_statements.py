"""The statements by which requests over HTTP are answered under their keys: one request alone, or several together."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from seed_pipelines.adapters.postgres.access_decisions import ADD, ADD_ALL, AccessDecision, decision_parameters
from seed_pipelines.adapters.postgres.async_database import Statement
from seed_pipelines.adapters.postgres.database import BEGIN_SETTINGS
from seed_pipelines.adapters.postgres.idempotency import FIND, FOUND, HOLDS, LEASE, TTL, Claim, claim_parameters

FORGOTTEN_AT_ONCE: Final = 10_000
"""Answers that are removed by one statement at most."""

_LOCK: Final = r"hashtextextended(concat_ws(E'\x1f', {}, {}, {}, {}), 0)"
"""Of a key, from its tenant, environment, operation and name."""
_ALONE: Final = f"""
BEGIN; {BEGIN_SETTINGS}; {ADD}; COMMIT;
BEGIN; {BEGIN_SETTINGS};
SELECT set_config('lock_timeout', %(patience)s, true);
SELECT pg_advisory_xact_lock({_LOCK.format("%(tenant_id)s", "%(environment)s", "%(operation)s", "%(key)s")});
{FIND}
"""
_IDENTITY: Final = "tenant_id uuid, environment text, operation text, key text"
_ASKED: Final = f"""
ROWS FROM (jsonb_to_recordset(%(asked)s::jsonb) AS ({_IDENTITY})) WITH ORDINALITY
    AS asked (tenant_id, environment, operation, key, position)
"""
_TOGETHER: Final = f"""
BEGIN; {BEGIN_SETTINGS};
SELECT position FROM {_ASKED}
WHERE pg_try_advisory_xact_lock({_LOCK.format("tenant_id", "environment", "operation", "key")});
SELECT asked.position, found.* FROM {_ASKED}, LATERAL (
    SELECT {FOUND} FROM seed.idempotency_key AS used {LEASE}
    WHERE (used.tenant_id, used.environment, used.operation, used.key)
        = (asked.tenant_id, asked.environment, asked.operation, asked.key) AND {HOLDS}
    OFFSET 0
) AS found
"""  # noqa: S608  # put together of constants
"""Looks each key up by itself: PostgreSQL takes the few keys for a hundred, and would read all of a table of thousands."""
_STORE: Final = f"""
INSERT INTO seed.idempotency_key AS used
    (tenant_id, environment, operation, key, manifest_hash, profile, seed_run_id, completed_at, response)
SELECT tenant_id, environment, operation, key, manifest_hash, profile, seed_run_id, clock_timestamp(), response
FROM jsonb_to_recordset(%(answers)s::jsonb)
    AS given ({_IDENTITY}, manifest_hash text, profile text, seed_run_id uuid, response text)
ON CONFLICT (tenant_id, environment, operation, key) DO UPDATE
SET manifest_hash = excluded.manifest_hash, profile = excluded.profile, claimed_at = excluded.claimed_at,
    completed_at = excluded.completed_at, response = excluded.response
"""  # noqa: S608  # put together of constants

_FORGET: Final = """
BEGIN; SET LOCAL enable_seqscan = off;
WITH forgotten AS (
    DELETE FROM seed.idempotency_key WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM seed.idempotency_key WHERE completed_at < statement_timestamp() - %(ttl)s::interval
        LIMIT %(most)s FOR UPDATE SKIP LOCKED
    )) RETURNING 1
)
SELECT count(*) FROM forgotten;
COMMIT
"""
"""Looks by age, even where PostgreSQL has no statistics yet and takes a third of the table for too old."""


def begin_alone(claim: Claim, permission: AccessDecision, patience: str) -> Statement:
    """Records the permission, and begins a transaction that holds the key and finds what it stands for.

    psycopg.errors.LockNotAvailable after the patience, such as `10000ms`.
    """
    parameters = {**decision_parameters(permission), **claim_parameters(claim)}
    return _ALONE, {**parameters, "patience": patience}


def begin_together(claims: Sequence[Claim]) -> Statement:
    """Begins a transaction that holds the keys which nobody else has.

    The last two results are the positions of those, and position and columns of FOUND for each key that stands for
    something. Positions count from 1.
    """
    names = ("tenant_id", "environment", "operation", "key")
    keys = (dict(zip(names, claim.identity, strict=True)) for claim in claims)
    return _TOGETHER, {"asked": _json(keys), "ttl": TTL}


def store(answers: Sequence[tuple[Claim, UUID, str]], permissions: Sequence[AccessDecision] = ()) -> Statement:
    """Stores the answers and records the permissions, if there are any, and ends the transaction.

    No two answers are under one key.
    """
    statements: list[str] = []
    parameters: dict[str, Any] = {}
    if permissions:
        statements.append(ADD_ALL)
        parameters["decisions"] = _json(decision_parameters(permission) for permission in permissions)
    if answers:
        rows = ({**vars(one), "seed_run_id": origin, "response": response} for one, origin, response in answers)
        statements.append(_STORE)
        parameters["answers"] = _json(rows)
    return ";".join([*statements, "COMMIT"]), parameters


def forget() -> Statement:
    """Removes answers that are too old to be repeated, of whichever tenants: one result, how many."""
    return _FORGET, {"ttl": TTL, "most": FORGOTTEN_AT_ONCE}


def _json(rows: Iterable[object]) -> str:
    return json.dumps(list(rows), default=str)
