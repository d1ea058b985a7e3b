"""The one guard before every request: who gets where, from which page, under which name, and with
which headers on the answer.
"""

import re
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from flask import Flask

from quota_web import store
from quota_web.auth import login, tokens
from quota_web.core.errors import AccountExists
from quota_web.factory import create_app
from quota_web.web import origins, scopes, security
from quota_web.web.sessions import COOKIE
from tests.browser import PASSWORD, Browser, make_app, make_token
from tests.fakes import NOW

# Who gets where. A route without a line here fails: add it, with the scope that it must have.
EXPECTED = {
    "static": "public",
    "health.healthz": "public",
    "health.readyz": "public",
    "metrics.index": "read",
    "sign_in.login": "public",
    "sign_in.logout": "session",
    "dashboard.index": "read",
    "dashboard.refresh": "refresh",
    "accounts.show": "read",
    "accounts.chart_svg": "read",
    "reading_comparison.show": "read",
    "history.index": "read",
    "history.hours_csv": "read",
    "history.compare_svg": "read",
    "history.lane_svg": "read",
    "history.lanes_json": "read",
    "api.results": "read",
    "api.history": "read",
    "api.forecast": "read",
    "api.next": "read",
    "openapi.description": "read",
    "event_log.events": "read",
    "event_log.events_csv": "read",
    "event_log.cycles": "read",
    "event_log.cycles_csv": "read",
    "event_log.history_csv": "read",
    "event_log.events_page": "read",
    "event_log.resets_page": "read",
    "calendar.resets": "read",
    "calendar.shared": "public",
    "embeds.badge": "public",
    "embeds.board": "public",
    "embeds.chart": "public",
    "auth.index": "session",
    "auth.new": "session",
    "auth.edit": "session",
    "auth.preview": "session",
    "auth.save": "write",
    "auth.delete_confirm": "session",
    "auth.delete": "write",
    "auth.pause": "write",
    "auth.resume": "write",
    "settings.index": "session",
    "settings.password": "session",
    "settings.token_create": "session",
    "settings.token_revoke": "session",
    "settings.language": "session",
    "settings.share_create": "session",
    "settings.share_revoke": "session",
    **{
        f"chatgpt.{view}": "session"
        for view in ("new", "begin", "show", "state", "callback", "cancel", "add")
    },
    "renewal.press": "session",
    "renewal.switch": "session",
    "extras.press": "session",
    "alerts.index": "session",
    "alerts.save": "session",
    "alerts.delete": "session",
    "alerts.test": "session",
    "alerts.rotate": "session",
}
READERS = {"public", "read", "refresh"}
LETS_IN = {
    "stranger": {"public"},
    "wrong token": {"public"},
    "expired session": {"public"},
    "read token": READERS,
    "write token": READERS | {"write"},
    "session": READERS | {"write", "session"},
    "off": READERS,
    "off with a write token": READERS,
    "proxy user": READERS | {"write", "session"},
    "proxy without a user": {"public"},
    "proxy user from elsewhere": {"public"},
    "proxy mode with a password session": {"public"},
}
PROXY = {"QUOTA_AUTH": "proxy", "QUOTA_TRUSTED_PROXIES": "127.0.0.1"}


class Caller:
    """Someone who asks: an app, a browser, and the headers that it sends everywhere."""

    def __init__(self, app: Flask, headers: dict[str, str] | None = None, **environ: str) -> None:
        self.app, self.browser, self.headers = app, Browser(app, **environ), headers or {}

    def ask(self, method: str, path: str):
        if method != "POST":
            return self.browser.client.open(
                path,
                method=method,
                headers=self.headers,
                environ_base=self.browser.environ,
                buffered=True,
            )
        return self.browser.post(path, headers=self.headers)


def caller(kind: str, instance_dir) -> Caller:
    if kind.startswith("proxy mode"):
        found = Caller(make_app(instance_dir, **PROXY))
        found.browser.take(Browser(make_app(instance_dir)).signed_in().cookie())
        return found
    if kind.startswith("proxy"):
        headers = {} if kind == "proxy without a user" else {"Remote-User": "maria"}
        return Caller(
            make_app(instance_dir, **PROXY),
            headers,
            REMOTE_ADDR="192.0.2.1" if "elsewhere" in kind else "127.0.0.1",
        )
    if kind.startswith("off"):
        app = make_app(instance_dir, QUOTA_AUTH="off")
        return Caller(app, make_token(app, write=True) if "token" in kind else None)
    app = make_app(instance_dir)
    if kind == "wrong token":
        return Caller(app, {"Authorization": "Bearer cq_" + "A" * 43})
    if kind.endswith("token"):
        return Caller(app, make_token(app, write=kind == "write token"))
    found = Caller(app)
    if kind.endswith("session"):
        found.browser.signed_in()
    if kind == "expired session":
        with app.app_context():
            login.sign_out(NOW, "test")
    return found


