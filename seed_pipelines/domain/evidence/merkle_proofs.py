"""Proofs about a log of entries: that it holds one (RFC 9162, section 2.1.3), that it only grew (section 2.1.4).

Hashes are SHA-256 in hex; a tree is given by the leaf hashes of its entries, in order.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from seed_pipelines.domain.digest import merkle_root
from seed_pipelines.domain.issues import shown
from seed_pipelines.errors import EvidenceInvalid

_HASH: Final = re.compile("[0-9a-f]{64}")


def leaf_hash(entry: bytes) -> str:
    """The hash of an entry: SHA-256 over 0x00 and its bytes (RFC 9162, section 2.1.1)."""
    return hashlib.sha256(b"\x00" + entry).hexdigest()


def growing_roots(leaves: Iterable[str]) -> Iterator[str]:
    """The root of a log after each of its entries, so that every size is looked at in one pass (RFC 9162, section 2.1.1)."""
    complete: list[tuple[int, str]] = []
    for leaf in leaves:
        size, node = 1, leaf
        while complete and complete[-1][0] == size:
            node = _node(complete.pop()[1], node)
            size *= 2
        complete.append((size, node))
        root = node
        for _, left in reversed(complete[:-1]):
            root = _node(left, root)
        yield root


def inclusion_proof(index: int, leaves: Sequence[str]) -> tuple[str, ...]:
    """The path from the leaf at `index` to the root (RFC 9162, section 2.1.3.1); IndexError if there is none."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"a log of {len(leaves)} entries has no entry {index}")
    if len(leaves) == 1:
        return ()
    split = _split(len(leaves))
    left, right = leaves[:split], leaves[split:]
    if index < split:
        return (*inclusion_proof(index, left), merkle_root(right))
    return (*inclusion_proof(index - split, right), merkle_root(left))


def verify_inclusion(leaf: str, index: int, size: int, root: str, proof: Sequence[str]) -> None:
    """EvidenceInvalid unless the proof leads from the leaf to the root of a log of `size` (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size:
        raise EvidenceInvalid(f"A log of {size} entries has no entry {index}.")
    _require_hashes(leaf, root, *proof)
    node, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise EvidenceInvalid(f"The inclusion proof of entry {index} is too long for a log of {size} entries.")
        if node & 1 or node == last:
            found = _node(sibling, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = _node(found, sibling)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise EvidenceInvalid(f"The inclusion proof of entry {index} is too short for a log of {size} entries.")
    if found != root:
        raise EvidenceInvalid(f"The inclusion proof of entry {index} leads to the root {found}, not to {root}.")


def consistency_proof(first_size: int, leaves: Sequence[str]) -> tuple[str, ...]:
    """What shows that the first entries are those of the log when it had so many (RFC 9162, section 2.1.4.1).

    IndexError unless 0 < `first_size` <= the number of leaves.
    """
    if not 0 < first_size <= len(leaves):
        raise IndexError(f"a log of {len(leaves)} entries never had {first_size} that could be proven")
    return _subproof(first_size, leaves, whole=True)


def verify_consistency(first_size: int, first_root: str, size: int, root: str, proof: Sequence[str]) -> None:
    """EvidenceInvalid unless the log of `size` begins with that of `first_size` (RFC 9162, section 2.1.4.2).

    Every log begins with the empty one, whose root is the hash of nothing and whose proof is empty.
    """
    grown = f"from {first_size} to {size} entries"
    if not 0 <= first_size <= size:
        raise EvidenceInvalid(f"No log grows {grown}.")
    _require_hashes(first_root, root, *proof)
    if first_size in (0, size):
        empty = [(first_root, merkle_root(()))] if first_size == 0 else []
        same = [(first_root, root)] if first_size == size else []
        if proof or any(one != other for one, other in empty + same):
            raise EvidenceInvalid(f"The log did not just grow {grown}: the roots are {first_root} and {root}.")
        return
    path = list(proof) if first_size & (first_size - 1) else [first_root, *proof]
    if not path:
        raise EvidenceInvalid(f"The consistency proof {grown} is empty.")
    node, last = first_size - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    before = after = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise EvidenceInvalid(f"The consistency proof {grown} is too long.")
        if node & 1 or node == last:
            before, after = _node(sibling, before), _node(sibling, after)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            after = _node(after, sibling)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise EvidenceInvalid(f"The consistency proof {grown} is too short.")
    if (before, after) != (first_root, root):
        raise EvidenceInvalid(f"The log did not just grow {grown}: an entry was changed, removed or put between.")


def _subproof(size: int, leaves: Sequence[str], *, whole: bool) -> tuple[str, ...]:
    if size == len(leaves):
        return () if whole else (merkle_root(leaves),)
    split = _split(len(leaves))
    left, right = leaves[:split], leaves[split:]
    if size <= split:
        return (*_subproof(size, left, whole=whole), merkle_root(right))
    return (*_subproof(size - split, right, whole=False), merkle_root(left))


def _require_hashes(*hashes: str) -> None:
    for found in hashes:
        if not _HASH.fullmatch(found):
            raise EvidenceInvalid(f"{shown(found)} in the proof is no SHA-256 in hex.")


def _split(size: int) -> int:
    """The largest power of two below the size."""
    return 1 << (size - 1).bit_length() - 1


def _node(left: str, right: str) -> str:
    """The hash of two nodes, which is the root of a tree of the two."""
    return merkle_root((left, right))
