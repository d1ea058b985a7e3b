"""Wire JSON becomes a snapshot: windows by their length, nothing measured that was not, each
section by itself.
"""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quota_web.codex.payload import MAX_READINGS, BadPayload, parse
from quota_web.core import labels, quota
from quota_web.core.quota import Credits, Identity, ModelUsage, Reading, Spend
from tests.fakes import NOW, usage_body

HOUR, DAY, WEEK = 3_600, 86_400, 604_800
SOON, LATER = NOW + 2 * HOUR, NOW + 5 * DAY


def window(
    used: object = 12, length: object = 18_000, reset: object = SOON, **more: object
) -> dict[str, object]:
    return {"used_percent": used, "limit_window_seconds": length, "reset_at": reset, **more}


def limits(primary: object = None, secondary: object = None, **more: object) -> dict[str, object]:
    return {"rate_limit": {"primary_window": primary, "secondary_window": secondary, **more}}


def keyed(document: object) -> dict[str, tuple[float, int | None, int | None]]:
    return {r.key: (r.used_percent, r.resets_at, r.length_s) for r in parse(document, NOW).readings}


#: What an answer says → its windows as (used percent, reset, length).
WINDOWS: dict[str, tuple[object, dict[str, tuple[float, int | None, int | None]]]] = {
    "both": (limits(window(12), window(40, WEEK, LATER)),
             {"five_hour": (12, SOON, 18_000), "weekly": (40, LATER, WEEK)}),
    "slots swapped": (limits(window(40, WEEK, LATER), window(12)),
                      {"five_hour": (12, SOON, 18_000), "weekly": (40, LATER, WEEK)}),
    "weekly in primary": (limits(window(40, WEEK, LATER)), {"weekly": (40, LATER, WEEK)}),
    "monthly": (limits(window(5, 2_628_000, LATER)), {"monthly": (5, LATER, 2_628_000)}),
    "daily": (limits(window(5, DAY)), {"daily": (5, SOON, DAY)}),
    "another length": (limits(window(5, 3_600)), {"window:3600": (5, SOON, 3_600)}),
    "just within five percent": (limits(window(5, 18_900)), {"five_hour": (5, SOON, 18_900)}),
    "just beyond": (limits(window(5, 18_901)), {"window:18901": (5, SOON, 18_901)}),
    "third slot": ({"rate_limit": {"tertiary_window": window(7)}},
                   {"five_hour": (7, SOON, 18_000)}),
    "section null": ({"plan_type": "enterprise", "rate_limit": None}, {}),
    "one percent is one percent": (limits(window(1)), {"five_hour": (1, SOON, 18_000)}),
    "half a percent": (limits(window(0.5)), {"five_hour": (0.5, SOON, 18_000)}),
    "percent as text": (limits(window("37.5")), {"five_hour": (37.5, SOON, 18_000)}),
    "percent with sign": (limits(window("62.5%")), {"five_hour": (62.5, SOON, 18_000)}),
    "beyond a hundred": (limits(window(104)), {"five_hour": (104, SOON, 18_000)}),
    "no usable percent": (limits(window("oops"), window(40, WEEK, LATER)),
                          {"weekly": (40, LATER, WEEK)}),
    "percent null": (limits(window(None)), {}),
    "percent true": (limits(window(True)), {}),
    "percent a list": (limits(window([12])), {}),
    "percent negative": (limits(window(-3)), {}),
    "percent not finite": (limits(window(math.nan), window(math.inf, WEEK)), {}),
    "percent beyond reason": (limits(window(1e300)), {}),
    "percent of 400 digits": (limits(window(10**400)), {}),
    "percent missing": (limits({"limit_window_seconds": 18_000, "reset_at": SOON}), {}),
    "empty object": (limits({}), {}),
    "window a number": (limits(12, "x"), {}),
    "placeholder": (limits(window(64, WEEK, LATER), window(0, 0, 0, reset_after_seconds=0)),
                    {"weekly": (64, LATER, WEEK)}),
    "switched off, a week ahead": (limits(window(12), window(0, 0, NOW + WEEK)),
                                   {"five_hour": (12, SOON, 18_000)}),
    "switched off, due now": (limits(window(12), window(0, 0, NOW)),
                              {"five_hour": (12, SOON, 18_000)}),
    "switched off, half used": (limits(window(50, 0, LATER)), {}),
    "negative length": (limits(window(0, -1, LATER)), {}),
    "length 0 as text": (limits(window(0, "0", LATER)), {}),
    "length of no minutes": ({"rate_limits": {"primary": {"used_percent": 0, "window_minutes": 0,
                                                          "resets_at": LATER}}}, {}),
    "switched off, whatever its name": ({"rate_limit": None, "weekly_limit": window(7, 0, LATER)},
                                        {}),
    "length 0, and one in minutes": (limits(window(7, 0, SOON, window_minutes=300)),
                                     {"five_hour": (7, SOON, 18_000)}),
    "bare zero": (limits({"used_percent": 0}), {}),
    "placeholder with a name": ({"five_hour_limit": window(0, 0, 0), "rate_limit": None}, {}),
    "untouched but real": (limits(window(0, 18_000, None)), {"five_hour": (0, None, 18_000)}),
    "only a percent": (limits({"used_percent": 100}), {"unknown": (100, None, None)}),
    "no length, weekly ahead": (limits({"used_percent": 40, "reset_at": LATER}),
                                {"weekly": (40, LATER, None)}),
    "no length, a day ahead": (limits({"used_percent": 40, "reset_at": NOW + DAY}),
                               {"unknown": (40, NOW + DAY, None)}),
    "no length, eight days ahead": (limits({"used_percent": 40, "reset_at": NOW + 8 * DAY}),
                                    {"weekly": (40, NOW + 8 * DAY, None)}),
    "no length, nine days ahead": (limits({"used_percent": 40, "reset_at": NOW + 9 * DAY}),
                                   {"unknown": (40, NOW + 9 * DAY, None)}),
    "length null, hours ahead": (limits(window(40, None)), {"unknown": (40, SOON, None)}),
    "length nonsense": (limits(window(40, "five hours")), {"unknown": (40, SOON, None)}),
    "length absurd": (limits(window(40, 1e300)), {"unknown": (40, SOON, None)}),
    "length as text": (limits(window(40, "18000")), {"five_hour": (40, SOON, 18_000)}),
    "the name says it": ({"five_hour": {"percent_left": 88},
                          "weekly": {"percent_left": 60, "reset_at": LATER}},
                         {"five_hour": (12, None, None), "weekly": (40, LATER, None)}),
    "the length says more than the name": ({"five_hour_limit": window(40, WEEK, LATER)},
                                           {"weekly": (40, LATER, WEEK)}),
    "names with rate limit": ({"five_hour_rate_limit": {"remaining_percent": 88},
                               "weekly_rate_limit": {"remaining_percent": "60"}},
                              {"five_hour": (12, None, None), "weekly": (40, None, None)}),
    "nested once more": ({"five_hour_limit": {"primary_window": {"used_percent": 12,
                                                                "reset_at": SOON}}},
                         {"five_hour": (12, SOON, None)}),
    "nested by slot": ({"rate_limit": {"primary": {"primary_window": window(12)}}},
                       {"five_hour": (12, SOON, 18_000)}),
    "rate_limits": ({"rate_limits": {"primary": window(12), "secondary": window(40, WEEK, LATER)}},
                    {"five_hour": (12, SOON, 18_000), "weekly": (40, LATER, WEEK)}),
    "minutes": ({"rate_limits": {"primary": {"used_percent": 12, "window_duration_mins": 300,
                                             "resets_at": SOON}}},
                {"five_hour": (12, SOON, 18_000)}),
    "camel case": ({"rateLimit": {"primaryWindow": {"usedPercent": 12, "limitWindowSeconds": 18_000,
                                                    "resetAt": SOON}}},
                   {"five_hour": (12, SOON, 18_000)}),
    "left is used when used is broken": (limits(window("?", remaining_percent=30)),
                                         {"five_hour": (70, SOON, 18_000)}),
    "left below zero": (limits({"remaining_percent": -4, "limit_window_seconds": 18_000}),
                        {"five_hour": (104, None, 18_000)}),
    "left beyond a hundred": (limits({"remaining_percent": 101, "limit_window_seconds": 18_000}),
                              {}),
    "twice the same": ({**limits(window(12)), "five_hour": {"percent_left": 88}},
                       {"five_hour": (12, SOON, 18_000)}),
}  # fmt: skip