def _argument(found: re.Match[str]) -> str:
    """Something that fits into the place of a route's argument."""
    if "filename" in found[0]:
        return "css/app.css"
    return "1" if found[0].startswith("<int:") else "nobody"


def routes(app: Flask):
    """Every route and method, with something in the places of its arguments."""
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<[^>]*>", _argument, rule.rule)
        for method in sorted(rule.methods or ()):
            # Asked of the map: two routes may share a path, and its OPTIONS belongs to the first of
            # them.
            yield app.url_map.bind("localhost").match(path, method)[0], method, path


def is_let_in(answer) -> bool:
    """Whether the guard let the request through to its view, which may then have had its own
    objections.
    """
    assert answer.status_code != 500, answer.text
    to_sign_in = answer.status_code == 303 and urlsplit(answer.location or "").path.endswith(
        "/login"
    )
    return answer.status_code not in (401, 403) and not to_sign_in


@pytest.mark.parametrize("kind", LETS_IN)
def test_every_route_lets_in_exactly_whom_it_should(kind, instance_dir):
    wrong, asks = [], caller(kind, instance_dir)
    for endpoint, method, path in routes(asks.app):
        # Signing out would end the session with which the next route is asked.
        if endpoint == "sign_in.login" or (endpoint == "sign_in.logout" and method == "POST"):
            continue
        asked = asks.ask(method, path)
        if is_let_in(asked) != (EXPECTED[endpoint] in LETS_IN[kind]):
            wrong.append(f"{method} {path} → {asked.status_code} {asked.location or ''}")

    assert wrong == []


def add_nobody(app: Flask) -> None:
    """Let the account be there that routes() asks for."""
    with app.app_context(), suppress(AccountExists), store.database.transaction() as conn:
        store.accounts.add(conn, "nobody", store.accounts.MANAGED, NOW)


@pytest.mark.parametrize("kind", LETS_IN)
def test_the_first_request_of_a_fresh_app_gets_its_answer_whatever_it_is(kind, instance_dir):
    broken, asks, may_be_deleted = [], caller(kind, instance_dir), True
    for _, method, path in routes(asks.app):
        if method not in ("GET", "POST"):
            continue
        if may_be_deleted:
            add_nobody(asks.app)
        may_be_deleted = method == "POST"
        fresh = create_app(asks.app.config["SETTINGS"])
        client = fresh.test_client()
        if (cookie := asks.browser.client.get_cookie(COOKIE)) is not None:
            client.set_cookie(COOKIE, cookie.value, domain="localhost")
        answer = client.open(
            path,
            method=method,
            headers={"Origin": "http://localhost", **asks.headers},
            environ_base=asks.browser.environ,
        )
        if answer.status_code == 500:
            broken.append(f"{method} {path}")
        answer.close()

    assert broken == []


def test_every_route_has_an_entry_here_and_the_same_in_the_code(instance_dir):
    assert {endpoint for endpoint, _, _ in routes(make_app(instance_dir))} == set(EXPECTED)
    assert scopes.SCOPES == EXPECTED


def test_a_route_without_a_scope_is_an_error_at_start(instance_dir):
    app = make_app(instance_dir)
    app.add_url_rule("/forgotten", endpoint="forgotten", view_func=lambda: "open")

    with pytest.raises(RuntimeError, match="forgotten"):
        scopes.check(app)


def test_a_route_without_a_scope_is_closed_also_to_who_is_signed_in(instance_dir):
    app = make_app(instance_dir)
    app.add_url_rule("/forgotten", endpoint="forgotten", view_func=lambda: "open")
    browser = Browser(app).signed_in()

    answer = browser.get("/forgotten")

    assert answer.status_code == 500
    assert "open" not in answer.text


# Strangers


@pytest.mark.parametrize(
    ("path", "status"),
    [("/api/results", 401), ("/api/history", 401), ("/metrics", 401), ("/api/unknown", 404)],
)
def test_a_strangers_program_gets_an_error_as_json(instance_dir, path, status):
    answer = Browser(make_app(instance_dir)).get(path)

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (
        status,
        {401: "unauthorized", 404: "not_found"}[status],
    )


