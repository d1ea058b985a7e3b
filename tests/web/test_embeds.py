"""Embeds over HTTP: what other pages may show, for whoever has the link, and nothing beside it."""

import logging
import re
import xml.etree.ElementTree as ET
from html import unescape
from typing import Any

import pytest

from quota_web import config
from quota_web.core import clock
from quota_web.factory import create_app
from quota_web.serving.logs import TextLines
from quota_web.web.sessions import COOKIE
from tests.browser import Browser
from tests.fakes import NOW, FakeResponse, usage_body
from tests.pages import Script, close, counted, error_at, visiting

DAY = 86_400
SVG = "{http://www.w3.org/2000/svg}"
#: Kind → how the answer of its link is called, and what it is.
KINDS = {
    "badge": ("badge.svg", "image/svg+xml; charset=utf-8"),
    "chart": ("chart.svg", "image/svg+xml; charset=utf-8"),
    "board": ("board", "text/html; charset=utf-8"),
}
ADDRESS = r'value="(http://localhost(/embed/[\w-]{43}/[a-z.]+))"'


@pytest.fixture
def accounts(installation, codex):
    codex.answers("acct-a", FakeResponse(body=usage_body(five_hour=40, weekly=10)))
    installation.file("alice@example.com", "acct-a")
    installation.file("zoe")
    installation.refresh()
    return installation


@pytest.fixture
def browser(accounts):
    with visiting(accounts) as browser:
        yield browser


def make_link(browser: Browser, kind: str, **fields: Any) -> str:
    """The path of a new link, as the page shows it this once."""
    page = browser.post("/settings/share-links", kind=kind, **fields)
    assert page.status_code == 200, page.text
    found = re.search(ADDRESS, page.text)
    assert found is not None
    return found[2]


def stranger(browser: Browser):
    return browser.client.application.test_client()


def title(answer) -> str:
    """What a picture says it shows."""
    assert answer.status_code == 200, answer.text
    found = ET.fromstring(answer.text).find(f"{SVG}title")
    assert found is not None
    return found.text or ""


@pytest.mark.parametrize("kind", KINDS)
def test_a_link_shows_its_kind_to_whoever_has_it_in_a_frame_too(browser, kind):
    path, client = make_link(browser, kind), stranger(browser)
    name, mimetype = KINDS[kind]

    answer = client.get(path)

    assert path.endswith(f"/{name}")
    assert (answer.status_code, answer.content_type) == (200, mimetype)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Robots-Tag"] == "noindex"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "X-Frame-Options" not in answer.headers
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert (
        policy.endswith("; frame-ancestors *") or policy == "default-src 'none'; frame-ancestors *"
    )
    assert "unsafe" not in policy
    assert client.head(path).status_code == 200
    assert client.post(path).status_code in (400, 405)
    for other in ("/", "/login", "/settings", "/share/x.ics", "/embed/x", "/nowhere"):
        headers = client.get(other).headers
        assert headers["X-Frame-Options"] == "DENY", other
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], other


@pytest.mark.parametrize("kind", KINDS)
def test_a_link_reads_no_cookie_and_no_token_sets_none_and_opens_nothing_else(browser, kind):
    path = make_link(browser, kind)
    cookie, client = browser.cookie(), stranger(browser)
    plain = client.get(path)

    signed_in = browser.get(path, Cookie=f"{COOKIE}={cookie}; codex_quota_zone=Asia/Tokyo")
    with_token = client.get(path, headers={"Authorization": "Bearer wrong"})

    for answer in (signed_in, with_token):
        assert answer.text == plain.text
        assert "Set-Cookie" not in answer.headers
        assert "Cookie" not in answer.headers.get("Vary", "")
    assert browser.cookie() == cookie
    secret = path.split("/")[2]
    for headers in ({"Authorization": f"Bearer {secret}"}, {"Cookie": f"{COOKIE}={secret}"}):
        assert client.get("/api/results", headers=headers).status_code == 401
    others = [f"/share/{secret}.ics", *(f"/embed/{secret}/{name}" for name, _ in KINDS.values())]
    for other in others:
        if other != path:
            assert client.get(other).status_code == 404, other


