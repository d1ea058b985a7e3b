"""An access token that is refused or has ended: it is renewed before the account counts as signed
out, once, and never in a loop.
"""

import pytest

from quota_web.core.quota import Status
from quota_web.refresh import refresh_service
from quota_web.services import services
from tests.fakes import NOW, FakeResponse, usage_body
from tests.issuer import DAY, Turn
from tests.sign_ins.house import LATER

pytestmark = pytest.mark.usefixtures("database")

REFUSED = FakeResponse(401, body={"error": {"code": "token_expired", "message": "expired"}})
GOOD = FakeResponse(body=usage_body())


@pytest.fixture
def schedule(house):
    """As where the schedule runs: what is refused is renewed at once."""
    services().wake = lambda: None


@pytest.fixture(autouse=True)
def _clock(house, monkeypatch):
    monkeypatch.setattr("quota_web.core.clock.now", lambda: house.installation.now)


def ask(house, after=LATER):
    house.installation.now += after
    return house.installation.ask(force=True)["alice"]


def sent(codex):
    return [one.headers["authorization"][-12:] for one in codex.seen]


@pytest.mark.usefixtures("schedule")
def test_a_refused_token_is_renewed_once_and_the_request_sent_once_more(house, issuer, codex):
    house.sign_in()
    codex.answers("acct-1", GOOD, REFUSED, GOOD)
    ask(house)

    assert ask(house).status is Status.OK
    assert issuer.calls == 1
    assert issuer.is_current(house.refresh_token())
    assert len(codex.seen) == 3
    assert house.held().refused_at is None
    assert house.installation.account("alice").status is Status.OK


@pytest.mark.usefixtures("schedule")
def test_a_token_that_a_renewal_brought_and_that_never_worked_is_not_renewed_for_it(
    house, issuer, codex
):
    house.sign_in()
    codex.answers("acct-1", GOOD, REFUSED)
    ask(house)

    assert ask(house).status is Status.EXPIRED
    assert ask(house).status is Status.EXPIRED
    assert issuer.calls == 1
    assert house.installation.account("alice").status is Status.EXPIRED
    # The sign-in itself may be well: it is renewed when it is due, and then the account is asked.
    codex.answers("acct-1", GOOD)
    house.make_due()
    assert house.renew_due() is not None
    assert ask(house).status is Status.OK


def test_a_command_sends_no_renewal_and_the_schedule_does(house, issuer, codex):
    house.sign_in()
    codex.answers("acct-1", GOOD, REFUSED, GOOD)
    ask(house)

    found = ask(house)

    assert found.fault is not None
    assert (found.status, found.fault.code, issuer.calls) == (Status.EXPIRED, "renewing", 0)
    account = house.installation.account("alice")
    assert (account.status, account.requested_at) == (Status.OK, None)
    assert account.next_due_at == house.installation.now + 60
    assert house.held().is_renewing(house.installation.now)
    assert house.renew_due() is not None
    assert house.installation.account("alice").next_due_at == house.installation.now
    assert ask(house).status is Status.OK
    assert len(codex.seen) == 3


@pytest.mark.usefixtures("schedule")
def test_within_the_minute_after_another_renewal_it_waits(house, issuer, codex):
    house.sign_in("alice", 1)
    house.sign_in("bob", 2)
    codex.answers("acct-1", GOOD, REFUSED, GOOD)
    house.installation.ask(force=True)
    assert house.renew_now("bob").is_renewed

    found = ask(house, 10)

    assert found.fault is not None
    assert (found.fault.code, issuer.calls) == ("renewing", 1)
    assert house.renew_due() is not None
    assert ask(house).status is Status.OK


def test_an_ended_token_is_renewed_before_the_account_counts_as_expired(house, issuer, codex):
    house.sign_in()
    ask(house)
    house.installation.now = NOW + 11 * DAY

    found = ask(house)

    assert found.fault is not None
    assert (found.fault.code, len(codex.seen)) == ("renewing", 1)
    assert house.installation.account("alice").status is Status.OK
    assert house.renew_due() is not None
    assert ask(house).status is Status.OK


@pytest.mark.parametrize("turn", [Turn(status=401, body={}), Turn(status=400, body="invalid")])
def test_when_nothing_will_renew_it_it_is_expired(house, issuer, codex, turn):
    house.sign_in()
    ask(house)
    issuer.plays(*[turn] * 3)
    house.installation.now = NOW + 11 * DAY
    for _ in range(3):
        house.renew_due(DAY)

    assert house.held().renewal == "dead"
    assert house.installation.account("alice").next_due_at <= house.installation.now
    found = ask(house)
    assert found.fault is not None
    assert (found.status, found.fault.code) == (Status.EXPIRED, "token_expired")
    assert house.installation.account("alice").status is Status.EXPIRED


def test_a_lost_answer_after_the_end_is_tried_again_an_hour_later(house, issuer, codex):
    house.sign_in()
    ask(house)
    issuer.plays(Turn(drop=True))
    house.installation.now = NOW + 11 * DAY
    house.renew_due()
    lost_at = house.installation.now

    found = ask(house)
    assert found.fault is not None
    assert (found.fault.code, house.held().renew_at) == ("renewing", lost_at + 3_600)
    house.make_due()
    assert house.renew_due() is not None
    assert ask(house).status is Status.OK


def test_a_refused_token_hastens_the_second_try_to_an_hour_after_the_first(house, issuer, codex):
    house.sign_in()
    ask(house)
    house.make_due()
    issuer.plays(Turn(drop=True))
    house.renew_due()
    lost_at = house.installation.now
    codex.answers("acct-1", REFUSED, GOOD)

    found = ask(house)

    assert found.fault is not None
    assert (found.fault.code, house.held().renew_at) == ("renewing", lost_at + 3_600)
    house.make_due()
    assert house.renew_due() is not None
    assert ask(house).status is Status.OK


def test_copies_that_are_not_renewed_are_expired_at_once(house, issuer, codex):
    house.paste()
    codex.answers("acct-1", REFUSED)

    assert ask(house).status is Status.EXPIRED
    assert issuer.calls == 0


def test_where_renewal_is_switched_off_an_ended_token_is_expired(house, codex, installation):
    house.sign_in()
    installation.now = NOW + 11 * DAY

    found = installation.ask(force=True, renews=False)["alice"]

    assert found.fault is not None
    assert found.fault.code == "token_expired"
    assert codex.seen == []


def test_a_refused_copy_makes_way_for_the_tokens_that_were_kept_aside(house, issuer, codex):
    house.sign_in()
    own = house.refresh_token()
    house.paste(replace_own=True)
    codex.answers("acct-1", REFUSED, GOOD)

    assert ask(house).status is Status.OK
    assert (house.refresh_token(), house.held().kind, house.state()) == (own, "own", ("on", None))
    assert house.kinds()[-1] == "credential.spare_used"


def test_the_schedule_does_not_ask_for_an_account_whose_renewal_is_to_come(house, codex):
    house.sign_in()
    codex.answers("acct-1", GOOD, REFUSED, GOOD)
    ask(house)
    ask(house)
    house.installation.now += LATER
    context = house.installation.refresh_context()
    results = list(refresh_service.refresh_due(context, house.installation.scope))

    assert [one.fault.code for one in results if one.fault] == ["renewing"]
    assert len(codex.seen) == 2
    assert house.installation.account("alice").next_due_at == house.installation.now + 60
