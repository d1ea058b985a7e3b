"""The hours of a day in which a channel is told nothing. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from quota_web.core import times

_TEXT = re.compile(r"(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})(\s+urgent)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From *start* to *end*, in minutes since midnight; over midnight where *end* is the smaller
    one.
    """

    start: int
    end: int
    #: Whether urgent alerts are told nevertheless.
    lets_urgent: bool = False

    @property
    def text(self) -> str:
        """`22:00-07:00`, as it is stored."""
        said = f"{clock_text(self.start)}-{clock_text(self.end)}"
        return f"{said} urgent" if self.lets_urgent else said

    def end_at(self, now: int, zone: tzinfo | None) -> int | None:
        """When the quiet hours that *now* lies in end; None where it lies in none."""
        here = times.in_zone(now, zone)
        minute = here.hour * 60 + here.minute
        is_over_midnight = self.end <= self.start
        if is_over_midnight:
            is_quiet = minute >= self.start or minute < self.end
        else:
            is_quiet = self.start <= minute < self.end
        if not is_quiet:
            return None
        days = 1 if is_over_midnight and minute >= self.start else 0
        return max(now + 1, moment(here + timedelta(days=days), self.end, zone))


def parse(text: str) -> QuietHours:
    """What `QuietHours.text` says. Raises ValueError."""
    found = _TEXT.fullmatch(text.strip())
    if found is None:
        raise ValueError("no span of hours")
    start, end = minutes(found[1], found[2]), minutes(found[3], found[4])
    if start == end:
        raise ValueError("no span of hours")
    return QuietHours(start, end, found[5] is not None)


def minutes(hour: str, minute: str) -> int:
    """Since midnight. Raises ValueError."""
    if int(hour) > 23 or int(minute) > 59:
        raise ValueError("no time of day")
    return int(hour) * 60 + int(minute)


def clock_text(minute: int) -> str:
    """`07:00`."""
    return f"{minute // 60:02}:{minute % 60:02}"


def moment(day: datetime, minute: int, zone: tzinfo | None) -> int:
    """The moment at which the clocks of that day show *minute*."""
    naive = day.replace(hour=minute // 60, minute=minute % 60, second=0, microsecond=0, tzinfo=None)
    return int((naive.astimezone() if zone is None else naive.replace(tzinfo=zone)).timestamp())
