"""The chain of a tenant's reports in an environment: each names its number and the SHA-256 of the envelope before it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from seed_pipelines.errors import EvidenceInvalid


@dataclass(frozen=True)
class ChainHead:
    """The newest report of a chain."""

    sequence: int
    """From 1; 0 before the first report."""
    sha256: str
    """Of its envelope's bytes, in hex."""


START: Final = ChainHead(0, "0" * 64)
"""What the first report follows."""


@dataclass(frozen=True)
class Link:
    """What a report says of its place, and what its envelope is."""

    tenant_id: str
    environment: str
    sequence: int
    previous_sha256: str
    """What the report says the envelope before it is."""
    sha256: str
    """What its own envelope is."""

    @property
    def head(self) -> ChainHead:
        """The chain up to here."""
        return ChainHead(self.sequence, self.sha256)


def verify_chain(links: Iterable[Link], *, after: ChainHead = START, head: ChainHead | None = None) -> ChainHead:
    """The newest report of a chain that follows `after` without a gap, in the order of `links`.

    EvidenceInvalid, with the `sequence` it is about, where a report is missing, doubled, out of its place, of another
    tenant or environment, follows another envelope than the one before it, or where the newest is not `head`: only who
    knows the head can tell that the newest ones were taken away.
    """
    newest, owner = after, None
    for link in links:
        _require_next(link, newest)
        if owner not in (None, (link.tenant_id, link.environment)):
            raise _broken(link.sequence, f"belongs to {link.environment} of tenant {link.tenant_id}, not to the chain")
        if link.previous_sha256 != newest.sha256:
            raise _broken(
                link.sequence,
                f"follows the envelope {link.previous_sha256}, but {_named(newest)} is {newest.sha256}:"
                " one of the two was rewritten",
            )
        newest, owner = link.head, (link.tenant_id, link.environment)
    if head is not None and newest != head:
        raise _broken(
            head.sequence,
            f"is to be the newest, with the envelope {head.sha256}, but the chain ends with number {newest.sequence},"
            f" {newest.sha256}",
        )
    return newest


def _require_next(link: Link, newest: ChainHead) -> None:
    expected = newest.sequence + 1
    if link.sequence == newest.sequence:
        raise _broken(link.sequence, "is there twice")
    if link.sequence < expected:
        raise _broken(link.sequence, f"is out of its place: it stands after number {newest.sequence}")
    if link.sequence > expected:
        raise _broken(expected, f"is missing: number {link.sequence} stands after {_named(newest)}")


def _named(head: ChainHead) -> str:
    return f"number {head.sequence}" if head.sequence else "the start of the chain"


def _broken(sequence: int, finding: str) -> EvidenceInvalid:
    return EvidenceInvalid(f"The report with number {sequence} {finding}.", sequence=sequence)
