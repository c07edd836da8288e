"""The trace of a seed run (W3C Trace Context): its ids follow from the run's, so that all of its processes agree on them."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Trace:
    """What the spans of one attempt of a seed run have in common."""

    trace_id: str
    """32 hex digits (section 3.2.2.3): the seed run's id, as its report names it."""
    root_id: str
    """16 hex digits (section 3.2.2.4) of the span that stands for the whole attempt."""

    @classmethod
    def of_attempt(cls, trace_id: str, attempt: int) -> "Trace":
        """The trace of an attempt, from 1, of the seed run whose id in hex is `trace_id`."""
        return cls(trace_id, hashlib.sha256(f"{trace_id}/{attempt}".encode()).hexdigest()[:16])
