"""Renewing a sign-in: when, how often, and what each answer leaves behind."""

import logging
from dataclasses import replace

import pytest
from sqlalchemy import event

from quota_web import store
from quota_web.accounts import account_service, stored_credentials
from quota_web.codex.renewal_answer import Verdict
from quota_web.core.errors import BadDatabase, DatabaseFull
from quota_web.core.quota import Status
from quota_web.services import services
from quota_web.sign_ins import renewal, renewal_outcome, renewal_service
from tests.fakes import NOW, make_jwt
from tests.issuer import CANARY, DAY, Turn
from tests.sign_ins.house import LATER, revealed

pytestmark = pytest.mark.usefixtures("database")
HOUR = 3_600


def test_nothing_is_renewed_before_it_is_due(house, issuer):
    first = house.sign_in()

    assert house.renew_due() is None
    assert (issuer.calls, house.refresh_token()) == (0, first)


def test_a_due_sign_in_is_renewed_once_and_stored(house, issuer):
    first = house.sign_in()
    house.make_due()

    answer = house.renew_due()

    assert answer is not None
    assert answer.verdict is Verdict.RENEWED
    found = house.held()
    assert house.refresh_token() != first
    assert issuer.is_current(house.refresh_token())
    assert found.access_expires_at == house.installation.now + 10 * DAY
    assert found.renewed_at == found.updated_at == house.installation.now
    assert 4.4 * DAY < found.renew_at - house.installation.now <= 5 * DAY
    assert house.state() == ("on", None)
    assert house.claims() == [("renewed", 1)]
    assert house.kinds() == ["credential.signed_in", "credential.renewed"]
    assert house.renew_due() is None
    assert issuer.log == {"calls": 1, "ok": 1, "reuse": 0, "revoked": 0, "ungentle": 0}


def test_it_can_be_renewed_again_and_again(house, issuer):
    house.sign_in()
    for _ in range(5):
        house.make_due()
        house.renew_due()

    assert (issuer.ok, issuer.calls) == (5, 5)
    assert issuer.is_current(house.refresh_token())


def test_one_in_a_minute_over_all_and_the_one_that_ends_first(house, issuer):
    house.sign_in("alice", 1)
    house.sign_in("bob", 2, exp=NOW + 9 * DAY)
    house.installation.now = NOW + 8 * DAY

    assert house.renew_due() is not None
    assert house.renew_due(30) is None
    assert issuer.bodies[0]["refresh_token"].endswith("_2")
    assert house.renew_due(30) is not None
    assert issuer.calls == 2


def test_copies_and_files_are_not_renewed(house, issuer, installation):
    house.paste("alice", 1)
    installation.file("bob")
    installation.follow()
    installation.now = NOW + 9 * DAY

    assert house.renew_due() is None
    assert [house.renew_now(name).outcome for name in ("alice", "bob")] == ["nothing_to_renew"] * 2
    assert issuer.calls == 0


def test_the_setting_switches_it_off(house, issuer):
    house.sign_in()
    house.make_due()

    assert house.renew_due(is_on=False) is None
    off = renewal_service.renew_now(house.renewals(is_on=False), "alice")
    assert off.outcome == "switched_off"
    assert issuer.calls == 0


def test_a_paused_account_is_not_renewed_and_an_exhausted_one_is(house, issuer, installation):
    house.sign_in("alice", 1)
    house.sign_in("bob", 2)
    installation.execute("UPDATE account SET paused_at = 1 WHERE name = 'alice'")
    house.make_due("bob")

    assert house.renew_due() is not None
    assert house.renew_due() is None
    assert house.renew_now("alice").outcome == "paused"
    assert issuer.bodies[0]["refresh_token"].endswith("_2")


def test_a_deactivated_account_is_left_alone(house, issuer, installation):
    house.sign_in()
    house.make_due()
    installation.execute("UPDATE account SET status = 'deactivated'")

    assert house.renew_due() is None
    assert issuer.calls == 0