RESETS: dict[str, tuple[dict[str, object], int | None]] = {
    "seconds": ({"reset_at": SOON}, SOON),
    "text": ({"reset_at": str(SOON)}, SOON),
    "float": ({"reset_at": SOON + 0.7}, SOON),
    "milliseconds": ({"reset_at": SOON * 1000}, SOON),
    "milliseconds by name": ({"reset_time_ms": SOON * 1000 + 5}, SOON),
    "ISO": ({"resets_at": "2026-11-21T14:00:00Z"}, SOON),
    "ISO with an offset": ({"resets_at": "2026-11-21T22:00:00+08:00"}, SOON),
    "ISO without a zone": ({"resets_at": "2026-11-21T14:00:00"}, SOON),
    "relative": ({"reset_after_seconds": 600}, NOW + 600),
    "absolute before relative": ({"reset_at": SOON, "reset_after_seconds": 600}, SOON),
    "zero, then relative": ({"reset_at": 0, "reset_after_seconds": 600}, NOW + 600),
    "long past, then relative": ({"reset_at": NOW - DAY, "reset_after_seconds": 600}, NOW + 600),
    "a little past": ({"reset_at": NOW - 60}, NOW - 60),
    "too far, then relative": (
        {"reset_at": NOW + 400 * DAY, "reset_after_seconds": 600},
        NOW + 600,
    ),
    "far but possible": ({"reset_at": NOW + 399 * DAY}, NOW + 399 * DAY),
    "absurd": ({"reset_at": 1.7976931348623157e308}, None),
    "absurd relative": ({"reset_after_seconds": 1.7976931348623157e308}, None),
    "relative too far": ({"reset_after_seconds": 401 * DAY}, None),
    "relative zero": ({"reset_after_seconds": 0}, None),
    "relative negative": ({"reset_after_seconds": -5}, None),
    "true": ({"reset_at": True}, None),
    "year 1": ({"reset_at": "0001-01-01T00:00:00+23:59"}, None),
    "year 9999": ({"reset_at": "9999-12-31T23:59:59-23:59"}, None),
    "words": ({"reset_at": "tomorrow, maybe"}, None),
    "object": ({"reset_at": {"at": SOON}}, None),
    "nothing": ({}, None),
}


