"""The plan of every query on a series table: by its key, no scan, and no sorting of raw readings
but for a chart of a few days.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.dialects import postgresql

from quota_web import config, store
from quota_web.core import clock
from quota_web.demo import fill
from quota_web.factory import create_app
from quota_web.reports import (
    account_detail,
    cycles_of_all,
    history,
    hourly_use,
    hours_of_week,
    lanes,
    overview,
    state_timeline,
)
from quota_web.services import services
from quota_web.store.accounts import Scope
from tests.fakes import NOW

DAY = 86_400
SERIES = ("reading", "rollup", "account_fact", "attempt")
#: Names under which a query may speak of a series table.
ALIASES = {
    "earlier": "reading",
    "found": "reading",
    "last": "reading",
    "first": "reading",
    "earliest": "reading",
    "hour": "rollup",
    "earlier_run": "attempt",
}
IDS = [1, 2, 3]


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plans")
    app = create_app(
        config.load({"QUOTA_INSTANCE_DIR": str(folder), "QUOTA_ACCOUNT_DIR": str(folder)})
    )
    with app.app_context(), clock.frozen(NOW):
        services().ready()
        fill.fill(4, 20, NOW)
        yield app


@contextmanager
def noted() -> Iterator[list[tuple[str, object]]]:
    """Every statement that is sent inside, with its parameters."""
    sent: list[tuple[str, object]] = []

    def note(conn, cursor, statement, parameters, context, many):
        sent.append((statement, parameters[0] if many else parameters))

    bound = store.database.bound()
    event.listen(bound, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(bound, "before_cursor_execute", note)


def plans_of(
    act: Callable[[Connection], object], *, write: bool = False
) -> list[tuple[str, list[str]]]:
    """Each statement on a series table that *act* sends, with the lines of its plan."""
    with (
        noted() as sent,
        store.database.transaction() if write else store.database.reading() as conn,
    ):
        act(conn)
    with store.database.reading() as conn:
        return [
            (sql, plan(conn, sql, parameters))
            for sql, parameters in sent
            if re.search(rf"\b({'|'.join(SERIES)})\b", sql)
        ]


def plan(conn: Connection, sql: str, parameters: object) -> list[str]:
    return [row[-1] for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters)]  # type: ignore[arg-type]


def scans_of_series(lines: list[str]) -> list[str]:
    """The lines of a plan that walk through a whole series table or make an index of their own."""
    named = rf"\b({'|'.join([*SERIES, *ALIASES])})\b"
    return [
        line
        for line in lines
        if "AUTOMATIC" in line or (line.startswith("SCAN") and re.search(named, line))
    ]


QUERIES: dict[str, Callable[[Connection], object]] = {
    "raw points": lambda c: store.history.points(c, IDS, NOW - DAY, NOW, 300, store.history.RAW),
    "hourly points": lambda c: store.history.points(c, IDS, NOW - 30 * DAY, NOW, 7_200, 3_600),
    "daily points": lambda c: store.history.points(c, IDS, NOW - 365 * DAY, NOW, DAY, DAY),
    "last before": lambda c: store.history.last_before(c, IDS, NOW - DAY),
    "which rows to read": lambda c: store.history.span_for(c, IDS, NOW - 7 * DAY, NOW),
    "size": lambda c: store.history.size(c, 1),
    "hours": lambda c: store.history.hourly_rises(c, [1], NOW - 56 * DAY, NOW),
    "first reading": lambda c: store.history.first_slots(c, IDS),
    "runs of attempts": lambda c: store.attempts.runs(c, IDS, NOW - 7 * DAY, NOW),
    "attempts": lambda c: store.history.attempts(c, 1),
    "facts": lambda c: store.windows.facts(c, IDS),
    "facts over time": lambda c: store.windows.facts_over(c, IDS, NOW),
}


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_goes_through_a_key(app, name):
    plans = plans_of(QUERIES[name])

    assert plans, "the query is on a series table"
    for sql, lines in plans:
        assert scans_of_series(lines) == [], sql
        assert any("USING PRIMARY KEY" in line for line in lines), sql


@pytest.mark.parametrize("name", [name for name in QUERIES if name != "raw points"])
def test_only_a_short_chart_sorts_raw_readings(app, name):
    for sql, lines in plans_of(QUERIES[name]):
        assert [line for line in lines if "TEMP B-TREE" in line] == [], sql


def test_a_short_chart_seeks_its_stretch_and_groups_it_alone(app):
    [(_, lines)] = plans_of(QUERIES["raw points"])

    assert "SEARCH reading USING PRIMARY KEY (window_id=? AND taken_at>? AND taken_at<?)" in lines
    assert "SEARCH last USING PRIMARY KEY (window_id=? AND taken_at=?)" in lines


def test_the_latest_values_are_read_without_any_reading(app):
    with noted() as sent:
        overview.load_overview(Scope(), NOW, 3_600)

    assert [sql for sql, _ in sent if re.search(r"\b(reading|rollup|attempt)\b", sql)] == []


def chart_of(name: str) -> object:
    return history.chart(Scope(), history.parse_query({"range": name}, [], [], NOW), 7_200)


def lanes_of(name: str) -> object:
    axis = lanes.axis_over(NOW - history.RANGES[name], NOW)
    with store.database.reading() as conn:
        return lanes.load(conn, store.accounts.list_all(conn, Scope()), axis, 7_200, NOW)


def states_of(name: str) -> object:
    axis = lanes.axis_over(NOW - history.RANGES[name], NOW)
    return state_timeline.load_all(Scope(), axis, 7_200, NOW)


DOORS: dict[str, Callable[[], object]] = {
    "dashboard": lambda: overview.load_overview(Scope(), NOW, 3_600),
    "hourly use": lambda: hourly_use.load(IDS, NOW),
    "account": lambda: account_detail.load_details(Scope(), "alice", NOW, 3_600),
    **{f"chart of {name}": partial(chart_of, name) for name in history.RANGES},
    **{f"lanes of {name}": partial(lanes_of, name) for name in history.RANGES},
    **{f"states of {name}": partial(states_of, name) for name in history.RANGES},
    "hours of the week": lambda: hours_of_week.load(IDS, 7_200, NOW, None),
    "cycles of all": lambda: cycles_of_all.load(Scope(), NOW),
}


@pytest.mark.parametrize("name", DOORS)
def test_no_page_scans_a_series(app, name):
    with noted() as sent:
        DOORS[name]()
    with store.database.reading() as conn:
        scans = [
            (sql, lines)
            for sql, parameters in sent
            if sql.startswith("SELECT")
            for lines in [scans_of_series(plan(conn, sql, parameters))]
            if lines
        ]

    assert scans == []


@pytest.mark.parametrize("name", [name for name in DOORS if name != "account"])
def test_a_page_of_all_accounts_takes_a_handful_of_queries(app, name):
    with noted() as sent:
        DOORS[name]()

    assert len([sql for sql, _ in sent if sql.startswith("SELECT")]) <= 8


@pytest.mark.parametrize("days", [3, 8, 30, 90, 365])
def test_readings_are_never_grouped_over_more_than_a_few_days(app, days):
    many = list(range(1, 9)) * 5
    with store.database.reading() as conn:
        span = store.history.span_for(conn, many, NOW - days * DAY, NOW)

    assert span >= 3_600 or days <= 8


def test_remaking_rollups_seeks_its_days(app):
    for sql, lines in plans_of(lambda tx: store.rollups.remake(tx, 1, NOW - 5 * DAY), write=True):
        assert scans_of_series(lines) == [], sql


@pytest.mark.parametrize(
    "statement",
    [
        store.history._RAW,
        store.history._ROLLED_UP,
        store.history._LAST_BEFORE,
        store.history._EXTENT,
        store.history._FIRST_SLOTS,
    ],
)
def test_queries_are_postgresql_too(statement):
    sql = str(statement.compile(dialect=postgresql.dialect()))

    assert "//" not in sql
    assert "GROUP BY reading.window_id, reading.taken_at / " in sql or "GROUP BY" not in sql
