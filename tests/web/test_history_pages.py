"""`/history`, and the pictures and numbers of lanes."""

import html
import re
from urllib.parse import quote

import pytest

from quota_web.accounts import account_service
from quota_web.codex import auth_file
from quota_web.core import clock
from quota_web.web import lanes
from tests.fakes import NOW, FakeResponse, auth_document, usage_body
from tests.pages import HOSTILE, Script, counted, read, visiting

DAY = 86_400
FILLED = pytest.mark.filled(12, 20)


@pytest.fixture
def alice(installation):
    installation.file("alice")
    installation.refresh()
    return installation


def pictures(page: str) -> list[str]:
    return [html.unescape(link) for link in re.findall(r'<img [^>]*src="([^"]+)"', page)]


# The page


@FILLED
def test_every_account_has_its_lane_in_the_order_of_all(browser):
    page = browser.get("/history").text
    results = [r["account"] for r in browser.get("/api/results").json["results"]]

    assert re.findall(r'<li class="lane" data-account="([^"]+)"', page) == results
    assert len(pictures(page)) == len(results)
    times = {tuple(re.findall("(?:from|to|step)=[0-9]+", link)) for link in pictures(page)}
    assert len(times) == 1, "one time for all"


def test_without_accounts_it_says_when_history_begins(browser):
    assert "No account yet" in browser.get("/history").text


def test_what_an_account_does_not_have_is_not_drawn(installation, browser, codex):
    for name in ("mia", "new", "gone"):
        installation.file(name, **({"exp": NOW - 60} if name == "gone" else {}))
    credits = {"has_credits": True, "unlimited": True, "balance": None}
    codex.answers("acct-mia", FakeResponse(body=usage_body(None, None, credits=credits)))
    installation.refresh("mia", "gone")
    page = browser.get("/history").text

    assert pictures(page) == []
    assert "no limit" in page
    assert "Not read yet" in page
    assert "Needs sign-in" in page, "why it was never read"


@FILLED
def test_ranges_are_cut_to_what_there_is(browser):
    page = browser.get("/history?range=1y").text

    offered = re.findall(r'data-range="([^"]+)"(?: aria-current="true")?', page)
    assert offered == ["24h", "7d", "30d"]
    assert 'data-range="30d" aria-current="true"' in page
    [start] = re.findall(r'data-from="([0-9]+)"', page)
    assert NOW - 21 * DAY < int(start) < NOW - 19 * DAY, "twenty days are all there is"


@pytest.mark.parametrize("query", ["range=bogus", "from=x", "from=9&to=3", "to=%00"])
@FILLED
def test_nonsense_in_the_address_is_the_usual_range(browser, query):
    assert 'data-range="7d" aria-current="true"' in browser.get(f"/history?{query}").text


@FILLED
def test_a_zoom_stands_in_the_address_and_leads_back(browser):
    page = browser.get(f"/history?from={NOW - 3 * DAY}&to={NOW - 2 * DAY}").text

    [start], [end] = (re.findall(rf'data-{word}="([0-9]+)"', page) for word in ("from", "to"))
    assert NOW - 3 * DAY - 3_600 <= int(start) <= NOW - 3 * DAY
    assert NOW - 2 * DAY <= int(end) <= NOW - 2 * DAY + 3_600
    assert 'aria-current="true"' not in page.partition('id="ranges"')[2].partition("</nav>")[0]
    assert "Reset zoom" in page


def test_the_number_of_queries_is_the_same_for_any_number_of_accounts(installation, browser):
    counts = []
    for name in ("a", "b", "c", "d"):
        installation.file(name)
        installation.refresh()
        browser.get("/history")
        with counted(browser) as statements:
            browser.get("/history")
        counts.append(len(statements))

    assert len(set(counts)) == 1


@FILLED
def test_the_page_is_for_those_who_may_read(browser):
    assert browser.client.application.test_client().get("/history").status_code == 303
    assert Script(browser).get("/history").status_code == 200
    assert browser.client.delete("/history").status_code == 405


