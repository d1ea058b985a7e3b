"""The dashboard and its refresh button."""

import re
import threading

import pytest

from quota_web.core import clock
from quota_web.demo import fill
from tests.fakes import NOW, FakeResponse, usage_body
from tests.installation import OtherProcess, wait_until
from tests.pages import HOSTILE, JSON, Script, counted, read, visiting, world_of

MINUTE = 60


@pytest.fixture
def filled(installation, codex):
    """A house with three accounts: alice has most left, bob is exhausted, carol's token has
    expired.
    """
    installation.file("alice")
    installation.file("bob")
    installation.file("carol", exp=NOW - 9)
    codex.answers("acct-bob", FakeResponse(body=usage_body(100, 70, plan="pro")))
    installation.refresh()
    codex.seen.clear()
    return installation


def row_of(page: str, name: str) -> str:
    rows = re.findall(r"<tr role=\"row\" class=\"is-.*?</tr>", page, re.S)
    return next(row for row in rows if f'href="/accounts/{name}"' in row)


def plain(page: str) -> str:
    """The words of a page, without tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page.partition("<main")[2]))


def order(page: str) -> list[str]:
    return re.findall(r'class="who"><span[^>]*></span><a href="/accounts/([^"]+)"', page)


# The page


def test_every_account_stands_with_what_is_left_and_what_to_do(filled, browser):
    answer = browser.get("/")

    assert answer.status_code == 200
    assert answer.mimetype == "text/html"
    assert "<title>1 of 3 can be used · Codex Quota</title>" in answer.text
    assert order(answer.text) == ["alice", "bob", "carol"]
    text = plain(answer.text)
    assert "Use alice now" in text
    assert "88 % of 5 h and 60 % of the week" in text
    alice, bob, carol = (row_of(answer.text, name) for name in ("alice", "bob", "carol"))
    assert all(
        words in alice
        for words in (
            "Plus",
            "88\u202f%",
            "60\u202f%",
            'data-group="usable"',
            'datetime="2026-11-21T14:00:00Z"',
        )
    )
    assert all(
        words in bob for words in ("Pro", "0\u202f%", "30\u202f%", 'data-group="blocked"', "back")
    )
    assert all(
        words in carol
        for words in ("<b>Needs sign-in</b>", "/auth/edit?name=carol", "not read yet")
    )
    assert "Used up 1" in text
    assert "carol: needs sign-in" in text


def test_where_none_can_be_used_it_says_which_is_back_first(installation, browser, codex):
    installation.file("bob")
    codex.answers("acct-bob", FakeResponse(body=usage_body(100, 70)))
    installation.refresh()

    assert "None can be used now bob is back first: 22:00 CST, in 2 h." in plain(
        browser.get("/").text
    )


def test_without_accounts_it_says_how_to_add_the_first(browser):
    page = browser.get("/").text

    assert "No accounts yet" in page
    assert 'href="/auth/new"' in page
    assert "account" in page


def test_times_stand_in_the_servers_zone_with_the_date_unless_it_is_today(filled, browser):
    page = browser.get("/").text
    alice = row_of(page, "alice")

    assert ">22:00</time>" in alice
    assert ">Wed 07:20</time>" in alice
    assert "CST</time>" in page, "the zone is named once, where the page says how old it is"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("sort=-account", ["alice", "bob", "carol"]),
        ("sort=-account&group=none", ["carol", "bob", "alice"]),
        ("sort=weekly", ["alice", "bob", "carol"]),
        ("show=blocked", ["bob"]),
        ("show=hand", ["carol"]),
        ("q=PRO", ["bob"]),
        ("q=nothing+like+it", []),
        ("sort=bogus&show=bogus&range=bogus&sort=account", ["alice", "bob", "carol"]),
        ("q=" + "x" * 5_000, []),
        ("q=%00%ff%3Cscript%3E", []),
    ],
)
def test_sorting_and_filtering_stand_in_the_address(filled, browser, query, names):
    answer = browser.get(f"/?{query}")

    assert answer.status_code == 200
    assert order(answer.text) == names
    assert read(answer.text).dangers == []


def test_a_search_is_shown_back_as_text(filled, browser):
    page = browser.get("/").text
    assert 'value=""' in page
    for hostile in HOSTILE:
        found = browser.client.get("/", query_string={"q": hostile})
        assert read(found.text).dangers == []
        assert hostile not in found.text or "<" not in hostile


def test_what_is_kept_of_a_page_never_outlives_the_data_the_minute_or_the_right(filled, browser):
    script = Script(browser)
    assert "/auth/edit" in browser.get("/").text
    assert "/auth/edit" not in script.get("/").text

    filled.now = NOW + 5 * MINUTE
    filled.ask("alice")
    with clock.frozen(NOW + 5 * MINUTE):
        assert 'updated <time datetime="2026-11-21T12:05:00Z"' in browser.get("/").text
    with clock.frozen(NOW + 6 * MINUTE):
        assert "in 1 h 54 m" in row_of(browser.get("/").text, "bob")


def test_a_stranger_is_led_to_the_sign_in(browser):
    answer = browser.client.application.test_client().get("/?sort=plan")

    assert (answer.status_code, answer.location) == (303, "/login?next=/?sort%3Dplan")


def test_the_dashboard_is_only_looked_at(browser):
    assert browser.post("/").status_code == 405


def test_a_head_has_the_headers_and_no_body(filled, browser):
    answer = browser.client.head("/")

    assert (answer.status_code, answer.data) == (200, b"")


def test_demo_data_are_called_so_on_every_page(installation, browser):
    assert "Demo data" not in browser.get("/").text
    fill.fill(2, 1, NOW)

    for path in ("/", "/accounts/alice", "/auth", "/auth/new", "/settings", "/nowhere"):
        assert "Demo data" in browser.get(path).text, path
    assert "Demo data" not in browser.client.application.test_client().get("/login").text
    fill.remove(NOW)
    assert "Demo data" not in browser.get("/").text


def test_the_number_of_queries_does_not_grow_with_the_accounts(installation, browser):
    paths = [
        "/",
        "/api/results",
        "/api/history",
        "/history",
        "/auth",
        *(f"{p}a0" for p in ("/accounts/", "/auth/edit?name=", "/auth/delete?name=")),
    ]

    def queries(count: int) -> dict[str, int]:
        for number in range(count):
            installation.file(f"a{number}")
        installation.refresh()
        found: dict[str, int] = {}
        for path in [*paths, "/accounts/a0/chart.svg", "/accounts/a0/lane.svg"]:
            # So that nothing is kept from the page before.
            nonce = f"{count}, page {len(found)}"
            installation.execute("UPDATE site_state SET nonce = :nonce", nonce=nonce)
            with counted(browser) as statements:
                assert browser.get(path).status_code == 200
            found[path] = len(statements)
        return found

    assert queries(1) == queries(60)


def test_every_link_of_every_page_lies_under_the_prefix(installation, codex):
    installation.file("alice")
    installation.file("zoë & <co>")
    installation.refresh()
    with visiting(
        installation,
        QUOTA_URL_PREFIX="/quota",
        QUOTA_AUTH="proxy",
        QUOTA_TRUSTED_PROXIES="127.0.0.1",
    ) as browser:
        browser.environ = {"HTTP_REMOTE_USER": "maria", "REMOTE_ADDR": "127.0.0.1"}
        seen: dict[str, int] = {}
        ahead = ["/quota/"]
        while ahead:
            path = ahead.pop().partition("#")[0]
            if path in seen or "logout" in path or path.count("=") > 1:
                continue
            answer = browser.get(path)
            seen[path] = answer.status_code
            if answer.mimetype == "text/html":
                found = read(answer.text)
                assert found.dangers == []
                ahead += [
                    link.replace("&amp;", "&")
                    for link in found.links
                    if link and not link.startswith("#")
                ]

    assert [path for path in seen if not path.startswith("/quota/")] == []
    # Forms are followed here like links: what takes a POST alone says so.
    assert {
        status
        for path, status in seen.items()
        if not re.search(
            r"/(save|delete|pause|resume|tokens|share-links|preview|password|language|vendor/.*)$",
            path,
        )
    } <= {200, 303}
    assert {
        "/quota/auth/edit?name=alice",
        "/quota/accounts/zo%C3%AB%20%26%20%3Cco%3E",
        "/quota/settings",
        "/quota/api/results",
    } <= set(seen)


# Refreshing


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_refresh_leads_back_to_the_dashboard(installation, browser, codex, method):
    installation.file("alice")
    answer = browser.get("/refresh") if method == "GET" else browser.post("/refresh")

    assert (answer.status_code, answer.location) == (303, "/")
    assert [seen.account_id for seen in codex.seen] == ["acct-alice"]
    assert "88\u202f%" in browser.get("/").text


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_refresh_that_is_to_answer_json_waits_for_the_results(
    installation, browser, codex, method
):
    installation.file("alice")
    codex.answers("acct-alice", FakeResponse(body=usage_body(), delay=0.2))
    answer = (
        browser.get("/refresh", **JSON)
        if method == "GET"
        else browser.post("/refresh", headers=JSON)
    )

    assert answer.status_code == 200
    assert [
        (r["account"], r["status"], r["five_hour_percent"]) for r in answer.get_json()["results"]
    ] == [("alice", "ok", 88)]
    assert answer.get_json() == browser.get("/api/results").get_json()


def test_a_call_within_30_seconds_joins_the_one_before(filled, browser, codex):
    asked = [len(codex.seen)]
    for moment in (NOW, NOW + 29, NOW + 30, NOW + 45, NOW + 60):
        with clock.frozen(moment):
            assert browser.post("/refresh", headers=JSON).status_code == 200
        asked.append(len(codex.requests_of("acct-alice")))

    assert asked == [0, 0, 0, 1, 1, 2]


def test_a_refresh_joins_one_that_is_under_way(installation, browser, codex):
    installation.file("alice")
    installation.follow()
    codex.answers("acct-alice", FakeResponse(body=usage_body(), delay=0.5))
    with OtherProcess(installation, lambda: installation.ask("alice")):
        wait_until(lambda: len(codex.seen) == 1)
        answer = browser.post("/refresh", headers=JSON)

    assert [(r["status"], r["five_hour_percent"]) for r in answer.get_json()["results"]] == [
        ("ok", 88)
    ]
    assert len(codex.seen) == 1


def test_an_exhausted_account_is_answered_from_the_cache(filled, browser, codex):
    with clock.frozen(NOW + 40):
        results = browser.post("/refresh", headers=JSON).get_json()["results"]

    assert {r["account"]: r["source"] for r in results} == {
        "alice": "network",
        "bob": "cache",
        "carol": None,
    }
    assert [seen.account_id for seen in codex.seen] == ["acct-alice"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_minute_later_a_pressed_button_shows_that_a_limit_was_lifted(
    filled, browser, codex, method
):
    codex.answers("acct-bob", FakeResponse(body=usage_body(0, 0, plan="pro")))
    with clock.frozen(NOW + 60):
        is_post = method == "POST"
        answer = (
            browser.post("/refresh", headers=JSON) if is_post else browser.get("/refresh", **JSON)
        )

    bob = next(r for r in answer.get_json()["results"] if r["account"] == "bob")
    assert (bob["source"], bob["five_hour_percent"], bob["blocked"]) == ("network", 100, False)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("name", "where"), [("alice", "/accounts/alice"), ("ALICE", "/accounts/alice")]
)
def test_one_account_can_be_refreshed_alone(filled, browser, codex, method, name, where):
    filled.file("dave")
    with clock.frozen(NOW + 40):
        answer = (
            browser.get(f"/refresh?account={name}")
            if method == "GET"
            else browser.post("/refresh", account=name)
        )

    assert (answer.status_code, answer.location.lower()) == (303, where)
    assert [seen.account_id for seen in codex.seen] == ["acct-alice"]


@pytest.mark.parametrize("name", ["nobody", "../alice", "a\x00b", "x" * 5_000])
def test_an_unknown_account_is_404(filled, browser, codex, name):
    page, api = (
        browser.post("/refresh", account=name),
        browser.post("/refresh", headers=JSON, account=name),
    )

    assert (page.status_code, api.status_code) == (404, 404)
    assert api.get_json()["error"]["code"] == "unknown_account"
    assert codex.seen == []


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("more", [{}, JSON])
def test_a_link_on_another_site_gets_a_page_with_a_button(filled, browser, codex, site, more):
    with clock.frozen(NOW + 40):
        answer = browser.get("/refresh", Sec_Fetch_Site=site, **more)

    assert answer.status_code == 200
    assert "Refresh 3 accounts?" in answer.text
    assert '<form method="post" action="/refresh">' in answer.text
    assert codex.seen == []


def test_the_button_asks_for_the_account_that_the_link_named(filled, browser, codex):
    page = browser.get("/refresh?account=alice", Sec_Fetch_Site="cross-site").text
    assert "Refresh alice?" in page
    assert '<input type="hidden" name="account" value="alice">' in page

    hostile = browser.client.get(
        "/refresh", query_string={"account": HOSTILE[1]}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert read(hostile.text).dangers == []
    assert codex.seen == []


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("HEAD", {}),
        ("OPTIONS", {}),
        ("GET", {"Sec-Purpose": "prefetch"}),
        ("GET", {"Sec-Purpose": "prefetch;prerender", "Sec-Fetch-Site": "none"}),
        ("GET", {"Purpose": "prefetch"}),
        ("GET", {"X-Moz": "prefetch"}),
    ],
)
def test_whoever_only_looks_ahead_starts_nothing(filled, browser, codex, method, headers):
    with clock.frozen(NOW + 40):
        answer = browser.client.open("/refresh", method=method, headers=headers)

    assert answer.status_code == 200
    assert codex.seen == []
    assert filled.rows("SELECT count(*) FROM account WHERE requested_at IS NOT NULL") == [(0,)]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "https://elsewhere.example"},
    ],
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_program_with_a_token_is_never_asked_back(filled, browser, codex, headers, method):
    with clock.frozen(NOW + 40):
        script = Script(browser)
        answer = (
            script.post("/refresh", headers=headers)
            if method == "post"
            else script.get("/refresh", **headers)
        )

    assert (answer.status_code, answer.location) == (303, "/")
    assert [seen.account_id for seen in codex.seen] == ["acct-alice"]


def test_a_form_of_another_site_is_refused(filled, browser, codex):
    with clock.frozen(NOW + 40):
        assert browser.post("/refresh", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
        assert browser.post("/refresh", csrf_token="").status_code == 400
    assert codex.seen == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_stranger_refreshes_nothing(filled, browser, codex, method):
    client = browser.client.application.test_client()

    assert client.open("/refresh", method=method).location.startswith("/login")
    assert client.open("/refresh", method=method, headers=JSON).status_code == 401
    assert codex.seen == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused(filled, browser, method):
    assert (
        Script(browser)
        ._client.open("/refresh", method=method, headers=Script(browser, write=True).headers)
        .status_code
        == 405
    )


def test_beside_a_schedule_the_refresh_is_left_to_it(filled, browser, codex):
    woken = threading.Event()
    world_of(browser.client.application).wake = woken.set
    with clock.frozen(NOW + 40):
        answer = browser.post("/refresh", account="alice")

    assert (answer.status_code, answer.location) == (303, "/accounts/alice")
    assert woken.is_set()
    assert codex.seen == []
    assert filled.rows("SELECT name FROM account WHERE requested_at = :at", at=NOW + 40) == [
        ("alice",)
    ]


def test_a_refresh_leaves_the_state_file_behind(installation, codex, tmp_path):
    installation.file("alice")
    with visiting(installation, QUOTA_STATE_FILE=str(tmp_path / "state.json")) as browser:
        answer = browser.post("/refresh", headers=JSON)

    assert (tmp_path / "state.json").read_bytes() == answer.data


def test_looking_changes_nothing(filled, browser, codex):
    def state():
        tables = (
            "account",
            "credential",
            "limit_window",
            "reading",
            "attempt",
            "snapshot",
            "event",
            "site_state",
        )
        return [filled.rows(f"SELECT * FROM {table}") for table in tables]

    filled.file("new")
    before = state()
    paths = [
        "/",
        "/?q=x",
        "/accounts/alice",
        "/accounts/alice/chart.svg",
        "/api/results",
        "/api/history",
        "/auth",
        "/auth/new",
    ]
    for path in [
        *paths,
        "/auth/edit?name=alice",
        "/auth/delete?name=alice",
        "/settings",
        "/login",
        "/healthz",
    ]:
        for method in ("GET", "HEAD", "GET"):
            assert browser.client.open(path, method=method).status_code in (200, 303), path

    assert state() == before
    assert codex.seen == []