@pytest.mark.parametrize(
    "turn",
    [Turn(after="drop"), Turn(after="cut"), Turn(after=500), Turn(after=403), Turn(drop=True)],
)
def test_a_lost_answer_makes_the_renewal_unsure_and_never_the_account(house, issuer, turn):
    first = house.sign_in()
    house.make_due()
    issuer.plays(turn)

    answer = house.renew_due()

    assert answer is not None
    assert answer.verdict is Verdict.UNSURE
    found = house.held()
    assert found.renewal == "unsure"
    assert found.renew_at == found.access_expires_at - 12 * HOUR
    assert house.refresh_token() == first
    assert house.installation.account("alice").status is Status.PENDING
    assert house.claims() == [("unsure", 1)]
    # Neither the schedule nor a person sends it again.
    assert house.renew_due(HOUR) is None
    assert house.renew_now().outcome == "is_unsure"
    assert issuer.calls == 1


def test_an_unsure_token_is_tried_once_more_before_the_access_token_ends(house, issuer):
    house.sign_in()
    house.make_due()
    issuer.plays(Turn(drop=True))
    house.renew_due()
    house.make_due()

    answer = house.renew_due()

    assert answer is not None
    assert answer.verdict is Verdict.RENEWED
    assert house.state() == ("on", None)
    assert issuer.is_current(house.refresh_token())


def test_a_second_lost_answer_is_the_last(house, issuer):
    house.sign_in()
    house.make_due()
    issuer.plays(Turn(drop=True), Turn(drop=True))
    house.renew_due()
    house.make_due()
    house.renew_due()

    assert (house.held().renewal, house.held().renew_at) == ("unsure", None)
    assert house.claims() == [("unsure", 2)]
    assert house.renew_due(20 * DAY) is None
    assert issuer.calls == 2


def test_a_reused_second_try_is_dead_and_costs_no_more_than_the_renewal(house):
    # The issuer took the first request: the second try is what may end the family.
    with_reuse = house.issuer
    house.sign_in()
    house.make_due()
    with_reuse.plays(Turn(after="drop"))
    house.renew_due()
    house.make_due()

    answer = house.renew_due()

    assert answer is not None
    assert (answer.verdict, house.state()) == ("dead", ("dead", "refresh_token_reused"))
    assert house.installation.account("alice").status is Status.PENDING
    # This one reuse is the price of the second try; nothing follows it.
    assert with_reuse.reuse == 1
    with_reuse.reuse = 0


def test_two_lost_answers_in_an_hour_let_all_renewals_rest(house, issuer):
    for number in range(1, 5):
        house.sign_in(f"a{number}", number)
    house.installation.now = NOW + 6 * DAY
    issuer.plays(*[Turn(after="drop")] * 4)

    sent = [house.renew_due() is not None for _ in range(10)]

    assert sent == [True, True] + [False] * 8
    assert house.renew_now("a3").outcome == "resting"
    issuer.plays()
    assert house.renew_due(6 * HOUR) is not None
    assert [house.state(f"a{n}")[0] for n in range(1, 5)].count("unsure") == 2
    assert issuer.calls == 3


def test_what_was_not_taken_is_tried_again_with_growing_pauses(house, issuer):
    first = house.sign_in()
    house.make_due()
    issuer.plays(*[Turn(status=429, body={})] * 7)
    waits = []
    for _ in range(7):
        answer = house.renew_due(0)
        assert answer is not None
        assert answer.verdict is Verdict.NOT_TAKEN
        waits.append(house.held().renew_at - house.installation.now)
        house.make_due()

    assert waits == [900, 1_800, 3_600, 7_200, 14_400, 21_600, 21_600]
    assert (house.refresh_token(), house.state()) == (first, ("on", "http_429"))
    assert house.claims() == []
    assert house.renew_due() is not None
    assert house.held().renewal_failures == 0
    assert house.state() == ("on", None)


def test_it_waits_as_long_as_it_is_told(house, issuer):
    house.sign_in()
    house.make_due()
    issuer.plays(Turn(status=429, body={}, headers={"Retry-After": "7200"}))
    house.renew_due()

    assert house.held().renew_at == house.installation.now + 7_200


def test_where_nothing_is_reached_nothing_is_claimed(house, issuer):
    first = house.sign_in()
    house.make_due()
    issuer.stop()

    answer = house.renew_due()

    assert answer is not None
    assert (answer.verdict, answer.code) == ("not_taken", "not_reached")
    assert (house.refresh_token(), house.claims()) == (first, [])
    assert house.state() == ("on", "not_reached")
    assert house.held().renew_at == house.installation.now + 900


