"""What is forecast, on pages and in the API: the same account at one moment, and nothing stale
shown as fresh.
"""

import json
import re
from contextlib import ExitStack

import pytest

from quota_web.accounts import account_service
from quota_web.core import clock
from quota_web.core.limits import FIRST_BELIEVABLE
from quota_web.demo import fill
from quota_web.foresight import forecast_pass
from tests.fakes import NOW, FakeResponse, usage_body
from tests.fillings import MONTH
from tests.pages import counted, visiting

MINUTE, HOUR, DAY = 60, 3_600, 86_400
pytestmark = pytest.mark.usefixtures("database")


def named_on(page):
    return re.search(r"Use <a [^>]*>([^<]+)</a> now", page)


@MONTH
def test_page_api_and_command_name_the_same_account(installation, browser):
    document = browser.get("/api/next").get_json()
    named = document["next"]["account"]

    on_page = named_on(browser.get("/").text)
    assert on_page is not None
    assert on_page[1] == named
    assert installation.run("next").stdout.split("\t")[0] == named
    results = browser.get("/api/results").get_json()["results"]
    assert [r["account"] for r in results if r["group"] == "usable"] == [
        named,
        *document["next"]["then"],
    ]


def is_candidate(entry):
    return entry["group"] == "usable" and not entry["stale"] and entry["same_login_as"] is None


def named_everywhere(installation, browser):
    """The account that each door names, at the installation's moment."""
    with clock.frozen(installation.now):
        results = browser.get("/api/results").get_json()["results"]
        forecasts = browser.get("/api/forecast").get_json()["forecasts"]
        said = browser.get("/api/next").get_json()["next"]
        page = browser.get("/").text
    on_page, listed = named_on(page), re.findall(r'data-account="([^"]+)"', page)
    order = list(dict.fromkeys(one["account"] for one in forecasts))
    ranked = [one["account"] for one in sorted(results, key=lambda one: one["rank"])]
    usable = [one["account"] for one in results if is_candidate(one)]
    assert order == [name for name in ranked if name in order]
    assert [said["account"], *said["then"]] == usable
    return {
        said["account"], on_page and on_page[1], listed[0], ranked[0], *order[:1],
        installation.run("next").stdout.split("\t")[0],
        installation.run("status").stdout.splitlines()[1].split()[0],
        *[line.split()[0] for line in installation.run("forecast").stdout.splitlines()[1:2]],
        installation.run("status", "--format", "starship").stdout.split()[0],
        json.loads(installation.run("guard", "--json").stdout)["account"],
    }  # fmt: skip


def test_all_doors_name_one_account_with_a_tie_credits_a_stale_one_and_a_login_twice(
    installation, codex, browser
):
    installation.file("carl", exp=None)
    for name, account_id in (("zoe", "acct-1"), ("abe", "acct-1"), ("tom", "acct-2")):
        installation.file(name, account_id, exp=None)
        # The oldest of a login stands for it.
        installation.follow()
        codex.answers(account_id, FakeResponse(body=usage_body(12, 40)))
    # On credits, with all of its week; it costs money.
    credits = {"has_credits": True, "unlimited": False, "balance": "9"}
    codex.answers("acct-carl", FakeResponse(body=usage_body(100, 0, credits=credits)))
    # The best of all, but for a reset that has passed unread.
    installation.file("dora", exp=None)
    codex.answers("acct-dora", FakeResponse(body=usage_body(0, 1, at=NOW - 7_200 + MINUTE)))
    installation.refresh()

    installation.now = NOW + 2 * MINUTE
    assert installation.report("dora").stale
    before = named_everywhere(installation, browser)
    forecast_pass.run(installation.now, HOUR, None)
    after = named_everywhere(installation, browser)
    assert (before, after) == ({"tom"}, {"tom"})

    # One with a failed last answer goes before one of which it is not known what is left.
    codex.answers("acct-2", FakeResponse(503, body={}))
    installation.refresh("tom", force=True)
    for name in ("zoe", "abe", "carl"):
        account_service.pause(name, installation.now, "test")
    assert named_everywhere(installation, browser) == {"tom"}


@MONTH
def test_each_present_window_has_its_forecast_in_the_results(browser):
    forecasts = browser.get("/api/forecast").get_json()["forecasts"]
    said = {(f.pop("account"), f.pop("window")): f for f in forecasts}

    results = browser.get("/api/results").get_json()["results"]
    windows = {(r["account"], w["key"]): w["forecast"] for r in results for w in r["windows"]}
    assert {key: one for key, one in windows.items() if one} == said
    assert len(said) > 9


def test_a_stale_reading_has_no_chance(installation, codex, browser):
    installation.file("alice")
    codex.answers("acct-alice", FakeResponse(body=usage_body(100, 40)))
    installation.refresh()
    forecast_pass.run(NOW, HOUR, None)
    fresh = browser.get("/api/forecast").get_json()["forecasts"][0]
    assert (fresh["state"], fresh["run_out_probability"], fresh["lasts"]) == ("exhausted", 1, False)

    with clock.frozen(NOW + 2 * HOUR):
        stale = browser.get("/api/forecast").get_json()["forecasts"][0]
        page = browser.get("/accounts/alice").text
    assert (stale["state"], stale["run_out_probability"], stale["lasts"]) == ("stale", None, None)
    assert stale["pace"] == fresh["pace"]
    assert "The last reading is too old to say what comes." in page


