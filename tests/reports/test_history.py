"""Charts as they are asked for: ranges, from and to, which accounts and windows; and the
use of each hour.
"""

import pytest

from quota_web import config, store
from quota_web.core import clock
from quota_web.core.errors import AccountNotFound, BadInput
from quota_web.demo import fill
from quota_web.factory import create_app
from quota_web.reports import history, hourly_use
from quota_web.reports.history import RANGES, HistoryQuery
from quota_web.services import services
from quota_web.store.accounts import MANAGED, Scope
from tests.fakes import NOW

DAY = 86_400
CARRY = 7_200


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    folder = tmp_path_factory.mktemp("charts")
    app = create_app(
        config.load({"QUOTA_INSTANCE_DIR": str(folder), "QUOTA_ACCOUNT_DIR": str(folder)})
    )
    with app.app_context(), clock.frozen(NOW):
        services().ready()
        fill.fill(4, 40, NOW)
        with store.database.transaction() as tx:
            store.accounts.add(tx, "empty", MANAGED, NOW)
        yield app


@pytest.fixture(autouse=True)
def _inside(request):
    if "app" in request.fixturenames:
        with request.getfixturevalue("app").app_context():
            yield
    else:
        yield


def wanted(accounts=(), windows=(), **args: str) -> HistoryQuery:
    return history.parse_query(
        {k.removesuffix("_"): v for k, v in args.items()}, accounts, windows, NOW
    )


@pytest.mark.parametrize(
    ("name", "days"), [("24h", 1), ("7d", 7), ("30d", 30), ("90d", 90), ("1y", 365)]
)
def test_a_range_ends_now(name, days):
    assert wanted(range=name) == HistoryQuery(NOW - days * DAY, NOW, 500)


def test_without_anything_it_is_the_last_day_of_the_usual_windows():
    assert wanted() == HistoryQuery(NOW - DAY, NOW, 500, (), ("five_hour", "weekly"))


@pytest.mark.parametrize(
    ("args", "start", "end"),
    [
        (
            {"from_": "2026-11-20T12:00:00Z", "to": "2026-11-21T00:00:00Z"},
            NOW - DAY,
            NOW - DAY // 2,
        ),
        ({"from_": "2026-11-20T13:00:00+01:00"}, NOW - DAY, NOW),
        ({"from_": "2026-11-20T12:00"}, NOW - DAY, NOW),
        ({"from_": "2026-11-20 12:00"}, NOW - DAY, NOW),
        ({"from_": "2026-11-20T13:00:00 01:00"}, NOW - DAY, NOW),
        ({"from_": str(NOW - 60), "to": f"{NOW}.7"}, NOW - 60, NOW),
        ({"to": str(NOW - DAY)}, NOW - 2 * DAY, NOW - DAY),
    ],
)
def test_from_and_to_are_iso_or_epoch(args, start, end):
    found = wanted(**args)

    assert (found.start, found.end) == (start, end)


