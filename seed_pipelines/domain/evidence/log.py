"""The transparency log of an environment: every envelope of every tenant, in the order in which they were sealed.

An entry is the SHA-256 of an envelope's bytes; a checkpoint is a signed tree head (RFC 9162, section 4.10) as an in-toto
statement, so that whoever kept an older one can ask for the proof that the log only grew.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from seed_pipelines.domain.digest import merkle_root
from seed_pipelines.domain.evidence.contract import require_contract
from seed_pipelines.domain.evidence.merkle_proofs import (
    consistency_proof,
    growing_roots,
    inclusion_proof,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from seed_pipelines.domain.evidence.statement import Statement, read_statement, statement_bytes
from seed_pipelines.domain.issues import shown
from seed_pipelines.errors import EvidenceInvalid

CHECKPOINT_TYPE: Final = "urn:seed-pipelines:log-checkpoint:v1"
"""The predicate is a checkpoint: `contracts/log-checkpoint.schema.json`."""

_CONTRACT: Final = "log-checkpoint.schema.json"


@dataclass(frozen=True)
class Checkpoint:
    """The log of an environment at one time."""

    environment: str
    tree_size: int
    root: str
    """RFC 9162 tree hash in hex; of no entries the hash of nothing."""
    at: datetime
    """When it was taken, in UTC."""


def checkpoint(environment: str, envelopes: Sequence[str], at: datetime) -> Checkpoint:
    """The checkpoint of a log that holds these envelopes, each by its SHA-256 in hex."""
    return Checkpoint(environment, len(envelopes), merkle_root(_leaves(envelopes)), at.astimezone(UTC))


def checkpoint_statement(taken: Checkpoint) -> bytes:
    """The statement of a checkpoint, to be signed and sealed like that of a report."""
    predicate = {
        "schema_version": "v1",
        "environment": taken.environment,
        "tree_size": taken.tree_size,
        "root": taken.root,
        "at": taken.at.isoformat(),
    }
    require_contract(predicate, _CONTRACT)
    return statement_bytes(Statement(CHECKPOINT_TYPE, {f"log/{taken.environment}": taken.root}, predicate))


def read_checkpoint(payload: bytes) -> Checkpoint:
    """The checkpoint in an envelope's payload; EvidenceInvalid."""
    statement = read_statement(payload, CHECKPOINT_TYPE)
    found = statement.predicate
    require_contract(found, _CONTRACT)
    try:
        at = datetime.fromisoformat(found["at"])
    except ValueError as error:
        raise EvidenceInvalid(f"The checkpoint's time is {shown(found['at'])}.") from error
    if statement.subjects != {f"log/{found['environment']}": found["root"]}:
        raise EvidenceInvalid("The statement's subject is not the root of its checkpoint.")
    return Checkpoint(found["environment"], found["tree_size"], found["root"], at)


def roots(envelopes: Sequence[str]) -> Iterator[str]:
    """The root of the log after each of its entries: what a checkpoint of that size must hold."""
    return growing_roots(_leaves(envelopes))


def prove_inclusion(index: int, envelopes: Sequence[str]) -> tuple[str, ...]:
    """What shows that the envelope at `index` is in the log; IndexError if there is none."""
    return inclusion_proof(index, _leaves(envelopes))


def require_inclusion(envelope: str, index: int, within: Checkpoint, proof: Sequence[str]) -> None:
    """EvidenceInvalid unless the log of a checkpoint holds an envelope, by its SHA-256, at `index`."""
    verify_inclusion(_leaf(envelope), index, within.tree_size, within.root, proof)


def prove_growth(older: Checkpoint, envelopes: Sequence[str]) -> tuple[str, ...]:
    """What shows that the log of these envelopes begins with that of an older checkpoint; IndexError if it is shorter."""
    return consistency_proof(older.tree_size, _leaves(envelopes)) if older.tree_size else ()


def require_growth(older: Checkpoint, newer: Checkpoint, proof: Sequence[str]) -> None:
    """EvidenceInvalid unless the newer checkpoint is of the same log, which only grew since the older one."""
    if older.environment != newer.environment:
        raise EvidenceInvalid(f"One checkpoint is of {older.environment}, the other of {newer.environment}.")
    if older.at > newer.at:
        raise EvidenceInvalid(f"The checkpoint of {newer.at} is to be newer than that of {older.at}.")
    verify_consistency(older.tree_size, older.root, newer.tree_size, newer.root, proof)


def _leaves(envelopes: Sequence[str]) -> list[str]:
    return [_leaf(envelope) for envelope in envelopes]


def _leaf(envelope: str) -> str:
    try:
        return leaf_hash(bytes.fromhex(envelope))
    except ValueError as error:
        raise EvidenceInvalid(f"{shown(envelope)} is no SHA-256 in hex.") from error