def test_without_the_library_the_page_says_how_to_get_it(installation, tmp_path):
    installation.file("alice")
    installation.refresh()
    with visiting(installation) as browser:
        browser.client.application.static_folder = str(tmp_path)
        page = browser.get("/history").text

    assert "<code>python scripts/assets.py</code> fetches the interactive" in page
    assert "data-library" not in page
    assert pictures(page)


# lane.svg


def test_a_picture_is_kept_for_as_long_as_its_account_is_the_same(alice, browser):
    [address] = pictures(browser.get("/history").text)
    answer = browser.get(address)

    assert (answer.status_code, answer.mimetype) == (200, "image/svg+xml")
    assert answer.headers["Cache-Control"] == "private, max-age=86400, immutable"
    alice.now += 600
    alice.ask("alice", force=True)
    assert pictures(browser.get("/history").text) != [address]
    assert browser.get(address).headers["Cache-Control"] == "no-store"


def test_a_picture_without_a_version_is_not_kept(alice, browser):
    assert browser.get("/accounts/alice/lane.svg").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "query",
    ["range=2d", "step=7", "step=x", "step=60&range=1y", "step=-3600", "from=2020-13-01"],
)
def test_a_picture_of_no_known_time_is_400(alice, browser, query):
    for path in ("/accounts/alice/lane.svg", "/history/lanes.json"):
        assert browser.get(f"{path}?{query}").status_code == 400


def test_a_picture_of_an_unknown_account_is_404(browser):
    assert browser.get("/accounts/nobody/lane.svg").status_code == 404
    assert browser.get("/history/lanes.json?account=nobody").status_code == 404


def test_a_picture_runs_no_script_even_when_opened_by_itself(alice, browser):
    answer = browser.get("/accounts/alice/lane.svg")

    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert read(answer.text).dangers == []


@pytest.mark.parametrize(
    "name", [*(h.replace("/", "|") for h in HOSTILE), "Ünï côdé", "a b&c=d#e?f"]
)
def test_any_name_has_its_lane(installation, browser, codex, name):
    account_service.add(
        installation.services.cipher, name, auth_file.parse(auth_document("acct-x")), NOW, "test"
    )
    installation.ask()
    page = browser.get("/history").text

    assert read(page).dangers == []
    [address] = pictures(page)
    assert browser.get(address).status_code == 200
    assert (
        browser.get(f"/history/lanes.json?account={quote(name)}").json["lanes"][0]["account"]
        == name
    )


# lanes.json


@FILLED
def test_the_numbers_of_a_lane_are_those_of_its_picture(browser):
    page = browser.get("/history").text
    [start], [end], [step] = (
        re.findall(rf'data-{word}="([0-9]+)"', page) for word in ("from", "to", "step")
    )
    told = browser.get(
        f"/history/lanes.json?account=alice&account=frank&from={start}&to={end}&step={step}"
    ).json
    alice, frank = told["lanes"]

    assert told["t"] == list(range(int(start), int(end), int(step)))
    assert (told["from"], told["to"], told["step"]) == (int(start), int(end), int(step))
    assert [len(alice["area"]), len(alice["band"])] == [len(told["t"])] * 2
    assert (frank["key"], frank["band"]) == ("weekly", [])
    result = next(r for r in browser.get("/api/results").json["results"] if r["account"] == "frank")
    assert frank["area"][-1] == pytest.approx(result["weekly_percent"], abs=0.01)
    assert {hole["why"] for hole in alice["holes"]} <= {"silent", "failing", "paused"}


def test_an_axis_holds_the_present_moment(installation, browser):
    axis = lanes.stretch({"range": "24h"}, None, NOW).axis

    assert axis.start <= NOW < axis.end
    assert NOW % axis.step == 0, "also where a slot begins just now"


def test_a_lane_begins_with_the_first_reading(alice, browser):
    with clock.frozen(NOW + 60):
        [lane] = browser.get("/history/lanes.json?account=alice&range=24h").json["lanes"]

    assert [v for v in lane["area"] if v is not None] == [60.0]
    assert lane["holes"] == []
