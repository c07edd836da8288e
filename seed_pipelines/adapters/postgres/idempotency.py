"""Idempotency keys: what was asked for under a key, and the answer that is repeated for a day.

A claim on a key is made in the transaction that takes the lease, and dies with that lease: a run that crashed, failed or was
stopped leaves its key free. The answer is stored in the transaction that ends the run well.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from seed_pipelines.adapters.postgres.database import Connection
from seed_pipelines.errors import IdempotencyConflict, IdempotencyInProgress

Operation = Literal["seed_run", "dry_run", "validate", "seed_run_request", "seed_run_cancel"]
"""The last three are requests over HTTP; a seed run that was asked for so also has the key as its own."""

_OF_MANIFESTS: Final = ("seed_run", "dry_run")
"""Operations whose content is a manifest, and nothing else."""
FALLBACK_PREFIX: Final = "seed-data:"
"""Of the key of a run that was given none: it stands for the manifest's hash, and is void once another manifest is seeded."""
TTL: Final = "24 hours"
"""How long an answer is repeated."""

FOUND: Final = """
used.manifest_hash, used.seed_run_id, used.completed_at, used.response, lease.token, lease.holder,
    ceil(extract(epoch FROM lease.expires_at - clock_timestamp()))::int
"""
"""Columns that `replay_of` reads, of a key `used` and the lease under which it is claimed."""
LEASE: Final = """
LEFT JOIN seed.lease ON lease.tenant_id = used.tenant_id AND lease.environment = used.environment
    AND lease.seed_run_id = used.seed_run_id AND lease.expires_at > clock_timestamp()
"""
"""Joins that lease."""
HOLDS: Final = "(used.completed_at IS NULL OR used.completed_at > clock_timestamp() - %(ttl)s::interval)"
"""Whether a key stands for something still."""
FIND: Final = f"""
SELECT {FOUND} FROM seed.idempotency_key AS used {LEASE}
WHERE used.tenant_id = %(tenant_id)s AND used.environment = %(environment)s AND used.operation = %(operation)s
    AND used.key = %(key)s AND {HOLDS}
"""  # noqa: S608  # put together of constants
"""What a key stands for, and the lease under which it is claimed."""


@dataclass(frozen=True)
class Claim:
    """What somebody asks for under a key."""

    tenant_id: UUID
    environment: str
    operation: Operation
    key: str
    manifest_hash: str
    profile: str

    @property
    def identity(self) -> list[object]:
        """Tenant, environment, operation and key: what is unique."""
        return [self.tenant_id, self.environment, self.operation, self.key]


@dataclass(frozen=True)
class Replay:
    """The answer that was given before."""

    seed_run_id: UUID
    answered_at: datetime
    response: str
    """Byte for byte what was stored."""


@dataclass(frozen=True)
class _Found:
    manifest_hash: str
    seed_run_id: UUID
    completed_at: datetime | None
    response: str | None
    token: int | None
    """Of the living lease of the run that claimed it."""
    holder: str | None
    expires_in_seconds: int | None


def answered(
    connection: Connection, claim: Claim, seed_run_id: UUID | None, is_over: Callable[[int, str], bool]
) -> Replay | None:
    """The stored answer to a claim; None if the key is free for `seed_run_id`.

    `is_over` is asked about the token and the holder of a lease under which another claims the key. Raises
    IdempotencyConflict where the key stands for another manifest, IdempotencyInProgress where its run goes on.
    """
    row = connection.execute(FIND, claim_parameters(claim)).fetchone()
    return replay_of(row, claim, seed_run_id, is_over)


def replay_of(
    row: Sequence[Any] | None, claim: Claim, seed_run_id: UUID | None, is_over: Callable[[int, str], bool]
) -> Replay | None:
    """What `answered` makes of a row that FIND has found, if it has found one."""
    found = None if row is None else _Found(*row)
    if found is None or found.seed_run_id == seed_run_id:
        return None
    if found.completed_at is None and (
        found.token is None or found.holder is None or is_over(found.token, found.holder)
    ):
        return None
    if found.manifest_hash != claim.manifest_hash:
        if claim.operation not in _OF_MANIFESTS:
            raise IdempotencyConflict(
                f"The key {claim.key!r} was used for another request. Use a new key.", key=claim.key
            )
        raise IdempotencyConflict(
            f"The key {claim.key!r} was used for manifest {found.manifest_hash[:12]}; this is {claim.manifest_hash[:12]}."
            " Use a new key.",
            key=claim.key,
            manifest_hash=found.manifest_hash,
        )
    if found.completed_at is None or found.response is None:
        raise IdempotencyInProgress(
            f"Run {found.holder} is at work under the key {claim.key!r}: ask again when it is done."
            f" If it died, its lease ends in {found.expires_in_seconds or 0} s, and the key is free then.",
            key=claim.key,
            seed_run_id=str(found.seed_run_id),
            expires_in_seconds=found.expires_in_seconds,
        )
    return Replay(found.seed_run_id, found.completed_at, found.response)


