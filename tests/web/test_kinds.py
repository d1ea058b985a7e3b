"""What an account has decides what pages show of it: absent, unknown and unlimited are three
words.
"""

import re
import xml.etree.ElementTree as ET

import pytest

from quota_web.core import clock
from tests.fakes import NOW, FakeResponse, usage_body
from tests.pages import read

HOUR = 3_600
SVG = "{http://www.w3.org/2000/svg}"


def monthly(used=61):
    body = usage_body(None, used, plan="free")
    body["rate_limit"]["primary_window"]["limit_window_seconds"] = 2_592_000  # type: ignore[index]
    return body


def without_limit(credits):
    return {"plan_type": "enterprise", "rate_limit": None, "credits": credits}


KINDS = {
    "alice": usage_body(),
    "frank": monthly(),
    "mia": without_limit({"has_credits": True, "unlimited": True, "balance": None}),
    "olga": without_limit({"has_credits": True, "unlimited": False, "balance": "62500"}),
}


@pytest.fixture
def kinds(installation, codex):
    """One account of each kind, and one that was never read."""
    for name, body in KINDS.items():
        installation.file(name)
        codex.answers(f"acct-{name}", FakeResponse(body=body))
    installation.refresh()
    installation.file("new")
    installation.follow()
    return installation


def words(page):
    """What a page says, also to a screen reader, without its data."""
    return " ".join(re.sub(r"<script.*?</script>|<[^>]+>", " ", page, flags=re.S).split())


def row_of(page, name):
    return words(re.search(rf'<tr [^>]*data-account="{name}".*?</tr>', page, re.S)[0])  # type: ignore[index]


def test_each_row_says_what_it_lacks_and_why(kinds, browser):
    page = browser.get("/").text

    assert "monthly only" in row_of(page, "frank")
    assert "39 %" in row_of(page, "frank")
    assert "no limit credits unlimited" in row_of(page, "mia")
    assert "on credits 62,500 left" in row_of(page, "olga")
    assert "not read yet Not read yet" in row_of(page, "new")
    for name in ("alice", "frank", "mia", "olga"):
        assert "read yet" not in row_of(page, name)


def test_every_account_that_can_be_used_counts_so(kinds, browser):
    page = browser.get("/").text

    assert "4 of 5 can be used" in words(page)
    assert re.findall(r'<tr [^>]*data-account="([^"]+)" data-group="([^"]+)"', page) == [
        ("alice", "usable"),
        ("frank", "usable"),
        ("mia", "usable"),
        ("olga", "usable"),
        ("new", "unknown"),
    ]


def test_a_chart_is_there_for_each_window_that_an_account_has(kinds, browser):
    page = browser.get("/").text

    lanes = re.findall(r'<li class="lane" [^>]*data-chart="([^"]+)".*?</li>', page, re.S)
    drawn = re.findall(r'src="/accounts/([^/]+)/lane\.svg', page)
    assert lanes == ["alice", "frank", "mia", "olga", "new"]
    # Pictures for readers without a script: nothing can be drawn of the others.
    assert drawn == ["alice", "frank"]
    assert '<span class="sub">month</span>' in page, "another window than the weekly is named"


def test_a_monthly_window_has_its_line(kinds, browser):
    with clock.frozen(NOW + HOUR):
        picture = ET.fromstring(browser.get("/accounts/frank/chart.svg").text)
        row = re.search(r'data-account="frank".*?</tr>', browser.get("/").text, re.S)

    assert picture.findtext(f"{SVG}desc") == "Monthly: lowest 39 %, last 39 %"
    assert len([p for p in picture.iter(f"{SVG}path") if p.get("stroke-width") == "1.5"]) == 1
    assert row is not None
    assert "24 hours: 0 points of the monthly window used" in row[0]


def test_a_chart_of_no_limit_says_so(kinds, browser):
    assert "No limit, so there is nothing to draw." in browser.get("/accounts/mia/chart.svg").text
    assert "No readings in this time." in browser.get("/accounts/new/chart.svg").text


@pytest.mark.parametrize(
    ("name", "said", "unsaid"),
    [
        ("frank", ["Monthly", "39 % left"], ["Five-hour", "Weekly", "read yet"]),
        (
            "mia",
            ["No limit: the credits of this plan are unlimited.", "Credits unlimited"],
            ["read yet", "Five-hour"],
        ),
        (
            "olga",
            ["No window: this plan is paid from credits.", "Credits 62,500"],
            ["read yet", "Five-hour"],
        ),
        (
            "new",
            ["Not read yet.", "The first line begins with the first answer."],
            ["No limit", "Five-hour"],
        ),
    ],
)
def test_an_accounts_page_shows_what_it_has(kinds, browser, name, said, unsaid):
    page = browser.get(f"/accounts/{name}").text
    told = words(page)

    assert [w for w in said if w not in told] == []
    assert [w for w in unsaid if w in told] == []
    assert page.count('class="plot"') == (1 if name == "frank" else 0)
    assert read(page).dangers == []


def test_first_charts_say_when_the_first_line_comes(installation, browser):
    installation.file("alice")
    installation.follow()

    page = browser.get("/").text
    assert 'class="plot"' not in page
    assert (
        "Nothing has been read yet. The first line begins with the first answer, about 20:00 CST"
        in words(page)
    )


def test_young_charts_say_why_there_is_so_little_on_them(kinds, browser):
    young = "The lines have only just begun and grow with each reading"
    assert young in words(browser.get("/").text)
    assert young in words(browser.get("/accounts/alice").text)
    with clock.frozen(NOW + HOUR):
        assert young not in words(browser.get("/").text)
        assert young not in words(browser.get("/accounts/alice").text)
