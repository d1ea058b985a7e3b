"""Readings and the buckets of charts as rows of a table, a few thousand at a time."""

from collections.abc import Iterator, Sequence

from quota_web import store
from quota_web.core import csv_text
from quota_web.core.times import iso, iso_text
from quota_web.reports.history import Chart, HistoryQuery
from quota_web.store.accounts import Scope

COLUMNS = (
    "account",
    "window",
    "taken_at",
    "used_percent",
    "remaining_percent",
    "resets_at",
)
BUCKET_COLUMNS = ("account", "window", "at", "remaining", "min", "max")
PAGE = 5_000
DAY = 86_400


def readings(scope: Scope, asked: HistoryQuery) -> Iterator[Sequence[object]]:
    """The readings that were *asked* for, window after window, each in the order of time."""
    for window_id, account, key in _windows(scope, asked):
        for rows in _pages(window_id, asked):
            for _, at, used, resets_at in rows:
                yield account, key, iso_text(at), used, _left(used), iso(resets_at)


def csv_lines(scope: Scope, asked: HistoryQuery) -> Iterator[str]:
    """The same as CSV, in pieces of many lines.

    A year of minutes has half a million of them, so each is put together here: what stands before
    the moment is the same in all lines of a window, and percents and resets repeat.
    """
    yield csv_text.line(COLUMNS)
    for window_id, account, key in _windows(scope, asked):
        start = csv_text.line([account, key]).removesuffix("\r\n")
        percents: dict[float | None, str] = {}
        for rows in _pages(window_id, asked):
            for used in {row[2] for row in rows} - percents.keys():
                percents[used] = csv_text.line([used, _left(used)]).removesuffix("\r\n")
            days = {day: iso_text(day * DAY)[:11] for day in {row[1] // DAY for row in rows}}
            resets = {at: iso(at) or "" for at in {row[3] for row in rows}}
            yield "".join(
                [
                    f"{start},{days[at // DAY]}{_TIMES[at // 60 % 1440]}{_SECONDS[at % 60]}"
                    f"{percents[used]},{resets[resets_at]}\r\n"
                    for _, at, used, resets_at in rows
                ]
            )


#: The times of a day to the minute, and what follows up to the next cell.
_TIMES = [f"{minute // 60:02}:{minute % 60:02}" for minute in range(1440)]
_SECONDS = [f":{second:02}Z," for second in range(60)]


def _left(used: float | None) -> float | None:
    return None if used is None else min(100.0, max(0.0, 100 - used))


def _windows(scope: Scope, asked: HistoryQuery) -> list[tuple[int, str, str]]:
    """The windows that were asked for: id, account, key."""
    with store.database.reading() as conn:
        named = [store.accounts.get_by_name(conn, name, scope) for name in asked.accounts]
        names = {a.id: a.name for a in named or store.accounts.list_all(conn, scope)}
        found = store.history.series(conn, list(names), asked.windows)
    return [(s.window_id, names[s.account_id], s.key) for s in found]


def _pages(
    window_id: int, asked: HistoryQuery
) -> Iterator[list[tuple[int, int, float | None, int | None]]]:
    after = asked.start - 1
    while True:
        with store.database.reading() as conn:
            rows = store.detector_states.readings(conn, [window_id], after, asked.end - 1, PAGE)
        yield rows
        if len(rows) < PAGE:
            return
        after = rows[-1][1]


def buckets(chart: Chart) -> Iterator[Sequence[object]]:
    """The columns of a chart as rows; moments at which nothing is known are left out."""
    moments = chart.axis.times()
    for line in chart.lines:
        columns = zip(
            moments, line.columns.remaining, line.columns.min, line.columns.max, strict=True
        )
        for at, last, low, high in columns:
            if last is not None or low is not None:
                yield line.account, line.window, iso_text(at), last, low, high
