"""What happens to one window: each rule of cycles and resets, and the points where rules meet."""

from itertools import pairwise

import pytest

from quota_web.foresight import WindowReadings, judge
from tests.foresight.stories import HOUR, Story, account, judged, moment, told

#: Hour at which the week of most stories here is due.
DUE = 100


def week(hours: float = 10, used: float = 60, rate: float = 0) -> Story:
    """A week that is due at DUE, some hours of it."""
    return Story().use(hours, used, DUE, rate)


# ------------------------------------------------------------------- same cycle, or untouched


def test_a_reset_time_that_jitters_makes_no_event():
    story = Story()
    for i in range(40):
        story.one(30 + i // 4, DUE + (-1) ** i * 0.02)

    assert told(story).events == []


def test_a_reset_time_that_creeps_on_makes_no_event():
    story = Story()
    for i in range(200):
        story.one(30, DUE + i * 0.04)

    assert told(story).events == []


@pytest.mark.parametrize(("moved_s", "events"), [(179, []), (185, [("boundary_moved", 10)])])
def test_a_reset_is_the_same_within_three_minutes(moved_s, events):
    assert told(week(10).use(3, 60, DUE + moved_s / HOUR)).events == events


def test_an_untouched_window_slides_for_ever_without_an_event():
    assert told(Story().untouched(400)).events == []
    assert told(Story().untouched(400, used=1)).events == []
    assert told(Story().untouched(400)).judgement.open_cycles == {}


def test_an_untouched_window_may_slide_by_days_between_two_readings():
    story = Story().untouched(5).gap(300).untouched(5).gap(50).untouched(5, used=1)

    assert told(story).events == []


def test_a_full_length_ahead_may_miss_by_five_minutes():
    story = Story()
    for i in range(50):
        story.one(i % 2, story.h + 168 + (-1) ** i * 0.08)

    assert told(story).events == []


def test_a_full_length_ahead_may_not_miss_by_more():
    story = week(10, used=1)
    for _ in range(5):
        story.one(1, story.h + 168 + 350 / HOUR)

    assert told(story).events == [("boundary_moved", 10)]


def test_a_cycle_starts_a_length_before_its_reset_when_that_stops_sliding():
    story = Story().untouched(5).use(20, 0, 4.5 + 168, rate=1)

    result = told(story)

    assert result.events == []
    assert result.open().started_at == moment(4.5)


def test_a_cycle_that_started_between_two_readings_started_where_its_reset_says():
    story = Story().untouched(5).gap(10).use(20, 12, 9 + 168, rate=1)

    result = told(story)

    assert result.events == []
    assert result.open().started_at == moment(9)
    assert result.open().peak == 31


def test_a_window_hardly_used_may_become_untouched_without_an_event():
    story = Story().use(10, 0, DUE).use(10, 1, DUE).untouched(10).untouched(5, used=1)

    assert told(story).events == []


def test_a_window_hardly_used_that_is_untouched_after_its_reset_makes_no_event():
    story = Story(5).use(5, 1, 5).untouched(5)

    assert told(story, "five_hour").events == []


def test_an_untouched_window_that_was_away_for_weeks_makes_no_event():
    story = Story().untouched(5).gap(500).use(10, 40, story_end := 505 + 50)

    result = told(story)

    assert result.events == []
    assert result.open().started_at == moment(story_end - 168)


@pytest.mark.parametrize("fall", [2, 3, 4])
def test_a_fall_of_two_to_four_points_with_the_same_reset_stays_in_the_cycle(fall):
    story = week(used=60).use(10, 60 - fall, DUE).use(10, 58, DUE).gap(80).untouched(2)

    result = told(story)

    assert result.events == [("reset_scheduled", DUE)]
    assert result.cycles == [("scheduled", 58)]
    assert result.closed()[0].peak == 60


def test_a_small_fall_to_nothing_with_the_same_reset_stays_in_the_cycle():
    assert told(week(used=4).use(10, 0, DUE)).events == []


def test_small_falls_may_add_up_to_a_large_one():
    story = week(used=60)
    for used in range(57, 20, -3):
        story.use(2, used, DUE)

    assert told(story).events == []


# ------------------------------------------------------------------- placeholders and absences


@pytest.mark.parametrize("empty", [None, 0])
@pytest.mark.parametrize("used", [0, 45, 100])
def test_used_without_a_reset_is_no_reading(used, empty):
    story = week(used=60)
    for _ in range(4):
        story.add(used, empty)
    story.use(5, 60, DUE)

    result = told(story)

    assert result.events == []
    assert result.open().readings == 30


def test_a_reset_may_be_missing_altogether():
    story = week(used=60)
    story.rows.append((moment(10), 0))  # type: ignore[arg-type]
    story.gap(0.5)

    assert told(story.use(5, 60, DUE)).events == []


def test_a_series_may_begin_with_placeholders_and_absences():
    story = Story().absent(3).add(0, None).add(50, 0).use(5, 60, DUE)

    assert told(story).events == []


def test_once_absent_is_nothing():
    story = week().absent().use(2, 60, DUE).absent().use(2, 60, DUE)

    assert told(story).events == []


def test_absent_from_two_answers_in_a_row_the_window_has_gone_since_the_first():
    story = week(10).absent(2)

    assert told(story).events == [("window_gone", 10)]


def test_a_window_goes_once_however_long_it_is_away():
    story = week(10).absent(40).use(5, 60, DUE)

    assert told(story).events == [("window_gone", 10), ("window_back", 30)]


def test_two_absences_are_enough_to_go_and_come_back():
    assert told(week(10).absent(2).use(5, 60, DUE)).events == [
        ("window_gone", 10),
        ("window_back", 11),
    ]


def test_a_placeholder_between_two_absences_interrupts_nothing():
    story = week(10).absent().add(0, None).absent()

    assert told(story).events == [("window_gone", 10)]


def test_a_placeholder_brings_no_window_back():
    story = week(10).absent(3).add(0, 0).absent().add(30, None)

    assert told(story).events == [("window_gone", 10)]


def test_an_odd_reading_between_two_absences_interrupts_them():
    story = week(10).absent().full().absent().use(2, 60, DUE)

    assert told(story).hours("window_gone", "window_back") == []


def test_a_window_that_comes_back_as_it_was_goes_on():
    result = told(week(10).absent(4).use(5, 61, DUE))

    assert result.cycles == []
    assert result.open().readings == 30


def test_a_window_that_comes_back_after_its_due_moment_was_reset_then():
    result = told(Story(5).use(2, 40, 5).absent(30).use(3, 3, 20), "five_hour")

    assert result.events == [("window_gone", 2), ("reset_scheduled", 5), ("window_back", 17)]
    assert result.closed("five_hour")[0].is_lower_bound


def test_an_absence_before_the_second_reading_hinders_no_reset():
    story = week(10).full().absent().untouched(3)

    assert told(story).hours("reset_early") == [("reset_early", 10)]


# ------------------------------------------------------------------- as scheduled


def test_a_reset_is_dated_to_the_moment_that_was_announced():
    story = week(99.75, used=70).untouched(3)

    result = told(story)

    assert result.events == [("reset_scheduled", DUE)]
    assert result.cycles == [("scheduled", 70)]
    assert result.closed()[0].ended_at == moment(DUE)
    assert not result.closed()[0].is_lower_bound


def test_a_reset_may_show_ninety_seconds_early():
    early = 90 / 3_600
    story = week(99).gap(1 - early - 0.001).untouched(3)
    assert told(story).hours("reset_scheduled") == []

    story = week(99).gap(1 - early + 0.001).untouched(3)
    assert told(story).events == [("reset_scheduled", DUE)]


def test_one_reading_is_enough_once_it_was_due():
    assert told(week(99).gap(2).full()).events == [("reset_scheduled", DUE)]


@pytest.mark.parametrize("hours", [3, 30, 300])
def test_a_scheduled_reset_is_dated_the_same_however_late_it_is_seen(hours):
    result = told(week(99, used=66).gap(hours).use(5, 7, 99 + hours + 100))

    assert result.events == [("reset_scheduled", DUE)]
    assert result.closed()[0].ended_at == moment(DUE)
    assert result.closed()[0].is_lower_bound
    assert result.closed()[0].gap_s == (hours + 0.5) * HOUR


def test_several_dues_in_one_gap_are_one_event():
    story = Story(5).use(4, 50, 5).gap(21).use(2, 20, 28)

    result = told(story, "five_hour")

    assert result.events == [("reset_scheduled", 5)]
    assert result.open("five_hour").started_at == moment(23)


def test_a_scheduled_reset_to_higher_use_is_seen_by_the_moved_reset():
    result = told(week(99, used=10).gap(30).use(5, 40, 120 + 168))

    assert result.events == [("reset_scheduled", DUE)]
    assert result.cycles == [("scheduled", 10)]


def test_a_lower_use_counts_though_the_old_reset_is_still_announced():
    story = week(100.5, used=60).one(0, DUE).one(0, DUE).one(0, 269).use(5, 1, 269)

    result = told(story)

    assert result.events == [("reset_scheduled", DUE)]
    assert result.open().started_at == moment(101)


def test_a_small_lower_use_counts_once_it_was_due():
    story = week(100.5, used=3).one(1, DUE)

    assert told(story).events == [("reset_scheduled", DUE)]


def test_answers_from_before_the_reset_may_follow_it():
    story = week(100, used=60).one(0, 268).one(60, DUE).one(60, DUE).one(1, 268).one(60, DUE)

    assert told(story.use(5, 2, 268)).events == [("reset_scheduled", DUE)]


def test_the_old_state_may_stay_a_while_after_it_was_due():
    result = told(week(101, used=60).gap(5).untouched(5))

    assert result.events == [("reset_scheduled", DUE)]
    assert not result.closed()[0].is_lower_bound


def test_a_boundary_may_move_before_the_use_falls():
    story = week(100, used=71).one(71, 268).one(71, 268).use(5, 0, 268)

    assert told(story).events == [("reset_scheduled", DUE)]


def test_an_odd_first_answer_of_a_new_cycle_makes_no_second_event():
    story = week(100, used=71).gap(3).full(0).use(10, 6, 100.5 + 168, rate=1)

    result = told(story)

    assert result.events == [("reset_scheduled", DUE)]
    assert result.open().started_at == moment(100.5)


def test_an_answer_of_another_state_just_before_it_is_due_is_the_scheduled_reset():
    # A flap included: from ninety seconds before, nothing else is made of it.
    story = week(99.5, used=71).gap(0.48).one(0, 99.98 + 168).gap(-0.49).one(71, DUE).gap(-0.49)
    story.untouched(5)

    assert told(story).events == [("reset_scheduled", DUE)]


def test_a_break_first_seen_long_before_it_was_due_stays_early_though_confirmed_later():
    story = week(99, used=71).one(0, 99 + 168).gap(5).use(5, 0, 99 + 168)

    result = told(story)

    assert result.events == [("reset_early", 99)]
    assert result.cycles == [("early", 71)]


def test_an_odd_reading_that_nothing_confirms_before_the_due_moment_is_nothing():
    story = week(99, used=71).one(90, 40 + 168).gap(3).untouched(5)

    assert told(story).events == [("reset_scheduled", DUE)]


# ------------------------------------------------------------------- used up, and what a cycle says


def test_used_up_and_back_are_told_once_a_cycle():
    story = week(10, used=99).use(3, 100, DUE).use(1, 99, DUE).use(84, 100, DUE).gap(3).untouched(2)

    result = told(story)

    assert result.events == [("used_up", 10), ("back", DUE), ("reset_scheduled", DUE)]


def test_a_window_that_is_empty_when_first_read_ran_out_by_then():
    result = told(week(10, used=100))

    assert result.events == [("used_up", 0)]
    assert result.open().ran_out_at == moment(0)


def test_a_cycle_knows_when_it_ran_out_and_for_how_long():
    cycle = told(week(10, used=99).use(88, 100, DUE).gap(3).untouched(2)).closed()[0]

    assert cycle.ran_out_at == moment(10)
    assert cycle.hours_at_zero == 90
    assert (cycle.wasted, cycle.peak, cycle.used_at_reset) == (0, 100, 100)


def test_an_early_reset_ends_the_time_with_nothing_left():
    result = told(week(10, used=99).use(10, 100, DUE).untouched(3))

    assert result.hours("back") == [("back", 20)]
    assert result.closed()[0].hours_at_zero == 10


def test_use_beyond_a_hundred_wastes_nothing():
    cycle = told(week(10, used=107).gap(100).untouched(2)).closed()[0]

    assert (cycle.used_at_reset, cycle.wasted) == (107, 0)


@pytest.mark.parametrize(
    ("every", "over", "is_gap"),
    [
        (0.1, 0.3, True),
        (0.1, 0.15, False),
        (1, 1.5, False),
        (1.4, 1.9, False),
        (1.4, 2.5, True),
        (6, 6, True),
    ],
)
def test_a_gap_is_two_hours_or_twice_the_usual_distance(every, over, is_gap):
    story = Story(every_h=every, h=DUE - over / 2 - 10 * every).use(10.5 * every, 50, DUE)
    story.gap(over - every)

    assert told(story.untouched(1)).closed()[0].is_lower_bound == is_gap


def test_each_cycle_starts_where_the_one_before_ended_or_later():
    story = Story(5)
    for day in range(10):
        story.use(4.5, 5, story.h + 5, rate=9).untouched(3 + day % 2)

    cycles = told(story, "five_hour").closed("five_hour")

    assert len(cycles) == 10
    assert all(b.started_at >= (a.ended_at or 0) for a, b in pairwise(cycles))


def test_readings_after_now_are_not_judged():
    story = week(10).untouched(5)
    history = account(weekly=story)

    assert judge({"alice": history}, moment(10)).events == ()
    assert len(judge({"alice": history}, moment(11)).events) == 1


def test_a_window_of_unknown_length_is_judged_without_untouched_times():
    readings = [*week(10).rows, *Story(h=10).use(5, 0, 178).rows]
    history = type(account())({"unknown": WindowReadings(None, readings)}, [], [])

    assert [str(e.kind) for e in judged({"alice": history}).events] == ["reset_early"]


def test_readings_out_of_order_and_twice_change_nothing():
    story = week(10)
    story.rows += [story.rows[3], story.rows[-1], story.rows[-1]]

    assert told(story.use(5, 60, DUE)).events == []
