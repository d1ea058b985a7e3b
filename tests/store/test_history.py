"""What charts read of the series: the same from rollups as from readings, from as few rows as say
it.
"""

import pytest
from sqlalchemy import delete

from quota_web import config, store
from quota_web.core import clock, series
from quota_web.core.series import Axis
from quota_web.demo import fill, generate, personas
from quota_web.demo.generate import Era, Invented
from quota_web.demo.personas import Persona
from quota_web.factory import create_app
from quota_web.services import services
from quota_web.store.history import RAW
from quota_web.store.rollups import SPANS
from tests.fakes import NOW

HOUR, DAY = 3_600, 86_400
DAYS = 60
ERA = Era(NOW - DAYS * DAY, NOW)


@pytest.fixture(scope="module")
def app(tmp_path_factory, module_database):
    folder = tmp_path_factory.mktemp("history")
    app = create_app(
        config.load(
            {"QUOTA_INSTANCE_DIR": str(folder), "QUOTA_ACCOUNT_DIR": str(folder), **module_database}
        )
    )
    with app.app_context(), clock.frozen(NOW):
        services().ready()
        with store.database.transaction() as tx:
            for story in stories():
                fill.write(tx, story)
        yield app


def stories() -> list[Invented]:
    """Two windows, one of them gone on the way; two everyday ones; and the same with a reading
    every minute.
    """
    gone = Persona("prolite", lost="five_hour")
    return [
        generate.invent(0, ERA, persona=gone),
        generate.invent(1, ERA, persona=personas.PLAIN),
        generate.invent(2, Era(NOW - 5 * DAY, NOW, every_s=60), persona=personas.PLAIN),
    ]


@pytest.fixture
def conn(app):
    with store.database.reading() as conn:
        yield conn


@pytest.fixture
def ids(conn) -> list[int]:
    return [s.window_id for s in store.history.series(conn, [1, 2, 3], None)]


def test_series_are_named_by_account_and_key(conn):
    assert [(s.account_id, s.key) for s in store.history.series(conn, [1, 2], ["weekly"])] == [
        (1, "weekly"),
        (2, "weekly"),
    ]
    assert len(store.history.series(conn, [1], None)) == 2
    assert store.history.series(conn, [], None) == []
    assert store.history.series(conn, [99], ["weekly"]) == []