@pytest.mark.parametrize("case", WINDOWS)
def test_windows(case):
    document, expected = WINDOWS[case]

    assert keyed(document) == expected


@pytest.mark.parametrize("case", RESETS)
def test_resets(case):
    fields, expected = RESETS[case]

    [reading] = parse(
        limits({"used_percent": 12, "limit_window_seconds": 18_000, **fields}), NOW
    ).readings

    assert (reading.resets_at, reading.used_percent) == (expected, 12)


def test_of_two_windows_of_one_kind_the_fuller_stays_and_is_marked():
    for pair in ([window(12), window(30)], [window(30), window(12)]):
        assert parse(limits(*pair), NOW).readings == (
            Reading("five_hour", 30, SOON, 18_000, conflict=True),
        )


def test_a_placeholder_is_no_conflict():
    assert parse(limits(window(64, WEEK, LATER), window(0, None, 0)), NOW).readings == (
        Reading("weekly", 64, LATER, WEEK),
    )


def test_limits_of_models_and_code_review_never_fill_the_accounts_own():
    spark: dict[str, object] = {
        "primary_window": window(3),
        "secondary_window": window(46, WEEK, LATER),
    }
    document = {
        **limits(window(68, WEEK, LATER)),
        "additional_rate_limits": [
            {"limit_name": "Spark", "metered_feature": "codex_x", "rate_limit": spark},
            None,
            5,
            {"limit_name": "empty"},
        ],
        "code_review_rate_limit": {"primary_window": window(9, WEEK, LATER)},
    }

    assert parse(document, NOW).readings == (
        Reading("weekly", 68, LATER, WEEK),
        Reading("code_review:weekly", 9, LATER, WEEK),
        Reading("model:codex_x:five_hour", 3, SOON, 18_000, "Spark"),
        Reading("model:codex_x:weekly", 46, LATER, WEEK, "Spark"),
    )


def test_limits_of_models_come_as_a_map_too():
    document = {
        **limits(window(1)),
        "additional_rate_limits": {"codex_x": {"primary_window": window(3)}},
    }

    assert set(keyed(document)) == {"five_hour", "model:codex_x:five_hour"}


