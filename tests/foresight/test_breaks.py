"""Breaks that wait for a second reading: early resets, flaps, what is withdrawn, corrections."""

import pytest

from tests.foresight.stories import Story, moment, told

#: Hour at which the week of most stories here is due.
DUE = 100


def week(hours: float = 10, used: float = 60, rate: float = 0) -> Story:
    """A week that is due at DUE, some hours of it."""
    return Story().use(hours, used, DUE, rate)


# ------------------------------------------------------------------- early


def test_a_fall_that_stays_is_an_early_reset_from_its_first_reading():
    story = week(10, used=83).use(20, 0, 10 + 168, rate=1)

    result = told(story)

    assert result.events == [("reset_early", 10)]
    assert result.cycles == [("early", 83)]
    assert result.closed()[0].ended_at == moment(10)
    assert result.open().started_at == moment(10)


def test_a_single_fall_is_not_believed():
    assert told(week(10).full()).events == []
    assert told(week(10).full()).open().used_at_reset is None


def test_a_second_reading_within_a_minute_does_not_agree_yet():
    story = week(10).every(1 / 120).full().full()
    assert told(story).events == []

    assert told(story.full()).events == [("reset_early", 10 - 0.5 + 1 / 120)]


def test_a_second_reading_may_come_days_later():
    story = week(10).one(0, 178).gap(48).use(5, 20, 178)

    assert told(story).events == [("reset_early", 10)]


def test_a_second_reading_may_show_more_use():
    assert told(week(10).full().use(5, 9, 178)).events == [("reset_early", 10)]


def test_a_second_reading_with_less_use_does_not_agree():
    assert told(week(10).one(20, 178).one(10, 178)).events == []
    assert told(week(10).one(20, 178).one(18, 178)).events == []


def test_a_second_reading_may_have_slid_with_the_clock_or_part_of_the_way():
    assert told(week(10).full().full()).events == [("reset_early", 10)]
    assert told(week(10).full().one(0, 178.3)).events == [("reset_early", 10)]


def test_a_second_reading_may_not_have_slid_further_than_the_clock():
    assert told(week(10).one(20, 150).one(20, 151)).events == []


@pytest.mark.parametrize(("before", "after"), [(20, 15), (60, 40), (3, 1), (2, 0), (1.5, 0.2)])
def test_a_fall_of_five_points_or_to_nothing_with_a_moved_reset_is_a_reset(before, after):
    assert told(week(10, used=before).use(3, after, 170)).events == [("reset_early", 10)]


@pytest.mark.parametrize(("before", "after"), [(20, 16), (8, 4), (1, 0)])
def test_a_smaller_fall_with_a_moved_reset_moved_the_boundary(before, after):
    result = told(week(10, used=before).use(3, after, 140))

    assert result.events == [("boundary_moved", 10)]
    assert result.cycles == []


def test_a_large_fall_with_the_same_reset_is_an_early_reset():
    result = told(week(10, used=60, rate=1).use(5, 20, DUE))

    assert result.events == [("reset_early", 10)]
    assert result.open().started_at == moment(10)
    assert result.cycles == [("early", 69)]


def test_a_gap_before_an_early_reset_makes_its_use_a_lower_bound():
    seen, unseen = told(week(10).untouched(3)), told(week(10).gap(10).untouched(3))

    assert [c.is_lower_bound for c in seen.closed()] == [False]
    assert [c.is_lower_bound for c in unseen.closed()] == [True]


# ------------------------------------------------------------------- flaps


def test_one_answer_in_six_makes_one_event():
    story = week(10)
    for _ in range(10):
        story.full().use(2.5, 60, DUE)

    result = told(story)

    assert result.events == [("flapping", 10)]
    assert result.open().readings == 70


def test_two_states_in_turn_are_one_episode_and_the_first_stays():
    story = week(10, used=73)
    for _ in range(20):
        story.one(90, 60).one(73, DUE)

    result = told(story.use(5, 74, DUE))

    assert result.events == [("flapping", 10)]
    assert result.open().peak == 74


def test_an_episode_ends_after_twelve_hours_without_an_odd_reading():
    story = week(10).full().use(11.5, 60, DUE).full().use(12, 60, DUE).full().use(2, 60, DUE)

    assert told(story).events == [("flapping", 10), ("flapping", 34.5)]


def test_several_odd_states_before_the_old_one_are_one_interlude():
    story = week(10).full().one(90, 60).one(5, 130).use(5, 60, DUE)

    assert told(story).events == [("flapping", 10)]


def test_the_old_state_may_have_grown_by_five_points():
    assert told(week(10).full().use(5, 65, DUE)).events == [("flapping", 10)]


