"""When an account is asked next: intervals, resets, back-off, and the spread that keeps accounts
apart.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quota_web.core import policy
from quota_web.core.policy import Intervals
from quota_web.core.quota import NOT_BLOCKED, Block, Status

NOW = 1_795_262_400
PACE = Intervals(idle=3_600, active=300)
IDS = range(1, 200)


def next_due(account_id=1, pace=PACE, rose_at=(), resets=(), block=NOT_BLOCKED):
    return policy.after_success(account_id, pace, rose_at, resets, block, NOW)


def waits(status: Status, failures: int, retry_after: int | None = None) -> list[int | None]:
    found = [policy.after_failure(i, status, failures, retry_after, NOW) for i in IDS]
    return [None if at is None else at - NOW for at in found]


def test_an_idle_account_is_asked_at_the_idle_interval_give_or_take_a_tenth():
    found = [next_due(i) for i in IDS]

    assert {seconds for seconds, _ in found} == {3_600}
    assert all(NOW + 3_240 <= at <= NOW + 3_960 for _, at in found)
    assert len({at for _, at in found}) > 100


@pytest.mark.parametrize(
    ("rose_at", "seconds"),
    [
        ((NOW,), 300),
        ((NOW - 1_799,), 300),
        ((NOW - 1_800,), 3_600),
        ((None, NOW - 60), 300),
        ((None,), 3_600),
        ((NOW + 500,), 3_600),
    ],
)
def test_an_account_is_in_use_for_half_an_hour_after_it_rose(rose_at, seconds):
    assert policy.interval(PACE, rose_at, NOW) == seconds


def test_the_active_interval_is_never_longer_than_the_idle_one():
    assert policy.interval(Intervals(idle=60, active=300), [NOW], NOW) == 60


def test_a_reset_that_comes_first_is_looked_at_when_it_is_due():
    assert (
        next_due(resets=[NOW + 1_000, None, NOW + 100_000])[1] == NOW + 1_000 + policy.AFTER_RESET
    )


def test_a_reset_close_ahead_does_not_bring_a_burst():
    assert next_due(resets=[NOW + 1])[1] == NOW + 300


def test_a_reset_in_the_past_changes_nothing():
    assert next_due(resets=[NOW - 5]) == next_due()


def test_an_exhausted_account_is_asked_after_its_reset():
    for pace in (PACE, Intervals(60, 60)):
        found = [next_due(i, pace, block=Block(True, NOW + 1_700))[1] for i in IDS]

        assert all(NOW + 1_705 <= at < NOW + 1_735 for at in found)


@pytest.mark.parametrize(("idle", "wait"), [(3_600, 3_600), (86_400, 86_400), (60, 1_800)])
def test_an_account_exhausted_for_days_is_asked_at_the_idle_interval_but_not_every_minute(
    idle, wait
):
    block = Block(True, NOW + 400_000)
    found = [next_due(i, Intervals(idle, 300), block=block)[1] - NOW for i in IDS]

    assert min(found) == wait
    assert wait < max(found) <= wait * 1.1


@pytest.mark.parametrize(("ago", "seconds"), [(0, 300), (1_799, 300), (1_800, 3_600)])
def test_a_block_that_outlives_its_reset_is_looked_at_soon(ago, seconds):
    assert next_due(resets=[NOW - ago], block=Block(True))[0] == seconds


def test_a_block_without_a_moment_is_looked_at_like_any_other():
    assert next_due(block=Block(True)) == next_due()


@pytest.mark.parametrize("status", [Status.UPSTREAM_ERROR, Status.UNREACHABLE, Status.BAD_RESPONSE])
def test_failures_back_off_to_an_hour(status):
    for failures, wait in ((1, 300), (2, 600), (3, 1_200), (4, 2_400), (5, 3_600), (500, 3_600)):
        assert all(
            found is not None and wait * 0.9 - 1 <= found <= wait * 1.1 + 1
            for found in waits(status, failures)
        )


@pytest.mark.parametrize("status", [Status.FORBIDDEN, Status.ADDRESS_BLOCKED])
def test_refusals_back_off_to_six_hours(status):
    assert all(found is not None and found <= 330 for found in waits(status, 1))
    assert all(found is not None and 19_440 <= found <= 23_760 for found in waits(status, 50))


@pytest.mark.parametrize(
    ("retry_after", "wait"), [(None, 60), (5, 60), (90, 90), (21_600, 21_600), (10**9, 21_600)]
)
def test_a_limited_account_waits_as_long_as_it_was_told_within_reason(retry_after, wait):
    assert set(waits(Status.RATE_LIMITED, 3, retry_after)) == {wait}


@pytest.mark.parametrize("status", [Status.INVALID_CREDENTIALS, Status.EXPIRED, Status.DEACTIVATED])
def test_what_only_a_person_can_mend_is_left_alone(status):
    assert set(waits(status, 1)) == {None}


def test_the_address_is_left_alone_longer_each_time():
    assert [policy.address_block_seconds(times) for times in (0, 1, 2, 3, 5, 50)] == [
        900,
        900,
        1_800,
        3_600,
        14_400,
        21_600,
    ]


@pytest.mark.parametrize(
    ("until", "blocked"),
    [
        (None, False),
        (NOW - 1, False),
        (NOW, False),
        (NOW + 1, True),
        (NOW + 21_600, True),
        (NOW + 21_601, False),
    ],
)
def test_an_address_block_further_ahead_than_any_is_left_from_a_clock_that_jumped(until, blocked):
    assert policy.is_address_blocked(until, NOW) is blocked


@given(st.integers(1, 10**6), st.integers(1, 2_592_000), st.integers(0, 2 * NOW))
def test_a_jitter_stays_within_a_tenth(account_id, seconds, now):
    found = policy.jittered(account_id, seconds, now)

    assert found >= 1
    assert abs(found - seconds) <= seconds * 0.1 + 1


@given(
    st.integers(1, 1000),
    st.builds(Intervals, st.integers(1, 10_000), st.integers(1, 10_000)),
    st.lists(st.none() | st.integers(NOW - 9_999, NOW + 9_999)),
    st.lists(st.none() | st.integers(NOW - 9_999, NOW + 9_999)),
    st.booleans(),
    st.none() | st.integers(NOW - 9_999, NOW + 999_999),
)
def test_no_answer_makes_an_account_due_at_once_or_never_again(
    account_id, pace, rose_at, resets, blocked, until
):
    _, at = policy.after_success(
        account_id, pace, rose_at, resets, Block(blocked, until if blocked else None), NOW
    )

    assert NOW < at <= NOW + max(policy.EXHAUSTED_LEAST, pace.idle) * 1.1 + 1
