"""The steps towards a forecast, each by itself: the past, slots, profile, paths, lines, chance."""

from dataclasses import replace
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quota_web.foresight.chance import run_out_chance
from quota_web.foresight.distribution import Distribution
from quota_web.foresight.history import Past, length_of, settle
from quota_web.foresight.model_parameters import LONG, SHORT
from quota_web.foresight.paths import Ahead, alike_moments, past_paths
from quota_web.foresight.slots import (
    Demand,
    Grid,
    blocked_slots,
    make_demand,
    make_grid,
    use_per_slot,
)
from quota_web.foresight.straight import straight_paths
from tests.foresight.histories import DAY, HOUR, MONDAY, WEEK, Recorder, five_hours, office_weeks

RESET = MONDAY + WEEK


def past_of(recorder: Recorder) -> Past:
    past = settle(recorder.history(), recorder.length, 0)
    assert past is not None
    return past


# The past


def test_a_rise_lies_between_its_two_readings():
    recorder = Recorder().take(MONDAY, 10, RESET).take(MONDAY + HOUR, 10, RESET)
    recorder.take(MONDAY + 2 * HOUR, 14, RESET)

    assert past_of(recorder).rises() == [(MONDAY + HOUR, MONDAY + 2 * HOUR, 4)]


def test_what_was_used_before_the_first_reading_is_no_rise():
    assert past_of(Recorder().take(MONDAY, 40, RESET)).rises() == []


def test_used_that_jitters_by_one_point_rises_once():
    recorder = Recorder()
    for k, used in enumerate((10, 11, 10, 11, 10, 11)):
        recorder.take(MONDAY + k * 600, used, RESET + k % 2 * 100)

    assert [points for _, _, points in past_of(recorder).rises()] == [1]


def test_at_a_new_cycle_the_used_percent_is_the_rise_since_its_start():
    recorder = Recorder().take(RESET - HOUR, 50, RESET)
    recorder.take(RESET + 3 * HOUR, 6, RESET + WEEK + HOUR)

    assert past_of(recorder).rises() == [(RESET + HOUR, RESET + 3 * HOUR, 6)]


def test_an_untouched_windows_sliding_reset_is_no_break():
    recorder = Recorder()
    for at in range(MONDAY, MONDAY + DAY, HOUR):
        recorder.take(at, 0, at + WEEK)
    recorder.take(MONDAY + DAY, 5, MONDAY + DAY - 600 + WEEK)

    past = past_of(recorder)
    assert not past.is_flapping
    assert past.rises() == [(MONDAY + DAY - 600, MONDAY + DAY, 5)]


def interlude(*odd: tuple[int, float, int]) -> Past:
    """A state, other readings (seconds later, used, reset), and the old state after 3 hours."""
    recorder = Recorder().take(MONDAY, 40, RESET)
    for after, used, reset in odd:
        recorder.take(MONDAY + after, used, reset)
    return past_of(recorder.take(MONDAY + 3 * HOUR, 41, RESET))


@pytest.mark.parametrize(
    "odd",
    [
        [(60, 0, MONDAY + 60 + WEEK)],
        [(60, 77, RESET - 3 * HOUR)],
        [(k * 60, 0, MONDAY + k * 60 + WEEK) for k in range(1, 7)],
        [(60, 0, RESET), (120, 77, RESET - HOUR), (180, 3, RESET)],
        [(60, 3, RESET)],
    ],
)
def test_an_interlude_counts_for_nothing(odd):
    assert interlude(*odd).rises() == [(MONDAY, MONDAY + 3 * HOUR, 1)]


def test_many_readings_over_more_than_two_hours_are_no_interlude():
    odd = [(k * 900, 3, MONDAY + WEEK + DAY) for k in range(1, 12)]

    assert interlude(*odd).is_flapping, "it is the old state's return that is odd now"
    assert sum(points for _, _, points in interlude(*odd).rises()) == 3


def test_an_old_state_that_grew_by_more_than_a_little_did_not_come_back():
    recorder = Recorder().take(MONDAY, 40, RESET).take(MONDAY + 60, 3, RESET)
    recorder.take(MONDAY + 120, 50, RESET)

    assert sum(points for _, _, points in past_of(recorder).rises()) == 50


def test_from_its_reset_on_a_break_is_believed_at_once():
    recorder = Recorder().take(MONDAY, 40, RESET).take(RESET - 60, 0, RESET + WEEK - 60)

    past = past_of(recorder)
    assert not past.is_flapping
    assert past.last.used == 0


def test_a_window_is_exhausted_until_its_reset_or_the_reading_that_shows_a_new_cycle():
    recorder = Recorder().take(MONDAY, 90, RESET).take(MONDAY + HOUR, 100, RESET)
    running = past_of(recorder)
    recorder.take(MONDAY + 2 * HOUR, 100, RESET)
    recorder.take(MONDAY + 3 * HOUR, 2, MONDAY + 2 * WEEK)
    ended_early = past_of(recorder.take(MONDAY + 4 * HOUR, 2, MONDAY + 2 * WEEK))

    assert running.exhausted() == [(MONDAY + HOUR, RESET)]
    assert ended_early.exhausted() == [(MONDAY + HOUR, MONDAY + 3 * HOUR)]


