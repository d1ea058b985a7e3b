"""The forecast of a window: its states, its chance, its quantiles, and what they follow from."""

from dataclasses import replace
from datetime import UTC, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quota_web.foresight import Forecast, ForecastState, WindowHistory, forecast
from tests.foresight.histories import (
    DAY,
    FIVE_HOURS,
    HOUR,
    MONDAY,
    WEEK,
    Recorder,
    five_hours,
    office_weeks,
    random_walk,
    said,
)

QUANTILES = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
NOON = 12 * HOUR


def five_hour_sibling(at: int, used: float, resets_at: int) -> WindowHistory:
    return Recorder("five_hour", FIVE_HOURS).take(at, used, resets_at).history()


def assert_nothing_said(told: Forecast) -> None:
    assert told.run_out_probability is None
    assert [told.run_out_in(q) for q in QUANTILES] == [None] * len(QUANTILES)
    assert [told.if_runs_out(q) for q in QUANTILES] == [None] * len(QUANTILES)
    assert [told.remaining_at_reset(q) for q in QUANTILES] == [None] * len(QUANTILES)


# States


def test_without_readings_or_without_any_reset_there_is_none():
    empty = WindowHistory("weekly", WEEK, [], [], [])
    told = forecast(empty, [], MONDAY, ZoneInfo("UTC"))

    assert told.state == "no_reset"
    assert told.pace is None
    assert_nothing_said(told)
    placeholders = Recorder().take(MONDAY, 20, None).take(MONDAY + 60, 0, 0).history()
    assert said(placeholders).state == ForecastState.NO_RESET


def test_a_reset_farther_than_the_window_is_long_is_no_reset():
    assert said(Recorder().take(MONDAY, 20, MONDAY + WEEK + HOUR).history()).state == "no_reset"


def test_within_the_first_day_there_is_a_pace_and_no_chance():
    told = said(office_weeks(0.9).history())

    assert told.state == ForecastState.FEW_DATA
    assert told.pace is not None
    assert told.pace.used_percent == 12
    assert told.pace.even_percent == pytest.approx(12.5, abs=0.5)
    assert_nothing_said(told)


def test_from_one_day_on_there_is_a_chance():
    told = said(office_weeks(1.1).history())

    assert told.state == ForecastState.FORECAST
    assert told.days_of_history == pytest.approx(1.1, abs=0.05)
    assert told.run_out_probability is not None


def test_an_untouched_window_has_not_started():
    recorder = office_weeks(6)
    after = MONDAY + 8 * DAY
    recorder.take(after, 0, after + WEEK).take(after + HOUR, 0, after + HOUR + WEEK)

    told = said(recorder.history())

    assert told.state == ForecastState.NOT_STARTED
    assert_nothing_said(told)


def test_a_window_that_leaves_untouched_is_forecast_at_once():
    recorder = office_weeks(6)
    after = MONDAY + 8 * DAY
    recorder.take(after, 0, after + WEEK).take(after + HOUR, 2, after + WEEK + 1800)

    assert said(recorder.history()).state == ForecastState.FORECAST


@pytest.mark.parametrize("used", [100, 100.5, 130])
def test_an_exhausted_window_is_certain_and_every_quantile_is_zero(used):
    recorder = office_weeks(3)
    recorder.take(MONDAY + 3 * DAY, used, MONDAY + WEEK)

    told = said(recorder.history())

    assert told.state == ForecastState.EXHAUSTED
    assert told.run_out_probability == 1
    assert told.pace is not None
    for q in QUANTILES:
        assert told.run_out_in(q) == told.if_runs_out(q) == told.remaining_at_reset(q) == 0


def test_a_reading_older_than_the_limit_of_the_caller_is_stale():
    history = office_weeks(3).history()
    now = history.taken_at[-1] + 2 * HOUR

    assert forecast(history, [], now, None, stale_after_s=3 * HOUR).state == "forecast"
    told = forecast(history, [], now, None, stale_after_s=HOUR)
    assert told.state == ForecastState.STALE
    assert told.pace is not None
    assert_nothing_said(told)


def test_a_window_whose_reset_has_passed_is_stale_even_if_it_was_exhausted():
    recorder = office_weeks(6.99).take(MONDAY + WEEK - HOUR, 100, MONDAY + WEEK)

    assert said(recorder.history(), now=MONDAY + WEEK).state == ForecastState.STALE


