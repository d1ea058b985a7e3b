"""The page of alerts: a channel is made, tried, changed and deleted without a script; no address is
ever shown, and nothing but a person in a browser changes one.
"""

import html
import re
from collections.abc import Iterator

import pytest

from quota_web import store
from quota_web.alerts import channel_secrets, channel_service
from quota_web.core import clock
from quota_web.services import services
from tests.alerts.receiver import Receiver, Reply
from tests.alerts.sending import LOOPBACK, add_channel, add_event, deliveries, run_pass
from tests.browser import Browser, audit, make_app, make_token
from tests.fakes import NOW
from tests.operations import add_account
from tests.pages import HOSTILE

CANARY = "CANARY-81cd"


@pytest.fixture
def app(instance_dir):
    app = make_app(instance_dir, **LOOPBACK)
    with app.app_context(), clock.frozen(NOW):
        for number, name in enumerate(("alice", "bob"), 1):
            add_account(name, number)
        yield app
        store.database.forget_troubles()


@pytest.fixture
def browser(app):
    return Browser(app).signed_in()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


def channel(name: str):
    return channel_service.find(name)


def url_of(name: str) -> str:
    return channel_secrets.opened(services().cipher, channel(name)).url.reveal()


def words(answer) -> str:
    """The text of a page."""
    main = answer.text.partition("<main")[2].partition("</main>")[0]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", main)).split())


def notes(browser) -> str:
    found = re.findall(r'<p class="note[^>]*>(.*?)</p>', browser.get("/alerts").text, re.DOTALL)
    return html.unescape(" ".join(found))


RULES = {"kinds": ["quota.low", "quota.exhausted"], "below": "20, 5", "digest": "off"}


def save(browser, service="ntfy", name="phone", **fields):
    given = {**RULES, "service": service, "name": name, **fields}
    return browser.post("/alerts/save", **given)


def ntfy(receiver: Receiver) -> dict[str, str]:
    return {"server": f"http://127.0.0.1:{receiver.port}", "topic": CANARY, "token": ""}


def test_the_first_look_offers_the_services_and_each_has_its_form(browser):
    page = browser.get("/alerts")
    keys = re.findall(r'href="/alerts\?add=(\w+)"', page.text)

    assert "Where should alerts go?" in page.text
    assert keys == ["ntfy", "telegram", "discord", "slack", "mail", "webhook", "other"]
    for key in keys:
        form = browser.get(f"/alerts?add={key}")
        assert form.status_code == 200
        assert 'action="/alerts/save"' in form.text
        assert "alice: weekly quota 18 % left" in html.unescape(form.text)
    assert browser.get("/alerts?add=pager").status_code == 404
    assert browser.get("/alerts?edit=7").status_code == 404


def test_a_channel_is_saved_tried_and_told_of_what_was_chosen(browser, receiver):
    answer = save(browser, **ntfy(receiver), then="test")

    assert (answer.status_code, answer.location) == (303, "/alerts")
    assert url_of("phone") == f"ntfy://127.0.0.1:{receiver.port}/{CANARY}?mode=private"
    assert channel("phone").kinds == frozenset({"quota.low", "quota.exhausted"})
    [got] = receiver.got
    assert "This is a test: alerts arrive here" in got.body.decode()
    assert re.search(r"The test was taken by phone after \d\.\d s\.", notes(browser))
    assert audit()[0] == "channel_added"


def test_the_receivers_answer_is_never_shown(browser, receiver):
    receiver.answers(Reply(418, CANARY.encode(), {"X-Canary": CANARY}))
    save(browser, **ntfy(receiver))
    browser.post("/alerts/test", id="1", name="phone")
    page = browser.get("/alerts")

    assert "The test was not taken by phone: HTTP 418 (after 0." in page.text
    assert CANARY not in page.text


def test_a_test_shows_what_came_of_messages_and_never_where_they_went(browser, receiver):
    save(browser, **ntfy(receiver))
    receiver.answers(503)
    add_event("quota.exhausted", cause="window", blocked_until=NOW + 3_600)
    run_pass()
    page = browser.get("/alerts")
    text = words(page)

    assert "phone ntfy · 127.0.0.1 Failing since 13:00" in text
    assert "HTTP 503" in text
    assert "alice: quota used up" in text
    assert CANARY not in page.text + browser.get("/alerts?edit=1").text


def test_blank_fields_keep_the_address(browser, receiver):
    save(browser, **ntfy(receiver))
    before = url_of("phone")
    blank = {"id": "1", "server": "https://ntfy.sh", "topic": "", "token": ""}
    answer = save(
        browser,
        name="my phone",
        **blank,
        on="1",
        quiet_from="22:00",
        quiet_to="07:00",
        quiet_urgent="1",
        language="zh",
        accounts=["bob"],
        digest="mon",
        digest_at="08:00",
    )

    found = channel("my phone")
    assert answer.status_code == 303
    assert url_of("my phone") == before
    assert (found.quiet, found.digest) == ("22:00-07:00 urgent", "weekly mon 08:00")
    assert (found.language, found.accounts, found.is_on) == ("zh", frozenset({2}), True)
    form = browser.get("/alerts?edit=1").text
    for shown in ('value="22:00"', 'value="07:00"', 'value="mon" selected', 'value="zh"'):
        assert shown in form
    assert audit()[0] == "channel_edited"


def test_a_channel_that_is_switched_off_drops_what_waits(browser, receiver):
    save(browser, **ntfy(receiver))
    add_event("quota.exhausted")
    save(browser, id="1", server="https://ntfy.sh", topic="", token="")

    assert channel("phone").is_on is False
    assert [row.state for row in deliveries()] == ["dropped"]


