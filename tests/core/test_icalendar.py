"""Calendars as text: what two parsers of other people read in it is what was meant."""

import re
from datetime import UTC, date, datetime
from typing import Any

import icalendar as first_parser
import vobject
from hypothesis import given, settings
from hypothesis import strategies as st

from quota_web.core import icalendar
from quota_web.core.icalendar import CalendarEntry
from tests.fakes import NOW

RESET = CalendarEntry(
    "one@quota", NOW + 300_000, "alice: weekly quota resets", "60 % was left.", NOW
)
DAY = CalendarEntry(
    "two@quota", date(2026, 11, 24), "alice may run out (70 %)", "60 % was left.", NOW
)
#: What lines of text may hold.
TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=200)


def parsed(text: str) -> Any:
    return first_parser.Calendar.from_ical(text)


def read(text: str) -> list[tuple[str, Any, str, str]]:
    """What the two parsers find: UID, moment, summary and description of each entry."""
    found = parsed(text)
    one = [
        (str(e["UID"]), e["DTSTART"].dt, str(e["SUMMARY"]), str(e["DESCRIPTION"]))
        for e in found.walk("VEVENT")
    ]
    [calendar] = vobject.readComponents(text)
    other = [
        (e.uid.value, e.dtstart.value, e.summary.value, e.description.value)
        for e in calendar.contents.get("vevent", [])
    ]
    assert one == other
    return one


def test_two_parsers_read_what_was_meant():
    assert read(icalendar.text("Quota", [RESET, DAY])) == [
        (
            "one@quota",
            datetime.fromtimestamp(NOW + 300_000, UTC),
            "alice: weekly quota resets",
            "60 % was left.",
        ),
        ("two@quota", date(2026, 11, 24), "alice may run out (70 %)", "60 % was left."),
    ]


def test_an_entry_of_a_whole_day_ends_with_that_day():
    [entry] = parsed(icalendar.text("Quota", [DAY])).walk("VEVENT")

    assert entry["DTEND"].dt == date(2026, 11, 25)


@settings(max_examples=200, deadline=None)
@given(TEXTS, TEXTS)
def test_any_text_comes_back_and_no_line_is_too_long(summary, description):
    text = icalendar.text("Quota", [CalendarEntry("u", NOW, summary, description, NOW)])

    [entry] = parsed(text).walk("VEVENT")
    assert (str(entry["SUMMARY"]), str(entry["DESCRIPTION"])) == (summary, description)
    assert max(len(line.encode()) for line in text.split("\r\n")) <= 75


def test_lines_end_as_the_standard_wants_and_hold_nothing_that_adds_one():
    hostile = "x\r\nEND:VEVENT\nBEGIN:VALARM\x00\x0b"
    text = icalendar.text("Quota", [CalendarEntry("u", NOW, hostile, "a\\b;c,d", NOW)])

    assert re.search(r"(?<!\r)\n|\r(?!\n)", text) is None
    assert text.count("\r\nEND:VEVENT") == 1
    assert "\r\nBEGIN:VALARM" not in text
    assert read(text)[0][2:] == ("x\nEND:VEVENT\nBEGIN:VALARM", "a\\b;c,d")


def test_a_calendar_without_an_entry_is_one_all_the_same():
    text = icalendar.text("Quota", [])

    assert read(text) == []
    assert len(parsed(text).subcomponents) == 1


def test_the_name_and_how_often_to_look_again_are_said():
    calendar = parsed(icalendar.text("My quota", [RESET]))

    assert str(calendar["X-WR-CALNAME"]) == "My quota"
    assert calendar["REFRESH-INTERVAL"].dt.total_seconds() == 3_600
