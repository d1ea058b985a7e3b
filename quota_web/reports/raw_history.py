"""Readings and the buckets of charts as rows of a table, a few thousand at a time."""

from collections.abc import Iterator, Sequence

from quota_web import store
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


def readings(scope: Scope, asked: HistoryQuery) -> Iterator[Sequence[object]]:
    """The readings that were *asked* for, window after window, each in the order of time."""
    with store.database.reading() as conn:
        named = [store.accounts.get_by_name(conn, name, scope) for name in asked.accounts]
        names = {a.id: a.name for a in named or store.accounts.list_all(conn, scope)}
        found = store.history.series(conn, list(names), asked.windows)
    return _rows([(s.window_id, names[s.account_id], s.key) for s in found], asked)


def _rows(
    windows: Sequence[tuple[int, str, str]], asked: HistoryQuery
) -> Iterator[Sequence[object]]:
    for window_id, account, key in windows:
        after = asked.start - 1
        while True:
            with store.database.reading() as conn:
                rows = store.detector_states.readings(conn, [window_id], after, asked.end - 1, PAGE)
            for _, at, used, resets_at in rows:
                left = None if used is None else min(100.0, max(0.0, 100 - used))
                yield account, key, iso_text(at), used, left, iso(resets_at)
            if len(rows) < PAGE:
                break
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
