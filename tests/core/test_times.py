"""Moments in words: UTC for JSON, the reader's zone for terminals, and back."""

from zoneinfo import ZoneInfo

import pytest

from quota_web.core import times

NOW = 1_795_262_400  # Saturday 2026-11-21T12:00:00Z
SHANGHAI, NEW_YORK = ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")


def test_json_has_utc_with_a_z():
    assert times.iso(NOW) == times.iso_text(NOW) == "2026-11-21T12:00:00Z"
    assert times.iso(None) is None


@pytest.mark.parametrize(
    ("at", "zone", "text"),
    [
        (NOW + 300, SHANGHAI, "2026-11-21 20:05:00 CST"),
        (1_793_512_800, NEW_YORK, "2026-11-01 01:00:00 EST"),
        (1_793_509_200, NEW_YORK, "2026-11-01 01:00:00 EDT"),
        (1_793_505_600, NEW_YORK, "2026-11-01 00:00:00 EDT"),
        (0, ZoneInfo("UTC"), "1970-01-01 00:00:00 UTC"),
    ],
)
def test_terminals_show_the_zones_time_with_its_name(at, zone, text):
    assert times.local(at, zone) == text


def test_the_machines_zone_is_used_where_none_is_set():
    assert times.local(NOW, None).startswith("2026-11-2")


@pytest.mark.parametrize("zone", [SHANGHAI, NEW_YORK, None])
def test_the_last_second_of_the_calendar_can_be_shown_anywhere(zone):
    assert times.local(times.LAST_SECOND, zone)[:4] in ("9999",)
    assert times.short(times.LAST_SECOND, NOW, zone)


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (NOW + 3_600, "21:00"),
        (NOW - 3_600, "19:00"),
        (NOW + 4 * 3_600, "Sun 00:00"),
        (NOW + 6 * 86_400, "Fri 20:00"),
        (NOW + 7 * 86_400, "2026-11-28 20:00"),
        (NOW - 86_400, "2026-11-20 20:00"),
    ],
)
def test_a_short_moment_says_as_little_as_tells_it(at, text):
    assert times.short(at, NOW, SHANGHAI) == text


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-21T12:00:00Z", NOW),
        ("2026-11-21T20:00:00+08:00", NOW),
        ("2026-11-21T12:00:00", NOW),
        ("2026-11-21 12:00", NOW),
        ("2026-11-21", NOW - 43_200),
        ("1795262400", NOW),
        ("1795262400.9", NOW),
        ("0", 0),
    ],
)
def test_a_moment_can_be_given_as_iso_or_as_epoch_seconds(text, at):
    assert times.parse(text) == at


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-13-01",
        "nan",
        "inf",
        "-5",
        "1e15",
        "1960-01-01",
        "9999-12-31T23:59:59-14:00",
        "0001-01-01",
    ],
)
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(ValueError, match=r".+"):
        times.parse(text)
