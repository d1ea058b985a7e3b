"""Epoch seconds in words: ISO 8601 for JSON, the machine's (or a chosen) zone for terminals."""

from datetime import UTC, datetime, tzinfo
from functools import lru_cache

#: The last second of the year 9999.
LAST_SECOND = 253_402_300_799


def iso(at: int | None) -> str | None:
    """`2026-11-21T12:05:00Z`; None stays None."""
    return None if at is None else iso_text(at)


@lru_cache(maxsize=2048)
def iso_text(at: int) -> str:
    """The same for a moment that is there, as faults want it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def compact(at: int) -> str:
    """`20261121T120500Z`, for names of files."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")


def local(at: int, zone: tzinfo | None) -> str:
    """`2026-11-21 20:05:00 CST` in *zone*; None is the machine's own."""
    return in_zone(at, zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def short(at: int, now: int, zone: tzinfo | None) -> str:
    """As little as tells the moment: `11:00` today, `Tue 11:00` within a week, else `2026-12-24
    11:00`.
    """
    moment, today = in_zone(at, zone), in_zone(now, zone)
    days = (moment.date() - today.date()).days
    if days == 0:
        return moment.strftime("%H:%M")
    return moment.strftime("%a %H:%M" if 0 < days < 7 else "%Y-%m-%d %H:%M")


def day_and_minute(at: int, now: int, zone: tzinfo | None) -> str:
    """`16:40` today, else `Tue 24 Nov 20:54`."""
    moment = in_zone(at, zone)
    if moment.date() == in_zone(now, zone).date():
        return moment.strftime("%H:%M")
    return f"{moment:%a} {moment.day} {moment:%b %H:%M}"


def in_zone(at: int, zone: tzinfo | None) -> datetime:
    """The moment in *zone*; None is the machine's own."""
    try:
        return datetime.fromtimestamp(at, zone) if zone else datetime.fromtimestamp(at).astimezone()
    except (ValueError, OverflowError):
        # The last day of the calendar has no morning after it in zones east of Greenwich; tokens do
        # claim to last that long.
        return datetime.fromtimestamp(at, UTC)


def utc_offset(at: int, zone: tzinfo | None) -> int:
    """How many seconds the clocks of *zone* (None: the machine's own) are ahead of UTC at a
    moment.
    """
    offset = (
        datetime.fromtimestamp(at, zone) if zone else datetime.fromtimestamp(at).astimezone()
    ).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def parse(text: str) -> int:
    """Epoch seconds of an ISO 8601 moment (UTC where it names no zone) or of a number; raises
    ValueError, also for what no calendar shows.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        at = float(text)
    else:
        at = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not 0 <= at <= LAST_SECOND:
        raise ValueError("out of range")
    return int(at)
