"""The refresh act, against a real upstream and a real database: who is asked, how often, by whom,
and what is stored of it.
"""

import pytest

from quota_web.accounts import account_service
from quota_web.core.quota import CACHE, NETWORK, Status
from quota_web.refresh import refresh_service
from tests.fakes import NOW, FakeResponse, make_jwt, usage_body

pytestmark = pytest.mark.usefixtures("database")

EXHAUSTED = usage_body(100, 40)


def refused(status: int, **headers: str) -> FakeResponse:
    return FakeResponse(status, body={"detail": "no"}, headers=headers)


def test_every_account_is_refreshed_and_what_is_left_is_stored(installation, codex):
    installation.file("alice")
    installation.file("bob")
    codex.answers("acct-bob", FakeResponse(body=usage_body(None, 7, plan="pro")))

    found = installation.refresh()

    assert {name: (r.status, r.source, r.fault) for name, r in found.items()} == {
        "alice": (Status.OK, NETWORK, None),
        "bob": (Status.OK, NETWORK, None),
    }
    assert installation.used("alice") == {"five_hour": 12, "weekly": 40}
    assert installation.used("bob") == {"weekly": 7}
    assert installation.rows("SELECT count(*) FROM account WHERE claim_id IS NOT NULL") == [(0,)]


def test_the_request_carries_the_accounts_own_token(installation, codex):
    installation.file("alice")
    installation.refresh()

    [seen] = codex.seen
    assert (
        seen.headers["authorization"]
        == f"Bearer {make_jwt('acct-alice', user_id='user-acct-alice')}"
    )
    assert seen.account_id == "acct-alice"


def test_only_the_named_accounts_are_refreshed(installation, codex):
    for name in ("alice", "bob", "carol"):
        installation.file(name)

    assert set(installation.refresh("BOB", "carol")) == {"bob", "carol"}
    assert {seen.account_id for seen in codex.seen} == {"acct-bob", "acct-carol"}


def test_names_that_no_account_has_are_told(installation):
    installation.file("alice")
    installation.follow()

    chosen, missing = refresh_service.select(
        installation.scope, ["nobody", "Alice", "alice", "a\udcff\0"]
    )

    assert [a.name for a in chosen] == ["alice"]
    assert [error.name for error in missing] == ["nobody", "a\udcff\0"]


# Who is not asked


def test_an_exhausted_account_is_answered_from_the_cache(installation, codex):
    installation.file("alice")
    codex.answers("acct-alice", FakeResponse(body=EXHAUSTED))
    installation.refresh()
    installation.now += 60

    again = installation.refresh()["alice"]

    assert (again.status, again.source) == (Status.OK, CACHE)
    assert len(codex.seen) == 1
    assert installation.report("alice").source == CACHE
    assert installation.account("alice").taken_at == NOW


@pytest.mark.parametrize(
    ("age", "context", "source"),
    [
        (899, {}, CACHE),
        (900, {}, NETWORK),
        (59, {"cache_s": 60}, CACHE),
        (60, {"cache_s": 60}, NETWORK),
        (0, {"cache_s": 0}, NETWORK),
    ],
)
def test_an_early_reset_is_seen_once_the_cache_is_old(installation, codex, age, context, source):
    installation.file("alice")
    codex.answers("acct-alice", FakeResponse(body=EXHAUSTED), FakeResponse(body=usage_body(0, 0)))
    installation.refresh()
    installation.now += age

    assert installation.refresh(**context)["alice"].source == source
    assert installation.report("alice").block.blocked is (source == CACHE)


def test_a_refused_token_does_not_stay_hidden_behind_the_cache(installation, codex):
    installation.file("alice")
    codex.answers("acct-alice", FakeResponse(body=EXHAUSTED), refused(401))
    installation.refresh()
    installation.now += 900

    assert installation.refresh()["alice"].status is Status.EXPIRED
    assert installation.refresh()["alice"].source == NETWORK


def test_an_answer_that_says_blocked_after_its_reset_is_believed_and_asked_anew(
    installation, codex
):
    installation.file("alice")
    codex.answers("acct-alice", FakeResponse(body=usage_body(100, 40, at=NOW - 7_500)))
    installation.refresh()

    report = installation.report("alice")
    assert (report.block.blocked, report.block.until, report.stale) == (True, None, False)
    assert installation.account("alice").next_due_at <= NOW + 330
    assert installation.refresh()["alice"].source == NETWORK


def test_a_cached_answer_is_data_that_did_not_change(installation, codex):
    installation.file("alice")
    codex.answers("acct-alice", FakeResponse(body=EXHAUSTED))
    installation.refresh()
    installation.refresh()
    before = installation.rows("SELECT data_version, updated_at FROM site_state")
    installation.now += 60
    installation.refresh()

    assert installation.rows("SELECT data_version, updated_at FROM site_state") == before