def test_no_door_takes_a_reading_from_the_future_as_fresh(installation, codex, browser):
    installation.file("alice", exp=None)
    codex.answers("acct-alice", FakeResponse(body=usage_body(12, 40)))
    installation.refresh()
    forecast_pass.run(NOW, HOUR, None)
    with clock.frozen(NOW - 30):
        assert browser.get("/api/next").get_json()["next"]["account"] == "alice"

    for now in (NOW - 31, NOW - DAY, FIRST_BELIEVABLE - 10):
        installation.now = now
        with clock.frozen(now):
            entry = browser.get("/api/results").get_json()["results"][0]
            assert browser.get("/api/next").get_json()["next"]["account"] is None
            forecasts = browser.get("/api/forecast").get_json()["forecasts"]
            page, figures = browser.get("/").text, browser.get("/metrics").text
        assert (entry["group"], entry["stale"], entry["five_hour_percent"]) == ("unknown", True, 88)
        assert {(f["state"], f["run_out_probability"]) for f in forecasts} == {("stale", None)}
        assert named_on(page) is None
        assert ("ahead of the clock" in page) is (now < NOW - 120)
        assert 'codex_quota_stale{account="alice"} 1' in figures
        assert "unknown" in installation.run("status").stdout.splitlines()[1]
        assert installation.run("next").exit_code == 75
        assert installation.run("guard", "alice").exit_code == 12
        assert installation.run("guard").exit_code == 12


@MONTH
def test_the_dashboard_says_why_and_whether_windows_last(browser):
    page = browser.get("/").text

    assert re.search(r"Why: [a-z0-9][^<]+\.</span>", page)
    said = re.findall(
        r'<td role="cell" class="lasts"[^>]*><i [^>]+>[✓?!]</i><span[^>]*>([^<]+)', page
    )
    assert len(said) > 4
    assert {re.split(r" \(| Thu| Fri| Sat| Sun| Mon| Tue| Wed| \d", s)[0] for s in said} <= {
        "lasts", "either way", "may run out", "about", "5 h may run out"
    }  # fmt: skip


def test_without_a_forecast_nothing_is_said(installation, codex, browser):
    installation.file("alice")
    installation.refresh()

    page = browser.get("/").text
    assert re.search(r'<td role="cell" class="lasts"></td>', page)
    assert "will probably" not in page
    assert "Outlook" not in browser.get("/accounts/alice").text


@MONTH
def test_the_page_of_an_account_has_an_outlook_in_words(browser):
    page = browser.get("/accounts/alice").text

    assert re.search(r"<dt>Weekly</dt><dd>(Will probably|Could go)", page)
    assert "Unless OpenAI resets early" not in page


@MONTH
def test_an_early_reset_of_late_is_reckoned_with(installation, browser):
    installation.execute(
        "INSERT INTO event (at, kind, actor) VALUES (:at, 'reset_provider', 'readings')",
        at=NOW - DAY,
    )
    installation.execute(
        "UPDATE forecast SET run_out_probability = 0.9 WHERE run_out_probability < 1"
    )

    assert "Unless OpenAI resets early" in browser.get("/accounts/alice").text


def test_a_page_makes_no_forecast_and_runs_as_many_queries_for_any_number(installation):
    found = []
    with ExitStack() as apps:
        paths = ("/", "/api/forecast", "/api/next", "/api/results")
        browsers = {path: apps.enter_context(visiting(installation)) for path in paths}
        for accounts in (9, 14):
            fill.fill(accounts, 3, NOW)
            forecast_pass.run(NOW, HOUR, None)
            found.append({path: count(browser, path) for path, browser in browsers.items()})
            fill.remove(NOW)

    assert found[0] == found[1]


def count(browser, path):
    """How many queries a page takes, which writes nothing."""
    with counted(browser) as statements:
        assert browser.get(path).status_code == 200
    assert not [s for s in statements if s.lstrip().upper().startswith(("INSERT", "UPDATE"))]
    return len(statements)


@MONTH
def test_what_is_forecast_costs_no_query_more_than_unchanged_results(browser):
    browser.get("/api/results")
    found = {}
    for path in ("/api/results", "/api/forecast", "/api/next"):
        with counted(browser) as statements:
            assert browser.get(path).status_code == 200
        found[path] = len(statements)

    assert len(set(found.values())) == 1, found


@MONTH
def test_metrics_have_the_chance_and_the_expected_rest(browser):
    body = browser.get("/metrics").text

    for name in ("run_out_probability", "expected_remaining_percent"):
        assert f'codex_quota_{name}{{account="alice",window="weekly"}} ' in body


@pytest.mark.parametrize("path", ["/api/forecast", "/api/next"])
@MONTH
def test_strangers_get_a_401(browser, path):
    stranger = browser.client.application.test_client().get(path)

    assert (stranger.status_code, stranger.get_json()["error"]["code"]) == (401, "unauthorized")