@pytest.mark.parametrize(
    ("feature", "key"),
    [
        ("a:b c/d", "a_b_c_d"),
        ("x" * 500, "x" * 64),
        ("é\0\n", "_"),
        (None, "The_name"),
        (7, "The_name"),
    ],
)
def test_a_models_key_holds_safe_characters_alone(feature, key):
    document = {
        "additional_rate_limits": [
            {
                "metered_feature": feature,
                "limit_name": "The name",
                "rate_limit": {"primary_window": window(3)},
            }
        ]
    }

    assert list(keyed(document)) == [f"model:{key}:five_hour"]


def test_the_local_app_servers_answer_reads_the_same():
    own = {"limitId": "codex",
           "primary": {"usedPercent": 57, "windowDurationMins": 300, "resetsAt": SOON},
           "planType": "plus",
           "credits": {"hasCredits": True, "unlimited": False, "balance": "5.50"}}  # fmt: skip
    other = {
        "limitId": "codex_x",
        "limitName": "Spark",
        "primary": {"usedPercent": 2, "windowDurationMins": 300, "resetsAt": SOON},
    }
    by_id = {"codex": own, "codex_x": other}
    expected = {"five_hour": (57, SOON, 18_000), "model:codex_x:five_hour": (2, SOON, 18_000)}

    assert keyed({"id": 3, "result": {"rateLimits": own, "rateLimitsByLimitId": by_id}}) == expected
    assert keyed({"id": 3, "result": {"rateLimitsByLimitId": by_id}}) == expected
    facts = parse({"result": {"rateLimits": own}}, NOW).facts
    assert (facts.plan, facts.credits) == ("plus", Credits(True, False, "5.50"))


SPARK = {
    "limitId": "codex_x",
    "limitName": "Spark",
    "primary": {"usedPercent": 2, "windowDurationMins": 300, "resetsAt": SOON},
}
OWN = {
    "limitId": "codex",
    "primary": {"usedPercent": 93, "windowDurationMins": 10_080, "resetsAt": LATER},
    "planType": "pro",
    "allowed": False,
}
ONLY_SPARK: dict[str, object] = {"model:codex_x:five_hour": (2, SOON, 18_000)}
BOTH = {**ONLY_SPARK, "weekly": (93, LATER, WEEK)}
#: Answers in which a section names the limit that it is of.
NAMED: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "another limit first": (
        {"rateLimits": SPARK, "rateLimitsByLimitId": {"codex_x": SPARK, "codex": OWN}},
        BOTH,
    ),
    "another limit alone": ({"rateLimits": SPARK}, ONLY_SPARK),
    "the own one in the other section": ({"rate_limit": SPARK, "rate_limits": OWN}, BOTH),
    "the own one in the list of additional ones": (
        {"rate_limit": SPARK, "additional_rate_limits": [OWN]},
        BOTH,
    ),
    "the same as a map": ({"rate_limit": SPARK, "additional_rate_limits": {"a": OWN}}, BOTH),
    "an item that is not what its name in the list says": (
        {"rateLimitsByLimitId": {"codex": SPARK, "other": OWN}},
        BOTH,
    ),
    "an item that names itself inside": (
        {"rateLimits": OWN,
         "additional_rate_limits": [{"rate_limit": SPARK, "limit_name": "Spark"}]},
        BOTH,
    ),
    "no wrapping at all": (dict(SPARK), ONLY_SPARK),
    "the own one twice": ({"rateLimits": OWN,
                           "rateLimitsByLimitId": {"codex": OWN, "codex_x": SPARK}}, BOTH),
    "a name that is no text": (
        {"rate_limit": {**OWN, "limitId": 7}, "additional_rate_limits": [SPARK]},
        BOTH,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NAMED)
def test_a_section_that_names_another_limit_is_not_the_accounts_own(case):
    document, expected = NAMED[case]
    found = parse(document, NOW)

    assert keyed(document) == expected
    assert found.facts.allowed is (False if "weekly" in expected else None)
    spark = next(r for r in found.readings if r.key == "model:codex_x:five_hour")
    assert spark.upstream_name == "Spark"


def meters(*limits: tuple[object, float], feature: object = "base") -> dict[str, object]:
    """An answer with limits of these names and used percents that all meter one feature."""
    return {
        "additional_rate_limits": [
            {
                "limit_name": name,
                "metered_feature": feature,
                "rate_limit": {"primary_window": window(used, WEEK, LATER)},
            }
            for name, used in limits
        ]
    }


def by_key(document: object) -> dict[str, float]:
    return {r.key: r.used_percent for r in parse(document, NOW).readings}