def test_a_last_reading_that_claims_a_break_is_not_believed_alone():
    recorder = office_weeks(4)
    at = MONDAY + 4 * DAY
    recorder.take(at, 0, at + WEEK)

    told = said(recorder.history())

    assert told.state == ForecastState.FLAPPING
    assert told.pace is not None
    assert told.pace.used_percent == 48
    assert told.pace.even_percent == pytest.approx(100 * 4 / 7, abs=0.1)
    assert_nothing_said(told)


def test_a_break_that_a_second_reading_confirms_is_believed():
    recorder = office_weeks(4)
    at = MONDAY + 4 * DAY
    recorder.take(at, 3, at + WEEK - HOUR).take(at + 300, 3, at + WEEK - HOUR)

    assert said(recorder.history()).state == ForecastState.FORECAST


def test_a_fall_at_the_announced_reset_is_believed_at_once():
    recorder = office_weeks(7)
    recorder.take(MONDAY + WEEK + 60, 3, MONDAY + 2 * WEEK)

    assert said(recorder.history()).state == ForecastState.FORECAST


def test_an_interlude_after_which_the_old_state_returns_changes_nothing():
    quiet, odd = office_weeks(4), Recorder()
    for at, used, reset in zip(quiet.taken_at, quiet.used, quiet.resets, strict=True):
        odd.take(at, used, reset)
        if MONDAY + 2 * DAY <= at < MONDAY + 2 * DAY + HOUR:
            odd.take(at + 60, 0, at + 60 + WEEK).take(at + 120, 0, at + 120 + WEEK)

    told = said(odd.history())

    assert told.run_out_probability == said(quiet.history()).run_out_probability


def test_a_window_behind_an_exhausted_one_is_blocked_and_keeps_what_it_has():
    recorder = five_hours(3.5)
    now = recorder.taken_at[-1]
    weekly = Recorder().take(now, 100, now + 2 * DAY).history()

    told = said(recorder.history(), weekly)

    assert told.state == ForecastState.BLOCKED_BY
    assert told.blocked_by == "weekly"
    assert told.run_out_probability is not None
    assert 0 < told.run_out_probability < 0.05
    assert told.run_out_in(0.5) is None
    assert told.remaining_at_reset(0.5) == 100 - recorder.used[-1]


def test_of_several_exhausted_windows_the_one_that_ends_last_blocks():
    recorder = five_hours(3.5)
    now = recorder.taken_at[-1]
    first = replace(Recorder().take(now, 100, now + 2 * DAY).history(), key="weekly")
    second = replace(Recorder().take(now, 100, now + 6 * DAY).history(), key="other")

    assert said(recorder.history(), second, first).blocked_by == "other"


def test_an_exhausted_sibling_whose_reset_has_passed_blocks_nothing():
    recorder = five_hours(3.5)
    now = recorder.taken_at[-1]
    weekly = Recorder().take(now - HOUR, 100, now - 60).history()

    assert said(recorder.history(), weekly).state == ForecastState.FORECAST


# Chance and quantiles


def test_a_steady_week_that_fits_is_likely_to_last_and_one_that_does_not_to_run_out():
    now = MONDAY + 23 * DAY + NOON
    light, heavy = office_weeks(40, 12), office_weeks(40, 30)

    lasts, runs_out = said(light.history(now), now=now), said(heavy.history(now), now=now)

    assert lasts.run_out_probability is not None
    assert runs_out.run_out_probability is not None
    assert lasts.run_out_probability < 0.15
    assert runs_out.run_out_probability > 0.8


def test_the_run_out_is_foreseen_about_when_the_same_hours_used_it_up_before():
    # 30 points a work day: used up on Thursday about 11.
    now = MONDAY + 22 * DAY + 8 * HOUR
    told = said(office_weeks(40, 30).history(now), now=now)
    thursday = MONDAY + 24 * DAY + 11 * HOUR

    median = told.if_runs_out(0.5)

    assert median is not None
    assert abs(now + median - thursday) < DAY / 2


def test_what_is_left_at_the_reset_follows_from_past_weeks():
    now = MONDAY + 23 * DAY + 8 * HOUR
    told = said(office_weeks(40, 12).history(now), now=now)
    left = told.remaining_at_reset(0.5)

    assert left is not None
    assert abs(left - 40) < 12