@pytest.mark.parametrize("span", SPANS)
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_rollups_and_readings_give_equal_charts(conn, ids, span, steps):
    step = span * steps
    axis = Axis((NOW - DAYS * DAY) // step * step, NOW, step)
    from_raw = store.history.points(conn, ids, axis.start, axis.end, step, RAW)
    rolled_up = store.history.points(conn, ids, axis.start, axis.end, step, span)
    before = store.history.last_before(conn, ids, axis.start)

    assert set(from_raw) == set(rolled_up) == set(ids)
    for window_id in ids:
        wanted = series.columns(from_raw[window_id], before.get(window_id), axis, 7_200)
        assert series.columns(rolled_up[window_id], before.get(window_id), axis, 7_200) == wanted
        assert any(low != high for low, high in zip(wanted.min, wanted.max, strict=True))


def test_readings_come_one_point_a_slot(conn, ids):
    step, start = 900, (NOW - DAY) // 900 * 900
    found = store.history.points(conn, ids, start, NOW, step, RAW)[ids[-1]]

    assert len(found) == len({p.at // step for p in found}) == 96


def test_points_have_their_slots_extremes_and_last_reading(conn, ids):
    window_id, start = ids[2], (NOW - DAY) // 3_600 * 3_600
    r = store.models.reading.c
    rows = conn.execute(
        store.models.reading.select()
        .where(r.window_id == window_id, r.taken_at >= start, r.taken_at < start + 21_600)
        .order_by(r.taken_at)
    ).all()
    [point] = store.history.points(conn, [window_id], start, start + 21_600, 10**6, RAW)[window_id][
        -1:
    ]
    inside = [row for row in rows if row.taken_at // 10**6 == point.at // 10**6]

    assert point.last_at == point.at == inside[-1].taken_at
    assert (point.last_used, point.last_resets_at) == (
        inside[-1].used_percent,
        inside[-1].resets_at,
    )
    assert (point.min_used, point.max_used) == (
        min(x.used_percent for x in inside),
        max(x.used_percent for x in inside),
    )


def test_no_windows_have_no_points(conn):
    assert store.history.points(conn, [], NOW - DAY, NOW, 300, RAW) == {}
    assert store.history.last_before(conn, [], NOW) == {}
    assert store.history.span_for(conn, [], NOW - 365 * DAY, NOW) == HOUR


def test_the_last_reading_before_is_the_nearest_one(conn, ids):
    found = store.history.last_before(conn, ids, NOW - DAY)

    for window_id, point in found.items():
        r = store.models.reading.c
        rows = conn.execute(
            store.models.reading.select()
            .where(r.window_id == window_id, r.taken_at < NOW - DAY)
            .order_by(r.taken_at.desc())
            .limit(1)
        ).one()
        assert (point.at, point.last_used, point.last_resets_at) == (
            rows.taken_at,
            rows.used_percent,
            rows.resets_at,
        )
    assert store.history.last_before(conn, ids, NOW - 2 * DAYS * DAY) == {}


def test_a_gone_window_is_gone_before_a_later_chart(conn, ids):
    assert store.history.last_before(conn, ids[:1], NOW)[ids[0]].last_used is None


def test_short_ranges_are_read_raw(conn, ids):
    assert store.history.span_for(conn, ids, NOW - DAY, NOW) == RAW
    assert store.history.span_for(conn, ids[:2], NOW - 7 * DAY, NOW) == RAW


def test_many_readings_are_never_grouped_over_days(conn, ids):
    """A week of a reading a minute is 10,000 rows a window."""
    assert store.history.span_for(conn, ids[-2:], NOW - 5 * DAY, NOW) == HOUR


def test_a_day_of_very_many_readings_is_read_from_hours(conn, ids, monkeypatch):
    monkeypatch.setattr(store.history, "MOST_GROUPED", 1_000)

    assert store.history.span_for(conn, ids[-2:], NOW - DAY, NOW) == HOUR


@pytest.mark.parametrize(
    ("windows", "days", "span"),
    [
        (2, 30, HOUR),
        (40, 30, 21_600),
        (1, 365, HOUR),
        (2, 365, 21_600),
        (40, 90, 86_400),
        (120, 90, 86_400),
        (2, 20 * 365, 86_400),
    ],
)
def test_the_longer_and_the_more_the_coarser(conn, windows, days, span):
    assert store.history.span_for(conn, list(range(windows)), NOW - days * DAY, NOW) == span


@pytest.mark.parametrize(
    ("step", "span", "best"),
    [
        (DAY, HOUR, DAY),
        (21_600, HOUR, 21_600),
        (7_200, HOUR, HOUR),
        (43_200, HOUR, 21_600),
        (300, RAW, RAW),
        (HOUR, RAW, HOUR),
    ],
)
def test_what_the_step_hides_is_not_read(step, span, best):
    assert store.history.coarsest(step, span) == best


def test_pruned_readings_leave_their_rollups_to_the_charts(app):
    with store.database.transaction() as tx:
        savepoint = tx.begin_nested()
        ids = [s.window_id for s in store.history.series(tx, [2], None)]
        tx.execute(
            delete(store.models.reading).where(
                store.models.reading.c.window_id.in_(ids),
                store.models.reading.c.taken_at < NOW - 10 * DAY,
            )
        )
        assert store.history.span_for(tx, ids, NOW - DAY, NOW) == RAW
        assert store.history.span_for(tx, ids, NOW - 12 * DAY, NOW - 11 * DAY) == HOUR
        assert store.history.span_for(tx, ids, NOW - 11 * DAY, NOW - 9 * DAY) == HOUR
        tx.execute(delete(store.models.reading).where(store.models.reading.c.window_id.in_(ids)))
        assert store.history.span_for(tx, ids, NOW - DAY, NOW) == HOUR
        savepoint.rollback()


def test_a_young_account_is_not_taken_for_a_pruned_one(conn):
    ids = [s.window_id for s in store.history.series(conn, [2, 3], None)]

    assert store.history.span_for(conn, ids, NOW - 5 * DAY - HOUR, NOW - 4 * DAY) == RAW


def test_the_size_of_an_accounts_history_is_counted(conn):
    size = store.history.size(conn, 2)
    story = stories()[1]

    assert size.readings == story.readings
    assert size.snapshots == max(len(t.at) for t in story.tracks)
    assert size.since == ERA.start
    assert store.history.size(conn, 99) == store.history.Size(0, 0, None)


def test_attempts_come_newest_first(conn):
    found = store.history.attempts(conn, 2, limit=3)

    assert [a.first_at for a in found] == sorted((a.first_at for a in found), reverse=True)
    assert len(found) == 3
    assert found[0].last_at <= NOW
