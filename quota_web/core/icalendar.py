"""Calendars as text (RFC 5545): entries in, lines of at most 75 octets out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

#: The longest line in octets, without its end.
MOST_OCTETS = 75
PRODUCT = "-//Codex Quota//Calendar//EN"
#: How often a calendar app is to look again.
REFRESH = "PT1H"


@dataclass(frozen=True, slots=True)
class CalendarEntry:
    """One entry: at a moment (epoch seconds), or of a whole day."""

    #: The same for the same thing at every look; whatever its moment and words are by then.
    uid: str
    at: int | date
    summary: str
    description: str
    #: When what it says was measured, in epoch seconds.
    stamp: int


def text(name: str, entries: Iterable[CalendarEntry]) -> str:
    """A calendar called *name*."""
    events = [line for entry in entries for line in _event(entry)]
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:{PRODUCT}",
        "CALSCALE:GREGORIAN",
        f"NAME:{_escaped(name)}",
        f"X-WR-CALNAME:{_escaped(name)}",
        f"REFRESH-INTERVAL;VALUE=DURATION:{REFRESH}",
        f"X-PUBLISHED-TTL:{REFRESH}",
        *(events or _NO_EVENT),
        "END:VCALENDAR",
    ]
    return "".join(f"{part}\r\n" for line in lines for part in _folded(line))


#: A calendar has at least one component: where nothing is ahead, the zone that all times are in.
_NO_EVENT = (
    "BEGIN:VTIMEZONE",
    "TZID:UTC",
    "BEGIN:STANDARD",
    "DTSTART:19700101T000000",
    "TZOFFSETFROM:+0000",
    "TZOFFSETTO:+0000",
    "END:STANDARD",
    "END:VTIMEZONE",
)


def _event(entry: CalendarEntry) -> Iterator[str]:
    yield "BEGIN:VEVENT"
    yield f"UID:{_escaped(entry.uid)}"
    yield f"DTSTAMP:{_utc(entry.stamp)}"
    if isinstance(entry.at, date):
        yield f"DTSTART;VALUE=DATE:{entry.at:%Y%m%d}"
        yield f"DTEND;VALUE=DATE:{entry.at + timedelta(days=1):%Y%m%d}"
    else:
        yield f"DTSTART:{_utc(entry.at)}"
    yield f"SUMMARY:{_escaped(entry.summary)}"
    yield f"DESCRIPTION:{_escaped(entry.description)}"
    # It takes up none of the owner's time.
    yield "TRANSP:TRANSPARENT"
    yield "END:VEVENT"


def _utc(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")


def _escaped(value: str) -> str:
    """A text value: what has a meaning of its own there is escaped, other controls are left out."""
    value = value.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    value = value.replace("\r\n", "\n").replace("\n", "\\n")
    return "".join(c for c in value if c >= " " and c != "\x7f")


def _folded(line: str) -> Iterator[str]:
    """*line* in pieces of at most 75 octets; each but the first begins with a blank that is none
    of the text's. No character is cut.
    """
    piece, octets = "", 0
    for character in line:
        size = len(character.encode("utf-8", "replace"))
        if octets + size > MOST_OCTETS:
            yield piece
            piece, octets = " ", 1
        piece, octets = piece + character, octets + size
    yield piece