@pytest.mark.parametrize("kind", KINDS)
def test_names_with_addresses_are_hidden_unless_the_owner_ticked_them(browser, kind):
    alice = {"account": "alice@example.com"}
    of_all, of_alice = make_link(browser, kind), make_link(browser, kind, **alice)
    named = make_link(browser, kind, with_names="1", **alice)
    client = stranger(browser)

    assert "alice@example.com" in client.get(f"{named}?names=0").text
    for path in (of_all, of_alice):
        text = client.get(f"{path}?names=1&account=zoe").text
        assert "account 1" in text or (kind, path) == ("badge", of_all)
        assert not re.search(r"@|acct-|user-|eyJ", text), text
    assert "zoe" not in client.get(of_alice).text


def test_unknown_revoked_expired_and_foreign_links_answer_alike(browser, accounts):
    name = KINDS["badge"][0]
    expiring, revoked = make_link(browser, "badge", days="2"), make_link(browser, "badge")
    of_zoe = make_link(browser, "badge", account="zoe")
    listed = re.findall(r'name="id" value="(\d+)"', browser.get("/settings").text)
    assert browser.post("/settings/share-links/revoke", id=listed[1]).status_code == 303
    client = stranger(browser)

    answers = [client.get(path) for path in (f"/embed/x/{name}", f"/embed/{'A' * 43}/{name}")]
    answers.append(client.get(revoked))
    with clock.frozen(NOW + 2 * DAY):
        answers.append(client.get(expiring))
    settings = config.load(accounts.environment).with_options(only_account="alice@example.com")
    foreign = create_app(settings)
    answers.append(foreign.test_client().get(of_zoe))
    close(foreign)

    told = {(a.status_code, a.text, a.content_type, tuple(a.headers)) for a in answers}
    assert len(told) == 1
    assert answers[0].text == "This link opens nothing.\n"
    assert (answers[0].status_code, answers[0].mimetype) == (404, "text/plain")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("query", "line"),
    [
        ("theme=pink", r"theme must be one of [a-z, ]+light, dark"),
        ("size=9", r"size must be one of [a-z]+, [a-z]+"),
        ("lang=xx", "lang must be one of en, zh"),
        ("zone=../etc/passwd", "zone must be the name of a time zone, such as Europe/Berlin"),
        ("zone=Nowhere/City", "zone must be the name of a time zone, such as Europe/Berlin"),
    ],
)
def test_a_value_that_is_not_offered_is_refused_in_one_line(browser, kind, query, line):
    path = make_link(browser, kind)

    answer = stranger(browser).get(f"{path}?{query}", headers={"Accept-Language": "en"})

    assert (answer.status_code, answer.mimetype) == (400, "text/plain")
    assert re.fullmatch(line.replace("[a-z, ]+light", "(?:auto, )?light") + "\n", answer.text)
    assert "X-Frame-Options" not in answer.headers


def test_an_unchanged_embed_is_answered_with_304(browser):
    path, client = make_link(browser, "badge", account="zoe"), stranger(browser)
    etag = client.get(path).headers["ETag"]

    again = client.get(path, headers={"If-None-Match": etag})
    assert browser.post("/auth/pause", name="zoe").status_code == 303
    changed = client.get(path, headers={"If-None-Match": etag})

    assert (again.status_code, again.text) == (304, "")
    assert again.headers["Cache-Control"] == "no-store"
    assert changed.status_code == 200
    assert changed.headers["ETag"] != etag


@pytest.mark.parametrize("kind", KINDS)
def test_an_embed_that_is_kept_costs_two_small_queries(browser, kind):
    path, client = make_link(browser, kind), stranger(browser)
    client.get(path)

    with counted(browser) as statements:
        assert client.get(path).status_code == 200

    assert len([s for s in statements if s.startswith("SELECT")]) <= 2, statements


def test_the_secret_reaches_no_log_when_something_breaks(browser, monkeypatch, caplog):
    path = make_link(browser, "badge")
    monkeypatch.setattr("quota_web.web.badge_svg.document", None)

    with caplog.at_level(logging.ERROR):
        answer = stranger(browser).get(path)

    assert (answer.status_code, answer.mimetype) == (500, "text/plain")
    assert answer.text.startswith("Something broke here (request ")
    lines = "\n".join(TextLines(None).format(record) for record in caplog.records)
    assert "/embed/***" in lines
    assert path.split("/")[2] not in lines


# Making one


