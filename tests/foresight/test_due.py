"""When a forecast is made anew."""

import dataclasses

import pytest

from quota_web.core.quota import Reading
from quota_web.foresight.due import is_due
from quota_web.store.forecasts import StoredForecast
from quota_web.store.windows import KnownWindow

NOW, HOUR = 1_795_262_400, 3_600


def window(used=40.0, resets_at=NOW + HOUR, taken_at=NOW - 10, gone_at=None):
    return KnownWindow(1, 1, Reading("weekly", used, resets_at, 604_800), taken_at, gone_at, None)


def made(ago, **changes):
    plain = StoredForecast(1, NOW - ago, "forecast", NOW - ago, 40.0, NOW + HOUR, 0.2)
    return dataclasses.replace(plain, **changes)


def due(known, before, is_stale=False):
    return is_due(known, before, NOW, is_stale)


def test_a_window_without_a_forecast_is_due_and_one_that_is_gone_is_not():
    assert due(window(), None)
    assert not due(window(taken_at=None), None)
    assert not due(window(gone_at=NOW), None)


def test_where_used_moved_a_forecast_is_made_at_most_every_five_minutes():
    assert not due(window(41), made(299))
    assert due(window(41), made(300))
    assert due(window(resets_at=NOW + 2 * HOUR), made(300))


def test_where_nothing_moved_it_is_made_every_quarter_of_an_hour():
    assert not due(window(), made(899))
    assert due(window(), made(900))


def test_a_reset_that_moves_by_a_moment_is_none():
    assert not due(window(resets_at=NOW + HOUR + 180), made(600))


def test_a_reset_that_slides_along_is_none_either():
    slid = window(0.0, resets_at=NOW - 10 + 604_800)
    before = made(600, used_percent=0.0, resets_at=NOW - 600 + 604_800)

    assert not due(slid, before)
    assert due(slid, dataclasses.replace(before, made_at=NOW - 900))


@pytest.mark.parametrize("used", [(100.0, 40.0), (40.0, 100.0)])
def test_running_out_and_its_end_are_said_at_once(used):
    now, before = used

    assert due(window(now), made(1, used_percent=before))


def test_a_reset_is_said_at_once():
    assert due(window(), made(60, resets_at=NOW))
    assert not due(window(), made(60, resets_at=NOW + 1))


def test_a_stale_reading_wants_nothing_anew():
    known = window(taken_at=NOW - 9 * HOUR)

    assert not due(known, made(HOUR, taken_at=NOW - 9 * HOUR), is_stale=True)
    assert due(known, made(HOUR, taken_at=NOW - 9 * HOUR), is_stale=False)


def test_a_clock_that_was_put_back_holds_nothing_up():
    assert due(window(), made(-60))
