"""Quiet hours and digests by the clocks of a zone, over midnight and through its two odd days."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from quota_web.alerts import digests, quiet_hours

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: ZoneInfo = BERLIN) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp())


ENDS = [
    ("22:00-07:00", "2026-11-21T21:59", None),
    ("22:00-07:00", "2026-11-21T22:00", "2026-11-22T07:00"),
    ("22:00-07:00", "2026-11-22T03:00", "2026-11-22T07:00"),
    ("22:00-07:00", "2026-11-22T07:00", None),
    ("09:30-17:00", "2026-11-22T12:00", "2026-11-22T17:00"),
    ("09:30-17:00", "2026-11-22T17:00", None),
    # The clocks go forward, and back.
    ("22:00-07:00", "2026-03-28T23:00", "2026-03-29T07:00"),
    ("22:00-07:00", "2026-10-24T23:00", "2026-10-25T07:00"),
    ("22:00-02:30", "2026-03-28T23:00", "2026-03-29T03:30"),
]


@pytest.mark.parametrize(("text", "now", "end"), ENDS)
def test_quiet_hours_end_by_the_clocks_of_the_zone(text, now, end):
    found = quiet_hours.parse(text).end_at(at(now), BERLIN)

    assert found == (None if end is None else at(end))


def test_a_zone_decides():
    assert quiet_hours.parse("22:00-07:00").end_at(at("2026-11-21T22:00"), ZoneInfo("UTC")) is None


@pytest.mark.parametrize("text", ["22:00-07:00", "09:30-17:00 urgent"])
def test_quiet_hours_are_stored_as_they_are_read(text):
    assert quiet_hours.parse(text).text == text


BAD = ["", "22-7", "22:00", "24:00-07:00", "22:60-07:00", "07:00-07:00", "22:00-07:00 always"]


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_span_is_refused(text):
    with pytest.raises(ValueError, match="no"):
        quiet_hours.parse(text)


DUE = [
    ("daily 08:00", "2026-11-21T07:59", "2026-11-20T08:00"),
    ("daily 08:00", "2026-11-21T08:00", "2026-11-21T08:00"),
    ("weekly mon 08:00", "2026-11-21T12:00", "2026-11-16T08:00"),
    ("weekly sat 12:00", "2026-11-21T12:00", "2026-11-21T12:00"),
    ("weekly sat 12:01", "2026-11-21T12:00", "2026-11-14T12:01"),
    ("daily 02:30", "2026-03-29T12:00", "2026-03-29T03:30"),
]


@pytest.mark.parametrize(("text", "now", "due"), DUE)
def test_a_digest_was_due_last_at(text, now, due):
    assert digests.parse(text).last_at(at(now), BERLIN) == at(due)
    assert digests.parse(text).text == text


@pytest.mark.parametrize("text", ["", "daily", "daily 25:00", "weekly 08:00", "weekly xyz 08:00"])
def test_what_is_no_digest_is_refused(text):
    with pytest.raises(ValueError, match="no"):
        digests.parse(text)
