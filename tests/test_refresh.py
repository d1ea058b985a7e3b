"""The refresh act, against a real upstream and a real database: who is asked, how often, by whom, and what is stored of it."""

import pytest

from quota_web import accounts, refresh
from quota_web.quota import CACHE, NETWORK, Status
from tests.fakes import NOW, Scene, make_jwt, usage_body

pytestmark = pytest.mark.usefixtures("database")

EXHAUSTED = usage_body(100, 40)


def refused(status: int, **headers: str) -> Scene:
    return Scene(status, body={"detail": "no"}, headers=headers)


def test_everybody_is_asked_and_what_they_have_left_is_stored(house, codex):
    house.file("alice")
    house.file("bob")
    codex.answers("acct-bob", Scene(body=usage_body(None, 7, plan="pro")))

    found = house.refresh()

    assert {name: (r.status, r.source, r.fault) for name, r in found.items()} == {
        "alice": (Status.OK, NETWORK, None),
        "bob": (Status.OK, NETWORK, None),
    }
    assert house.used("alice") == {"five_hour": 12, "weekly": 40}
    assert house.used("bob") == {"weekly": 7}
    assert house.rows("SELECT count(*) FROM account WHERE claim_id IS NOT NULL") == [(0,)]


def test_the_request_carries_the_accounts_own_token(house, codex):
    house.file("alice")
    house.refresh()

    [seen] = codex.seen
    assert seen.headers["authorization"] == f"Bearer {make_jwt('acct-alice', user_id='user-acct-alice')}"
    assert seen.account_id == "acct-alice"


def test_only_those_who_are_named_are_asked(house, codex):
    for name in ("alice", "bob", "carol"):
        house.file(name)

    assert set(house.refresh("BOB", "carol")) == {"bob", "carol"}
    assert {seen.account_id for seen in codex.seen} == {"acct-bob", "acct-carol"}


def test_names_that_nobody_has_are_told(house):
    house.file("alice")
    house.follow()

    chosen, missing = refresh.select(house.scope, ["nobody", "Alice", "alice", "a\udcff\0"])

    assert [a.name for a in chosen] == ["alice"]
    assert [error.name for error in missing] == ["nobody", "a\udcff\0"]


# Who is not asked


def test_an_exhausted_account_is_answered_from_the_cache(house, codex):
    house.file("alice")
    codex.answers("acct-alice", Scene(body=EXHAUSTED))
    house.refresh()
    house.now += 60

    again = house.refresh()["alice"]

    assert (again.status, again.source) == (Status.OK, CACHE)
    assert len(codex.seen) == 1
    assert house.report("alice").source == CACHE
    assert house.account("alice").taken_at == NOW


@pytest.mark.parametrize(
    ("age", "crew", "source"),
    [
        (899, {}, CACHE),
        (900, {}, NETWORK),
        (59, {"cache_s": 60}, CACHE),
        (60, {"cache_s": 60}, NETWORK),
        (0, {"cache_s": 0}, NETWORK),
    ],
)
def test_an_early_reset_is_seen_once_the_cache_is_old(house, codex, age, crew, source):
    house.file("alice")
    codex.answers("acct-alice", Scene(body=EXHAUSTED), Scene(body=usage_body(0, 0)))
    house.refresh()
    house.now += age

    assert house.refresh(**crew)["alice"].source == source
    assert house.report("alice").block.blocked is (source == CACHE)


def test_a_refused_token_does_not_stay_hidden_behind_the_cache(house, codex):
    house.file("alice")
    codex.answers("acct-alice", Scene(body=EXHAUSTED), refused(401))
    house.refresh()
    house.now += 900

    assert house.refresh()["alice"].status is Status.EXPIRED
    assert house.refresh()["alice"].source == NETWORK


def test_an_answer_that_says_blocked_after_its_reset_is_believed_and_asked_anew(house, codex):
    house.file("alice")
    codex.answers("acct-alice", Scene(body=usage_body(100, 40, at=NOW - 7_500)))
    house.refresh()

    report = house.report("alice")
    assert (report.block.blocked, report.block.until, report.stale) == (True, None, False)
    assert house.account("alice").next_due_at <= NOW + 330
    assert house.refresh()["alice"].source == NETWORK


def test_a_cached_answer_is_data_that_did_not_change(house, codex):
    house.file("alice")
    codex.answers("acct-alice", Scene(body=EXHAUSTED))
    house.refresh()
    house.refresh()
    before = house.rows("SELECT data_version, updated_at FROM site_state")
    house.now += 60
    house.refresh()

    assert house.rows("SELECT data_version, updated_at FROM site_state") == before