@pytest.mark.parametrize("code", ["refresh_token_expired", "invalid_grant"])
def test_a_dead_token_is_not_sent_again_and_the_account_goes_on(house, issuer, code):
    house.sign_in()
    house.make_due()
    issuer.plays(Turn(status=400, body={"error": code}))
    house.renew_due()

    assert house.state() == ("dead", code)
    assert house.held().renew_at is None
    assert house.claims() == [("dead", 1)]
    assert house.installation.account("alice").status is Status.PENDING
    assert house.renew_now().outcome == "is_dead"
    assert house.renew_due(10 * DAY) is None
    assert issuer.calls == 1


def test_every_renewal_refused_ends_the_renewal_alone(house, issuer):
    house.sign_in()
    house.make_due()
    issuer.aas = True
    house.renew_due()

    assert house.state() == ("dead", "app_session_terminated")
    assert not house.held().is_useless(house.installation.now)


def test_a_refused_request_is_sent_three_times(house, issuer):
    house.sign_in()
    house.make_due()
    issuer.plays(*[Turn(status=400, body={"error": "invalid_client"})] * 3)
    states = []
    for _ in range(3):
        house.renew_due(0)
        states.append((house.held().renewal, len(house.claims())))
        house.make_due()
        house.installation.now += LATER

    assert states == [("on", 0), ("on", 0), ("dead", 1)]
    assert house.state() == ("dead", "invalid_client")
    assert house.renew_due(DAY) is None
    assert issuer.calls == 3


def test_an_answer_without_a_refresh_token_keeps_the_old_one_which_can_be_sent_again(house, issuer):
    first = house.sign_in()
    house.make_due()
    issuer.plays(
        Turn(status=200, body={"access_token": make_jwt("acct-1", exp=NOW + 30 * DAY, iat=NOW)})
    )
    house.renew_due()

    assert (house.refresh_token(), house.state()) == (first, ("on", None))
    assert house.held().access_expires_at == NOW + 30 * DAY
    assert house.claims() == []
    house.make_due()
    assert house.renew_due() is not None
    assert issuer.is_current(house.refresh_token())


@pytest.mark.parametrize("changes", [{"access_token": None}, {"access_token": "left out"}])
def test_a_new_refresh_token_is_kept_whatever_is_wrong_with_the_access_token(
    house, issuer, changes
):
    first = house.sign_in()
    before = house.tokens().access_token
    house.make_due()
    issuer.plays(Turn(changes=changes))
    answer = house.renew_due()

    assert answer is not None
    assert answer.verdict is Verdict.RENEWED_PARTLY
    assert house.refresh_token() != first
    assert issuer.is_current(house.refresh_token())
    assert house.tokens().access_token == before
    assert house.held().renew_at == house.installation.now + 900
    house.make_due()
    assert house.renew_due() is not None
    assert house.state() == ("on", None)


def test_no_answer_leaves_the_account_with_a_token_that_ends_sooner(house, issuer):
    house.sign_in()
    before = house.held().access_expires_at
    house.make_due()
    soon = make_jwt("acct-1", user_id="user-1", exp=house.installation.now + HOUR)
    issuer.plays(Turn(changes={"access_token": soon}))
    house.renew_due()

    assert house.held().access_expires_at == before
    assert issuer.is_current(house.refresh_token())


def test_tokens_of_another_login_are_kept_aside_and_never_used_here(house, issuer):
    house.sign_in()
    before = house.tokens().access_token
    house.make_due()
    other = make_jwt("acct-2", user_id="user-2", exp=NOW + 90 * DAY)
    issuer.plays(Turn(changes={"access_token": other}))
    house.renew_due()

    assert house.state() == ("dead", "other_identity")
    assert house.tokens().access_token == before
    assert [(one.why, one.refresh_token is not None) for one in house.spares()] == [
        ("other_login", True)
    ]
    house.installation.execute("UPDATE account SET status = 'expired'")
    house.renew_due()
    assert house.tokens().access_token == before
    assert len(house.spares()) == 1


