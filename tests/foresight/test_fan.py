"""The fan of a forecast: bands of what is left at moments up to the reset."""

from zoneinfo import ZoneInfo

import pytest

from quota_web import store
from quota_web.foresight import forecast
from quota_web.foresight.fan import MOMENTS, SHARES
from tests.fillings import TWO_ACCOUNTS
from tests.foresight.histories import DAY, HOUR, MONDAY, Recorder, office_weeks, said


def busy(points_a_day: float = 16):
    """A Wednesday noon after some weeks of work."""
    return said(office_weeks(30.5, points_a_day).history())


def test_it_reaches_from_now_to_the_reset_in_even_steps():
    told = busy()
    ahead = told.resets_at - told.at

    assert [one.seconds for one in told.fan] == [ahead * k // MOMENTS for k in range(1, 13)]
    assert told.fan[-1].seconds == ahead


@pytest.mark.parametrize("points_a_day", [2, 12, 16, 30])
def test_it_ends_in_what_is_left_at_the_reset(points_a_day):
    told = busy(points_a_day)

    assert told.fan[-1].left == pytest.approx(
        [told.remaining_at_reset(share) for share in SHARES], abs=1e-6
    )


def test_bands_are_nested_fall_and_hold_what_can_be():
    told = busy()
    before = [100 - told.pace.used_percent] * len(SHARES)
    for moment in told.fan:
        assert list(moment.left) == sorted(moment.left)
        assert all(0 <= now <= then for now, then in zip(moment.left, before, strict=True))
        before = list(moment.left)


def test_nothing_is_used_ahead_while_another_window_is_used_up():
    history = office_weeks(30.5).history()
    now = history.taken_at[-1]
    free_at = now + 40 * HOUR
    blocked = Recorder("window:172800", 2 * DAY).take(now, 100, free_at).history()
    told = forecast(history, [blocked], now, ZoneInfo("UTC"))

    left = 100 - history.used_percent[-1]
    still = [one.left for one in told.fan if now + one.seconds <= free_at]
    assert still
    assert set(still) == {(left,) * len(SHARES)}


def test_without_a_chance_there_is_none():
    assert said(office_weeks(0.5).history()).fan == ()
    exhausted = Recorder().take(MONDAY, 100, MONDAY + DAY).history()
    assert said(exhausted).fan == ()


@TWO_ACCOUNTS
@pytest.mark.usefixtures("database", "installation")
def test_the_present_one_is_stored_and_those_of_days_have_none():
    with store.database.reading() as conn:
        present = [one for one in store.forecasts.present(conn).values() if one.state == "forecast"]
        kept = store.forecasts.kept(conn, [one.window_id for one in present])
    assert present
    for one in present:
        assert one.fan is not None
        assert one.rest is not None
        assert len(one.fan) == MOMENTS
        assert {len(moment) for moment in one.fan} == {1 + len(SHARES)}
        assert one.fan[-1][3] == pytest.approx(one.rest[1], abs=0.06)
    assert kept
    assert {one.fan for one in kept} == {None}