def test_two_limits_of_one_feature_are_both_kept_in_whichever_order():
    expected = {"model:base~GPT-6-Astra:weekly": 100, "model:base~gpt-reserve:weekly": 0}

    for pair in (
        [("GPT-6-Astra", 100), ("gpt-reserve", 0)],
        [("gpt-reserve", 0), ("GPT-6-Astra", 100)],
    ):
        assert by_key(meters(*pair)) == expected


@pytest.mark.parametrize(
    "pair",
    [
        ("A" * 40 + "1", "A" * 40 + "2"),
        ("a b", "a/b"),
        ("é", "ü"),
    ],
)
def test_names_that_read_alike_in_a_key_are_told_apart(pair):
    found = by_key(meters((pair[0], 1), (pair[1], 2), feature="f" * 90))

    assert sorted(found.values()) == [1, 2]
    assert all(len(key) <= 120 - len("window:315705600") + len("weekly") for key in found)


@pytest.mark.parametrize(
    "names", [("gpt-reserve", "gpt-reserve"), ("gpt-reserve", None), (None, None)]
)
def test_two_entries_of_one_limit_are_one(names):
    assert by_key(meters(*((name, 7) for name in names))) == {"model:base:weekly": 7}


SPENDS: dict[str, tuple[dict[str, object], tuple[float, Spend] | None, bool]] = {
    "as posted": ({"reached": False,
                   "individual_limit": {"limit": "15000", "used": "3831.75", "used_percent": 26,
                                        "remaining_percent": 74}},
                  (26, Spend("15000", "3831.75", None)), False),
    "numbers and a unit": ({"individual_limit": {"limit": 100, "used": 37.5,
                                                 "remaining_percent": "62.5", "unit": "usd"}},
                           (37.5, Spend("100", "37.5", "usd")), False),
    "computed": ({"individual_limit": {"limit": "$200", "used": "50"}},
                 (25, Spend("200", "50", None)), False),
    "computed from the rest": ({"individual_limit": {"limit": "0.3", "remaining": "0.1"}},
                               (66.6667, Spend("0.3", "0.2", None)), False),
    "over the limit, flag absent": ({"individual_limit": {"limit": "100", "used": "107",
                                                          "used_percent": 107}},
                                    (107, Spend("100", "107", None)), True),
    "full, flag false": ({"reached": False, "individual_limit": {"used_percent": 100}},
                         (100, Spend(None, None, None)), False),
    "flag alone": ({"reached": True, "individual_limit": None}, None, True),
    "nothing of nothing": ({"individual_limit": {"limit": "0", "used": "0"}}, None, False),
    "no percent at all": ({"individual_limit": {"limit": "100"}}, None, False),
    "a number": ({"individual_limit": 100}, None, False),
    "group limits": ({"individual_limit": None,
                      "group_default_limit": {"group_id": "g", "details": {"used_percent": 20}},
                      "workspace_shared_limit": {"used_percent": 55, "limit": "10", "used": "5.5"}},
                      (55, Spend("10", "5.5", None)), False),
    "the person's own before a group's": ({"individual_limit": {"used_percent": 5},
                                           "group_shared_limit": {"used_percent": 90}},
                                          (5, Spend(None, None, None)), False),
}  # fmt: skip


@pytest.mark.parametrize("case", SPENDS)
def test_spend_limits(case):
    control, expected, reached = SPENDS[case]
    found = parse({"rate_limit": None, "spend_control": control}, NOW)

    assert [(r.key, r.used_percent, r.spend) for r in found.readings] == (
        [("spend", *expected)] if expected else []
    )
    assert found.facts.spend_reached is reached


def test_a_spend_limit_has_a_reset_and_no_length():
    [reading] = parse(
        {
            "spend_control": {
                "individual_limit": {
                    "used_percent": 5,
                    "reset_at": LATER,
                    "limit_window_seconds": 5,
                }
            }
        },
        NOW,
    ).readings

    assert (reading.resets_at, reading.length_s) == (LATER, None)


BALANCES = [
    ("0", "0"),
    ("0E-10", "0"),
    ("1348.7450000000", "1348.7450000000"),
    ("$12.34", "12.34"),
    ("1,234.5", "1234.5"),
    (14, "14"),
    (0.5, "0.5"),
]
BALANCES += [("-3", "-3"), ("1e3", "1000")]
NO_BALANCES = [None, "", "lots", "NaN", "1e999999999", True, 10**400]