@pytest.mark.parametrize("used", [58, 66])
def test_another_use_with_the_old_reset_is_no_return_of_the_old_state(used):
    result = told(week(10).full().use(5, used, DUE))

    assert result.events == []
    assert result.open().readings == 30


def test_the_old_state_comes_back_within_twelve_hours_or_never():
    soon, late = week(10).full().gap(11).use(5, 60, DUE), week(10).full().gap(13).use(5, 60, DUE)

    assert told(soon).events == [("flapping", 10)]
    assert told(late).events == []


def test_a_reset_that_turns_out_a_flap_is_withdrawn_and_its_cycle_goes_on():
    story = week(10).untouched(4).use(10, 60, DUE, rate=1)

    result = told(story)

    assert result.withdrawn == [("reset_early", 10)]
    assert result.events == [("flapping", 10)]
    assert result.cycles == []
    assert (result.open().peak, result.open().readings) == (69, 40)


def test_a_withdrawn_reset_says_when_it_was():
    events = told(week(10).untouched(4).use(2, 60, DUE)).judgement.events

    event = next(e for e in events if e.withdrawn_at)

    assert (event.told_at, event.withdrawn_at) == (moment(10.5), moment(14))


def test_a_reset_whose_old_state_comes_back_after_twelve_hours_stands():
    result = told(week(10).untouched(13).use(5, 60, DUE))

    assert result.withdrawn == []
    assert result.events == [("reset_early", 10), ("corrected", 23)]


def test_nothing_is_withdrawn_by_an_old_state_after_it_was_due():
    story = Story().use(90, 60, 92).untouched(2.5).use(3, 60, 92).untouched(3)

    result = told(story)

    assert result.events == [("reset_early", 90)]
    assert result.withdrawn == []


def test_an_old_state_that_answers_a_minute_after_it_was_due_withdraws_nothing():
    late = 1 / 60
    story = Story().use(90, 60, 92).untouched(2).gap(late).one(60, 92).gap(-late).untouched(5)

    result = told(story)

    assert result.withdrawn == []
    assert result.hours("reset_early") == [("reset_early", 90)]


def test_an_odd_reading_whose_old_state_answers_after_it_was_due_is_nothing():
    story = week(99.5).full().gap(1 / 60).one(60, DUE).untouched(5)

    assert told(story).events == [("reset_scheduled", DUE)]


def test_an_old_state_may_come_back_to_what_stood_before_two_breaks():
    story = week(10).use(2, 10, 150).use(2, 90, 60).use(5, 61, DUE)

    result = told(story)

    assert result.events == [("flapping", 10)]
    assert result.withdrawn == [("reset_early", 10), ("corrected", 12)]
    assert result.open().peak == 61


def test_a_true_reset_among_flaps_is_told_once():
    story = week(10)
    for _ in range(3):
        story.full().use(2, 60, DUE)
    story.untouched(2).use(20, 1, 19.2 + 168, rate=1)

    assert told(story).events == [("flapping", 10), ("reset_early", 17.5)]


def test_a_stray_answer_hinders_no_second_reading():
    story = week(10).one(0, 178).one(90, 60).use(5, 0, 178)

    assert told(story).events == [("reset_early", 10)]


def test_growing_again_by_ordinary_steps_is_use_and_no_return():
    story = week(10, used=30, rate=1).use(2, 20, DUE).use(9, 20, DUE, rate=3)

    result = told(story)

    assert result.events == [("reset_early", 10)]
    assert result.withdrawn == []


@pytest.mark.parametrize("rate", [3, 8, 16])
def test_growing_again_by_large_even_steps_is_use_as_well(rate):
    story = week(10, used=60, rate=1).use(2, 10, DUE).use(60 / rate, 10 + rate / 2, DUE, rate)

    result = told(story)

    assert result.events == [("reset_early", 10)]
    assert result.withdrawn == []


def test_a_jump_to_the_old_use_with_the_same_reset_is_a_return():
    story = week(10, used=60, rate=1).use(2, 10, DUE).use(3, 11, DUE, rate=1).use(3, 70, DUE)

    result = told(story)

    assert result.events == [("flapping", 10)]
    assert result.withdrawn == [("reset_early", 10)]


def test_a_rise_that_falls_back_is_a_flap():
    result = told(week(10, used=30).one(90, DUE).use(5, 31, DUE))

    assert result.events == [("flapping", 10)]
    assert result.open().peak == 31


def test_a_rise_may_last_and_grow_before_it_falls_back():
    story = week(10, used=30).use(10, 90, DUE, rate=0.5).use(5, 33, DUE)

    result = told(story)

    assert result.events == [("flapping", 10)]
    assert (result.open().peak, result.open().readings) == (33, 30)


