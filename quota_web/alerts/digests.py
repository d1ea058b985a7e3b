"""When a channel gets its digest: the state of all accounts, daily or weekly. Pure."""

import re
from dataclasses import dataclass
from datetime import timedelta, tzinfo

from quota_web.alerts import quiet_hours
from quota_web.core import times

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TEXT = re.compile(r"(daily|weekly ([a-z]{3})) (\d{1,2}):(\d{2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Digest:
    """At that *minute* of every day, or of one *weekday* (0: Monday)."""

    minute: int
    weekday: int | None = None

    @property
    def text(self) -> str:
        """`daily 08:00` or `weekly mon 08:00`, as it is stored."""
        often = "daily" if self.weekday is None else f"weekly {DAYS[self.weekday]}"
        return f"{often} {quiet_hours.clock_text(self.minute)}"

    @property
    def days(self) -> int:
        """How many days it covers."""
        return 1 if self.weekday is None else 7

    def last_at(self, now: int, zone: tzinfo | None) -> int:
        """The latest moment at which it was due."""
        here = times.in_zone(now, zone)
        for days in range(9):
            day = here - timedelta(days=days)
            if self.weekday is not None and day.weekday() != self.weekday:
                continue
            found = quiet_hours.moment(day, self.minute, zone)
            if found <= now:
                return found
        raise AssertionError("every week has each of its days")


def parse(text: str) -> Digest:
    """What `Digest.text` says. Raises ValueError."""
    found = _TEXT.fullmatch(text.strip().lower())
    if found is None or (found[2] is not None and found[2] not in DAYS):
        raise ValueError("no digest")
    weekday = None if found[2] is None else DAYS.index(found[2])
    return Digest(quiet_hours.minutes(found[3], found[4]), weekday)