def test_demand_counts_where_use_was_blocked():
    # The week is used up on Thursday; the blocked hours after it must not look like idle ones.
    now = MONDAY + 25 * DAY + NOON
    window = office_weeks(40, 30).history(now)
    fresh = replace(
        window,
        used_percent=[*window.used_percent[:-1], 10],
        resets_at=[*window.resets_at[:-1], now + 6 * DAY],
    )
    confirmed = replace(
        fresh,
        taken_at=[*fresh.taken_at, now + 60],
        used_percent=[*fresh.used_percent, 10],
        resets_at=[*fresh.resets_at, now + 6 * DAY],
    )

    told = said(confirmed, now=now + 60)

    assert told.run_out_probability is not None
    assert told.run_out_probability > 0.5


def test_nothing_is_used_until_an_exhausted_sibling_resets():
    now = MONDAY + 23 * DAY + NOON
    weekly = office_weeks(40, 19).history(now)
    free_at = now + DAY
    blocked = said(weekly, five_hour_sibling(now, 100, free_at), now=now)
    free = said(weekly, five_hour_sibling(now, 20, free_at), now=now)

    soonest = blocked.if_runs_out(0.01)
    assert soonest is not None
    assert soonest >= DAY
    assert blocked.run_out_probability is not None
    assert free.run_out_probability is not None
    assert blocked.run_out_probability < free.run_out_probability


def test_hours_and_week_ends_are_those_of_the_zone():
    now = MONDAY + 23 * DAY + NOON
    history = office_weeks(40, 14).history(now)

    zones = UTC, timezone(timedelta(hours=-11)), ZoneInfo("Asia/Shanghai")
    told = {said(history, now=now, zone=zone).remaining_at_reset(0.5) for zone in zones}

    assert len(told) > 1


def test_a_change_of_the_clocks_within_the_history_is_no_trouble():
    start = MONDAY + 10 * WEEK  # Berlin changes at the end of March
    history = office_weeks(35, 12, start).history()

    assert said(history, zone=ZoneInfo("Europe/Berlin")).state == ForecastState.FORECAST


def test_a_window_without_a_length_is_as_long_as_its_reset_ever_was_ahead():
    history = office_weeks(10).history()

    unknown = said(replace(history, length_s=None))

    assert unknown.length_s == WEEK - 60
    assert unknown.state == ForecastState.FORECAST


def test_older_readings_than_it_looks_back_on_change_nothing_but_the_days_of_history():
    recorder = office_weeks(80, 14)
    whole = said(recorder.history())
    cut = len(recorder.taken_at) - 67 * 48
    columns = recorder.taken_at[cut:], recorder.used[cut:], recorder.resets[cut:]
    recent = said(WindowHistory("weekly", WEEK, *columns))

    assert whole.days_of_history == pytest.approx(80, abs=0.1)
    assert replace(whole, days_of_history=recent.days_of_history) == recent


def test_a_user_who_has_used_nothing_yet_is_forecast_too():
    recorder = Recorder()
    for at in range(MONDAY, MONDAY + 3 * DAY, HOUR):
        recorder.take(at, 0, MONDAY + WEEK)

    told = said(recorder.history())

    assert told.run_out_probability is not None
    assert told.run_out_probability < 0.05


# Properties


@given(st.integers(0, 10_000))
def test_any_history_gives_honest_bounds_and_always_the_same(seed):
    history = random_walk(seed).history()
    told = said(history)

    assert told == said(history)
    p = told.run_out_probability
    if told.state in (ForecastState.FORECAST, ForecastState.BLOCKED_BY):
        assert p is not None
        assert 0 < p < 1
    else:
        assert p == (1 if told.state is ForecastState.EXHAUSTED else None)
    assert (told.resets_at is None) == (told.state is ForecastState.NO_RESET)


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_any_quantiles_rise_and_stay_before_the_reset(seed, sibling_seed):
    history = random_walk(seed).history()
    told = said(history, replace(random_walk(sibling_seed).history(), key="other"))

    crossings = [told.if_runs_out(q) for q in QUANTILES]
    over_all = [told.run_out_in(q) for q in QUANTILES]
    left = [told.remaining_at_reset(q) for q in QUANTILES]
    for values in (crossings, over_all, left):
        known = [v for v in values if v is not None]
        assert known == sorted(known)
        assert values[: len(known)] == known
    until_reset = (told.resets_at or told.at) - told.at
    assert all(0 <= v <= until_reset for v in crossings if v is not None)
    assert all(0 <= v <= 100 for v in left if v is not None)
    p = told.run_out_probability
    assert all(v is None for v, q in zip(over_all, QUANTILES, strict=True) if p is None or q > p)