def test_what_a_person_pasted_meanwhile_stays_and_the_answer_is_kept_aside(house, issuer):
    house.sign_in()
    house.make_due()
    first, context = house.held(), house.renewals().context
    found = renewal.held(context.cipher, first.account_id)
    assert found is not None
    pasted = ""

    def meanwhile():
        nonlocal pasted
        pasted = house.paste(replace_own=True)

    client = context.client()
    real = client.renew

    def renew(token, known, claim, now):
        answer = real(token, known, claim, now)
        meanwhile()
        return answer

    client.renew = renew
    renewal.renew(context, found)

    assert house.refresh_token() == pasted
    assert house.state() == ("off", None)
    late, replaced = house.spares()
    assert (late.why, replaced.why) == ("late", "replaced")
    assert issuer.is_current(revealed(late))
    # What was pasted works, so nothing of that is used.
    house.renew_due()
    assert house.refresh_token() == pasted
    # It fails: the tokens of our own sign-in are used, and renewed again.
    house.installation.execute("UPDATE account SET status = 'expired', fault_code = 'unauthorized'")
    house.renew_due()
    assert house.refresh_token() == revealed(late)
    assert (house.held().kind, house.held().renewal) == ("own", "on")
    assert house.installation.account("alice").status is Status.PENDING
    house.make_due()
    house.renew_due()
    assert issuer.is_current(house.refresh_token())


def test_an_account_that_is_removed_meanwhile_is_forgotten(house, issuer):
    house.sign_in()
    house.make_due()
    context = house.renewals().context
    found = renewal.held(context.cipher, house.held().account_id)
    assert found is not None
    client = context.client()
    real = client.renew

    def renew(*arguments):
        answer = real(*arguments)
        with store.database.transaction() as tx:
            store.accounts.mark_deleted(tx, found.account.id, NOW)
        return answer

    client.renew = renew
    renewal.renew(context, found)

    assert house.claims() == [("renewed", 1)]
    assert house.installation.rows("SELECT * FROM credential") == []


def test_a_process_that_died_leaves_a_flag_and_its_token_is_not_sent_by_others(house, issuer):
    house.sign_in()
    house.make_due()
    found = renewal.held(services().cipher, house.held().account_id)
    assert found is not None
    with store.database.transaction() as tx:
        at = house.installation.now
        assert store.renewals.claim(tx, found.fingerprints, found.account.id, 7, at)

    assert house.renew_due(59) is None
    assert house.state()[0] == "on"
    house.renew_due(1)
    assert house.state() == ("unsure", "process_ended")
    assert house.held().renew_at == house.held().access_expires_at - 12 * HOUR
    assert house.claims() == [("unsure", 1)]
    assert issuer.calls == 0
    with store.database.reading() as conn:
        assert store.renewals.totals(conn) == {"unsure": 1}
        [noted] = [e for e in store.audit_log.newest(conn) if e.kind == renewal_outcome.FAILED]
    assert noted.data == {"name": "alice", "result": "unsure", "code": "process_ended"}


def test_the_same_sign_in_under_two_names_is_renewed_once(house, issuer, installation):
    house.sign_in("alice")
    same, cipher = replace(house.tokens(), user_id=None), services().cipher
    with store.database.transaction() as tx:
        other = store.accounts.add(tx, "bob", "managed", NOW)
        stored_credentials.put(tx, cipher, other, same, NOW, kind="own")
    house.installation.now = NOW + 6 * DAY
    for _ in range(3):
        house.renew_due()

    assert issuer.calls == 1
    assert {house.state("alice"), house.state("bob")} == {
        ("dead", "used_under_another_name"),
        ("on", None),
    }


def test_a_token_that_was_used_and_is_pasted_again_is_not_sent(house, issuer, installation):
    first = house.sign_in()
    old = house.tokens()
    house.make_due()
    house.renew_due()
    account_service.add(services().cipher, "alice", old, NOW, "test", replace_own=True)
    installation.execute("UPDATE credential SET renewal = 'on', renew_at = 1, kind = 'own'")
    assert house.refresh_token() == first
    house.renew_due()

    assert issuer.calls == 1
    assert house.state() == ("dead", "used_before")