def test_a_wrong_token_gets_401_even_beside_a_good_cookie(instance_dir):
    browser = Browser(make_app(instance_dir)).signed_in()

    answer = browser.get("/", Authorization="Bearer wrong")

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="Codex Quota"'
    assert answer.get_json() == {"error": {"code": "unauthorized", "message": "Not signed in"}}
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/", "/login"),
        ("/?sort=name", "/login?next=/?sort%3Dname"),
        ("/accounts/a%20b", "/login?next=/accounts/a%2520b"),
        ("/accounts/é?range=7d", "/login?next=/accounts/%25C3%25A9?range%3D7d"),
    ],
)
def test_a_strangers_browser_is_led_to_the_sign_in_and_back(instance_dir, path, location):
    answer = Browser(make_app(instance_dir)).get(path)

    assert answer.status_code == 303
    assert answer.location == location


def test_after_a_refused_post_the_way_back_is_the_dashboard(instance_dir):
    answer = Browser(make_app(instance_dir)).post("/auth/delete", name="alice")

    assert (answer.status_code, answer.location) == (303, "/login")


# API tokens


def test_a_token_needs_neither_origin_nor_csrf_token(instance_dir):
    app = make_app(instance_dir)
    answer = app.test_client().post(
        "/auth/pause", data={"name": "nobody"}, headers=make_token(app, write=True)
    )

    assert answer.status_code == 404


def test_a_token_request_gets_no_cookie_and_keeps_none(instance_dir):
    app = make_app(instance_dir)
    client, header = app.test_client(), make_token(app)

    assert "Set-Cookie" not in client.get("/", headers=header).headers
    assert "Set-Cookie" not in client.get("/refresh", headers=header).headers


def test_a_revoked_token_is_refused(instance_dir):
    app = make_app(instance_dir)
    header = make_token(app, "nightly")
    assert app.test_client().get("/api/results", headers=header).status_code == 200
    with app.app_context():
        tokens.revoke("nightly", NOW, "test")

    assert app.test_client().get("/api/results", headers=header).status_code == 401


@pytest.mark.parametrize("header", ["bearer {}", "BEARER {}", "Bearer  {} "])
def test_the_scheme_may_be_spelled_anyhow(instance_dir, header):
    app = make_app(instance_dir)
    token = make_token(app)["Authorization"].removeprefix("Bearer ")

    assert (
        app.test_client()
        .get("/api/results", headers={"Authorization": header.format(token)})
        .status_code
        == 200
    )


def test_basic_authorization_of_a_proxy_changes_nothing(instance_dir):
    browser = Browser(make_app(instance_dir)).signed_in()

    assert browser.get("/settings", Authorization="Basic bWFyaWE6eA==").status_code == 200


@pytest.mark.parametrize("settings", [{"QUOTA_AUTH": "off"}, PROXY])
def test_a_proxys_own_bearer_token_changes_nothing(instance_dir, settings):
    answer = Browser(make_app(instance_dir, **settings)).get(
        "/", Authorization="Bearer eyJhbGciOiJub25lIn0.e30.", Remote_User="maria"
    )

    assert answer.status_code == 200


def test_the_audit_knows_who_acts(instance_dir):
    app = make_app(instance_dir)
    header = make_token(app, "nightly", write=True)
    asked = {"Authorization": header["Authorization"]}
    with app.test_request_context("/", headers=asked):
        app.preprocess_request()
        assert (security.actor(), security.signed_in(), origins.is_cross_site()) == (
            "token nightly",
            True,
            False,
        )


@pytest.mark.parametrize(
    ("name", "actor"),
    [
        ("maria", "user maria"),
        ("m\u00e4rz".encode().decode("latin-1"), "user m\u00e4rz"),
        ("x" * 99, f"user {'x' * 80}"),
    ],
)
def test_the_proxys_user_acts_under_his_name(instance_dir, name, actor):
    app = make_app(instance_dir, **PROXY)
    with app.test_request_context(
        "/", environ_overrides={"HTTP_REMOTE_USER": name, "REMOTE_ADDR": "127.0.0.1"}
    ):
        app.preprocess_request()
        assert security.actor() == actor


@pytest.mark.parametrize("name", ["", "  ", "a\tb", "\xff\xfe"])
def test_a_user_without_a_usable_name_is_none(instance_dir, name):
    answer = Browser(make_app(instance_dir, **PROXY), HTTP_REMOTE_USER=name).get("/api/results")

    assert answer.status_code == 401


# What may be sent


def test_a_form_of_a_few_words_is_not_read_beyond_them(instance_dir):
    app = make_app(instance_dir)
    browser = Browser(app).signed_in()
    large = "x" * security.MAX_FORM

    for endpoint, method, path in routes(app):
        if method == "POST" and endpoint not in security.TAKES_FILES:
            assert browser.post(path, name=large).status_code == 413, path