def test_a_history_that_begins_exhausted_says_so():
    assert past_of(Recorder().take(MONDAY, 100, RESET)).exhausted() == [(MONDAY, RESET)]


def test_placeholders_are_no_readings():
    recorder = Recorder().take(MONDAY, 10, RESET).take(MONDAY + 60, 0, None)
    past = past_of(recorder.take(MONDAY + 120, 30, 0))

    assert (past.last.at, past.last.used) == (MONDAY, 10)
    assert settle(Recorder().take(MONDAY, 0, 0).history(), WEEK, 0) is None


def test_only_readings_from_the_given_moment_on_count():
    past = settle(office_weeks(3).history(), WEEK, MONDAY + DAY)

    assert past is not None
    assert past.first_at >= MONDAY + DAY


def test_a_length_that_nobody_gave_is_the_farthest_reset():
    recorder = Recorder().take(MONDAY, 0, MONDAY + 3 * DAY).take(MONDAY + DAY, 5, MONDAY + 3 * DAY)

    assert length_of(replace(recorder.history(), length_s=None)) == 3 * DAY
    assert length_of(recorder.history()) == WEEK


# Slots and profile


def grid_of(recorder: Recorder, zone: tzinfo = UTC, ahead: int = DAY) -> Grid:
    now = recorder.taken_at[-1]
    return make_grid(now, recorder.taken_at[0], now + ahead, zone, LONG)


def demand_of(recorder: Recorder, *siblings: Recorder, ahead: int = DAY) -> Demand:
    past, grid = past_of(recorder), grid_of(recorder, ahead=ahead)
    return make_demand(past, [past_of(s) for s in siblings], grid, recorder.length, LONG)


def test_slots_end_now_and_know_their_local_hour_and_weekday():
    recorder = Recorder().take(MONDAY, 0, RESET).take(MONDAY + 6 * DAY, 0, RESET)

    grid = grid_of(recorder)

    assert grid.past == 6 * 24
    assert grid.hours[:26] == [*range(24), 0, 1]
    assert grid.hours[5 * 24 : 5 * 24 + 2] == [24, 25], "Saturday's hours are a week-end's"
    assert (grid.weekdays[0], grid.weekdays[-2]) == (0, 6)
    assert grid_of(recorder, ZoneInfo("Asia/Shanghai")).hours[0] == 8


def test_slots_stay_right_over_a_change_of_the_clocks():
    # Berlin goes from 02:00 to 03:00 on 29 March 2026, a Sunday.
    start = MONDAY + 11 * WEEK + 5 * DAY
    recorder = Recorder().take(start, 0, start + WEEK).take(start + 3 * DAY, 0, start + WEEK)

    hours = grid_of(recorder, ZoneInfo("Europe/Berlin")).hours

    assert hours[0] == 24 + 1, "Saturday, 01:00"
    assert hours[3 * 24 - 1] == 1, "Tuesday, 01:00: an hour later than without the change"


def test_a_rise_is_spread_evenly_over_its_time():
    recorder = Recorder().take(MONDAY, 0, RESET).take(MONDAY + 4 * HOUR, 0, RESET)
    recorder.take(MONDAY + 8 * HOUR, 8, RESET)

    use = use_per_slot(past_of(recorder).rises(), grid_of(recorder))

    assert use == pytest.approx([0, 0, 0, 0, 2, 2, 2, 2])


@given(st.lists(st.tuples(st.integers(0, 90_000), st.floats(0.1, 9)), min_size=1, max_size=30))
def test_slots_hold_all_that_was_used_since_they_begin(steps):
    recorder, at, used = Recorder(), MONDAY, 0.0
    recorder.take(at, used, MONDAY + 52 * WEEK)
    for wait, points in steps:
        at, used = at + wait + 1, used + points
        recorder.take(at, used, MONDAY + 52 * WEEK)
    recorder.length = 52 * WEEK
    grid = grid_of(recorder)
    if grid.past and at - MONDAY == grid.past * grid.step:
        rises = past_of(recorder).rises()
        assert sum(use_per_slot(rises, grid)) == pytest.approx(used)


def test_slots_in_which_any_window_of_the_account_was_exhausted_are_blocked():
    mine = Recorder().take(MONDAY, 0, RESET).take(MONDAY + 8 * HOUR, 0, RESET)
    other = Recorder("five_hour").take(MONDAY + 2 * HOUR, 100, MONDAY + 4 * HOUR)

    blocked = blocked_slots([past_of(mine), past_of(other)], grid_of(mine))

    assert list(blocked) == [0, 0, 1, 1, 0, 0, 0, 0]