@pytest.mark.parametrize(
    ("args", "field"),
    [
        ({"range": "2d"}, "range"),
        ({"range": "24H"}, "range"),
        ({"range": "24h", "from_": "0"}, "range"),
        ({"from_": "yesterday"}, "from"),
        ({"to": "2026-13-01"}, "to"),
        ({"from_": "nan"}, "from"),
        ({"from_": "-1"}, "from"),
        ({"from_": "1e300"}, "from"),
        ({"from_": "99999999999999999999"}, "from"),
        ({"from_": str(NOW), "to": str(NOW)}, "from"),
        ({"from_": str(NOW), "to": str(NOW - 1)}, "from"),
        ({"from_": "0", "to": str(NOW)}, "from"),
        ({"points": "0"}, "points"),
        ({"points": "2001"}, "points"),
        ({"points": "-5"}, "points"),
        ({"points": "1.5"}, "points"),
        ({"points": "٣"}, "points"),
        ({"points": "9" * 5_000}, "points"),
        ({"points": "00020000"}, "points"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_field(args, field):
    with pytest.raises(BadInput) as caught:
        wanted(**args)

    assert caught.value.field == field


@pytest.mark.parametrize(
    "key",
    [
        "five_hour",
        "daily",
        "weekly",
        "monthly",
        "unknown",
        "spend",
        "window:3600",
        "model:codex_bengalfox:weekly",
        "code_review:weekly",
    ],
)
def test_every_kind_of_window_can_be_asked_for(key):
    assert wanted(windows=[key]).windows == (key,)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "hourly",
        "window:",
        "window:an hour",
        "model:\x00",
        "FIVE_HOUR",
        "five_hour*",
        "'; DROP TABLE reading",
    ],
)
def test_a_wrong_window_is_refused_rather_than_empty(key):
    with pytest.raises(BadInput) as caught:
        wanted(windows=[key])

    assert caught.value.field == "window"


@pytest.mark.parametrize("name", RANGES)
def test_all_lines_share_one_axis_on_step_boundaries(app, name):
    chart = history.chart(Scope(), wanted(range=name), CARRY)

    assert chart.axis.start % chart.axis.step == 0
    assert chart.axis.start <= NOW - RANGES[name]
    assert chart.axis.end == NOW
    assert len(chart.axis) <= 501
    assert all(
        len(c) == len(chart.axis)
        for line in chart.lines
        for c in (line.columns.remaining, line.columns.min, line.columns.max)
    )


@pytest.mark.parametrize("name", RANGES)
def test_lowest_and_highest_lie_around_the_last(app, name):
    for line in history.chart(Scope(), wanted(range=name), CARRY).lines:
        for last, low, high in zip(
            line.columns.remaining, line.columns.min, line.columns.max, strict=True
        ):
            assert last is None or (
                low is not None and high is not None and 0 <= low <= last <= high <= 100
            )


def test_no_peak_is_lost_by_zooming_out(app):
    lows = [
        min(
            v
            for line in history.chart(
                Scope(), wanted(("bob",), ("five_hour",), range="30d", points=p), CARRY
            ).lines
            for v in line.columns.min
            if v is not None
        )
        for p in ("2000", "500", "30", "4")
    ]

    assert len(set(lows)) == 1


def test_lines_come_by_account_and_window_as_asked(app):
    chart = history.chart(
        Scope(), wanted(("carol", "alice", "carol"), ("weekly", "five_hour")), CARRY
    )

    assert [(line.account, line.window) for line in chart.lines] == [
        ("carol", "weekly"),
        ("carol", "five_hour"),
        ("alice", "weekly"),
        ("alice", "five_hour"),
    ]


def test_all_windows_of_an_account_can_be_asked_for(app):
    chart = history.chart(Scope(), HistoryQuery(NOW - DAY, NOW, 500, ("carol",), None), CARRY)

    assert {line.window for line in chart.lines} == {
        "five_hour",
        "weekly",
        "model:codex_bengalfox:five_hour",
        "model:codex_bengalfox:weekly",
    }


def test_an_account_goes_by_its_name_whatever_the_case(app):
    assert [line.account for line in history.chart(Scope(), wanted(("ALICE",)), CARRY).lines] == [
        "alice",
        "alice",
    ]


def test_an_unknown_account_is_refused(app):
    with pytest.raises(AccountNotFound):
        history.chart(Scope(), wanted(("nobody",)), CARRY)


def test_an_account_outside_of_the_scope_is_unknown(app):
    with pytest.raises(AccountNotFound):
        history.chart(Scope(managed=False), wanted(("alice",)), CARRY)
    assert history.chart(Scope(managed=False), wanted(), CARRY).lines == ()


def test_an_account_without_readings_has_no_lines(app):
    assert history.chart(Scope(), wanted(("empty",)), CARRY).lines == ()


def test_a_window_that_an_account_does_not_have_has_no_line(app):
    assert history.chart(Scope(), wanted(("alice",), ("monthly",)), CARRY).lines == ()


def test_before_the_first_reading_there_is_nothing(app):
    [line] = history.chart(Scope(), wanted(("alice",), ("weekly",), range="90d"), CARRY).lines
    known = [v is not None for v in line.columns.remaining]

    assert not any(known[: len(known) // 2])
    assert sum(known[-len(known) // 4 :]) > len(known) // 5


def test_a_chart_of_twenty_years_is_answered(app):
    chart = history.chart(Scope(), wanted(from_=str(NOW - 20 * 365 * DAY), to=str(NOW)), CARRY)

    assert len(chart.axis) <= 501
    assert any(v is not None for v in chart.lines[0].columns.remaining)


def test_hourly_use_holds_the_last_day_of_the_shortest_window_that_was_read(app):
    found = hourly_use.load([1, 3, 4, 99], NOW)

    assert set(found) == {1, 3, 4}
    assert {use.key for use in found.values()} == {"five_hour"}
    assert {len(use.points) for use in found.values()} == {24}
    assert all(points is None or points >= 0 for use in found.values() for points in use.points)


def test_hourly_use_of_nobody_is_none(app):
    assert hourly_use.load([], NOW) == {}
