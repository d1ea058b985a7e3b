"""The hours of the week as a table: five steps of one hue, and the numbers in its cells; pure."""

from collections.abc import Iterator
from datetime import datetime, time, timedelta, tzinfo
from typing import Any
from urllib.parse import urlencode

from quota_web.core import labels
from quota_web.core.language import gettext as _
from quota_web.core.language import mark, ngettext
from quota_web.reports.hours_of_week import HoursOfWeek
from quota_web.web import formats

HOUR = 3_600

WEEKDAYS = (
    mark("Mon"),
    mark("Tue"),
    mark("Wed"),
    mark("Thu"),
    mark("Fri"),
    mark("Sat"),
    mark("Sun"),
)
#: Steps of the hue: nothing, and quarters of the most.
STEPS = 4


def weekday(number: int) -> str:
    """A weekday in short; Monday is 0."""
    return _(WEEKDAYS[number])


COLUMNS = ("window", "windows", "weekday", "hour", "points")


def rows(found: HoursOfWeek | None) -> Iterator[tuple[object, ...]]:
    """The same for a file: weekdays from 1 (Monday), mean points of an hour; empty where it was
    never watched.
    """
    if found is None:
        return
    for number, day in enumerate(found.points):
        for hour, points in enumerate(day):
            shown = None if points is None else round(points, 2)
            yield found.key, found.windows, number + 1, hour, shown


def table(
    found: HoursOfWeek | None, now: int, zone: tzinfo | None, **kept: str | list[str] | None
) -> dict[str, Any] | None:
    """What `history/_hours.html` is told; None where there is no window at all. *kept* is what else
    of the page's address stays when a cell is clicked.
    """
    if found is None:
        return None
    return {
        "days": [
            (weekday(number), [_cell(found, number, hour) for hour in range(len(day))])
            for number, day in enumerate(found.points)
        ],
        "addresses": [
            [_address(number, hour, now, zone, kept) for hour in range(len(day))]
            for number, day in enumerate(found.points)
        ],
        "names": [f"{hour:02}" for hour in range(24)],
        "sentence": sentence(found),
        "about": _about(found),
        "is_empty": not any(v is not None for day in found.points for v in day),
    }


def _address(
    number: int, hour: int, now: int, zone: tzinfo | None, kept: dict[str, str | list[str] | None]
) -> str:
    """Where the charts show the last such hour that is over, with the hours beside it."""
    start = latest_hour(number, hour, now, zone)
    shown = {k: v for k, v in kept.items() if v} | {
        "from": str(start - HOUR),
        "to": str(min(now, start + 2 * HOUR)),
    }
    return f"?{urlencode(shown, doseq=True)}#history"


def latest_hour(number: int, hour: int, now: int, zone: tzinfo | None) -> int:
    """The beginning of the last hour of that name that is over, in epoch seconds."""
    today = formats.in_zone(now, zone).date()
    day = today - timedelta(days=(today.weekday() - number) % 7)
    start = int(datetime.combine(day, time(hour), zone).timestamp())
    if start + HOUR <= now:
        return start
    return int(datetime.combine(day - timedelta(days=7), time(hour), zone).timestamp())


def _cell(found: HoursOfWeek, number: int, hour: int) -> dict[str, str]:
    points = found.points[number][hour]
    when = f"{weekday(number)} {hour:02}:00–{(hour + 1) % 24:02}:00"
    if points is None:
        return {"step": "none", "words": "", "title": _("%(when)s: no readings", when=when)}
    return {
        "step": f"h{step(points, found.most)}",
        "words": amount(points),
        "title": _("%(when)s: %(points)s points", when=when, points=format(points, ".1f")),
    }


def step(points: float, most: float) -> int:
    """0 for nothing, else the quarter of the most in which *points* are, from 1."""
    if points <= 0 or most <= 0:
        return 0
    return min(STEPS, int(points / most * STEPS - 1e-9) + 1)


def amount(points: float) -> str:
    """Points in a cell: whole ones, one decimal below two, nothing for nothing."""
    if points < 0.05:
        return ""
    return f"{points:.1f}" if points < 1.95 else f"{points:.0f}"


def sentence(found: HoursOfWeek) -> str:
    """`Busiest Tue 10–12: 9 points an hour.`"""
    busiest = found.busiest
    if busiest is None:
        return _("Nothing was used in the time that was watched.")
    return _(
        "Busiest %(day)s %(start)s–%(end)s: %(points)s points an hour.",
        day=weekday(busiest.weekday),
        start=busiest.start,
        end=busiest.end,
        points=amount(busiest.points) or "<0.1",
    )


def _about(found: HoursOfWeek) -> str:
    """What the numbers are: mean points an hour of which windows over how long."""
    window = labels.window_title(found.key)
    weeks = ngettext("%(num)s week", "%(num)s weeks", max(1, round(found.weeks)))
    if found.windows == 1:
        return _(
            "Mean percent points of the window “%(window)s” used in an hour, over %(weeks)s.",
            window=window,
            weeks=weeks,
        )
    return _(
        "Mean percent points of %(count)s windows “%(window)s” together, whatever their plans, "
        "used in an hour, over %(weeks)s.",
        count=found.windows,
        window=window,
        weeks=weeks,
    )