def test_a_webhook_shows_its_secret_once_and_another_after_a_change(browser, receiver):
    made = save(browser, "webhook", "hook", address=receiver.url)
    secret = re.search(r"whsec_[A-Za-z0-9+/=]+", made.text)
    later = browser.post("/alerts/rotate", id="1", name="hook")
    other = re.search(r"whsec_[A-Za-z0-9+/=]+", later.text)

    assert made.status_code == 200
    assert secret is not None
    assert other is not None
    assert secret[0] != other[0]
    assert "whsec_" not in browser.get("/alerts").text + browser.get("/alerts?edit=1").text
    keys = channel_secrets.opened(services().cipher, channel("hook")).keys
    assert keys is not None
    assert keys.previous is not None
    assert (keys.current.reveal(), keys.previous.reveal()) == (other[0], secret[0])
    assert made.headers["Cache-Control"] == "no-store"


def test_a_channel_is_deleted_by_its_id(browser, receiver):
    save(browser, **ntfy(receiver))
    assert browser.post("/alerts/delete", id="1", name="phone").status_code == 303
    assert "phone is deleted." in notes(browser)
    for route in ("delete", "test", "rotate"):
        assert browser.post(f"/alerts/{route}", id="1", name="phone").status_code == 409
    assert browser.post("/alerts/save", service="ntfy", id="1", **RULES).status_code == 422


BAD = [
    ("ntfy", {"topic": "", "server": "https://ntfy.sh"}, "This is needed."),
    ("ntfy", {"topic": "a b", "server": "https://ntfy.sh"}, "A topic has letters"),
    ("ntfy", {"topic": "a", "server": "ftp://x"}, "Give the server as"),
    ("ntfy", {"topic": "a", "server": "https://10.0.0.1"}, "QUOTA_ALERT_TARGETS does not open it"),
    ("telegram", {"token": CANARY, "chat": "1"}, "BotFather"),
    ("telegram", {"token": "123456789:" + "A" * 35, "chat": "me"}, "A chat is a number"),
    ("discord", {"hook": f"https://example.org/{CANARY}"}, "Paste the whole address"),
    ("slack", {"hook": f"https://example.org/{CANARY}"}, "Paste the whole address"),
    ("webhook", {"address": f"https://10.0.0.1/{CANARY}"}, "does not open it"),
    ("webhook", {"address": f"http://93.184.215.14/{CANARY}"}, "plain http goes only"),
    ("webhook", {"address": f"https://me:{CANARY}@example.org/"}, "without user name"),
    ("other", {"address": f"syslog://{CANARY}"}, "not sent through"),
    ("other", {"address": f"ntfys://ntfy.sh/{CANARY}?verify=no"}, "verify=no"),
]


@pytest.mark.parametrize(("service", "fields", "line"), BAD)
def test_what_cannot_be_used_is_said_beside_its_field_and_no_secret_comes_back(
    browser, service, fields, line
):
    answer = save(browser, service, **fields)

    assert answer.status_code == 422
    assert line in html.unescape(answer.text)
    assert CANARY not in answer.text
    assert 'value="phone"' in answer.text
    assert browser.get("/alerts").text.count("channel_") == 0


BAD_RULES = [
    ({"name": " "}, "Give the channel a name."),
    ({"below": "abc"}, "percents between 0 and 100"),
    ({"quiet_from": "22:00"}, "two times of day"),
    ({"kinds": ["quota.high"]}, "quota.high is none of"),
    ({"digest": "never"}, "Give daily 08:00"),
]


@pytest.mark.parametrize(("fields", "line"), BAD_RULES)
def test_a_rule_that_makes_no_sense_is_said(browser, receiver, fields, line):
    answer = save(browser, **{**ntfy(receiver), **fields})

    assert answer.status_code == 422
    assert line in html.unescape(answer.text)
    assert receiver.got == []


def test_a_service_that_is_none_is_a_400(browser):
    assert save(browser, "pager").status_code == 400


def test_no_token_and_no_visitor_reads_or_changes_channels(app, instance_dir, receiver):
    add_channel(receiver.url, "hook")
    off = make_app(instance_dir, QUOTA_AUTH="off")
    for client, headers in (
        (app.test_client(), make_token(app, "reads")),
        (app.test_client(), make_token(app, "writes", write=True)),
        (off.test_client(), {}),
    ):
        assert client.get("/alerts", headers=headers).status_code == 403
        for route in ("save", "delete", "test", "rotate"):
            data = {"id": "1", "name": "hook", "service": "ntfy"}
            answer = client.post(f"/alerts/{route}", headers=headers, data=data)
            assert answer.status_code in (400, 403)
    assert receiver.got == []
    assert channel("hook").is_on


def test_names_are_escaped(browser, receiver):
    for number, name in enumerate(HOSTILE):
        save(browser, "webhook", name, address=f"{receiver.url}{number}")
    page = browser.get("/alerts").text

    for name in HOSTILE:
        assert name not in page or name == html.escape(name)
    assert "<script>alert" not in page


def test_the_page_speaks_chinese(browser, receiver):
    save(browser, **ntfy(receiver))
    page = browser.get("/alerts", Accept_Language="zh-CN")
    form = browser.get("/alerts?add=mail", Accept_Language="zh-CN")

    assert "发送测试" in page.text
    assert "出现以下情况时通知我" in form.text
    assert "邮件服务器" in form.text


def test_all_kinds_of_alerts_have_a_switch():
    from quota_web.alerts import kinds, rule_words

    listed = [kind for _, group in rule_words.GROUPS for kind in group]
    assert sorted(listed) == sorted(set(kinds.Alert) - {kinds.Alert.TEST})
    assert set(rule_words.SENTENCES) == set(listed)
