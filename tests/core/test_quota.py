"""The nouns and rules of quota: keys by length, labels, what remains, and when an account is
blocked.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quota_web.core import quota
from quota_web.core.quota import Block, Credits, Facts, ModelUsage, Reading

NOW = 1_795_262_400
HOUR = 3_600

FREE = Facts(allowed=True, limit_reached=False)
FULL = Facts(allowed=False, limit_reached=True)
PAYING = Credits(True, balance="5")
#: When the answers were taken.
TAKEN = NOW - 600


def five_hour(used: float, resets_at: int | None = NOW + HOUR) -> Reading:
    return Reading(quota.FIVE_HOUR, used, resets_at, 18_000)


def weekly(used: float, resets_at: int | None = NOW + 48 * HOUR) -> Reading:
    return Reading(quota.WEEKLY, used, resets_at, 604_800)


@pytest.mark.parametrize(
    ("seconds", "key"),
    [
        (18_000, "five_hour"), (17_100, "five_hour"), (18_900, "five_hour"),
        (17_099, "window:17099"), (18_901, "window:18901"),
        (86_400, "daily"), (604_800, "weekly"), (574_560, "weekly"), (635_040, "weekly"),
        (635_041, "window:635041"),
        (2_592_000, "monthly"), (2_628_000, "monthly"), (2_592_001, "monthly"),
        (3_600, "window:3600"), (1_800, "window:1800"), (1, "window:1"),
    ],
)  # fmt: skip
def test_a_window_is_called_by_its_length(seconds, key):
    assert quota.key_for_length(seconds) == key


@pytest.mark.parametrize(
    ("key", "own"),
    [
        ("five_hour", True), ("unknown", True), ("window:3600", True), ("spend", False),
        ("model:codex_bengalfox:weekly", False), ("code_review:weekly", False),
    ],
)  # fmt: skip
def test_limits_of_models_reviews_and_spending_are_not_the_accounts_own(key, own):
    assert quota.is_own(key) is own


ASTRA, RESERVE = "GPT-6-Astra", "gpt-reserve"
ALONE, ASTRA_KEY, RESERVE_KEY = (
    "model:b:weekly",
    "model:b~GPT-6-Astra:weekly",
    "model:b~gpt-reserve:weekly",
)


@pytest.mark.parametrize(
    ("known", "answer", "keys"),
    [
        ([], [(ALONE, RESERVE)], [ALONE]),
        ([], [(ASTRA_KEY, ASTRA), (RESERVE_KEY, RESERVE)], [ASTRA_KEY, RESERVE_KEY]),
        # It was alone, and another one came.
        ([(ALONE, RESERVE)], [(ASTRA_KEY, ASTRA), (RESERVE_KEY, RESERVE)], [ASTRA_KEY, ALONE]),
        # There were two, and one went.
        ([(ASTRA_KEY, ASTRA), (RESERVE_KEY, RESERVE)], [(ALONE, RESERVE)], [RESERVE_KEY]),
        ([(ASTRA_KEY, ASTRA), (ALONE, RESERVE)], [(ALONE, ASTRA)], [ASTRA_KEY]),
        # It is called something else now.
        ([(ALONE, "Spark")], [(ALONE, "Spark 2")], [ALONE]),
        # Another word, another feature, and no name at all.
        ([("model:b:five_hour", ASTRA)], [(ASTRA_KEY, ASTRA)], [ASTRA_KEY]),
        ([("model:c:weekly", ASTRA)], [(ASTRA_KEY, ASTRA)], [ASTRA_KEY]),
        ([(ALONE, None), ("weekly", None)], [(ALONE, None), ("weekly", None)], [ALONE, "weekly"]),
        # Never two readings under one key.
        ([(ALONE, RESERVE)], [(RESERVE_KEY, RESERVE), (ALONE, None)], [RESERVE_KEY, ALONE]),
    ],
)
def test_a_models_limit_keeps_its_key_while_others_come_and_go(known, answer, keys):
    def readings(windows):
        return [Reading(key, 7, upstream_name=name) for key, name in windows]

    found = quota.with_known_keys(readings(answer), readings(known))

    assert [r.key for r in found] == keys


@pytest.mark.parametrize(
    ("used", "remaining"), [(0, 100), (12, 88), (37.5, 62.5), (100, 0), (107, 0), (-3, 100)]
)
def test_what_remains_is_kept_between_nothing_and_all(used, remaining):
    assert quota.remaining(used) == remaining


@pytest.mark.parametrize(
    ("credits", "allowed", "usable"),
    [
        (None, True, False),
        (Credits(False, balance="5"), True, False),
        (Credits(True, unlimited=True), False, True),
        (Credits(True, balance="14"), False, True),
        (Credits(True, balance="0"), True, False),
        (Credits(True, balance="0E-10"), True, False),
        (Credits(True, balance="-1"), True, False),
        (Credits(True, balance=None), True, False),
        (Credits(True, balance=None), None, False),
        (Credits(True, balance=None), False, False),
        (Credits(True, unlimited=True, overage_limit_reached=True), True, False),
        (Credits(True, balance="nonsense"), True, False),
        (Credits(True, balance="NaN"), True, False),
    ],
)
def test_credits_help_only_where_there_are_some(credits, allowed, usable):
    assert quota.usable_credits(Facts(allowed=allowed, credits=credits)) is usable


BLOCKS = {
    "nothing exhausted": (FREE, [five_hour(99.9), weekly(60)], Block(False)),
    "no windows at all": (FREE, [], Block(False)),
    "not allowed, without a moment": (FULL, [five_hour(12)], Block(True)),
    "one exhausted": (FULL, [five_hour(100), weekly(60)], Block(True, NOW + HOUR)),
    "exhausted although nothing says so": (Facts(), [weekly(100)], Block(True, NOW + 48 * HOUR)),
    "exhausted beyond": (Facts(), [weekly(104)], Block(True, NOW + 48 * HOUR)),
    "both exhausted, until the later": (
        FULL,
        [five_hour(100), weekly(100)],
        Block(True, NOW + 48 * HOUR),
    ),
    "exhausted without a reset": (FULL, [five_hour(100, None)], Block(True)),
    "exhausted, credits pay": (Facts(allowed=True, credits=PAYING), [five_hour(100)], Block(False)),
    "not allowed, but credits pay": (
        Facts(allowed=False, limit_reached=True, credits=PAYING),
        [five_hour(100)],
        Block(False),
    ),
    "not allowed, and unlimited credits pay": (
        Facts(allowed=False, limit_reached=True, credits=Credits(True, unlimited=True)),
        [weekly(100)],
        Block(False),
    ),
    "not allowed, and the credits' own limit is reached": (
        Facts(allowed=False, credits=Credits(True, balance="5", overage_limit_reached=True)),
        [five_hour(100)],
        Block(True, NOW + HOUR),
    ),
    "not allowed, and a pool of unknown amount": (
        Facts(allowed=False, credits=Credits(True)),
        [five_hour(100)],
        Block(True, NOW + HOUR),
    ),
    "a reached limit that credits lift": (
        Facts(reached_type="rate_limit_reached", credits=PAYING),
        [five_hour(100)],
        Block(False),
    ),
    "a workspace out of credits, whatever the account's own are": (
        Facts(reached_type="workspace_member_credits_depleted", credits=PAYING),
        [weekly(100)],
        Block(True, NOW + 48 * HOUR),
    ),
    "a workspace's usage limit, whatever the account's own credits are": (
        Facts(allowed=True, reached_type="workspace_owner_usage_limit_reached", credits=PAYING),
        [weekly(3)],
        Block(True),
    ),
    "a spend limit, whatever the account's own credits are": (
        Facts(allowed=True, spend_reached=True, credits=PAYING),
        [weekly(3)],
        Block(True),
    ),
    "full, and the answer allows it": (FREE, [weekly(100)], Block(False)),
    "full, allowed, and the answer does not say whether a limit is reached": (
        Facts(allowed=True),
        [weekly(100)],
        Block(True, NOW + 48 * HOUR),
    ),
    "a limit is reached, without any percent": (Facts(limit_reached=True), [], Block(True)),
    "a limit is reached although it is allowed": (
        Facts(allowed=True, limit_reached=True),
        [weekly(100)],
        Block(True, NOW + 48 * HOUR),
    ),
    "another reached type": (Facts(allowed=True, reached_type="new"), [weekly(3)], Block(True)),
    "a model's window does not block the account": (
        FREE,
        [Reading("model:x:weekly", 100, NOW + HOUR)],
        Block(False),
    ),
    "nor does code review": (FREE, [Reading("code_review:weekly", 100, NOW + HOUR)], Block(False)),
    "a reached type": (
        Facts(allowed=True, reached_type="workspace_owner_credits_depleted"),
        [five_hour(3)],
        Block(True),
    ),
    "a spend limit": (
        Facts(allowed=True, spend_reached=True),
        [five_hour(3), Reading("spend", 103, NOW + 9 * HOUR)],
        Block(True, NOW + 9 * HOUR),
    ),
    "a spend limit without numbers": (
        Facts(allowed=True, spend_reached=True),
        [five_hour(3)],
        Block(True),
    ),
    "reset since": (FULL, [five_hour(100, NOW)], Block(False)),
    "reset past when it was taken": (FULL, [five_hour(100, TAKEN)], Block(True)),
    "one reset past when it was taken, the other ahead": (
        FULL,
        [five_hour(100, TAKEN - 300), weekly(100)],
        Block(True, NOW + 48 * HOUR),
    ),
    "one reset past when it was taken, the other since": (
        FULL,
        [five_hour(100, TAKEN - 300), weekly(100, NOW)],
        Block(False),
    ),
    "one reset since, the other's is not known": (
        FULL,
        [five_hour(100, NOW), weekly(100, None)],
        Block(True),
    ),
    "spend limit reset since, a window not": (
        Facts(spend_reached=True),
        [weekly(100), Reading("spend", 103, NOW)],
        Block(True, NOW + 48 * HOUR),
    ),
    "only one of two reset since": (
        FULL,
        [five_hour(100, NOW - 1), weekly(100)],
        Block(True, NOW + 48 * HOUR),
    ),
    "spend limit reset since": (
        Facts(allowed=True, spend_reached=True),
        [Reading("spend", 103, NOW)],
        Block(False),
    ),
}


@pytest.mark.parametrize("case", BLOCKS)
def test_an_account_is_blocked_when_it_cannot_be_used_now(case):
    facts, windows, block = BLOCKS[case]

    assert quota.block_state(facts, windows, TAKEN, NOW) == block


def test_a_block_ends_by_itself_at_the_last_reset():
    windows = [five_hour(100), weekly(100, NOW + 2 * HOUR)]
    moments = (NOW, NOW + HOUR, NOW + 2 * HOUR - 1, NOW + 2 * HOUR)

    assert [quota.block_state(FULL, windows, TAKEN, at).blocked for at in moments] == [
        True,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("facts", "windows", "until"),
    [
        (FULL, [five_hour(100)], NOW + HOUR),
        (FULL, [five_hour(100), weekly(100)], NOW + 48 * HOUR),
        (FULL, [five_hour(100), weekly(100, NOW + 90 * HOUR)], TAKEN + 72 * HOUR),
        (FULL, [five_hour(100, NOW)], None),
        (FULL, [five_hour(100, TAKEN)], None),
        (FULL, [five_hour(100, None)], None),
        (FULL, [five_hour(12)], None),
        (FREE, [five_hour(99)], None),
        (Facts(allowed=True, credits=Credits(True, unlimited=True)), [five_hour(100)], None),
    ],
)
def test_asking_is_pointless_only_until_a_blocking_window_resets(facts, windows, until):
    assert quota.cached_until(facts, windows, TAKEN, NOW, 72 * HOUR) == until


def test_a_model_is_unavailable_until_its_moment():
    models = (
        ModelUsage("later", False, NOW + 1),
        ModelUsage("by now", False, NOW),
        ModelUsage("who knows when", False),
        ModelUsage("usable", True),
    )
    found = quota.unavailable_models(Facts(model_usage=models), NOW)

    assert [usage.model for usage in found] == ["later", "who knows when"]


@pytest.mark.parametrize(
    ("taken_at", "cache_s", "answers"),
    [
        (NOW - 899, 900, True),
        (NOW - 900, 900, False),
        (NOW - 60, 60, False),
        (NOW, 0, False),
        (NOW, 1, True),
        (NOW + 1, 900, False),
    ],
)
def test_a_stored_reading_answers_only_while_it_is_young(taken_at, cache_s, answers):
    until = quota.cached_until(FULL, [weekly(100)], taken_at, NOW, cache_s)

    assert until == (taken_at + cache_s if answers else None)


readings = st.lists(
    st.builds(
        Reading,
        st.sampled_from(["five_hour", "weekly", "monthly", "unknown", "spend", "model:x:weekly"]),
        st.floats(0, 200),
        st.none() | st.integers(NOW - 1000, NOW + 1000),
    ),
    max_size=5,
)
facts = st.builds(
    Facts,
    st.none(),
    st.none() | st.booleans(),
    st.none() | st.booleans(),
    st.none() | st.just("rate_limit_reached"),
    st.booleans(),
    st.none(),
)


@given(facts, readings, st.integers(NOW - 1500, NOW + 500), st.integers(0, 1500))
def test_no_block_is_ahead_that_does_not_end_and_no_cache_without_a_block(
    facts, windows, taken_at, cache_s
):
    state = quota.block_state(facts, windows, taken_at, NOW)
    cached = quota.cached_until(facts, windows, taken_at, NOW, cache_s)

    assert state.blocked or state.until is None
    assert state.until is None or state.until > max(taken_at, NOW)
    assert cached is None or (state.until is not None and NOW < cached <= state.until)
    assert cached is None or not quota.cached_until(facts, windows, taken_at, cached, cache_s)