def test_a_rise_in_two_jumps_falls_back_to_its_first_line():
    story = week(10, used=30).one(50, DUE).one(90, DUE).use(5, 31, DUE)

    assert told(story).events == [("flapping", 10)]


def test_a_rise_falls_back_from_behind_another_odd_answer():
    story = week(10, used=30).one(90, DUE).one(0, 179).use(5, 31, DUE)

    assert told(story).events == [("flapping", 10)]


def test_a_rise_that_falls_back_after_twelve_hours_was_use():
    result = told(week(10, used=30).use(13, 90, DUE).use(5, 31, DUE))

    assert result.events == [("reset_early", 23)]
    assert result.cycles == [("early", 90)]


@pytest.mark.parametrize("every", [1 / 12, 0.5])
def test_a_steady_rise_that_falls_was_use(every):
    story = Story(5, every).use(3, 10, 5, rate=20).use(1, 10, 5)

    assert told(story, "five_hour").hours("reset_early") == [("reset_early", 3)]


def test_hardly_used_may_seem_untouched_now_and_then():
    story = week(10, used=1)
    for _ in range(5):
        story.full().use(2, 1, DUE)

    assert told(story).events == [("flapping", 10)]


@pytest.mark.parametrize("first", [0, 1])
def test_two_states_in_turn_over_a_due_moment_hide_no_reset_and_make_none(first):
    # Each may be the first to answer after it.
    story = week(95, used=73)
    for _ in range(5):
        story.one(90, 140).one(73, DUE)
    if first:
        story.one(90, 140)
    for _ in range(5):
        story.full().one(90, 140)
    story.untouched(5)

    assert told(story).events == [("flapping", 95), ("reset_scheduled", DUE)]


def test_a_first_answer_after_the_due_moment_that_was_odd_is_forgotten():
    story = week(100, used=73)
    for _ in range(2):
        story.one(90, 140).full()

    result = told(story.untouched(5))

    assert result.events == [("reset_scheduled", DUE), ("flapping", 100.5)]


@pytest.mark.parametrize("times", [1, 2, 3])
def test_nothing_used_in_turn_with_the_truth_over_a_due_moment_makes_no_reset(times):
    story = week(98, used=73)
    for _ in range(2):
        story.full().one(73, DUE)
    for _ in range(times):
        story.full()
    story.use(5, 4, DUE + 168, rate=1)

    assert told(story).events == [("flapping", 98), ("reset_scheduled", DUE)]


def test_one_reading_of_a_new_cycle_is_enough_to_see_it_fall_early():
    story = Story(5, 1).use(5, 20, 5).one(12, 10).untouched(4)

    assert told(story, "five_hour").events == [("reset_scheduled", 5), ("reset_early", 6)]


def test_an_untouched_window_may_flap():
    story = Story().untouched(10)
    for _ in range(5):
        story.one(60, 50).untouched(2)

    assert told(story).events == [("flapping", 10)]


def test_nothing_left_in_a_flap_is_withdrawn_with_it():
    result = told(week(10, used=30).use(2, 100, DUE).use(5, 31, DUE))

    assert result.events == [("flapping", 10)]
    assert result.withdrawn == [("used_up", 10)]
    assert result.open().ran_out_at is None


# ------------------------------------------------------------------- corrections


def test_a_rise_with_a_moved_reset_is_a_correction_and_the_cycle_goes_on():
    result = told(week(10, used=34).use(5, 92, 90).gap(90).untouched(2))

    assert result.events == [("corrected", 10), ("reset_scheduled", 90)]
    assert result.cycles == [("scheduled", 92)]
    assert result.closed()[0].started_at == moment(DUE - 168)


def test_a_correction_waits_for_a_second_reading():
    assert told(week(10, used=34).one(92, 90)).events == []


@pytest.mark.parametrize("rise", [0, 3, 5])
def test_a_moved_reset_with_little_rise_moved_the_boundary(rise):
    result = told(week(10, used=34).use(5, 34 + rise, 90))

    assert result.events == [("boundary_moved", 10)]
    assert result.open().started_at == moment(DUE - 168)


def test_a_correction_that_turns_out_a_flap_is_withdrawn():
    result = told(week(10, used=34).use(5, 92, 90).use(5, 34, DUE))

    assert result.events == [("flapping", 10)]
    assert result.withdrawn == [("corrected", 10)]


def test_a_used_window_that_slides_with_every_answer_moved_its_boundary_once():
    story = week(10, used=5)
    for _ in range(40):
        story.full(5)

    assert told(story).events == [("boundary_moved", 10)]