def test_the_page_shows_the_address_once_with_what_to_paste(browser):
    page = browser.post("/settings/share-links", kind="badge", account="zoe")

    found = re.search(ADDRESS, page.text)
    assert found is not None
    pasted = unescape(page.text)
    assert f'value="![Codex quota]({found[1]})"' in pasted
    assert f'value="<img src="{found[1]}" alt="Codex quota">"' in pasted
    assert "never" in re.findall(r'<td class="nowrap">([^<]+)</td>', page.text)
    assert stranger(browser).get(found[2]).status_code == 200
    later = browser.get("/settings").text
    assert "just now" in later
    assert "the badge link that shows zoe" in later
    assert '<th scope="row">Badge</th>' in later
    assert found[2].split("/")[2] not in later


def test_an_address_begins_with_the_public_one_where_that_is_set(accounts):
    public = "https://quota.example.org/q"
    with visiting(accounts, QUOTA_PUBLIC_URL=public, QUOTA_TRUSTED_HOSTS="localhost") as browser:
        badge = browser.post("/settings/share-links", kind="badge").text
        calendar = browser.post("/settings/share-links", kind="calendar").text

    assert re.search(rf'value="{public}/embed/[\w-]{{43}}/badge\.svg"', badge)
    assert re.search(rf'value="{public}/share/[\w-]{{43}}\.ics"', calendar)


def test_a_kind_that_there_is_not_is_refused_beside_its_field(browser):
    answer = browser.post("/settings/share-links", kind="keys", account="zoe")

    assert answer.status_code == 422
    assert (error_at(answer.text, "share_kind") or "").startswith("A share link shows one of: ")


def test_a_token_makes_no_link(browser):
    script = Script(browser, write=True)

    for kind in KINDS:
        assert script.post("/settings/share-links", kind=kind).status_code == 403


# The badge


def test_a_badge_is_of_the_account_to_use_now_or_of_the_one_that_was_chosen(browser):
    client = stranger(browser)

    assert title(client.get(make_link(browser, "badge", account="zoe")))
    chosen = title(client.get(make_link(browser, "badge", account="alice@example.com")))
    assert chosen == "account 1 · 60\u202f% · until 22:00 (CST)"


def test_a_badge_speaks_the_language_and_the_zone_of_its_address(browser):
    path, client = make_link(browser, "badge", account="alice@example.com"), stranger(browser)

    assert title(client.get(f"{path}?zone=Europe/Berlin&theme=dark&size=large")) == (
        "account 1 · 60\u202f% · until 15:00 (CET)"
    )
    assert title(client.get(f"{path}?lang=zh")) == "account 1 · 60% · 至 22:00 (CST)"


# The chart


def test_a_chart_has_panels_of_one_account_or_a_lane_for_each_of_all(browser):
    client = stranger(browser)
    one, of_all = make_link(browser, "chart", account="zoe"), make_link(browser, "chart")

    panels = client.get(f"{one}?range=24h&theme=dark&lang=zh").text
    lanes = client.get(f"{of_all}?size=narrow&zone=UTC").text

    assert title(client.get(one)) == "Quota left of zoe"
    bold = re.findall(r'font-weight="600">([^<]+)</text>', panels)
    assert bold == ["zoe", "5 小时", "88 %", "每周", "60 %"]
    assert title(client.get(of_all)) == "Quota left of all accounts"
    assert re.findall(r'font-weight="600">([^<]+)</text>', lanes) == ["zoe", "account 1"]
    assert ">60\u202f% · until 14:00<" in lanes
    assert ">UTC<" in lanes
    wrong = client.get(f"{one}?range=5m")
    assert (wrong.status_code, wrong.text) == (
        400,
        "range must be one of 7d, 24h, 30d, 90d, 1y\n",
    )


def test_many_accounts_cost_a_chart_no_more_queries_and_what_is_left_out_is_said(browser, accounts):
    path, client = make_link(browser, "chart"), stranger(browser)
    numbers = []
    for count in (4, 30):
        for number in range(count):
            accounts.file(f"b{number}")
        accounts.refresh()
        with counted(browser) as statements:
            answer = client.get(path)
        numbers.append(len(statements))
    assert numbers[0] >= numbers[1] > 2
    assert "and 8 more accounts" in answer.text
    assert answer.text.count("<svg x=") >= 24
