"""The points at which other rooms take part in a refresh."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from quota_web import store
from quota_web.core.quota import Status
from quota_web.core.secret import Secret
from quota_web.refresh.hooks import AfterRefusal, hooks
from quota_web.store.encryption import ACCESS
from tests.fakes import FakeResponse, make_jwt, usage_body
from tests.installation import wait_until

pytestmark = pytest.mark.usefixtures("database")


def test_a_recording_hook_sees_what_was_known_before_and_what_is_stored_now(installation, codex):
    installation.file("alice")
    seen = []

    def look(conn, recorded):
        [one] = recorded
        stored = conn.execute(text("SELECT count(*) FROM reading")).scalar()
        seen.append((one.outcome.status, one.facts, len(one.windows), stored))

    hooks().on_recording.append(look)
    installation.refresh()
    installation.now += 3_600
    installation.refresh()

    assert seen[0] == (Status.OK, None, 0, 2)
    status, facts, windows, stored = seen[1]
    assert (status, facts.plan, windows, stored) == (Status.OK, "plus", 2, 4)


def test_what_hooks_load_is_loaded_once_while_the_first_requests_are_under_way(
    installation, codex, caplog
):
    for name in ("alice", "bob", "carol"):
        installation.file(name)
    seen = []

    def load():
        wait_until(lambda: codex.seen)
        seen.append("loaded")
        raise ValueError("broken")

    hooks().on_sent.append(load)
    hooks().on_recording.append(lambda conn, recorded: seen.append("stored"))
    found = installation.refresh(slots=1)

    assert seen == ["loaded", "stored", "stored", "stored"]
    assert {result.status for result in found.values()} == {Status.OK}
    assert "a hook beside the first requests failed" in caplog.text


def test_a_hook_after_the_commit_may_write(installation, codex):
    installation.file("alice")

    def note(recorded):
        with store.database.transaction() as tx:
            for one in recorded:
                store.audit_log.add(tx, one.outcome.at, "noted", "test", one.outcome.account.id)

    hooks().on_recorded.append(note)
    installation.refresh()

    assert installation.rows("SELECT at FROM event WHERE kind = 'noted'") == [(installation.now,)]


def test_a_hook_that_fails_costs_no_reading_and_leaves_nothing_half_done(
    installation, codex, caplog
):
    installation.file("alice")

    def fail(conn, recorded):
        store.audit_log.add(conn, 1, "half", "test")
        raise ValueError("broken")

    def fail_later(recorded):
        raise ValueError("broken")

    hooks().on_recording.append(fail)
    hooks().on_recorded.append(fail_later)
    found = installation.refresh()

    assert found["alice"].status is Status.OK
    assert installation.used("alice") == {"five_hour": 12, "weekly": 40}
    assert installation.rows("SELECT * FROM event WHERE kind = 'half'") == []
    assert "a hook of the recording failed" in caplog.text
    assert "a hook after the recording failed" in caplog.text


def broken(account):
    raise ValueError("broken")


def test_a_refused_token_is_renewed_and_the_request_sent_once_more(installation, codex):
    installation.file("alice")
    installation.follow()
    token = make_jwt("acct-alice", user_id="user-acct-alice", jti="renewed")
    stale = make_jwt("acct-alice", user_id="user-acct-alice")
    codex.answers("acct-alice", refused(), FakeResponse(body=usage_body(3, 4)))
    asked, cipher = [], installation.services.cipher

    def renew(account):
        asked.append(account.name)
        with installation.app.app_context(), store.database.reading() as conn:
            old = store.credentials.get_by_ids(conn, [account.id])[account.id]
        sealed = cipher.seal(Secret(token), account.id, ACCESS)
        return AfterRefusal(replace(old, access_sealed=sealed))

    hooks().on_refused = renew
    found = installation.refresh()

    assert found["alice"].status is Status.OK
    assert asked == ["alice"]
    assert [seen.headers["authorization"] for seen in codex.seen] == [
        f"Bearer {stale}",
        f"Bearer {token}",
    ]


@pytest.mark.parametrize("renew", [lambda account: AfterRefusal(), broken])
def test_without_new_credentials_the_refusal_stands(installation, codex, renew):
    installation.file("alice")
    codex.answers("acct-alice", refused())

    hooks().on_refused = renew

    assert installation.refresh()["alice"].status is Status.EXPIRED
    assert len(codex.seen) == 1


def test_while_new_credentials_are_awaited_the_refusal_says_nothing(installation, codex):
    installation.file("alice")
    installation.refresh()
    codex.answers("acct-alice", refused())

    hooks().on_refused = lambda account: AfterRefusal(is_awaited=True)
    found = installation.refresh()["alice"]

    assert (found.status, found.fault.code) == (Status.EXPIRED, "renewing")
    account = installation.account("alice")
    assert (account.last_status, account.claim_id) == (Status.OK, None)
    assert installation.rows("SELECT count FROM attempt") == [(1,)]


def refused() -> FakeResponse:
    return FakeResponse(401, body={"detail": "no"})


def test_a_hook_whose_statement_is_wrong_costs_no_reading(installation, codex, caplog):
    installation.file("alice")

    def look(conn, recorded):
        conn.execute(text("SELECT * FROM nowhere"))

    hooks().on_recording.append(look)

    assert installation.refresh()["alice"].status is Status.OK
    assert installation.used("alice") == {"five_hour": 12, "weekly": 40}
    assert "a hook of the recording failed" in caplog.text
