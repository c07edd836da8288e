"""When a manifest's daily run starts: inside its window, spread so that not every tenant begins at once."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from seed_pipelines.domain.window import Window, length

SPREAD_PART: Final = 4
"""Starts are spread over the first quarter of a window, ..."""
LONGEST_SPREAD: Final = timedelta(hours=1)
"""... but over an hour at most."""

_MINUTE: Final = timedelta(minutes=1)


def spread(window: Window) -> timedelta:
    """The stretch after a window's opening over which starts are spread, in whole minutes, one at least."""
    part = min(length(window) / SPREAD_PART, LONGEST_SPREAD)
    return max(_MINUTE, part // _MINUTE * _MINUTE)


def delay(window: Window, identity: Sequence[str]) -> timedelta:
    """How long after the opening an identity starts: whole minutes below `spread`, always the same ones."""
    digest = hashlib.sha256("/".join(identity).encode()).digest()
    return int.from_bytes(digest) % (spread(window) // _MINUTE) * _MINUTE


def daily_start(window: Window, identity: Sequence[str]) -> time:
    """The minute of the UTC day in which an identity starts; inside the window."""
    return (datetime.combine(date.min, window.start_utc, UTC) + delay(window, identity)).time()


def cron(moment: time) -> str:
    """The cron expression of once a day at a minute."""
    return f"{moment.minute} {moment.hour} * * *"