@pytest.mark.parametrize("how", ["force", "after the reset", "to keep the raw answer"])
def test_an_exhausted_account_is_asked_all_the_same(house, codex, how):
    house.file("alice")
    codex.answers("acct-alice", Scene(body=EXHAUSTED), Scene(body=usage_body(3, 41)))
    house.refresh()
    house.now += 7_200 if how == "after the reset" else 60

    again = house.refresh(force=how == "force", **({"keep_raw": True} if how == "to keep the raw answer" else {}))["alice"]

    assert again.source == NETWORK
    assert house.used("alice") == {"five_hour": 3, "weekly": 41}


def test_an_exhausted_account_whose_last_attempt_failed_is_asked(house, codex):
    house.file("alice")
    codex.answers("acct-alice", Scene(body=EXHAUSTED), refused(500), Scene(body=EXHAUSTED))
    house.refresh()
    house.refresh(force=True)

    assert house.refresh()["alice"].source == NETWORK


def test_credits_keep_an_exhausted_account_in_use(house, codex):
    house.file("alice")
    body = usage_body(100, 40, credits={"has_credits": True, "unlimited": False, "balance": "14"})
    body["rate_limit"]["allowed"] = True  # type: ignore[index]
    codex.answers("acct-alice", Scene(body=body))
    house.refresh()

    assert house.refresh()["alice"].source == NETWORK


def test_a_paused_account_is_left_alone_even_by_force(house, codex):
    house.file("alice")
    house.follow()
    accounts.pause("alice", NOW, "test")

    result = house.refresh(force=True)["alice"]

    assert (result.status, result.source, result.fault) == (Status.PAUSED, None, None)
    assert codex.seen == []


@pytest.mark.parametrize(("exp", "asked"), [(NOW - 1, 0), (NOW, 0), (NOW + 1, 1), (None, 1)])
def test_nothing_is_sent_with_a_token_that_has_expired(house, codex, exp, asked):
    house.file("alice", exp=exp)

    result = house.refresh(force=True)["alice"]

    assert len(codex.seen) == asked
    if not asked:
        assert result.fault is not None
        assert result.fault.text(str) == f"access token expired at {exp}; sign in again"
        assert house.account("alice").status is Status.EXPIRED


def test_nothing_is_sent_for_credentials_that_cannot_work(house, codex):
    house.raw_file("alice", b'{"tokens": {"access_token": "sess-abc", "account_id": "a"}}')

    result = house.refresh(force=True)["alice"]

    assert result.status is Status.INVALID_CREDENTIALS
    assert codex.seen == []


def test_a_limited_account_waits_as_it_was_told(house, codex):
    house.file("alice")
    codex.answers("acct-alice", refused(429, **{"Retry-After": "120"}), Scene(body=usage_body()))
    assert house.refresh()["alice"].status is Status.RATE_LIMITED
    house.now += 119

    waiting = house.refresh()["alice"]
    assert (waiting.status, waiting.source, len(codex.seen)) == (Status.RATE_LIMITED, None, 1)
    assert waiting.fault is not None
    assert waiting.fault.text(str) == f"HTTP 429: too many requests; the next attempt is after {NOW + 120}"

    house.now += 1
    assert house.refresh()["alice"].status is Status.OK


def test_a_limited_account_is_asked_by_force(house, codex):
    house.file("alice")
    codex.answers("acct-alice", refused(429), Scene(body=usage_body()))
    house.refresh()

    assert house.refresh(force=True)["alice"].status is Status.OK


def test_a_wait_of_days_is_cut_to_what_is_done(house, codex):
    house.file("alice")
    codex.answers("acct-alice", refused(429, **{"Retry-After": "500000"}))

    fault = house.refresh()["alice"].fault

    assert fault.data["at"] == house.account("alice").next_due_at == NOW + 21_600


@pytest.mark.parametrize("status", [401, 402, 403, 404, 500])
def test_a_person_may_try_again_at_once_whatever_went_wrong(house, codex, status):
    house.file("alice")
    codex.answers("acct-alice", refused(status), Scene(body=usage_body()))

    assert house.refresh()["alice"].status is not Status.OK
    assert house.refresh()["alice"].status is Status.OK


# What is stored