@pytest.mark.parametrize(
    ("balance", "expected"), [*BALANCES, *((value, None) for value in NO_BALANCES)]
)
def test_balances(balance, expected):
    found = parse(
        {"credits": {"has_credits": True, "unlimited": False, "balance": balance}}, NOW
    ).facts.credits

    assert found == Credits(True, False, expected)


def test_credits_without_their_flag():
    assert parse({"credits": {"balance": "5"}}, NOW).facts.credits == Credits(True, False, "5")
    assert parse({"credits": {"balance": "0"}}, NOW).facts.credits == Credits(False, False, "0")
    assert parse(
        {"credits": {"unlimited": True, "overage_limit_reached": True}}, NOW
    ).facts.credits == Credits(True, True, None, True)
    assert parse({"credits": "many", "rate_limit": None}, NOW).facts.credits is None


def test_flags_and_facts():
    facts = parse(
        {
            **usage_body(100),
            "rate_limit_reached_type": {"type": "rate_limit_reached", "details": None},
        },
        NOW,
    ).facts

    assert (facts.plan, facts.allowed, facts.limit_reached) == ("plus", False, True)
    assert (facts.reached_type, facts.reset_credits) == ("rate_limit_reached", None)
    assert (
        parse({"rate_limit": {}, "rate_limit_reached_type": "bare"}, NOW).facts.reached_type
        == "bare"
    )
    assert parse({"rate_limit": {"allowed": "no", "limit_reached": 1}}, NOW).facts.allowed is None


RESET_CREDITS = [
    ({"available_count": 2}, 2),
    ({"available_count": "3"}, 3),
    ({"available_count": -1}, None),
    ({}, None),
    (None, None),
]


@pytest.mark.parametrize(("value", "count"), RESET_CREDITS)
def test_reset_credits(value, count):
    assert (
        parse({"rate_limit": None, "rate_limit_reset_credits": value}, NOW).facts.reset_credits
        == count
    )


def test_which_models_may_be_used():
    usage = {
        "gpt-6-nova": {"available": False, "available_at": "soon"},
        "gpt-6-luna": {"available": True, "available_at": LATER},
        "GPT-6-Astra": {"available": False, "availableAt": SOON, "credits_would_enable": True},
        "not told": {"available": "perhaps"},
        "no object": 5,
    }

    assert parse({**usage_body(), "model_usage": usage}, NOW).facts.model_usage == (
        ModelUsage("GPT-6-Astra", False, SOON, True),
        ModelUsage("gpt-6-luna", True),
        ModelUsage("gpt-6-nova", False),
    )
    assert parse({**usage_body(), "model_usage": ["x"]}, NOW).facts.model_usage == ()


def test_it_says_which_login_the_answer_speaks_of():
    assert parse(
        {**usage_body(), "account_id": "a", "user_id": "u", "email": "e@x"}, NOW
    ).identity == Identity("a", "u", "e@x")
    assert (
        parse({**usage_body(), "account_id": 5, "user_id": None, "email": " "}, NOW).identity
        == Identity()
    )


def test_strings_from_upstream_are_trimmed():
    document = {**usage_body(plan="p\0l\u202ea\ud800n" + "x" * 500), "email": "a\nb@x"}
    found = parse(document, NOW)

    assert found.facts.plan == "plan" + "x" * 196
    assert found.identity.email == "a b@x"


BROKEN_SECTIONS: list[object] = [
    None,
    5,
    "oops",
    [],
    [[]],
    {"x": 1},
    True,
    {"primary_window": 5},
    [{"rate_limit": {"primary_window": []}}],
]


@pytest.mark.parametrize(
    "section",
    ["additional_rate_limits", "code_review_rate_limit", "credits", "spend_control",
     "rate_limit_reached_type", "rate_limit_reset_credits", "plan_type", "account_id", "email",
     "model_usage", "promo"],
)  # fmt: skip
@pytest.mark.parametrize("value", BROKEN_SECTIONS)
def test_a_broken_section_loses_no_other(section, value):
    assert {
        "five_hour": (12, NOW + 7_200, 18_000),
        "weekly": (40, NOW + 300_000, WEEK),
    }.items() <= keyed({**usage_body(), section: value}).items()