@pytest.mark.parametrize("how", ["force", "after the reset", "to keep the raw answer"])
def test_an_exhausted_account_is_asked_all_the_same(installation, codex, how):
    installation.file("alice")
    codex.answers("acct-alice", FakeResponse(body=EXHAUSTED), FakeResponse(body=usage_body(3, 41)))
    installation.refresh()
    installation.now += 7_200 if how == "after the reset" else 60

    again = installation.refresh(
        force=how == "force", **({"keep_raw": True} if how == "to keep the raw answer" else {})
    )["alice"]

    assert again.source == NETWORK
    assert installation.used("alice") == {"five_hour": 3, "weekly": 41}


def test_an_exhausted_account_whose_last_attempt_failed_is_asked(installation, codex):
    installation.file("alice")
    codex.answers(
        "acct-alice", FakeResponse(body=EXHAUSTED), refused(500), FakeResponse(body=EXHAUSTED)
    )
    installation.refresh()
    installation.refresh(force=True)

    assert installation.refresh()["alice"].source == NETWORK


def test_credits_keep_an_exhausted_account_in_use(installation, codex):
    installation.file("alice")
    body = usage_body(100, 40, credits={"has_credits": True, "unlimited": False, "balance": "14"})
    body["rate_limit"]["allowed"] = True  # type: ignore[index]
    codex.answers("acct-alice", FakeResponse(body=body))
    installation.refresh()

    assert installation.refresh()["alice"].source == NETWORK


def test_a_paused_account_is_left_alone_even_by_force(installation, codex):
    installation.file("alice")
    installation.follow()
    account_service.pause("alice", NOW, "test")

    result = installation.refresh(force=True)["alice"]

    assert (result.status, result.source, result.fault) == (Status.PAUSED, None, None)
    assert codex.seen == []


@pytest.mark.parametrize(("exp", "asked"), [(NOW - 1, 0), (NOW, 0), (NOW + 1, 1), (None, 1)])
def test_nothing_is_sent_with_a_token_that_has_expired(installation, codex, exp, asked):
    installation.file("alice", exp=exp)

    result = installation.refresh(force=True)["alice"]

    assert len(codex.seen) == asked
    if not asked:
        assert result.fault is not None
        assert result.fault.text(str) == f"access token expired at {exp}; sign in again"
        assert installation.account("alice").status is Status.EXPIRED


def test_nothing_is_sent_for_credentials_that_cannot_work(installation, codex):
    installation.raw_file("alice", b'{"tokens": {"access_token": "sess-abc", "account_id": "a"}}')

    result = installation.refresh(force=True)["alice"]

    assert result.status is Status.INVALID_CREDENTIALS
    assert codex.seen == []


def test_a_limited_account_waits_as_it_was_told(installation, codex):
    installation.file("alice")
    codex.answers(
        "acct-alice", refused(429, **{"Retry-After": "120"}), FakeResponse(body=usage_body())
    )
    assert installation.refresh()["alice"].status is Status.RATE_LIMITED
    installation.now += 119

    waiting = installation.refresh()["alice"]
    assert (waiting.status, waiting.source, len(codex.seen)) == (Status.RATE_LIMITED, None, 1)
    assert waiting.fault is not None
    assert (
        waiting.fault.text(str)
        == f"HTTP 429: too many requests; the next attempt is after {NOW + 120}"
    )

    installation.now += 1
    assert installation.refresh()["alice"].status is Status.OK


def test_a_limited_account_is_asked_by_force(installation, codex):
    installation.file("alice")
    codex.answers("acct-alice", refused(429), FakeResponse(body=usage_body()))
    installation.refresh()

    assert installation.refresh(force=True)["alice"].status is Status.OK


def test_a_wait_of_days_is_cut_to_what_is_done(installation, codex):
    installation.file("alice")
    codex.answers("acct-alice", refused(429, **{"Retry-After": "500000"}))

    fault = installation.refresh()["alice"].fault

    assert fault.data["at"] == installation.account("alice").next_due_at == NOW + 21_600


@pytest.mark.parametrize("status", [401, 402, 403, 404, 500])
def test_a_person_may_try_again_at_once_whatever_went_wrong(installation, codex, status):
    installation.file("alice")
    codex.answers("acct-alice", refused(status), FakeResponse(body=usage_body()))

    assert installation.refresh()["alice"].status is not Status.OK
    assert installation.refresh()["alice"].status is Status.OK


# What is stored


