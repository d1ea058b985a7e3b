"""One account's page and its chart drawn on the server."""

import re
import xml.etree.ElementTree as ET

import pytest

from quota_web.accounts import account_service
from quota_web.codex import auth_file
from quota_web.core import clock
from quota_web.extras.reset_credit_pass import ResetCreditPass
from quota_web.refresh.hooks import hooks
from tests.extras.lists import LIST_PATH, listed_reset, listing
from tests.fakes import NOW, FakeResponse, auth_document, usage_body
from tests.pages import HOSTILE, Script, read, visiting

HOUR = 3_600
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def alice(installation, codex):
    installation.file("alice", exp=NOW + 864_000)
    installation.refresh()
    return installation


def words(page: str) -> str:
    """What a reader sees of a page, in one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.partition("<main")[2]).split())


# The page


def test_everything_that_is_known_stands_on_the_page(alice, browser):
    answer = browser.get("/accounts/alice")
    text = words(answer.text)

    assert answer.status_code == 200
    assert "<title>alice · Codex Quota</title>" in answer.text
    for told in (
        "Plus · alice@example.com",
        "Can be used",
        "Five-hour 88 % left",
        "Weekly 60 % left",
        "Credits none",
        "Banked resets not told",
        "2 readings",
    ):
        assert told in text, told
    for told in (
        "State works",
        "Access token expires Tue 1 Dec, 20:00 CST",
        "Refresh token stays in its file",
        str(alice.accounts),
        "Answered 1",
    ):
        assert told in text, told


@pytest.mark.parametrize(
    ("credits", "told"),
    [
        (
            {"has_credits": True, "unlimited": False, "balance": "1348.7450000000"},
            "Credits 1,348.75",
        ),
        ({"has_credits": True, "unlimited": True, "balance": None}, "Credits unlimited"),
        (
            {"has_credits": True, "unlimited": False, "balance": None},
            "Credits a shared pool, amount not told",
        ),
        ({"has_credits": False, "unlimited": False, "balance": "0"}, "Credits none"),
    ],
)
def test_credits_are_told_as_they_are(installation, browser, codex, credits, told):
    installation.file("alice")
    codex.answers(
        "acct-alice",
        FakeResponse(
            body=usage_body(credits=credits, rate_limit_reset_credits={"available_count": 3})
        ),
    )
    installation.refresh()
    text = words(browser.get("/accounts/alice").text)

    assert told in text
    assert "Banked resets 3" in text


def test_banked_resets_are_shown_with_their_ends_and_cannot_be_spent_here(
    installation, browser, codex
):
    rows = [
        listed_reset("one", NOW + 2 * 86_400, title="Full <reset>"),
        listed_reset("two", NOW + 9 * 86_400),
        listed_reset("three", None, title=None),
    ]
    installation.file("alice")
    usage = usage_body(rate_limit_reset_credits={"available_count": 3})
    codex.answers("acct-alice", FakeResponse(body=usage))
    codex.answers("acct-alice", listing(*rows), path=LIST_PATH)
    lists = ResetCreditPass(lambda: installation.now)
    hooks().on_recorded.append(lists.note)
    installation.refresh()
    lists.run()
    page = browser.get("/accounts/alice").text
    text = words(page)

    assert "Full &lt;reset&gt; : ends Mon 23 Nov, 20:00 CST" in text
    assert "in 2 d · expires before the weekly reset" in text
    assert "Full reset (Weekly + 5 hr) : ends Mon 30 Nov, 20:00 CST" in text
    assert text.count("expires before the weekly reset") == 1
    assert "Banked reset : no end told Use one on ChatGPT’s usage page" in text
    assert "consume" not in page


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        ({"available": False}, "gpt-6-astra not available"),
        (
            {"available": False, "available_at": NOW + 7_200, "credits_would_enable": True},
            "gpt-6-astra not available until 22:00 CST (credits would enable it)",
        ),
        ({"available": False, "available_at": NOW - 60}, None),
        ({"available": True}, None),
    ],
)
def test_a_model_that_may_not_be_used_is_named(installation, browser, codex, usage, told):
    installation.file("alice")
    codex.answers("acct-alice", FakeResponse(body=usage_body(model_usage={"gpt-6-astra": usage})))
    installation.refresh()
    text = words(browser.get("/accounts/alice").text)

    assert told in text if told else "gpt-6-astra" not in text


def test_every_window_has_its_place_and_a_spend_limit_its_amounts(installation, browser, codex):
    spend = {
        "individual_limit": {
            "limit": "15000",
            "used": "3831.75",
            "used_percent": 26,
            "reset_at": NOW + 864_000,
            "unit": "credits",
        }
    }
    extra = [
        {
            "limit_name": "Spark",
            "metered_feature": "x",
            "rate_limit": {"primary_window": {"used_percent": 5, "limit_window_seconds": 18_000}},
        }
    ]
    installation.file("alice")
    codex.answers(
        "acct-alice",
        FakeResponse(body=usage_body(spend_control=spend, additional_rate_limits=extra)),
    )
    installation.refresh()
    text = words(browser.get("/accounts/alice").text)

    assert "Spark · Five-hour 95 % left reset unknown" in text
    assert "What changed in the last 24 hours: Five-hour · Weekly · Spark · Five-hour" in text
    assert "3,831.75 of 15,000 credits spent" in text


def test_an_account_that_was_never_asked_says_so(installation, browser):
    installation.file("alice")
    installation.follow()
    text = words(browser.get("/accounts/alice").text)

    for told in (
        "Not read yet",
        "never read",
        "Not read yet.",
        "The first line begins with the first answer.",
        "None yet.",
        "State not tried yet",
        "0 readings",
    ):
        assert told in text, told


def test_a_fault_is_told_with_its_time_and_what_to_do(installation, browser):
    installation.file("alice", exp=NOW - HOUR)
    installation.refresh()
    page = browser.get("/accounts/alice").text

    assert "Needs sign-in" in page
    assert '<time datetime="2026-11-21T11:00:00Z" data-t="clock">19:00 CST</time>' in page
    assert 'href="/auth/edit?name=alice"' in page


def test_what_the_upstream_said_stands_once_on_a_page(installation, browser, codex):
    installation.file("alice")
    codex.answers(
        "acct-alice", FakeResponse(401, body={"detail": "Your session was revoked by a robot"})
    )
    installation.refresh()

    assert browser.get("/accounts/alice").text.count("revoked by a robot") == 1


def test_attempts_stand_with_status_and_duration(alice, browser, codex):
    codex.answers("acct-alice", FakeResponse(503, body={}))
    alice.now = NOW + HOUR
    alice.ask(force=True)
    alice.now = NOW + 2 * HOUR
    alice.ask(force=True)
    with clock.frozen(NOW + 2 * HOUR):
        text = words(browser.get("/accounts/alice").text)

    attempts = text[text.index("Last attempts") :]
    assert re.search(
        r"22:00 CST since 21:00 CST ChatGPT has a fault 2 \d+ ms at most \d+ ms HTTP 503", attempts
    )
    assert re.search(r"20:00 CST Answered 1 \d+ ms HTTP 200", attempts)


def test_the_same_login_under_another_name_is_told(installation, browser):
    for name in ("alice", "twin"):
        installation.file(name, "a", user_id="u")
    installation.follow()

    assert "The same login is also here as twin" in words(browser.get("/accounts/alice").text)


def test_what_acts_can_be_done_depends_on_the_state(alice, browser):
    page = browser.get("/accounts/alice").text
    assert 'action="/auth/pause"' in page
    assert 'action="/auth/resume"' not in page

    account_service.pause("alice", NOW, "test")
    page = browser.get("/accounts/alice").text
    assert 'action="/auth/resume"' in page
    assert 'class="main" disabled' in page


def test_nobody_but_a_person_who_signed_in_sees_the_state_of_credentials(alice, browser):
    with visiting(alice, QUOTA_AUTH="off") as visitor:
        for page in (
            visitor.get("/accounts/alice").text,
            Script(browser).get("/accounts/alice").text,
        ):
            assert "88\u202f%" in page
            assert "Credentials" not in page
            assert str(alice.accounts) not in page
            assert "/auth/" not in page


@pytest.mark.parametrize("query", ["range=7d", "range=bogus", "range=", "range=7d&range=1y"])
def test_a_range_stands_in_the_address_and_nonsense_is_the_default(alice, browser, query):
    answer = browser.get(f"/accounts/alice?{query}")

    assert answer.status_code == 200
    marked = re.search(r'data-range="(\w+)" aria-current', answer.text)
    assert marked is not None
    assert marked[1] == ("7d" if "7d" in query else "24h")


@pytest.mark.parametrize("path", ["/accounts/alice", "/accounts/alice/chart.svg"])
def test_views_of_an_account_are_for_those_who_signed_in_and_only_looked_at(alice, browser, path):
    stranger = browser.client.application.test_client().get(path)

    assert (stranger.status_code, stranger.location) == (303, f"/login?next={path}")
    assert browser.post(path).status_code == 405
    head = browser.client.head(path)
    assert (head.status_code, head.data) == (200, b"")


@pytest.mark.parametrize("tail", ["", "/chart.svg"])
def test_an_account_that_is_not_there_is_404(alice, browser, tail):
    for name in (
        "nobody",
        "..%2Falice",
        "%00",
        "a%0Ab",
        "%ff",
        "..",
        "alice%20",
        "x" * 3_000,
        "%E2%80%AEalice",
    ):
        answer = browser.get(f"/accounts/{name}{tail}")
        assert answer.status_code == 404, name
        assert read(answer.text).dangers == []


def test_a_name_is_found_whatever_its_case(alice, browser):
    assert browser.get("/accounts/ALICE").status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        *(h.replace("/", "|") for h in HOSTILE),
        "zoë & söhne",
        "50%",
        "a?b#c",
        "100% +x",
        "名前",
        "; DROP TABLE account",
    ],
)
def test_any_name_has_its_page_and_its_links(installation, browser, codex, name):
    account_service.add(
        installation.services.cipher, name, auth_file.parse(auth_document("acct-1")), NOW, "test"
    )
    installation.ask()

    for path in ("/", "/auth"):
        page = read(browser.get(path).text)
        assert page.dangers == []
        for link in {
            link for link in page.links if link.startswith("/accounts/") and "chart.svg" not in link
        }:
            shown = browser.get(link)
            assert shown.status_code == 200
            assert read(shown.text).dangers == []
    links = {
        link
        for link in read(shown.text).links
        if "/auth/edit?" in link or "/auth/delete?" in link or "chart.svg" in link
    }
    assert len(links) >= 3
    for link in links:
        assert browser.get(link).status_code == 200


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_the_upstream_says_stays_text(installation, browser, codex, hostile):
    spark = {
        "limit_name": hostile,
        "metered_feature": hostile,
        "rate_limit": {"primary_window": {"used_percent": 5, "limit_window_seconds": 18_000}},
    }
    spend = {"individual_limit": {"limit": "10", "used": "1", "unit": hostile}}
    said = usage_body(
        plan=hostile,
        additional_rate_limits=[spark],
        spend_control=spend,
        rate_limit_reached_type={"type": hostile},
    )
    installation.file("alice", email=hostile)
    codex.answers(
        "acct-alice",
        FakeResponse(
            body=said | {"email": hostile, "credits": {"has_credits": True, "balance": hostile}}
        ),
    )
    installation.refresh()

    script = Script(browser)
    for path in (
        "/",
        "/accounts/alice",
        "/auth",
        "/auth/edit?name=alice",
        "/auth/delete?name=alice",
    ):
        answer = browser.get(path)
        assert (answer.status_code, read(answer.text).dangers) == (200, []), path
    assert ET.fromstring(browser.get("/accounts/alice/chart.svg").text).tag == f"{SVG}svg"
    assert script.get("/api/results").get_json()["results"][0]["plan_type"] == hostile


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_a_failure_says_stays_text(installation, browser, codex, hostile):
    installation.file("alice")
    codex.answers(
        "acct-alice",
        FakeResponse(403, body={"detail": hostile, "error": {"message": hostile, "code": hostile}}),
    )
    installation.refresh()

    for path in ("/", "/accounts/alice", "/auth"):
        assert read(browser.get(path).text).dangers == []


# chart.svg


def test_a_chart_shows_both_windows(alice, browser):
    answer = browser.get("/accounts/alice/chart.svg")
    picture = ET.fromstring(answer.text)

    assert (answer.status_code, answer.mimetype) == (200, "image/svg+xml")
    assert picture.findtext(f"{SVG}title") == "Quota left of alice"
    assert picture.findtext(f"{SVG}desc") == "Five-hour: no readings; Weekly: no readings"
    with clock.frozen(NOW + HOUR):
        later = ET.fromstring(browser.get("/accounts/alice/chart.svg").text)
    assert (
        later.findtext(f"{SVG}desc")
        == "Five-hour: lowest 88 %, last 88 %; Weekly: lowest 60 %, last 60 %"
    )
    assert (
        len([path for path in later.iter(f"{SVG}path") if path.get("stroke-width") == "1.5"]) == 2
    )


def test_without_data_a_chart_says_so(installation, browser):
    installation.file("alice")
    installation.follow()
    answer = browser.get("/accounts/alice/chart.svg?range=1y")

    assert answer.status_code == 200
    assert "No readings in this time." in answer.text
    assert ET.fromstring(answer.text).tag == f"{SVG}svg"


def test_a_chart_comes_in_every_range_and_theme(alice, browser):
    for name in ("24h", "7d", "30d", "90d", "1y"):
        for theme in ("", "&theme=dark", "&theme=light", "&theme=bogus"):
            answer = browser.get(f"/accounts/alice/chart.svg?range={name}{theme}")
            assert answer.status_code == 200
            assert ("#4fc7ae" in answer.text) is ("dark" in theme)


def test_a_chart_of_no_known_range_is_400(alice, browser):
    for query in ("range=2d", "range=%00", "range=24H"):
        assert browser.get(f"/accounts/alice/chart.svg?{query}").status_code == 400


def test_a_chart_runs_no_script_even_when_opened_by_itself(alice, browser):
    answer = browser.get("/accounts/alice/chart.svg")

    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert read(answer.text).dangers == []


def test_ranges_are_cut_to_what_there_is_and_the_one_that_is_asked_for_stays(alice, browser):
    assert re.findall(r'data-range="(\w+)"', browser.get("/accounts/alice").text) == ["24h"]
    asked = browser.get("/accounts/alice?range=30d").text
    assert re.findall(r'data-range="(\w+)"', asked) == ["24h", "30d"]
    [(window_id,)] = alice.rows("SELECT id FROM limit_window WHERE key = 'weekly'")
    alice.execute(
        "INSERT INTO reading (window_id, taken_at, used_percent, flags) VALUES (:id, :at, 1, 0)",
        id=window_id,
        at=NOW - 12 * 86_400,
    )
    older = browser.get("/accounts/alice").text
    assert re.findall(r'data-range="(\w+)"', older) == ["24h", "7d", "30d"]