# Cross-site


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 404),
        ({"Sec-Fetch-Site": "none"}, 404),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, 403),
        ({"Sec-Fetch-Site": ""}, 403),
        ({"Origin": "http://localhost"}, 404),
        ({"Origin": "https://localhost"}, 404),
        ({"Origin": "http://localhost:80"}, 404),
        ({"Origin": "http://LOCALHOST"}, 404),
        ({"Origin": "http://localhost:81"}, 403),
        ({"Origin": "http://localhost.example.org"}, 403),
        ({"Origin": "http://example.org"}, 403),
        ({"Origin": "ftp://localhost"}, 403),
        ({"Origin": "localhost"}, 403),
        ({"Origin": "null"}, 404),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({}, 404),
        ({"Referer": "http://localhost/"}, 404),
    ],
)
def test_what_changes_something_comes_from_our_own_pages(instance_dir, headers, status):
    browser = Browser(make_app(instance_dir)).signed_in()

    answer = browser.client.post(
        "/auth/pause", data={"csrf_token": browser.csrf_token(), "name": "nobody"}, headers=headers
    )

    assert answer.status_code == status


@pytest.mark.parametrize("headers", [{"Origin": "null"}, {}])
def test_without_a_word_on_where_it_came_from_the_token_decides(instance_dir, headers):
    app = make_app(instance_dir)
    browser, stranger = Browser(app).signed_in(), Browser(app)
    fields = {"name": "nobody", "csrf_token": browser.csrf_token()}

    assert browser.client.post("/auth/pause", data=fields, headers=headers).status_code == 404
    assert (
        browser.client.post(
            "/auth/pause", data=fields | {"csrf_token": "wrong"}, headers=headers
        ).status_code
        == 400
    )
    assert (
        stranger.client.post(
            "/login", data=fields | {"password": PASSWORD}, headers=headers
        ).status_code
        == 400
    )


def test_what_is_refused_says_why(instance_dir):
    browser = Browser(make_app(instance_dir)).signed_in()

    elsewhere = browser.post("/auth/pause", headers={"Origin": "http://quota.example.org"}).text
    led = browser.post("/auth/pause", headers={"Sec-Fetch-Site": "cross-site"}).text
    no_cookie = (
        browser.client.application.test_client().post("/login", headers={"Origin": "null"}).text
    )

    assert (
        "The browser was at http://quota.example.org, and this was sent to localhost." in elsewhere
    )
    assert "Host header" in elsewhere
    assert "came from another site" in led
    assert "Host header" not in led
    assert "The browser sent no cookie" in no_cookie


@pytest.mark.parametrize("token", ["", "wrong", None])
def test_a_form_without_its_token_is_refused(instance_dir, token):
    browser = Browser(make_app(instance_dir)).signed_in()

    answer = browser.post("/auth/pause", name="nobody", csrf_token=token or "")

    assert answer.status_code == 400
    assert "The form has expired" in answer.text


def test_another_sessions_token_is_refused(instance_dir):
    app = make_app(instance_dir)
    browser, other = Browser(app).signed_in(), Browser(app).signed_in()

    assert (
        browser.post("/auth/pause", name="nobody", csrf_token=other.csrf_token()).status_code == 400
    )


def test_the_token_may_come_as_a_header_of_a_script_of_ours(instance_dir):
    browser = Browser(make_app(instance_dir)).signed_in()

    answer = browser.client.post(
        "/auth/pause",
        data={"name": "nobody"},
        headers={"Origin": "http://localhost", "X-CSRFToken": browser.csrf_token()},
    )

    assert answer.status_code == 404


def test_signing_in_is_guarded_too(instance_dir):
    browser = Browser(make_app(instance_dir))

    assert (
        browser.post(
            "/login", password=PASSWORD, headers={"Origin": "http://example.org"}
        ).status_code
        == 403
    )
    assert browser.post("/login", password=PASSWORD, csrf_token="").status_code == 400


@pytest.mark.parametrize(
    ("site", "shows_button"),
    [
        ("cross-site", True),
        ("same-site", True),
        ("same-origin", False),
        ("none", False),
        (None, False),
    ],
)
def test_a_refresh_link_on_another_site_shows_a_button(instance_dir, site, shows_button):
    browser = Browser(make_app(instance_dir)).signed_in()

    answer = browser.get("/refresh", **({"Sec_Fetch_Site": site} if site else {}))

    assert (answer.status_code == 200 and "<button" in answer.text) is shows_button