@pytest.mark.parametrize(
    ("scene", "status"),
    [
        (refused(401), Status.EXPIRED),
        (refused(402), Status.UPSTREAM_ERROR),
        (Scene(402, body={"detail": {"code": "deactivated_workspace"}}), Status.DEACTIVATED),
        (refused(403), Status.FORBIDDEN),
        (refused(403, **{"cf-mitigated": "challenge"}), Status.ADDRESS_BLOCKED),
        (refused(404), Status.UPSTREAM_ERROR),
        (refused(429), Status.RATE_LIMITED),
        (refused(302, Location="http://127.0.0.1:1/"), Status.UPSTREAM_ERROR),
        (refused(503), Status.UPSTREAM_ERROR),
        (Scene(drop="request"), Status.UNREACHABLE),
        (Scene(raw=b"<html>", headers={"Content-Type": "text/html"}), Status.BAD_RESPONSE),
        (Scene(raw=b""), Status.BAD_RESPONSE),
        (Scene(body=[1]), Status.BAD_RESPONSE),
    ],
)
def test_a_failure_is_a_value_and_keeps_the_last_reading(house, codex, scene, status):
    house.file("alice")
    house.file("bob")
    codex.answers("acct-alice", Scene(body=usage_body(12, 40)), scene)
    house.refresh()
    house.now += 600

    found = house.refresh()

    assert found["alice"].status is status
    assert found["bob"].status is Status.OK
    assert house.used("alice") == {"five_hour": 12, "weekly": 40}
    kept = house.account("alice")
    assert (kept.status, kept.taken_at, kept.attempted_at, kept.failures, kept.paused_at) == (status, NOW, NOW + 600, 1, None)
    assert house.rows("SELECT count(*) FROM attempt WHERE status = :status", status=status) == [(1,)]


def test_a_models_history_goes_on_when_another_limit_of_its_feature_comes_and_goes(house, codex):
    def limit(name: str, used: float) -> dict[str, object]:
        window = {"used_percent": used, "limit_window_seconds": 604_800}
        limits = {"primary_window": window}
        return {"limit_name": name, "metered_feature": "base", "rate_limit": limits}

    answers = (
        [limit("reserve", 1)],
        [limit("Astra", 100), limit("reserve", 2)],
        [limit("Astra", 99)],
    )
    house.file("alice")
    codex.answers("acct-alice", *(Scene(body=usage_body(additional_rate_limits=a)) for a in answers))
    seen = []
    for _ in answers:
        house.refresh()
        seen.append({key: used for key, used in house.used("alice").items() if ":" in key})
        house.now += 60

    assert seen == [
        {"model:base:weekly": 1},
        {"model:base:weekly": 2, "model:base~Astra:weekly": 100},
        {"model:base~Astra:weekly": 99},
    ]


def test_failures_count_up_and_a_success_ends_them(house, codex):
    house.file("alice")
    codex.answers("acct-alice", refused(500), refused(500), Scene(body=usage_body()))
    counts = []
    for _ in range(3):
        house.refresh()
        counts.append(house.account("alice").failures)
        house.now += 1

    assert counts == [1, 2, 0]


def test_an_answer_about_another_account_here_stores_nothing(house, codex):
    house.file("alice")
    house.file("bob")
    codex.answers("acct-alice", Scene(body=usage_body(1, 1, user_id="user-acct-bob")))

    result = house.refresh()["alice"]

    assert result.status is Status.BAD_RESPONSE
    assert result.fault is not None
    assert result.fault.text(str) == "HTTP 200, but it speaks of another account"
    assert house.used("alice") == {}
    assert house.rows("SELECT count(*) FROM reading") == [(2,)]


def test_an_answer_that_suddenly_names_somebody_else_stores_nothing(house, codex):
    house.file("alice")
    codex.answers("acct-alice", Scene(body=usage_body(1, 1, user_id="user-acct-alice")), Scene(body=usage_body(2, 2, user_id="user-2")))
    house.refresh()
    house.now += 1

    assert house.refresh()["alice"].status is Status.BAD_RESPONSE
    assert house.used("alice") == {"five_hour": 1, "weekly": 1}


def test_answers_that_never_agreed_with_the_token_are_believed(house, codex):
    house.file("alice")
    codex.answers("acct-alice", Scene(body=usage_body(1, 1, user_id="user-1")), Scene(body=usage_body(2, 2, user_id="user-2")))
    house.refresh()
    house.now += 1

    assert house.refresh()["alice"].status is Status.OK
    assert house.used("alice") == {"five_hour": 2, "weekly": 2}


def test_a_token_that_cannot_be_opened_is_tried_again_when_its_key_is_back(house, codex):
    house.file("alice")
    house.follow()
    sealed = house.rows("SELECT access_sealed FROM credential")[0][0]
    house.execute("UPDATE credential SET access_sealed = :broken", broken=b"not sealed")

    result = house.ask()["alice"]
    assert result.status is Status.INVALID_CREDENTIALS
    assert result.fault is not None
    assert result.fault.code == "sealed_unreadable"
    assert codex.seen == []

    house.execute("UPDATE credential SET access_sealed = :sealed", sealed=sealed)
    assert house.ask()["alice"].status is Status.OK


def test_a_followed_account_takes_a_token_that_cannot_be_opened_from_its_file_again(house):
    house.file("alice")
    house.follow()
    house.execute("UPDATE credential SET access_sealed = :broken", broken=b"not sealed")
    house.ask()

    assert house.refresh()["alice"].status is Status.OK
