"""Exponential backoff with the manifest's numbers."""

import hashlib

from seed_pipelines.domain.manifest import Backoff


def delay_seconds(backoff: Backoff, attempt: int, who: str) -> float:
    """Seconds to wait before retry `attempt` (from 0): min(cap, min(cap, base * 2^attempt) * (1 +- jitter * u)).

    `u` in [-1, 1) derives from `who` and the attempt, so that runs spread out and one run's waits can be told in advance.
    """
    cap = float(backoff.max_interval_seconds)
    plain = min(cap, float(backoff.base_seconds) * 2.0 ** min(attempt, 62))
    word = int.from_bytes(hashlib.sha256(f"{who}:{attempt}".encode()).digest()[:8], "big")
    spread = float(backoff.jitter_factor) * (word / 2.0**63 - 1.0)
    return max(0.0, min(cap, plain * (1.0 + spread)))
