"""The statements by which requests over HTTP are answered under their keys: one request alone, or several together."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from seed_pipelines.adapters.postgres.access_decisions import ADD, ADD_ALL, AccessDecision, decision_parameters
from seed_pipelines.adapters.postgres.database import BEGIN_SETTINGS
from seed_pipelines.adapters.postgres.idempotency import FIND, FOUND, HOLDS, LEASE, TTL, Claim, claim_parameters

Statement = tuple[str, dict[str, Any]]
"""A query, and its parameters."""

_CLEARED_ONCE_IN: Final = 64
"""Answers, after which those of the tenant that are too old are removed."""

_ALONE: Final = f"""
BEGIN; {BEGIN_SETTINGS}; {ADD}; COMMIT;
BEGIN; {BEGIN_SETTINGS};
SELECT set_config('lock_timeout', %(patience)s, true);
SELECT pg_advisory_xact_lock(hashtextextended(%(name)s, 0));
{FIND}
"""
_IDENTITY: Final = "tenant_id uuid, environment text, operation text, key text"
_ASKED: Final = f"jsonb_to_recordset(%(asked)s::jsonb) AS asked (position int, name text, {_IDENTITY})"
_TOGETHER: Final = f"""
BEGIN; {BEGIN_SETTINGS};
SELECT position FROM {_ASKED} WHERE pg_try_advisory_xact_lock(hashtextextended(name, 0));
SELECT asked.position, {FOUND} FROM {_ASKED}
JOIN seed.idempotency_key AS used USING (tenant_id, environment, operation, key) {LEASE} WHERE {HOLDS}
"""  # noqa: S608  # put together of constants
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

_CLEAR: Final = """
DELETE FROM seed.idempotency_key WHERE tenant_id = %(tenant_id)s AND environment = %(environment)s
AND completed_at < clock_timestamp() - %(ttl)s::interval
"""


def begin_alone(claim: Claim, permission: AccessDecision, patience: str) -> Statement:
    """Records the permission, and begins a transaction that holds the key and finds what it stands for.

    psycopg.errors.LockNotAvailable after the patience, such as `10000ms`.
    """
    parameters = {**decision_parameters(permission), **claim_parameters(claim)}
    return _ALONE, {**parameters, "name": _lock_name(claim), "patience": patience}


def begin_together(claims: Sequence[Claim]) -> Statement:
    """Begins a transaction that holds the keys which nobody else has.

    The last two results are the positions of those, and position and columns of FOUND for each key that stands for
    something.
    """
    keys = [{"position": position, "name": _lock_name(claim), **vars(claim)} for position, claim in enumerate(claims)]
    return _TOGETHER, {"asked": _json(keys), "ttl": TTL}


def store(answers: Sequence[tuple[Claim, UUID, str]], permissions: Sequence[AccessDecision] = ()) -> Statement:
    """Stores the answers and records the permissions, if there are any, and ends the transaction.

    No two answers are under one key. Once in a while what is too old is removed as well.
    """
    statements: list[str] = []
    parameters: dict[str, Any] = {}
    if permissions:
        statements.append(ADD_ALL)
        parameters["decisions"] = _json(decision_parameters(permission) for permission in permissions)
    if answers:
        claim, drawn, _ = answers[0]
        rows = ({**vars(one), "seed_run_id": origin, "response": response} for one, origin, response in answers)
        statements.append(_STORE)
        parameters |= {**claim_parameters(claim), "answers": _json(rows)}
        if drawn.int % _CLEARED_ONCE_IN == 0:
            statements.append(_CLEAR)
    return ";".join([*statements, "COMMIT"]), parameters


def _lock_name(claim: Claim) -> str:
    return "\x1f".join(map(str, claim.identity))


def _json(rows: Iterable[object]) -> str:
    return json.dumps(list(rows), default=str)
