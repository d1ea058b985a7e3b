"""Each alert says what happened in one sentence, in both languages."""

from zoneinfo import ZoneInfo

import pytest

from quota_web.alerts import kinds, words
from quota_web.alerts.kinds import Alert
from quota_web.core import event_visibility
from quota_web.core.language import use_language
from quota_web.store.event_log import LoggedEvent
from tests.fakes import NOW
from tests.installation import open_installation

AT = NOW + 288_848
WHEN, DAY = "Tue 24 Nov 20:14 UTC", "11月24日周二 20:14 UTC"
LEFT = {"remaining_percent": 18, "resets_at": AT}

SAID = [
    ("quota.low", "weekly", LEFT, f"alice: weekly quota 18 % left, resets {WHEN}"),
    ("quota.low", "weekly", {"remaining_percent": 4.96}, "alice: weekly quota 5 % left"),
    ("quota.low", "five_hour", {"remaining_percent": 0.01}, "alice: five-hour quota 0.1 % left"),
    (
        "quota.exhausted",
        "weekly",
        {"cause": "window", "blocked_until": AT},
        f"alice: weekly quota used up, can be used again {WHEN}",
    ),
    (
        "quota.exhausted",
        "weekly",
        {"cause": "window", "blocked_until": None},
        "alice: weekly quota used up",
    ),
    ("quota.exhausted", None, {"cause": "credits"}, "alice: credits are used up"),
    ("quota.exhausted", None, {"cause": "spend"}, "alice: the spend limit is reached"),
    ("quota.exhausted", None, {"cause": "window"}, "alice: quota used up"),
    (
        "quota.back",
        None,
        {"since": AT, "remaining_percents": {"five_hour": 100, "weekly": 40}},
        "alice: can be used again: five-hour 100 % left, weekly 40 % left",
    ),
    ("quota.back", None, {"since": AT}, "alice: can be used again"),
    ("quota.back", "weekly", LEFT, "alice: weekly quota has reset, 18 % left"),
    (
        "reset_early",
        "weekly",
        {"used_before": 60, "used_after": 1},
        "alice: weekly quota reset early, 60 % was used",
    ),
    (
        "reset_banked",
        "weekly",
        {"used_before": 60, "used_after": 1},
        "alice: weekly quota reset by a banked reset, 60 % was used",
    ),
    (
        "quota.runout",
        "weekly",
        {**LEFT, "probability": 0.72},
        f"alice: weekly quota will probably run out before its reset {WHEN} (70 %), 18 % left",
    ),
    (
        "quota.unused",
        "weekly",
        LEFT,
        f"alice: 18 % of the weekly quota is unused and will be lost at its reset {WHEN}",
    ),
    (
        "account.sign_in_soon",
        None,
        {"ends_at": AT},
        f"alice: the sign-in ends {WHEN}; sign in again before then",
    ),
    (
        "sign_in_ended",
        None,
        {"status": "expired"},
        "alice: the sign-in has ended; sign in again",
    ),
    (
        "sign_in_ended",
        None,
        {"status": "invalid_credentials"},
        "alice: the credentials cannot be used; give new ones",
    ),
    (
        "sign_in_ended",
        None,
        {"status": "deactivated"},
        "alice: ChatGPT says that the account is deactivated",
    ),
    (
        "account.stale",
        None,
        {"last_reading_at": AT, "status": "unreachable"},
        f"alice: no reading since {WHEN} (Unreachable)",
    ),
    (
        "account.recovered",
        None,
        {"since": AT},
        f"alice: fine again, after trouble since {WHEN}",
    ),
    (
        "plan_changed",
        None,
        {"before": "plus", "after": "pro"},
        "alice: plan changed from Plus to Pro 200",
    ),
    (
        "credit_granted",
        None,
        {"before": 1, "after": 2},
        "alice: a banked reset was granted: there are 2 now",
    ),
    ("credit.expiring", None, {"expires_at": AT}, f"alice: a banked reset ends {WHEN}"),
]
OF_ALL = [
    ("reset_provider", {"accounts": 3}, "OpenAI has reset the quotas of 3 accounts early"),
    (
        "site.all_failing",
        {"cause": "all_failing", "failing_since": AT},
        f"No account is answered since {WHEN}",
    ),
    (
        "site.all_failing",
        {"cause": "address_blocked", "failing_since": AT},
        f"ChatGPT blocks this machine’s address: no account is answered since {WHEN}",
    ),
    (
        "site.recovered",
        {"since": AT},
        f"ChatGPT answers again, after trouble since {WHEN}",
    ),
    (
        "site.channel_failing",
        {"channel": "phone", "since": AT},
        f"The channel phone has taken no message since {WHEN}",
    ),
    ("site.test", {}, "This is a test: alerts arrive here"),
]
UTC = ZoneInfo("UTC")


def say(kind, window, data, account_id=1):
    return words.sentence(
        LoggedEvent(1, NOW, kind, account_id, window, data, None), {1: "alice"}, UTC
    )


@pytest.mark.parametrize(("kind", "window", "data", "said"), SAID)
def test_an_alert_of_an_account_says_what_happened(kind, window, data, said):
    assert say(kind, window, data) == said


@pytest.mark.parametrize(("kind", "data", "said"), OF_ALL)
def test_an_alert_of_all_names_no_account(kind, data, said):
    assert say(kind, None, data, account_id=None) == said


def test_every_type_is_said_here():
    shown = {kinds.type_of(kind, dict(data)) for kind, _, data, _ in SAID}  # type: ignore[call-overload]
    shown |= {kinds.type_of(kind, dict(data)) for kind, data, _ in OF_ALL}  # type: ignore[call-overload]

    assert shown == set(Alert)


def test_data_of_another_version_leave_the_kind():
    assert say("quota.low", "weekly", {"left": 3}) == "alice: Quota low"
    assert say("quota.low", "weekly", {"remaining_percent": "?"}) == "alice: Quota low"


@pytest.mark.parametrize(
    ("kind", "window", "data", "said"),
    [
        ("quota.low", "weekly", LEFT, f"alice：每周额度剩余 18%，{DAY} 重置"),
        ("quota.low", "five_hour", {"remaining_percent": 4}, "alice：5 小时额度剩余 4%"),
        ("account.stale", None, {"last_reading_at": AT, "status": "unreachable"},
         f"alice：{DAY} 起没有读数（无法连接）"),
        ("reset_provider", None, {"accounts": 3}, "alice：OpenAI 提前重置了 3 个账号的额度"),
    ],
)  # fmt: skip
def test_an_alert_is_said_in_chinese(tmp_path, kind, window, data, said):
    with open_installation(tmp_path), use_language("zh"):
        assert say(kind, window, data) == said


def test_a_deleted_account_goes_by_its_name_of_then_or_its_number():
    event = LoggedEvent(1, NOW, "account.recovered", 7, None, {"since": AT, "name": "bob"}, None)

    assert words.sentence(event, {}, UTC).startswith("bob: fine again")
    assert say("account.recovered", None, {"since": AT}, account_id=8).startswith("8: fine")


def test_readers_see_every_kind_that_may_be_an_alert():
    of_their_own = {str(alert) for alert in Alert if kinds.type_of(str(alert), {}) is alert}
    logged_otherwise = {
        Alert.QUOTA_RESET_EARLY,
        Alert.PLAN_CHANGED,
        Alert.CREDIT_GRANTED,
        Alert.SIGN_IN_NEEDED,
        Alert.DEACTIVATED,
    }

    assert of_their_own - logged_otherwise == set(event_visibility.ALERTS)
    assert kinds.KINDS - logged_otherwise <= event_visibility.OPEN
