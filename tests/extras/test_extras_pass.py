"""What is asked for beside quota where the settings say so: paced, kept apart, without any effect
on an account's status.
"""

import pytest

from quota_web import store
from quota_web.codex import extra_answers
from quota_web.codex.classify import Classification
from quota_web.codex.payload import BadPayload
from quota_web.core.clock import frozen
from quota_web.core.extra_facts import SUBSCRIPTION, WORKSPACE, Extra
from quota_web.core.faults import Fault
from quota_web.core.quota import Status
from quota_web.extras import extra_pace, wanting
from quota_web.extras.extras_pass import AT_ONCE, EVERY_S, ExtrasPass
from quota_web.refresh.hooks import hooks
from quota_web.reports import results_json
from tests.fakes import NOW, FakeResponse
from tests.installation import open_installation

HOUR, DAY = 3_600, 86_400
SUBSCRIPTIONS = "/backend-api/subscriptions?account_id=acct-alice"
WORKSPACES = "/backend-api/wham/accounts/check"
UNTIL = "2026-12-03T13:27:01Z"
RENEWS = {"plan_type": "plus", "active_until": UNTIL, "will_renew": True, "is_delinquent": False}
TOLD = {"until": UNTIL, "renews": True, "overdue": False}
CHALLENGE = FakeResponse(
    403,
    raw=b"<!DOCTYPE html><title>Just a moment...</title>",
    headers={"content-type": "text/html", "cf-mitigated": "challenge"},
)


def workspace(name, account_id="acct-alice"):
    return {"accounts": [{"id": account_id, "name": name, "structure": "workspace"}]}


class Clock:
    """The passes of one installation and the time between them."""

    def __init__(self, installation):
        self.installation, self.at = installation, 0.0
        self.asked = ExtrasPass(lambda: installation.now, lambda: self.at)
        hooks().on_recorded[:], hooks().on_finished[:] = [self.asked.note], [self.asked.run]

    def refresh(self, hours=1.0):
        self.installation.now += round(hours * HOUR)
        results = self.installation.refresh(force=True)
        self.wait()
        return results

    def wait(self):
        self.at += EVERY_S
        hooks().finished()


@pytest.fixture
def house(tmp_path, codex, made_instance):
    wanted = "subscription workspace"
    with open_installation(tmp_path, codex, template=made_instance, QUOTA_EXTRAS=wanted) as house:
        house.file("alice", exp=NOW + 90 * DAY)
        codex.answers("acct-alice", FakeResponse(body=RENEWS), path=SUBSCRIPTIONS)
        codex.answers("acct-alice", FakeResponse(body=workspace("Example GmbH")), path=WORKSPACES)
        yield house


@pytest.fixture
def clock(house):
    return Clock(house)


def told(house):
    found = results_json.result(house.report("alice"))
    return found["subscription"], found["workspace"]


def asked(codex, path):
    return sum(seen.path == path for seen in codex.seen)


def test_a_subscription_is_asked_for_once_a_day_and_a_workspace_once(house, clock, codex):
    for hours, subscriptions in ((1, 1), (1, 1), (22, 1), (2, 2), (25, 3)):
        clock.refresh(hours)
        assert (asked(codex, SUBSCRIPTIONS), asked(codex, WORKSPACES)) == (subscriptions, 1)

    assert told(house) == (TOLD, "Example GmbH")
    assert {seen.method for seen in codex.seen} == {"GET"}


def test_the_app_asks_by_itself_after_a_refresh_where_the_settings_say_so(house, codex):
    with frozen(NOW):
        house.refresh(force=True)
        hooks().finished()

    assert (asked(codex, SUBSCRIPTIONS), asked(codex, WORKSPACES)) == (1, 1)


@pytest.mark.parametrize("wanted", ["", "workspace"])
def test_nothing_is_asked_or_told_that_the_settings_do_not_name(house, clock, codex, wanted):
    clock.refresh()
    seen = asked(codex, SUBSCRIPTIONS)
    with house.another(QUOTA_EXTRAS=wanted).app_context():
        house.services.ready()
        Clock(house).refresh(30)
        assert told(house) == (None, "Example GmbH" if wanted else None)
        store.database.bound().dispose()
        house.services.close()

    assert asked(codex, SUBSCRIPTIONS) == seen


