"""What happened between two readings, whether that is usual, and the report that may be shown."""

from dataclasses import replace
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from quota_web.foresight import Event, Kind
from quota_web.foresight.reading_comparison import (
    Evidence,
    Measured,
    Usual,
    between,
    report,
    table,
    usual_hours,
)

HOUR, WEEK = 3_600, 604_800
#: A Monday, 00:00 UTC.
MONDAY = 1_800_230_400
RESET = MONDAY + 3 * 86_400


def weeks(*points: float, hour: int = 10) -> Usual:
    """The same hour of week, once a week, and the hour after it with nothing used."""
    starts = [MONDAY - n * WEEK + hour * HOUR for n in range(1, len(points) + 1)]
    used = list(zip(starts, points, strict=True))
    return usual_hours([*used, *((start + HOUR, 0.0) for start in starts)], UTC)


def drain(
    points: float,
    seconds: int,
    usual: Usual,
    at: int = MONDAY + 10 * HOUR,
    **more,
) -> Evidence:
    readings = Measured(at, 40, RESET), Measured(at + seconds, 40 + points, RESET)
    return between("alice", "weekly", readings, usual, UTC, **more)


def test_it_says_how_much_changed_and_how_fast():
    found = drain(12, 1800, {})

    assert (found.change, found.elapsed_s, found.rate) == (12, 1800, 24)
    assert found.reset_moved_s == 0


def test_the_usual_rate_is_that_of_the_same_hour_of_the_week():
    found = drain(3, 1800, weeks(1, 2, 3, 4, 5, 6, 7, 8, 9, 30))

    assert (found.usual_rate, found.usual_p90, found.weeks) == (5.5, 9, 10)


def test_over_several_hours_each_counts_by_its_share():
    found = drain(3, 3600, weeks(4, 4, 4, 4), at=MONDAY + 10 * HOUR + 2700)

    assert found.usual_rate == 1


def test_hours_are_counted_in_the_zone_of_the_viewer():
    hours = [(MONDAY - n * WEEK + 10 * HOUR, float(n)) for n in range(1, 6)]

    assert list(usual_hours(hours, ZoneInfo("Asia/Shanghai"))) == [18]
    assert list(usual_hours(hours, ZoneInfo("America/Los_Angeles"))) == [2]


def test_an_hour_seen_in_too_few_weeks_is_unknown():
    found = drain(50, 600, weeks(1, 1, 1))

    assert (found.usual_rate, found.usual_p90, found.weeks) == (None, None, 0)
    assert not found.is_unusual_drain


def test_a_time_that_is_known_in_part_is_unknown():
    assert drain(50, 3 * HOUR, weeks(1, 1, 1, 1)).usual_rate is None


@pytest.mark.parametrize(("points", "is_unusual"), [(12, False), (13, True)])
def test_over_three_times_the_ninetieth_percentile_is_an_unusual_drain(points, is_unusual):
    usual = weeks(1, 2, 2, 2, 2, 2, 2, 2, 4, 90)

    assert drain(points, HOUR, usual).is_unusual_drain == is_unusual


def test_a_burst_of_minutes_is_judged_by_a_quarter_of_an_hour():
    usual = weeks(8, 8, 8, 8)

    assert not drain(6, 60, usual).is_unusual_drain
    assert drain(7, 60, usual).is_unusual_drain


def test_a_few_points_are_never_unusual():
    idle = weeks(0, 0, 0, 0)

    assert not drain(4, 60, idle).is_unusual_drain
    assert drain(5, 60, idle).is_unusual_drain


def test_a_fall_is_no_drain():
    assert not drain(-40, 60, weeks(0, 0, 0, 0)).is_unusual_drain


def test_two_readings_of_one_moment_have_no_rate():
    assert drain(5, 0, weeks(1, 1, 1, 1)).rate is None


def test_only_events_between_the_two_readings_belong_to_it():
    at = MONDAY + 10 * HOUR
    events = [
        Event(Kind.RESET_EARLY, "alice", "weekly", at),
        Event(Kind.RESET_EARLY, "alice", "weekly", at + 60),
        Event(Kind.RESET_PROVIDER, None, None, at + 120),
        Event(Kind.PLAN_CHANGED, "alice", None, at + 600),
        Event(Kind.RESET_EARLY, "alice", "five_hour", at + 60),
        Event(Kind.RESET_EARLY, "bob", "weekly", at + 60),
        Event(Kind.FLAPPING, "alice", "weekly", at + 601),
    ]

    found = drain(1, 600, {}, events=events)

    assert [str(e.kind) for e in found.events] == [
        "reset_early",
        "reset_provider",
        "plan_changed",
    ]


def test_the_report_tells_both_readings_the_rate_and_what_is_usual():
    at = MONDAY + 10 * HOUR + 60
    event = Event(Kind.FLAPPING, "alice", "weekly", at, withdrawn_at=MONDAY + 12 * HOUR)
    found = drain(30, 300, weeks(2, 2, 2, 2, 2), events=[event])

    assert report([found], ["alice"]).splitlines() == [
        "alice · weekly",
        "before   2027-01-18 10:00:00 UTC  40 % used  resets 2027-01-21 00:00:00 UTC",
        "after    2027-01-18 10:05:00 UTC  70 % used  resets 2027-01-21 00:00:00 UTC",
        "changed  +30 points in 300 s (360.0 points an hour), the same reset",
        "usual    2.0 points an hour at these hours, 9 of 10 at most 2.0 (5 weeks)",
        "unusual_drain",
        "event    2027-01-18 10:01:00 UTC  flapping, withdrawn 2027-01-18 12:00:00 UTC",
    ]


def test_the_table_has_a_line_each_with_the_same_replaced_names():
    found = drain(30, 300, weeks(2, 2, 2, 2, 2))

    columns, rows = table([found], ["alice"])

    line = dict(zip(columns, rows[0], strict=True))
    assert (line["account"], line["change"], line["unusual_drain"]) == ("alice", 30, True)
    assert line["before_taken_at"] == "2027-01-18T10:00:00Z"
    assert table([replace(found, account="a@b.c")], ["a@b.c"])[1][0][0] == "account 1"


def test_the_report_says_what_is_missing():
    found = between("a", "weekly", (Measured(0, 5, None), Measured(60, 6, RESET)), {}, UTC)

    text = report([found], ["a"])

    assert "no reset" in text
    assert "a reset is missing" in text
    assert "usual    unknown" in text


def test_the_report_names_nobody_by_an_address_an_id_or_a_token():
    canaries = [
        "jane@example.com",
        "user-AbCdEfGh12345678",
        "0f8fad5b-d9cb-469f-a165-70867728950e",
        "eyJhbGciOiJub25lIn0.e30.",
    ]
    readings = Measured(0, 5, RESET), Measured(60, 6, RESET)
    found = [between(name, "weekly", readings, {}, UTC) for name in ["work", *canaries]]

    text = report(found, ["work", *canaries])

    assert not [name for name in canaries if name in text]
    assert [line for line in text.splitlines() if "·" in line] == [
        "work · weekly",
        *(f"account {n} · weekly" for n in range(1, 5)),
    ]
    assert "jane" not in report(found[1:2], [])
