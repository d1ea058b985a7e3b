"""A forecast in words: each state, no more exactness than is known, and the cells of a table."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quota_web.core.language import use_language
from quota_web.foresight import Forecast, ForecastState, Pace
from quota_web.foresight.distribution import Distribution
from quota_web.foresight.words import (
    CELLS,
    SENTENCES,
    Cells,
    Code,
    cells,
    chance_in_words,
    day_in_words,
    part_of_day,
    statement,
)
from tests.foresight.histories import DAY, FIVE_HOURS, HOUR, WEEK, random_walk
from tests.foresight.histories import said as forecast_of

#: A Saturday.
NOW = int(datetime(2026, 11, 21, 12, 5, tzinfo=UTC).timestamp())
RESET = int(datetime(2026, 11, 24, 20, 54, tzinfo=UTC).timestamp())


def moment(day: int, hour: int) -> int:
    return int(datetime(2026, 11, day, hour, 30, tzinfo=UTC).timestamp())


def evenly(*values: float) -> Distribution:
    return Distribution.of((value, 1.0) for value in values)


def weekly(
    chance: float | None,
    crossings: tuple[float, ...] = (),
    rest: tuple[float, ...] = (4, 18, 35),
    state: ForecastState = ForecastState.FORECAST,
    **more,
) -> Forecast:
    return Forecast(
        "weekly",
        state,
        NOW,
        WEEK,
        resets_at=RESET,
        run_out_probability=chance,
        crossings=evenly(*(at - NOW for at in crossings)),
        rest=evenly(*rest),
        **more,
    )


def five_hour(
    chance: float | None,
    state: ForecastState = ForecastState.FORECAST,
    **more,
) -> Forecast:
    resets_at = int(datetime(2026, 11, 21, 16, 40, tzinfo=UTC).timestamp())
    crossings, rest = evenly(HOUR, 2 * HOUR), evenly(10, 50, 60)
    return Forecast(
        "five_hour",
        state,
        NOW,
        FIVE_HOURS,
        resets_at=resets_at,
        run_out_probability=chance,
        crossings=crossings,
        rest=rest,
        **more,
    )


def sentence(*parts: str) -> str:
    return " ".join(parts)


def text(forecast: Forecast, zone=UTC, *, early_reset_seen: bool = False) -> str:
    return statement(forecast, zone, early_reset_seen).text


def test_a_window_that_lasts_says_what_is_left_on_which_day():
    assert text(weekly(0.2)) == sentence(
        "Will probably last: about 18 % left on Tuesday",
        "(between 4 and 35).",
    )


def test_a_window_that_runs_out_says_the_part_of_the_day_and_the_band():
    forecast = weekly(0.9, (moment(22, 20), moment(23, 14), moment(23, 19)))

    assert text(forecast) == sentence(
        "Will probably run out (90 %): if so most likely Monday afternoon,",
        "between Sunday evening and Monday evening (4 of 5).",
    )


def test_a_band_within_one_part_of_a_day_is_said_once():
    forecast = weekly(0.9, (moment(23, 13), moment(23, 14), moment(23, 15)))

    assert text(forecast) == sentence(
        "Will probably run out (90 %):",
        "if so most likely Monday afternoon (4 of 5).",
    )


def test_where_the_band_is_wider_than_a_day_only_days_are_said():
    forecast = weekly(0.9, (moment(21, 20), moment(23, 14), moment(24, 19)))

    assert text(forecast) == sentence(
        "Will probably run out (90 %): if so most likely Monday,",
        "between Saturday and Tuesday (4 of 5).",
    )


def test_without_any_time_of_the_run_out_the_reset_bounds_it():
    assert text(weekly(0.9)) == "Will probably run out before Tuesday (90 %)."


@pytest.mark.parametrize(("chance", "expected"), [(0.35, "35 %"), (0.45, "45 %"), (0.65, "65 %")])
def test_an_open_chance_could_go_either_way(chance, expected):
    assert text(weekly(chance, (moment(23, 14),))) == f"Could go either way ({expected})."


def test_a_five_hour_window_says_no_time_of_its_run_out():
    assert text(five_hour(0.7)) == "May run out before 16:40 (70 %)."
    assert text(five_hour(0.1)) == sentence(
        "Will probably last: about 50 % left at 16:40",
        "(between 10 and 60).",
    )


def test_few_data_say_the_pace_and_how_little_is_known():
    few = weekly(None, state=ForecastState.FEW_DATA)
    lasts = replace(few, days_of_history=0.5, pace=Pace(20, 40))
    runs_out = replace(few, days_of_history=0.01, pace=Pace(41, 40))

    assert text(lasts) == sentence(
        "12 h of history: at this pace it would last;",
        "too little to say how sure that is.",
    )
    assert text(runs_out) == sentence(
        "1 h of history: at this pace it would run out;",
        "too little to say how sure that is.",
    )


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (ForecastState.NOT_STARTED, "Not started: its time begins with the first use."),
        (ForecastState.EXHAUSTED, "Used up until Tuesday, 20:54."),
        (ForecastState.STALE, "The last reading is too old to say what comes."),
        (
            ForecastState.FLAPPING,
            "The last answer contradicts those before; the next one decides.",
        ),
        (ForecastState.NO_RESET, "No reset is known, so nothing can be said."),
    ],
)
def test_other_states_say_why_there_is_no_chance(state, expected):
    assert text(weekly(None, (), (), state)) == expected
    assert cells(weekly(None, (), (), state), UTC) == Cells(CELLS[state])


def test_an_exhausted_five_hour_window_says_the_hour_of_its_reset():
    assert text(five_hour(1.0, ForecastState.EXHAUSTED)) == "Used up until 16:40."


def test_a_blocked_window_names_the_one_that_blocks_it():
    blocked = five_hour(0.005, ForecastState.BLOCKED_BY, blocked_by="weekly")

    assert text(blocked) == "Lasts: Weekly is used up until after its reset."
    assert cells(blocked, UTC).lasts == "yes: Weekly is used up"


def test_an_early_reset_is_mentioned_where_one_was_seen_and_would_change_it():
    runs_out = five_hour(0.7)

    assert text(runs_out, early_reset_seen=True).endswith(" Unless OpenAI resets early.")
    assert "early" not in text(runs_out)
    assert "early" not in text(weekly(0.2), early_reset_seen=True)


@pytest.mark.parametrize(
    ("chance", "expected"),
    [
        (0.005, "under 5 %"),
        (0.049, "under 5 %"),
        (0.05, "5 %"),
        (0.18, "20 %"),
        (0.9, "90 %"),
        (0.95, "95 %"),
        (0.96, "over 95 %"),
        (0.995, "over 95 %"),
    ],
)
def test_chances_are_said_in_steps_of_five(chance, expected):
    assert chance_in_words(chance) == expected


@pytest.mark.parametrize(
    ("hour", "expected"),
    [
        (4, "Sunday night"),
        (5, "Monday morning"),
        (11, "Monday morning"),
        (12, "Monday afternoon"),
        (18, "Monday evening"),
        (22, "Monday night"),
    ],
)
def test_the_hours_after_midnight_belong_to_the_night_before(hour, expected):
    assert part_of_day(moment(23, hour), NOW, UTC) == expected


def test_days_and_hours_are_those_of_the_zone():
    shanghai = ZoneInfo("Asia/Shanghai")

    assert part_of_day(moment(23, 20), NOW, shanghai) == "Monday night"
    assert "18 % left on Wednesday" in text(weekly(0.2), shanghai)


def test_a_day_a_week_or_more_ahead_is_a_date():
    assert day_in_words(NOW + 6 * DAY, NOW, UTC) == "Friday"
    assert day_in_words(NOW + 7 * DAY, NOW, UTC) == "28 November"


def test_a_table_says_whether_it_lasts_when_it_runs_out_and_what_is_left():
    forecast = weekly(0.2, (moment(23, 15), moment(23, 19), moment(24, 14)))

    assert cells(forecast, UTC) == Cells(
        "probably (20 % runs out)",
        "if so Mon 23 Nov, evening",
        "about 18 left (4–35)",
    )


def test_a_night_in_a_table_has_the_date_of_its_evening():
    forecast = weekly(0.9, (moment(24, 1), moment(24, 2), moment(24, 3)))

    assert cells(forecast, UTC).lasts == "probably not (90 % runs out)"
    assert cells(forecast, UTC).runs_out == "if so Mon 23 Nov, night"


def test_a_wide_band_in_a_table_is_a_day_and_a_five_hour_window_its_reset():
    wide = weekly(0.5, (moment(21, 20), moment(23, 14), moment(24, 19)))

    assert cells(wide, UTC).lasts == "either way (50 % runs out)"
    assert cells(wide, UTC).runs_out == "if so Mon 23 Nov"
    assert cells(five_hour(0.2), UTC).runs_out == "if so before 16:40"


def test_a_table_says_nothing_of_when_under_five_percent():
    assert cells(weekly(0.04, (moment(23, 14),)), UTC).runs_out == ""


def test_few_data_in_a_table_say_the_pace():
    few = five_hour(None, ForecastState.FEW_DATA, pace=Pace(20, 40))

    assert cells(few, UTC) == Cells("few data: at this pace it lasts")


def test_every_state_and_every_code_has_its_words():
    assert set(SENTENCES) == set(Code)
    assert {state.value for state in ForecastState} - {"forecast", "few_data"} <= set(Code)
    names = {name for s in SENTENCES.values() for name in re.findall(r"%\((.*?)\)s", s)}
    assert names
    assert all(name.isidentifier() for name in names)


@given(st.integers(0, 10_000), st.sampled_from([None, UTC, ZoneInfo("America/New_York")]))
def test_any_forecast_has_words(seed, zone):
    forecast = forecast_of(random_walk(seed).history())

    assert statement(forecast, zone).text
    assert cells(forecast, zone).lasts


def test_a_forecast_is_said_in_chinese_with_the_same_exactness():
    runs_out = weekly(0.9, (moment(22, 20), moment(23, 14), moment(23, 19)))
    far = replace(weekly(0.2), resets_at=NOW + 9 * DAY)

    with use_language("zh"):
        assert text(weekly(0.2)) == "很可能够用：周二预计剩余约 18%（4 到 35 之间）。"
        assert text(runs_out) == (
            "很可能用完（90%）：如果用完，最可能在周一下午，周日晚上到周一晚上之间（八成把握）。"
        )
        assert text(five_hour(0.7), early_reset_seen=True) == (
            "16:40 之前可能用完（70%）。除非 OpenAI 提前重置。"
        )
        assert text(weekly(None, (), (), ForecastState.EXHAUSTED)) == "已用完，周二 20:54 恢复。"
        assert "11月30日" in text(far)
        assert part_of_day(moment(23, 4), NOW, UTC) == "周日夜里"
        assert chance_in_words(0.01) == "不到 5%"
        assert cells(runs_out, UTC) == Cells(
            "可能不够用（用完概率 90%）", "若用完则在11月23日周一下午", "剩余约 18（4–35）"
        )