@pytest.mark.parametrize(
    "answer",
    [
        FakeResponse(401, body={"detail": "Unauthorized"}),
        FakeResponse(402, body={"detail": {"code": "deactivated_workspace"}}),
        CHALLENGE,
        FakeResponse(429, body={}, headers={"Retry-After": "600"}),
        FakeResponse(500, body={}),
        FakeResponse(200, raw=b"<html></html>"),
        FakeResponse(200, body={"accounts": 3, "active_until": "soon"}),
        FakeResponse(drop="request"),
    ],
)
def test_a_failure_leaves_what_was_told_and_every_status(house, clock, codex, answer):
    clock.refresh()
    codex.answers("acct-alice", answer, path=SUBSCRIPTIONS)
    [result] = clock.refresh(25).values()

    assert (result.status, told(house)) == (Status.OK, (TOLD, "Example GmbH"))
    [found] = store_of(house).values()
    assert found[SUBSCRIPTION].fault is not None
    before = asked(codex, SUBSCRIPTIONS)
    [again] = clock.refresh(0.5).values()
    assert (again.status, asked(codex, SUBSCRIPTIONS)) == (Status.OK, before)
    assert house.rows("SELECT address_blocked_until FROM site_state") == [(None,)]


def store_of(house):
    with store.database.reading() as conn:
        return store.extras.known(conn, (SUBSCRIPTION, WORKSPACE))


def test_where_there_is_no_subscription_nothing_is_told_of_the_one_before(house, clock, codex):
    clock.refresh()
    codex.answers("acct-alice", FakeResponse(404, body={"detail": "Not Found"}), path=SUBSCRIPTIONS)
    clock.refresh(25)

    assert told(house) == (None, "Example GmbH")


def test_what_was_told_of_another_login_is_not_told_of_this_one(house, clock, codex):
    clock.refresh()
    house.execute("UPDATE account SET chatgpt_account_id = 'acct-other', version = version + 1")

    assert told(house) == (None, None)


def test_a_few_are_asked_at_a_time_and_the_rest_later_without_a_new_answer(house, clock, codex):
    for name in ("bob", "carol"):
        house.file(name, exp=NOW + 90 * DAY)
    clock.refresh()
    usage = "/backend-api/wham/usage"
    beside = [AT_ONCE]
    for _ in range(4):
        beside.append(sum(seen.path != usage for seen in codex.seen))
        clock.wait()

    assert beside == [AT_ONCE, AT_ONCE, 2 * AT_ONCE, 3 * AT_ONCE, 3 * AT_ONCE]


def test_after_a_challenge_none_of_the_kind_is_asked_for_by_itself(house, clock, codex):
    house.file("bob", exp=NOW + 90 * DAY)
    codex.answers("acct-alice", CHALLENGE, path=SUBSCRIPTIONS)
    clock.refresh()
    for _ in range(3):
        clock.wait()

    assert [seen.path for seen in codex.seen if "subscriptions" in seen.path] == [SUBSCRIPTIONS]


def test_a_person_has_one_asked_for_again_at_once(house, clock, codex):
    clock.refresh()
    codex.answers("acct-alice", FakeResponse(body=workspace("New GmbH")), path=WORKSPACES)
    house.now += HOUR
    assert wanting.want("alice", WORKSPACE, house.now) == "alice"
    clock.wait()
    clock.wait()

    assert (told(house), asked(codex, WORKSPACES)) == ((TOLD, "New GmbH"), 2)


@pytest.mark.parametrize(
    ("document", "name"),
    [
        (workspace("Example GmbH"), "Example GmbH"),
        ({"accounts": [{"id": "acct-alice", "name": None, "structure": "personal"}]}, "Personal"),
        ({"accounts": {"acct-alice": {"account": {"name": "A\u202eB"}}}}, "AB"),
        ({"accounts": {"x": {"account": {"account_id": "acct-alice", "name": "Map"}}}}, "Map"),
    ],
)
def test_the_name_of_the_accounts_own_workspace_is_read(document, name):
    assert extra_answers.parse(WORKSPACE, document, "acct-alice") == {"name": name}


@pytest.mark.parametrize("kind", [SUBSCRIPTION, WORKSPACE])
@pytest.mark.parametrize(
    "document", [None, [], {}, {"accounts": [None, 3, {"id": "acct-bob", "name": "Bob"}]}]
)
def test_an_answer_that_tells_nothing_of_the_account_is_none(kind, document):
    with pytest.raises(BadPayload):
        extra_answers.parse(kind, document, "acct-alice")


def test_how_long_a_failure_waits():
    def wait(fault, retry_after_s=None):
        answer = Classification(fault, retry_after_s=retry_after_s)
        return (extra_pace.after(WORKSPACE, Extra(), answer, "a", NOW).retry_at or 0) - NOW

    assert wait(Fault("unreachable", {"reason": ""})) == HOUR
    assert wait(Fault("rate_limited", {"http_status": 429}), 7_200) == 2 * HOUR
    assert wait(Fault("cloudflare", {"http_status": 403})) == 6 * HOUR
    assert wait(Fault("http", {"http_status": 404, "reason": ""})) == DAY
    assert not extra_pace.is_due(WORKSPACE, Extra(asked_at=NOW - 5, wanted_at=NOW), None, NOW)
    assert extra_pace.is_due(WORKSPACE, Extra(retry_at=NOW + 90 * DAY), None, NOW)