def test_the_profile_knows_the_hours_of_work_and_the_week_end():
    demand = demand_of(office_weeks(28.5))
    expected = [b - a for a, b in zip(demand.expected, demand.expected[1:], strict=False)]
    by_hour = dict(zip(demand.grid.hours, expected, strict=False))

    assert by_hour[10] > 4 * by_hour[3]
    assert by_hour[10] > 4 * by_hour[24 + 10]


def test_a_blocked_slot_counts_at_least_what_is_usual_at_its_hour():
    recorder = office_weeks(28.5)
    blocks = Recorder("five_hour", 5 * HOUR)
    for day in range(14):
        at = MONDAY + day * DAY + 9 * HOUR
        blocks.take(at, 100, at + 8 * HOUR)

    idle = Recorder(taken_at=recorder.taken_at, used=[0.0] * len(recorder.used))
    idle.resets = recorder.resets
    assert demand_of(idle, blocks).total[14 * 24] > demand_of(idle).total[14 * 24] == 0


def test_ahead_of_now_the_last_week_comes_again():
    demand = demand_of(office_weeks(21), ahead=WEEK)
    past, week = demand.grid.past, 7 * 24

    ahead, behind = demand.total[past : past + week], demand.total[past - week : past]
    assert [t - ahead[0] for t in ahead] == pytest.approx([t - behind[0] for t in behind])


# Paths, lines, chance, quantiles


def test_past_moments_are_about_this_time_of_day_and_weigh_less_the_older_they_are():
    demand = demand_of(office_weeks(28.5))
    moments = alike_moments(demand, DAY, LONG)
    offsets = {(demand.grid.past - m.slot) % 24 for m in moments}
    same_hour = {m.day: m.weight for m in moments if (demand.grid.past - m.slot) % 24 == 0}

    assert offsets <= {0, 1, 23}
    assert same_hour[7] > same_hour[14] > same_hour[21]
    assert same_hour[7] > same_hour[3], "the same weekday counts more than a nearer other day"


def test_paths_weigh_one_and_some_run_slower_and_some_faster():
    demand = demand_of(office_weeks(28.5))
    paths, days = past_paths(demand, Ahead(DAY, 0, 5.0), LONG)

    assert sum(p.weight for p in paths) == pytest.approx(1)
    assert 1 < days <= 28
    assert len({round(p.use, 6) for p in paths}) > len(paths) / 4
    for path in paths:
        assert (path.crosses_in is None) == (path.use < 5)


def test_no_path_and_no_line_uses_anything_while_the_account_stands_still():
    demand = demand_of(office_weeks(28.5))
    still = Ahead(DAY, 10 * HOUR, 0.5)
    paths, _ = past_paths(demand, still, LONG)
    lines = list(straight_paths(still, WEEK, LONG))

    crossings = [p.crosses_in for p in (*paths, *lines) if p.crosses_in is not None]
    assert crossings
    assert min(crossings) >= 10 * HOUR
    assert max(crossings) <= DAY


def test_straight_lines_go_on_at_the_pace_so_far():
    # Half the window is over, half of it is used: as it went on, it just lasts.
    lines = list(straight_paths(Ahead(WEEK // 2, 0, 50.0), WEEK, LONG))

    assert sum(p.weight for p in lines) == pytest.approx(1)
    uses = sorted(p.use for p in lines)
    assert uses[0] < 20 < 40 < uses[5] < 60 < 80 < uses[-1]


def test_just_after_the_start_lines_follow_the_usual_pace():
    lines = list(straight_paths(Ahead(WEEK - 60, 0, 99.0), WEEK, LONG))

    assert sum(p.use for p in lines) / len(lines) < 60


@pytest.mark.parametrize("tuning", [LONG, SHORT])
def test_the_chance_rises_with_the_paths_and_stays_inside(tuning):
    shares = [k / 20 for k in range(21)]
    chances = [run_out_chance(raw, 50, 0.5, tuning) for raw in shares]

    assert chances == sorted(chances)
    assert 0 < chances[0] < 0.1
    assert 0.9 < chances[-1] < 1


@given(
    st.floats(0, 1),
    st.floats(0, 100),
    st.floats(-0.1, 1.1),
    st.sampled_from([LONG, SHORT]),
)
def test_no_chance_is_certain(raw, used, elapsed_share, tuning):
    assert 0 < run_out_chance(raw, used, elapsed_share, tuning) < 1


def test_a_quantile_is_the_least_value_with_so_much_weight_up_to_it():
    found = Distribution.of([(30, 1), (10, 2), (20, 1)])

    assert [found.quantile(q) for q in (0.01, 0.5, 0.51, 0.75, 0.9)] == [10, 10, 20, 20, 30]
    assert Distribution.of([]).quantile(0.5) is None


def test_short_windows_have_finer_slots_than_long_ones():
    recorder = five_hours(3)
    now = recorder.taken_at[-1]

    assert make_grid(now, MONDAY, now + HOUR, UTC, SHORT).step == 900
    assert make_grid(now, MONDAY, now + HOUR, UTC, LONG).step == HOUR