@pytest.mark.parametrize("value", [None, {}, {"primary_window": 5}])
def test_a_broken_own_section_loses_no_other(value):
    found = parse(
        {"rate_limit": value, "spend_control": {"individual_limit": {"used_percent": 4}}}, NOW
    )

    assert [r.key for r in found.readings] == ["spend"]


@pytest.mark.parametrize(
    "document",
    [None, [], "x", 5, {}, {"error": {"code": "x"}}, {"detail": "x"}, {"plan_type": "plus"},
     {"rate_limit": 5}, {"result": {}},
     {"id": 1, "error": {}}, {"rate_limits": "oops", "five_hour": 5}],
)  # fmt: skip
def test_what_holds_no_quota_is_no_snapshot(document):
    with pytest.raises(BadPayload):
        parse(document, NOW)


def test_it_keeps_at_most_64_readings():
    extra = [
        {"metered_feature": f"m{i}", "rate_limit": {"primary_window": window(3)}}
        for i in range(500)
    ]
    found = parse({**usage_body(), "additional_rate_limits": extra}, NOW).readings

    assert len(found) == MAX_READINGS
    assert [r.key for r in found[:2]] == ["five_hour", "weekly"]


def test_a_used_percent_is_never_negative_zero():
    [reading] = parse(limits(window(-0.0)), NOW).readings

    assert math.copysign(1, reading.used_percent) == 1


NAMES = [
    "rate_limit",
    "rate_limits",
    "rateLimit",
    "primary_window",
    "secondary_window",
    "primary",
    "five_hour",
    "weekly",
    "result",
]
NAMES += [
    "used_percent",
    "usedPercent",
    "percent_left",
    "remaining_percent",
    "limit_window_seconds",
    "window_duration_mins",
    "reset_at",
    "resets_at",
]
NAMES += [
    "reset_after_seconds",
    "reset_time_ms",
    "allowed",
    "limit_reached",
    "credits",
    "balance",
    "has_credits",
    "unlimited",
    "spend_control",
]
NAMES += [
    "individual_limit",
    "group_shared_limit",
    "details",
    "limit",
    "used",
    "remaining",
    "reached",
    "additional_rate_limits",
    "metered_feature",
]
NAMES += [
    "limit_name",
    "rate_limits_by_limit_id",
    "code_review_rate_limit",
    "rate_limit_reached_type",
    "rate_limit_reset_credits",
    "available_count",
]
ODD: list[object] = [
    0,
    1,
    100,
    18_000,
    604_800,
    NOW,
    SOON * 1000,
    -1,
    10**400,
    1e308,
    math.inf,
    math.nan,
]
ODD += ["1e5", "100%", "9" * 5000, "2026-11-21T14:00:00Z"]
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(ODD)
    | st.text(max_size=6)
)
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=6)
    ),
    max_leaves=30,
)


@given(documents, st.integers(0, 2**40))
def test_no_document_raises_anything_but_bad_payload(document, fetched_at):
    try:
        found = parse(document, fetched_at)
    except BadPayload:
        return

    assert len({r.key for r in found.readings}) == len(found.readings) <= MAX_READINGS
    for reading in found.readings:
        assert 0 <= reading.used_percent <= 1e6
        assert (
            reading.resets_at is None
            or fetched_at - DAY - 1 <= reading.resets_at <= fetched_at + 401 * DAY
        )
        assert labels.window(reading.key, reading.upstream_name)
    quota.block_state(found.facts, found.readings, fetched_at, fetched_at)


@given(documents, documents)
def test_nothing_unmeasured_becomes_a_reading(first, second):
    """Percents that are neither numbers nor numeric text give no reading, whatever stands around
    them.
    """
    document = json.loads(json.dumps([first, second], default=str), parse_constant=lambda _: None)
    found = parse(
        {
            "credits": None,
            **_without_amounts({"rate_limit": document[0], "five_hour": document[1]}),
        },
        NOW,
    )

    assert found.readings == ()


def _without_amounts(value: Any) -> Any:
    """The same document with every amount that a percent could be read or computed from made
    unusable.
    """
    amounts = {
        "used_percent",
        "usedPercent",
        "percent_left",
        "remaining_percent",
        "limit",
        "used",
        "remaining",
    }
    if isinstance(value, dict):
        return {
            k: "oops" if k in amounts and not isinstance(v, dict) else _without_amounts(v)
            for k, v in value.items()
        }
    return [_without_amounts(v) for v in value] if isinstance(value, list) else value
