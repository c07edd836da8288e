"""How long a sealed report cannot be altered or deleted: 30 days, and 5 calendar years from their end."""

import calendar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from seed_pipelines.errors import RequestInvalid

LEAST_DAYS: Final = 30
LEAST_YEARS: Final = 5
MOST_DAYS: Final = 366
MOST_YEARS: Final = 99
"""S3 keeps nothing locked for longer than 100 years."""

_DAYS_OF_YEAR: Final = 365
_LEAP_CYCLE: Final = 4


@dataclass(frozen=True)
class Retention:
    """Days first, then calendar years; a deployment may ask for more, never for less (RequestInvalid)."""

    days: int = LEAST_DAYS
    years: int = LEAST_YEARS

    def __post_init__(self) -> None:
        if not (LEAST_DAYS <= self.days <= MOST_DAYS and LEAST_YEARS <= self.years <= MOST_YEARS):
            raise RequestInvalid(
                f"Reports cannot be retained for {self.days} days and {self.years} years: {LEAST_DAYS} to {MOST_DAYS} days"
                f" and {LEAST_YEARS} to {MOST_YEARS} years are possible."
            )

    def until(self, stored: datetime) -> datetime:
        """The end of the retention of what is stored at a moment; a 29th of February that does not exist is 1 March."""
        moment = stored + timedelta(days=self.days)
        year = moment.year + self.years
        if (moment.month, moment.day) == (2, 29) and not calendar.isleap(year):
            return moment.replace(year=year, month=3, day=1)
        return moment.replace(year=year)

    @property
    def longest(self) -> timedelta:
        """The longest that `until` ever lies ahead, whatever leap days it spans."""
        leap_days = -(-self.years // _LEAP_CYCLE)
        return timedelta(days=self.days + self.years * _DAYS_OF_YEAR + leap_days)

    def __str__(self) -> str:
        return f"{self.days} days and {self.years} years"