def test_a_busy_database_is_waited_for_and_nothing_of_the_answer_is_lost(
    house, issuer, monkeypatch, caplog
):
    house.sign_in()
    house.make_due()
    monkeypatch.setattr(renewal, "STORE_PAUSE_FIRST_S", 0.001)
    monkeypatch.setattr(renewal, "STORE_PAUSE_LAST_S", 0.001)
    real, failures = store.renewals.end, iter(range(3))

    def end(*arguments):
        if next(failures, None) is not None:
            raise DatabaseFull("the disk is full")
        real(*arguments)

    monkeypatch.setattr(store.renewals, "end", end)
    with caplog.at_level(logging.ERROR):
        house.renew_due()

    assert issuer.is_current(house.refresh_token())
    assert house.claims() == [("renewed", 1)]
    assert caplog.text.count("waits to be stored") == 1


def test_a_mistake_of_ours_while_storing_costs_no_token(house, issuer, monkeypatch):
    first = house.sign_in()
    house.make_due()
    with monkeypatch.context() as broken:
        broken.setattr(store.renewals, "set_state", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            house.renew_due()

    assert house.refresh_token() == first
    [kept] = house.spares()
    assert issuer.is_current(revealed(kept))
    # The used token is not sent again; when the access token has ended, the kept ones are used.
    house.renew_due()
    assert house.state() == ("dead", "used_before")
    house.renew_due(20 * DAY)
    assert issuer.calls == 2
    assert issuer.is_current(house.refresh_token())


def test_a_claim_that_cannot_be_stored_sends_nothing(house, issuer, monkeypatch):
    first = house.sign_in()
    house.make_due()

    def claim(*_):
        raise BadDatabase("the disk is full")

    with monkeypatch.context() as full:
        full.setattr(store.renewals, "claim", claim)
        with pytest.raises(BadDatabase):
            house.renew_due()

    assert (issuer.calls, house.refresh_token(), house.claims()) == (0, first, [])
    assert house.renew_due() is not None


def test_without_room_for_the_answer_nothing_is_renewed(house, issuer, monkeypatch):
    house.sign_in()
    house.make_due()
    monkeypatch.setattr(renewal_service, "has_room", lambda: False)

    assert house.renew_due() is None
    assert house.renew_now().outcome == "no_room"
    assert issuer.calls == 0


def test_room_is_looked_for_where_the_database_lies(house, installation, monkeypatch):
    assert renewal_service.has_room()
    monkeypatch.setattr(store.filesystem, "free_bytes", lambda folder: 4 * 1024**2 - 1)

    on_server = "QUOTA_DATABASE_URL" in installation.environment
    assert renewal_service.has_room() is on_server


def test_a_process_that_ends_begins_no_renewal(house, issuer):
    house.sign_in()
    house.make_due()
    services().stop.set()

    assert house.renew_due() is None
    found = renewal.held(services().cipher, house.held().account_id)
    assert found is not None
    assert renewal.renew(house.renewals().context, found) is None
    assert issuer.calls == 0


@pytest.mark.parametrize("jump", [-40 * DAY, 40 * DAY])
def test_a_clock_that_jumps_costs_no_token(house, issuer, jump):
    house.sign_in()
    house.make_due()
    house.renew_due()
    house.installation.now += jump
    for _ in range(5):
        house.renew_due()
    house.installation.now -= jump
    for _ in range(5):
        house.make_due()
        house.renew_due()

    assert issuer.is_current(house.refresh_token())
    assert house.state() == ("on", None)


def test_no_token_is_logged_or_noted(house, issuer, caplog):
    house.sign_in()
    turns = [Turn(), Turn(after=500), Turn(status=400, body={"error": {"code": f"rt_{CANARY}"}})]
    with caplog.at_level(logging.DEBUG):
        for turn in turns:
            house.make_due()
            issuer.plays(turn)
            house.renew_due()
            house.installation.execute("UPDATE credential SET renewal = 'on'")
            house.installation.execute("DELETE FROM renewal")

    assert issuer.calls == 3
    assert CANARY not in caplog.text
    for table in ("event", "renewal"):
        assert CANARY not in str(house.installation.rows(f"SELECT * FROM {table}"))


def test_where_nothing_is_due_the_schedule_looks_once(house):
    house.sign_in()
    opened: list[object] = []
    event.listen(store.database.bound(), "begin", opened.append)

    house.renew_due()

    assert len(opened) == 1
