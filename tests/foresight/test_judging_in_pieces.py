"""Judging readings in pieces with the state stored between, and whole: always the same."""

import random
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from operator import itemgetter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quota_web.foresight import AccountHistory, Judge, Judgement, WindowReadings, judge
from quota_web.foresight.causes import AccountJudge
from quota_web.foresight.reset_detection import WindowJudge
from tests.foresight.stories import DAY, HOUR, START, Story, account, moment, wild

LIVES = settings(max_examples=60, deadline=None)


def stored_and_loaded(whole: Judge) -> Judge:
    """Another judge from what would be stored of *whole*."""
    loaded = Judge()
    for name, one in whole.accounts.items():
        copy = AccountJudge.from_json(one.facts_to_json())
        for key, window in one.windows.items():
            copy.windows[key] = WindowJudge.from_json(window.to_json())
        loaded.accounts[name] = copy
    return loaded


def chunks(
    accounts: Mapping[str, AccountHistory],
    step_s: int,
    end: int,
) -> Iterator[tuple[int, dict[str, AccountHistory]]]:
    """What each stretch of *step_s* brought, with its end."""
    for since in range(START, end, step_s):
        until = min(since + step_s, end)

        yield until, {name: _between(history, since, until) for name, history in accounts.items()}


def _between(history: AccountHistory, since: int, until: int) -> AccountHistory:
    def inside(rows):
        first, end = (bisect_left(rows, at, key=itemgetter(0)) for at in (since, until))
        return rows[first:end]

    windows = history.windows.items()
    return AccountHistory(
        {key: WindowReadings(w.length_s, inside(w.readings)) for key, w in windows},
        inside(history.plan),
        inside(history.reset_credits),
    )


def feed(whole: Judge, accounts: Mapping[str, AccountHistory]) -> None:
    for name, history in accounts.items():
        one = whole.account(name)
        for since, plan in history.plan:
            one.feed_plan(since, plan)
        for since, count in history.reset_credits:
            one.feed_credits(since, count)
        for key, window in history.windows.items():
            one.window(key, window.length_s).feed(window.readings)


def in_pieces(accounts: Mapping[str, AccountHistory], step_s: int, end: int) -> list[Judgement]:
    """What was handed out for good piece by piece, and at last all that was not."""
    whole, parts = Judge(), []
    for until, piece in chunks(accounts, step_s, end):
        whole = stored_and_loaded(whole)
        feed(whole, piece)
        parts.append(whole.settle(until))
    return [*parts, whole.judgement(end)]


def sums(parts: list[Judgement]) -> tuple[list, dict]:
    events = sorted((e for part in parts for e in part.events), key=repr)
    cycles: dict = defaultdict(tuple)
    for part in parts:
        for key, rows in part.cycles.items():
            cycles[key] += rows
    return events, dict(cycles)


@LIVES
@given(st.integers(0, 2**32), st.integers(1, 5), st.sampled_from([1, 7, 30]))
def test_a_life_judged_in_pieces_comes_to_what_it_comes_to_whole(seed, accounts, hours):
    end = START + 20 * DAY
    lives = wild(random.Random(seed), accounts, 19 * 24)

    whole = judge(lives, end)
    parts = in_pieces(lives, hours * HOUR, end)

    events, cycles = sums(parts)
    assert events == sums([whole])[0]
    assert cycles == dict(whole.cycles)
    assert parts[-1].open_cycles == whole.open_cycles


def test_a_banked_reset_that_was_none_is_settled_as_expired():
    story = Story().use(10, 60, 100).untouched(5).use(60, 60, 100)
    lives = {"alice": account(weekly=story, credits=[(0, 1), (10, 0)])}
    end = moment(80)

    events, _ = sums(in_pieces(lives, HOUR, end))

    assert events == sums([judge(lives, end)])[0]
    assert "credit_expired" in [e.kind for e in events]


def test_what_is_kept_of_a_quiet_window_is_little():
    whole = Judge()
    feed(whole, {"alice": account(weekly=Story(every_h=0.1).use(160, 0, 168, rate=0.5))})

    whole.settle(moment(160))

    assert len(whole.accounts["alice"].windows["weekly"].to_json()) < 400


def test_the_state_of_another_version_is_refused():
    with pytest.raises(ValueError, match="judge the readings again"):
        WindowJudge.from_json("[0]")


@LIVES
@given(st.integers(0, 2**32))
def test_in_any_life_each_cycle_ends_with_one_standing_event_of_its_kind(seed):
    judgement = judge(wild(random.Random(seed), 3, 15 * 24), START + 20 * DAY)

    standing = [e for e in judgement.events if e.withdrawn_at is None]
    for (name, window), cycles in judgement.cycles.items():
        mine = [e for e in standing if (e.account, e.window) == (name, window)]
        for how in ("scheduled", "early", "banked"):
            ends = [c.ended_at for c in cycles if c.how == how]
            assert ends == [e.at for e in mine if e.kind == f"reset_{how}"]
    parts = sum(len(e.data["parts"]) for e in standing if e.kind == "reset_provider")
    assert parts == sum(c.how == "provider" for rows in judgement.cycles.values() for c in rows)


@LIVES
@given(st.integers(0, 2**32))
def test_in_any_life_cycles_follow_each_other_and_add_up(seed):
    judgement = judge(wild(random.Random(seed), 2, 15 * 24), START + 20 * DAY)

    for cycles in judgement.cycles.values():
        for cycle in cycles:
            assert cycle.peak >= (cycle.used_at_reset or 0)
            assert (cycle.wasted or 0) + min(100, cycle.used_at_reset or 0) == 100
            assert cycle.hours_at_zero == 0 or cycle.ran_out_at is not None
            assert cycle.readings > 0
        ends = [cycle.ended_at or 0 for cycle in cycles]
        assert ends == sorted(ends)