def claim_key(connection: Connection, claim: Claim, seed_run_id: UUID, finished: Collection[int]) -> None:
    """Make the key stand for a seed run, in the transaction that takes its lease.

    `finished` has tokens of leases whose holder is known to be over. Raises IdempotencyConflict, or IdempotencyInProgress
    where another run holds or has just answered it.
    """
    replay = answered(connection, claim, seed_run_id, lambda token, _holder: token in finished)
    if replay is not None:
        raise IdempotencyInProgress(
            f"The key {claim.key!r} has just been answered: ask again to get the answer.",
            key=claim.key,
            seed_run_id=str(replay.seed_run_id),
        )
    connection.execute(
        "INSERT INTO seed.idempotency_key"
        " (tenant_id, environment, operation, key, manifest_hash, profile, seed_run_id)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (tenant_id, environment, operation, key) DO UPDATE"
        " SET manifest_hash = excluded.manifest_hash, profile = excluded.profile, seed_run_id = excluded.seed_run_id,"
        " claimed_at = clock_timestamp(), completed_at = NULL, response = NULL",
        [*claim.identity, claim.manifest_hash, claim.profile, seed_run_id],
    )
    connection.execute(
        "DELETE FROM seed.idempotency_key WHERE tenant_id = %(tenant)s AND environment = %(environment)s"
        " AND operation = ANY(%(of_manifests)s)"  # those of the API are its own to forget
        " AND (completed_at < clock_timestamp() - %(ttl)s::interval"
        " OR (operation = %(operation)s AND profile = %(profile)s AND manifest_hash <> %(hash)s"
        " AND completed_at IS NOT NULL AND starts_with(key, %(fallback)s)))",
        {
            "tenant": claim.tenant_id,
            "environment": claim.environment,
            "operation": claim.operation,
            "of_manifests": list(_OF_MANIFESTS),
            "profile": claim.profile,
            "hash": claim.manifest_hash,
            "ttl": TTL,
            "fallback": FALLBACK_PREFIX,
        },
    )


def store_answer(connection: Connection, tenant_id: UUID, seed_run_id: UUID, response: str) -> None:
    """Complete the key that a seed run claimed; nothing happens if it claimed none."""
    connection.execute(
        "UPDATE seed.idempotency_key SET completed_at = clock_timestamp(), response = %s"
        " WHERE tenant_id = %s AND seed_run_id = %s AND completed_at IS NULL",
        [response, tenant_id, seed_run_id],
    )


def answer_of(connection: Connection, tenant_id: UUID, environment: str, seed_run_id: UUID) -> str | None:
    """The answer that a seed run gave; None if there is none."""
    row = connection.execute(
        "SELECT response FROM seed.idempotency_key"
        " WHERE tenant_id = %s AND environment = %s AND operation = ANY(%s) AND seed_run_id = %s",
        [tenant_id, environment, list(_OF_MANIFESTS), seed_run_id],
    ).fetchone()
    return None if row is None else row[0]


def record_answer(connection: Connection, claim: Claim, origin_id: UUID, response: str) -> None:
    """Store the answer to what needs no lease, such as a dry run; the first answer to a key stays."""
    connection.execute(
        "INSERT INTO seed.idempotency_key AS used (tenant_id, environment, operation, key, manifest_hash, profile,"
        " seed_run_id, completed_at, response) VALUES (%s, %s, %s, %s, %s, %s, %s, clock_timestamp(), %s)"
        " ON CONFLICT (tenant_id, environment, operation, key) DO UPDATE"
        " SET manifest_hash = excluded.manifest_hash, profile = excluded.profile, seed_run_id = excluded.seed_run_id,"
        " claimed_at = excluded.claimed_at, completed_at = excluded.completed_at, response = excluded.response"
        " WHERE used.completed_at <= clock_timestamp() - %s::interval",
        [*claim.identity, claim.manifest_hash, claim.profile, origin_id, response, TTL],
    )


def free_key(connection: Connection, seed_run_id: UUID) -> None:
    """Give up the claim of a seed run that ended without an answer; one whose report is to be sealed may still answer."""
    connection.execute(
        "DELETE FROM seed.idempotency_key AS used WHERE seed_run_id = %s AND completed_at IS NULL AND NOT EXISTS"
        " (SELECT FROM seed.seed_run WHERE seed_run.seed_run_id = used.seed_run_id AND status = 'sealing')",
        [seed_run_id],
    )


def forget_keys(connection: Connection, tenant_id: UUID, environment: str, profile: str) -> None:
    """Forget the answers about a dataset that is no more."""
    connection.execute(
        "DELETE FROM seed.idempotency_key WHERE tenant_id = %s AND environment = %s AND profile = %s"
        " AND operation IN ('seed_run', 'seed_run_request') AND completed_at IS NOT NULL",
        [tenant_id, environment, profile],
    )


def claim_parameters(claim: Claim) -> dict[str, object]:
    """Those of FIND."""
    return {**vars(claim), "ttl": TTL}
