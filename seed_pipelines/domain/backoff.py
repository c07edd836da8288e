"""Exponential backoff with the manifest's numbers."""

import hashlib
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

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


def retry_after_seconds(field: str, now: datetime) -> float | None:
    """Seconds that a Retry-After field asks for: a number of them or an HTTP-date (RFC 9110, sections 10.2.3 and 5.6.7).

    0 for a date that has passed; None for what is neither, which says nothing.
    """
    text = field.strip()
    if re.fullmatch(r"[0-9]+", text, re.ASCII):
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    date = date.replace(tzinfo=UTC) if date.tzinfo is None else date
    return max(0.0, (date - now).total_seconds())


def wait_seconds(backoff: Backoff, attempt: int, who: str, retry_after: float | None = None) -> float | None:
    """Seconds to wait before a retry: the backoff's delay, or what the server asked for if that is longer.

    None, to give up, where the server asks for more than `max_interval_seconds`: to come back earlier would be hammering,
    to wait longer is more than the manifest allows.
    """
    if retry_after is not None and retry_after > float(backoff.max_interval_seconds):
        return None
    return max(delay_seconds(backoff, attempt, who), retry_after or 0.0)
