"""What explains a reset: a banked one that has gone, a change of plan; what facts tell alone."""

import pytest

from quota_web.foresight import judge
from tests.foresight.stories import RESETS, Story, account, judged, moment, told

#: Hour at which the week of most stories here is due.
DUE = 100


def week(hours: float = 10, used: float = 60, rate: float = 0) -> Story:
    return Story().use(hours, used, DUE, rate)


def early(**changes) -> Story:
    """A week that falls to nothing at hour 10, where the last reading before was at 9.5."""
    return week(10, **changes).untouched(30)


# ------------------------------------------------------------------- banked resets


@pytest.mark.parametrize("gone", [9.6, 10, 10.5, 12])
def test_a_banked_reset_that_goes_in_between_or_is_seen_to_within_two_hours_is_the_cause(gone):
    result = told(early(), credits=[(0, 2), (gone, 1)])

    assert result.hours(*RESETS) == [("reset_banked", 10)]
    assert result.hours("credit_used") == [("credit_used", gone)]
    assert result.cycles == [("banked", 60)]


@pytest.mark.parametrize("gone", [5, 9.5, 12.01, 20])
def test_a_banked_reset_that_goes_at_another_time_is_no_cause(gone):
    result = told(early(), credits=[(0, 2), (gone, 1)])

    assert result.hours(*RESETS) == [("reset_early", 10)]
    assert result.hours("credit_expired") == [("credit_expired", gone)]


def test_a_banked_reset_that_comes_is_no_cause():
    result = told(early(), credits=[(0, 1), (10, 2)])

    assert result.hours(*RESETS) == [("reset_early", 10)]
    assert result.hours("credit_granted") == [("credit_granted", 10)]


def test_how_many_banked_resets_there_were_at_first_is_no_change():
    assert told(week(), credits=[(0, 3), (5, 3)]).events == []


def test_one_banked_reset_may_reset_several_windows():
    five_hour = Story(5).use(5, 0, 6, rate=9)
    five_hour.use(5, 45, 11).untouched(20)
    history = account(weekly=early(), five_hour=five_hour, credits=[(0, 1), (10, 0)])

    events = judged({"alice": history}).events

    kinds = [(str(e.kind), e.window) for e in events if e.kind in RESETS]
    assert ("reset_banked", "weekly") in kinds
    assert ("reset_banked", "five_hour") in kinds
    assert [str(e.kind) for e in events].count("credit_used") == 1


def test_a_scheduled_reset_stays_scheduled_whatever_was_banked():
    result = told(week(99).gap(2).untouched(5), credits=[(0, 1), (100.5, 0)])

    assert result.hours(*RESETS) == [("reset_scheduled", DUE)]


def test_an_early_reset_that_was_told_before_its_cause_was_known_is_withdrawn():
    result = told(early(), credits=[(0, 1), (11.5, 0)])

    assert result.withdrawn == [("reset_early", 10)]
    withdrawn = next(e for e in result.judgement.events if e.withdrawn_at)
    assert withdrawn.withdrawn_at == moment(11.5)


def test_a_flap_uses_up_no_banked_reset():
    story = week(10).untouched(2).use(20, 60, DUE)

    result = told(story, credits=[(0, 1), (10, 0)])

    assert result.events == [("credit_expired", 10), ("flapping", 10)]
    assert result.withdrawn == [("reset_banked", 10)]


def test_a_banked_reset_that_vanishes_waits_twelve_hours_for_its_use():
    story = week(20)

    assert told(story, credits=[(0, 1), (10, 0)]).events == []
    assert told(story.use(3, 60, DUE), credits=[(0, 1), (10, 0)]).events == [("credit_expired", 10)]


# ------------------------------------------------------------------- changes of plan


@pytest.mark.parametrize("seen", [9.7, 10, 12])
def test_a_fall_with_a_change_of_plan_and_the_same_reset_is_that_change_alone(seen):
    story = week(10, used=88).use(10, 18, DUE).gap(85).untouched(2)

    result = told(story, plan=[(0, "plus"), (seen, "pro")])

    assert result.events == [("plan_changed", seen), ("reset_scheduled", DUE)]
    assert result.cycles == [("scheduled", 18)]


@pytest.mark.parametrize("seen", [5, 9.5, 12.1])
def test_a_change_of_plan_at_another_time_explains_nothing(seen):
    result = told(week(10, used=88).use(10, 18, DUE), plan=[(0, "plus"), (seen, "pro")])

    assert result.hours(*RESETS) == [("reset_early", 10)]


@pytest.mark.parametrize(("used", "resets_h"), [(0, 178), (18, 150), (95, 90), (88, 120)])
def test_a_change_of_plan_with_a_moved_reset_is_told_alone_and_ends_the_cycle(used, resets_h):
    story = week(10, used=88).use(10, used, resets_h)

    result = told(story, plan=[(0, "plus"), (10, "pro")])

    assert result.events == [("plan_changed", 10)]
    assert result.cycles == [("plan", 88)]
    assert result.closed()[0].ended_at == moment(10)


def test_a_change_of_plan_goes_before_a_banked_reset():
    result = told(early(), plan=[(0, "plus"), (10, "pro")], credits=[(0, 1), (10, 0)])

    assert result.hours(*RESETS) == []


def test_what_was_told_before_the_plan_was_known_is_withdrawn():
    fall = told(early(), plan=[(0, "plus"), (11.5, "pro")])
    moved = told(week(10, used=34).use(10, 92, 90), plan=[(0, "plus"), (11.5, "pro")])

    assert (fall.events, fall.withdrawn) == ([("plan_changed", 11.5)], [("reset_early", 10)])
    assert (moved.events, moved.withdrawn) == ([("plan_changed", 11.5)], [("corrected", 10)])


def test_a_change_of_plan_alone_is_told_with_both_plans():
    history = account(weekly=week(), plan=[(0, "plus"), (3, "plus"), (5, "pro"), (7, "plus")])

    events = judge({"alice": history}, moment(20)).events

    assert [(e.at, e.window, dict(e.data)) for e in events] == [
        (moment(5), None, {"before": "plus", "after": "pro"}),
        (moment(7), None, {"before": "pro", "after": "plus"}),
    ]


def test_a_change_of_plan_does_not_stand_for_a_scheduled_reset():
    result = told(week(99).gap(2).untouched(5), plan=[(0, "plus"), (100.5, "pro")])

    assert result.hours(*RESETS) == [("reset_scheduled", DUE)]


def test_facts_of_later_than_now_are_not_judged():
    history = account(weekly=early(), plan=[(0, "plus"), (11, "pro")])

    events = judge({"alice": history}, moment(10.9)).events

    assert [str(e.kind) for e in events] == ["reset_early"]
