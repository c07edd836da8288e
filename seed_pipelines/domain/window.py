"""Off-peak windows: a stretch of every UTC day, its start inside, its end outside."""

from datetime import UTC, datetime, time, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict

_DAY: Final = timedelta(days=1)


class Window(BaseModel):
    """A daily window in UTC; one whose end is before its start crosses midnight."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start_utc: time
    """First moment inside."""
    end_utc: time
    """First moment outside."""

    @property
    def crosses_midnight(self) -> bool:
        """Whether the window ends on the day after it began."""
        return self.end_utc < self.start_utc


def length(window: Window) -> timedelta:
    """From its start to its end."""
    start, end = (timedelta(hours=moment.hour, minutes=moment.minute) for moment in (window.start_utc, window.end_utc))
    return (end - start) % _DAY


def contains(window: Window, now: datetime) -> bool:
    """Whether the window is open at `now`, an aware datetime."""
    moment = now.astimezone(UTC).time()
    if window.crosses_midnight:
        return moment >= window.start_utc or moment < window.end_utc
    return window.start_utc <= moment < window.end_utc


def next_opening(window: Window, now: datetime) -> datetime:
    """The first opening after `now`, in UTC; while the window is open, that of the day after."""
    opening = _today(window.start_utc, now)
    return opening if opening > now else opening + _DAY


def last_opening(window: Window, now: datetime) -> datetime:
    """The newest opening that is not after `now`, in UTC."""
    return next_opening(window, now) - _DAY


def remaining(window: Window, now: datetime) -> timedelta:
    """How long the window stays open from `now`; zero while it is closed."""
    if not contains(window, now):
        return timedelta(0)
    closing = _today(window.end_utc, now)
    return (closing if closing > now else closing + _DAY) - now


def _today(moment: time, now: datetime) -> datetime:
    return datetime.combine(now.astimezone(UTC).date(), moment, UTC)