@pytest.mark.parametrize(
    ("scene", "status"),
    [
        (refused(401), Status.EXPIRED),
        (refused(402), Status.UPSTREAM_ERROR),
        (FakeResponse(402, body={"detail": {"code": "deactivated_workspace"}}), Status.DEACTIVATED),
        (refused(403), Status.FORBIDDEN),
        (refused(403, **{"cf-mitigated": "challenge"}), Status.ADDRESS_BLOCKED),
        (refused(404), Status.UPSTREAM_ERROR),
        (refused(429), Status.RATE_LIMITED),
        (refused(302, Location="http://127.0.0.1:1/"), Status.UPSTREAM_ERROR),
        (refused(503), Status.UPSTREAM_ERROR),
        (FakeResponse(drop="request"), Status.UNREACHABLE),
        (FakeResponse(raw=b"<html>", headers={"Content-Type": "text/html"}), Status.BAD_RESPONSE),
        (FakeResponse(raw=b""), Status.BAD_RESPONSE),
        (FakeResponse(body=[1]), Status.BAD_RESPONSE),
    ],
)
def test_a_failure_is_a_value_and_keeps_the_last_reading(installation, codex, scene, status):
    installation.file("alice")
    installation.file("bob")
    codex.answers("acct-alice", FakeResponse(body=usage_body(12, 40)), scene)
    installation.refresh()
    installation.now += 600

    found = installation.refresh()

    assert found["alice"].status is status
    assert found["bob"].status is Status.OK
    assert installation.used("alice") == {"five_hour": 12, "weekly": 40}
    kept = installation.account("alice")
    assert (kept.status, kept.taken_at, kept.attempted_at, kept.failures, kept.paused_at) == (
        status,
        NOW,
        NOW + 600,
        1,
        None,
    )
    assert installation.rows(
        "SELECT count(*) FROM attempt WHERE status = :status", status=status
    ) == [(1,)]


def test_a_models_history_goes_on_when_another_limit_of_its_feature_comes_and_goes(
    installation, codex
):
    def limit(name: str, used: float) -> dict[str, object]:
        window = {"used_percent": used, "limit_window_seconds": 604_800}
        limits = {"primary_window": window}
        return {"limit_name": name, "metered_feature": "base", "rate_limit": limits}

    answers = (
        [limit("reserve", 1)],
        [limit("Astra", 100), limit("reserve", 2)],
        [limit("Astra", 99)],
    )
    installation.file("alice")
    codex.answers(
        "acct-alice", *(FakeResponse(body=usage_body(additional_rate_limits=a)) for a in answers)
    )
    seen = []
    for _ in answers:
        installation.refresh()
        seen.append({key: used for key, used in installation.used("alice").items() if ":" in key})
        installation.now += 60

    assert seen == [
        {"model:base:weekly": 1},
        {"model:base:weekly": 2, "model:base~Astra:weekly": 100},
        {"model:base~Astra:weekly": 99},
    ]


def test_failures_count_up_and_a_success_ends_them(installation, codex):
    installation.file("alice")
    codex.answers("acct-alice", refused(500), refused(500), FakeResponse(body=usage_body()))
    counts = []
    for _ in range(3):
        installation.refresh()
        counts.append(installation.account("alice").failures)
        installation.now += 1

    assert counts == [1, 2, 0]


def test_an_answer_about_another_account_here_stores_nothing(installation, codex):
    installation.file("alice")
    installation.file("bob")
    codex.answers("acct-alice", FakeResponse(body=usage_body(1, 1, user_id="user-acct-bob")))

    result = installation.refresh()["alice"]

    assert result.status is Status.BAD_RESPONSE
    assert result.fault is not None
    assert result.fault.text(str) == "HTTP 200, but it speaks of another account"
    assert installation.used("alice") == {}
    assert installation.rows("SELECT count(*) FROM reading") == [(2,)]


def test_an_answer_that_suddenly_names_another_login_stores_nothing(installation, codex):
    installation.file("alice")
    codex.answers(
        "acct-alice",
        FakeResponse(body=usage_body(1, 1, user_id="user-acct-alice")),
        FakeResponse(body=usage_body(2, 2, user_id="user-2")),
    )
    installation.refresh()
    installation.now += 1

    assert installation.refresh()["alice"].status is Status.BAD_RESPONSE
    assert installation.used("alice") == {"five_hour": 1, "weekly": 1}


def test_answers_that_never_agreed_with_the_token_are_believed(installation, codex):
    installation.file("alice")
    codex.answers(
        "acct-alice",
        FakeResponse(body=usage_body(1, 1, user_id="user-1")),
        FakeResponse(body=usage_body(2, 2, user_id="user-2")),
    )
    installation.refresh()
    installation.now += 1

    assert installation.refresh()["alice"].status is Status.OK
    assert installation.used("alice") == {"five_hour": 2, "weekly": 2}


def test_a_token_that_cannot_be_opened_is_tried_again_when_its_key_is_back(installation, codex):
    installation.file("alice")
    installation.follow()
    sealed = installation.rows("SELECT access_sealed FROM credential")[0][0]
    installation.execute("UPDATE credential SET access_sealed = :broken", broken=b"not sealed")

    result = installation.ask()["alice"]
    assert result.status is Status.INVALID_CREDENTIALS
    assert result.fault is not None
    assert result.fault.code == "sealed_unreadable"
    assert codex.seen == []

    installation.execute("UPDATE credential SET access_sealed = :sealed", sealed=sealed)
    assert installation.ask()["alice"].status is Status.OK


def test_a_followed_account_takes_a_token_that_cannot_be_opened_from_its_file_again(installation):
    installation.file("alice")
    installation.follow()
    installation.execute("UPDATE credential SET access_sealed = :broken", broken=b"not sealed")
    installation.ask()

    assert installation.refresh()["alice"].status is Status.OK
