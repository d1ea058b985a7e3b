"""The one guard before every request: who gets where, from which page, under which name, and with which headers on the answer."""

import re
from urllib.parse import urlsplit

import pytest
from flask import Flask

from quota_web import api_tokens, clock, config, sign_in
from quota_web.factory import create_app
from quota_web.web import hosts, security
from quota_web.web.security import POLICY
from quota_web.web.sessions import LIFETIME_S, KeySessions
from tests.browser import PASSWORD, Browser, first_start, make_app, make_token
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
    "api.results": "read",
    "api.history": "read",
    "auth.index": "session",
    "auth.new": "session",
    "auth.edit": "session",
    "auth.save": "write",
    "auth.delete_confirm": "session",
    "auth.delete": "write",
    "auth.pause": "write",
    "auth.resume": "write",
    "settings.index": "session",
    "settings.password": "session",
    "settings.token_create": "session",
    "settings.token_revoke": "session",
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
            return self.browser.client.open(path, method=method, headers=self.headers, environ_base=self.browser.environ, buffered=True)
        return self.browser.post(path, headers=self.headers)


def caller(kind: str, instance_dir) -> Caller:
    if kind.startswith("proxy mode"):
        found = Caller(make_app(instance_dir, **PROXY))
        found.browser.take(Browser(make_app(instance_dir)).signed_in().cookie())
        return found
    if kind.startswith("proxy"):
        headers = {} if kind == "proxy without a user" else {"Remote-User": "maria"}
        return Caller(make_app(instance_dir, **PROXY), headers, REMOTE_ADDR="192.0.2.1" if "elsewhere" in kind else "127.0.0.1")
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
            sign_in.sign_out(NOW, "test")
    return found


def routes(app: Flask):
    """Every route and method, with something in the places of its arguments."""
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<[^>]*>", lambda found: "css/app.css" if "filename" in found[0] else "nobody", rule.rule)
        for method in sorted(rule.methods or ()):
            # Asked of the map: two routes may share a path, and its OPTIONS belongs to the first of them.
            yield app.url_map.bind("localhost").match(path, method)[0], method, path


def is_let_in(answer) -> bool:
    """Whether the guard let the request through to its view, which may then have had its own objections."""
    assert answer.status_code != 500, answer.text
    to_sign_in = answer.status_code == 303 and urlsplit(answer.location or "").path.endswith("/login")
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


def test_every_route_has_an_entry_here_and_the_same_in_the_code(instance_dir):
    assert {endpoint for endpoint, _, _ in routes(make_app(instance_dir))} == set(EXPECTED)
    assert security.SCOPES == EXPECTED


def test_a_route_without_a_scope_is_an_error_at_start(instance_dir):
    app = make_app(instance_dir)
    app.add_url_rule("/forgotten", endpoint="forgotten", view_func=lambda: "open")

    with pytest.raises(RuntimeError, match="forgotten"):
        security.check_scopes(app)


def test_a_route_without_a_scope_is_closed_also_to_who_is_signed_in(instance_dir):
    app = make_app(instance_dir)
    app.add_url_rule("/forgotten", endpoint="forgotten", view_func=lambda: "open")
    browser = Browser(app).signed_in()

    answer = browser.get("/forgotten")

    assert answer.status_code == 500
    assert "open" not in answer.text


# Strangers


@pytest.mark.parametrize(("path", "status"), [("/api/results", 401), ("/api/history", 401), ("/metrics", 401), ("/api/unknown", 404)])
def test_a_strangers_program_gets_an_error_as_json(instance_dir, path, status):
    answer = Browser(make_app(instance_dir)).get(path)

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (status, {401: "unauthorized", 404: "not_found"}[status])


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


# Sessions


def test_the_cookie_is_hidden_from_scripts_and_other_sites(instance_dir):
    cookie = Browser(make_app(instance_dir)).sign_in().headers["Set-Cookie"]

    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie


def test_on_https_the_cookie_is_secure(instance_dir):
    assert "Secure" in Browser(make_app(instance_dir), base="https://localhost").sign_in().headers["Set-Cookie"]


def test_a_session_lasts_thirty_days_from_its_last_use(instance_dir):
    app = make_app(instance_dir)
    with clock.frozen(NOW):
        browser = Browser(app).signed_in()
    with clock.frozen(NOW + LIFETIME_S - 60):
        assert browser.may_look()
    with clock.frozen(NOW + 2 * LIFETIME_S - 120):
        assert browser.may_look()
    with clock.frozen(NOW + 3 * LIFETIME_S):
        assert not browser.may_look()


def test_the_cookie_is_renewed_hourly_not_always(instance_dir):
    app = make_app(instance_dir)
    with clock.frozen(NOW):
        browser = Browser(app).signed_in()
    for after, is_set in ((60, False), (3600, True), (3660, False)):
        with clock.frozen(NOW + after):
            assert ("Set-Cookie" in browser.get("/api/results").headers) is is_set


def test_a_copied_cookie_is_worthless_after_the_sign_out(instance_dir):
    app = make_app(instance_dir)
    browser, thief = Browser(app).signed_in(), Browser(app)
    thief.take(browser.cookie())
    assert thief.may_look()

    browser.post("/logout")

    assert not thief.may_look()


def test_sessions_end_when_the_fixed_password_changes(instance_dir):
    cookie = None
    for password, may_look in (("first password", None), ("first password", True), ("second password", False)):
        browser = Browser(make_app(instance_dir, QUOTA_PASSWORD=password))
        if cookie is None:
            browser.sign_in(password)
            cookie = browser.cookie()
            continue
        browser.take(cookie)
        assert browser.may_look() is may_look


def test_an_older_key_still_opens_cookies(instance_dir):
    browser = Browser(make_app(instance_dir)).signed_in()
    cookie = browser.cookie()
    key = instance_dir / "secret.key"
    key.write_text(f"{'n' * 40}\n{key.read_text()}")

    after = Browser(first_start(instance_dir))
    after.take(cookie)

    assert after.may_look()


@pytest.mark.parametrize("key", ["", "secret", "dev", "changeme", "QUOTA_SECRET_KEY", "0" * 32])
def test_a_cookie_signed_with_a_guessed_key_counts_nothing(instance_dir, key):
    app, forger = make_app(instance_dir), Flask("forger")
    forger.secret_key = key or "x"
    serializer = KeySessions().get_signing_serializer(forger)
    assert serializer is not None
    browser = Browser(app)
    browser.take(serializer.dumps({"signed_in": True, "epoch": 1, "seen": NOW}))

    assert not browser.may_look()


def test_signing_in_drops_what_the_cookie_held_before(instance_dir):
    browser = Browser(make_app(instance_dir))
    browser.get("/login")
    with browser.client.session_transaction(base_url="http://localhost") as before:
        before["planted"] = "by somebody else"
        token = before["csrf_token"]

    browser.signed_in()

    with browser.client.session_transaction(base_url="http://localhost") as after:
        assert "planted" not in after
        assert after.get("csrf_token") != token


@pytest.mark.parametrize("odd", [{"epoch": "1"}, {"epoch": None}, {"seen": None}, {"seen": "now"}, {"signed_in": False}])
def test_a_session_that_lacks_something_counts_nothing(instance_dir, odd):
    browser = Browser(make_app(instance_dir)).signed_in()
    with browser.client.session_transaction(base_url="http://localhost") as session:
        session.update(odd)

    assert not browser.may_look()


def test_making_the_app_touches_no_disk(tmp_path):
    make = tmp_path / "not made"
    create_app(config.load({"QUOTA_INSTANCE_DIR": str(make), "QUOTA_ACCOUNT_DIR": str(tmp_path)}))

    assert not make.exists()


# API tokens


def test_a_token_needs_neither_origin_nor_csrf_token(instance_dir):
    app = make_app(instance_dir)
    answer = app.test_client().post("/auth/pause", data={"name": "nobody"}, headers=make_token(app, write=True))

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
        api_tokens.revoke("nightly", NOW, "test")

    assert app.test_client().get("/api/results", headers=header).status_code == 401


@pytest.mark.parametrize("header", ["bearer {}", "BEARER {}", "Bearer  {} "])
def test_the_scheme_may_be_spelled_anyhow(instance_dir, header):
    app = make_app(instance_dir)
    token = make_token(app)["Authorization"].removeprefix("Bearer ")

    assert app.test_client().get("/api/results", headers={"Authorization": header.format(token)}).status_code == 200


def test_basic_authorization_of_a_proxy_changes_nothing(instance_dir):
    browser = Browser(make_app(instance_dir)).signed_in()

    assert browser.get("/settings", Authorization="Basic bWFyaWE6eA==").status_code == 200


@pytest.mark.parametrize("settings", [{"QUOTA_AUTH": "off"}, PROXY])
def test_a_proxys_own_bearer_token_changes_nothing(instance_dir, settings):
    answer = Browser(make_app(instance_dir, **settings)).get("/", Authorization="Bearer eyJhbGciOiJub25lIn0.e30.", Remote_User="maria")

    assert answer.status_code == 200


def test_the_audit_knows_who_acts(instance_dir):
    app = make_app(instance_dir)
    header = make_token(app, "nightly", write=True)
    asked = {"Authorization": header["Authorization"]}
    with app.test_request_context("/", headers=asked):
        app.preprocess_request()
        assert (security.actor(), security.may_write(), security.signed_in(), security.is_cross_site()) == ("token nightly", True, True, False)


@pytest.mark.parametrize(
    ("name", "actor"), [("maria", "user maria"), ("m\u00e4rz".encode().decode("latin-1"), "user m\u00e4rz"), ("x" * 99, f"user {'x' * 80}")]
)
def test_the_proxys_user_acts_under_his_name(instance_dir, name, actor):
    app = make_app(instance_dir, **PROXY)
    with app.test_request_context("/", environ_overrides={"HTTP_REMOTE_USER": name, "REMOTE_ADDR": "127.0.0.1"}):
        app.preprocess_request()
        assert security.actor() == actor


@pytest.mark.parametrize("name", ["", "  ", "a\tb", "\xff\xfe"])
def test_a_user_without_a_usable_name_is_none(instance_dir, name):
    answer = Browser(make_app(instance_dir, **PROXY), HTTP_REMOTE_USER=name).get("/api/results")

    assert answer.status_code == 401


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
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({}, 403),
        ({"Referer": "http://localhost/"}, 403),
    ],
)
def test_what_changes_something_comes_from_our_own_pages(instance_dir, headers, status):
    browser = Browser(make_app(instance_dir)).signed_in()

    answer = browser.client.post("/auth/pause", data={"csrf_token": browser.csrf_token(), "name": "nobody"}, headers=headers)

    assert answer.status_code == status


@pytest.mark.parametrize("token", ["", "wrong", None])
def test_a_form_without_its_token_is_refused(instance_dir, token):
    browser = Browser(make_app(instance_dir)).signed_in()

    answer = browser.post("/auth/pause", name="nobody", csrf_token=token or "")

    assert answer.status_code == 400
    assert "The form has expired" in answer.text


def test_another_sessions_token_is_refused(instance_dir):
    app = make_app(instance_dir)
    browser, other = Browser(app).signed_in(), Browser(app).signed_in()

    assert browser.post("/auth/pause", name="nobody", csrf_token=other.csrf_token()).status_code == 400


def test_the_token_may_come_as_a_header_of_a_script_of_ours(instance_dir):
    browser = Browser(make_app(instance_dir)).signed_in()

    answer = browser.client.post("/auth/pause", data={"name": "nobody"}, headers={"Origin": "http://localhost", "X-CSRFToken": browser.csrf_token()})

    assert answer.status_code == 404


def test_signing_in_is_guarded_too(instance_dir):
    browser = Browser(make_app(instance_dir))

    assert browser.post("/login", password=PASSWORD, headers={"Origin": "http://example.org"}).status_code == 403
    assert browser.post("/login", password=PASSWORD, csrf_token="").status_code == 400


@pytest.mark.parametrize(
    ("site", "shows_button"), [("cross-site", True), ("same-site", True), ("same-origin", False), ("none", False), (None, False)]
)
def test_a_refresh_link_on_another_site_shows_a_button(instance_dir, site, shows_button):
    browser = Browser(make_app(instance_dir)).signed_in()

    answer = browser.get("/refresh", **({"Sec_Fetch_Site": site} if site else {}))

    assert (answer.status_code == 200 and "<button" in answer.text) is shows_button


# Hosts


LOCAL = [
    "localhost", "localhost:8081", "LOCALHOST", "127.0.0.1:8081", "192.168.1.5:8081", "10.0.0.1", "8.8.8.8", "[::1]:8081", "[fe80::1]",
    "[2001:db8::1]:443",
]  # fmt: skip
FOREIGN = [
    "example.org", "quota.example.org:8081", "localhost.example.org", "localhost.", "127.0.0.1.example.org", "127.0.0.1.nip.io",
    "0x7f000001", "2130706433", "127.1", "notlocalhost", "local-host", "example", "xn--e1afmkfd.example", "foo.localhost", "a_b.example",
]  # fmt: skip
MALFORMED = [
    "", " ", "local host", "localhost:", "localhost:0", "localhost:65536", "localhost:x", "localhost/", "user@localhost",
    "localhost,example.org", "[::1", "::1", "[::1]x", "[::1%25eth0]", "[127.0.0.1]", "<script>", "localhost:80:80", "é.example", "a..b",
    "-" * 300, "[]", "localhost\\x",
]  # fmt: skip


@pytest.mark.parametrize("host", LOCAL)
def test_addresses_and_localhost_need_no_setting(instance_dir, host):
    assert make_app(instance_dir).test_client().get("/login", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", [h for h in FOREIGN if h != "localhost."])
def test_a_foreign_name_is_refused_with_the_line_to_add(instance_dir, host):
    answer = make_app(instance_dir).test_client().get("/login", headers={"Host": host})

    assert answer.status_code == 400
    assert f"QUOTA_TRUSTED_HOSTS={host.partition(':')[0]}" in answer.text


@pytest.mark.parametrize("host", MALFORMED)
def test_a_malformed_name_is_refused_and_not_repeated(instance_dir, host):
    answer = make_app(instance_dir).test_client().get("/login", environ_overrides={"HTTP_HOST": host})

    assert answer.status_code == 400
    assert "malformed" in answer.text
    assert "<script>" not in answer.text.partition("<h1>")[2]


@pytest.mark.parametrize("settings", [{"QUOTA_AUTH": "off"}, {}, PROXY])
@pytest.mark.parametrize("path", ["/", "/api/results", "/healthz", "/static/css/app.css", "/nowhere", "/login"])
def test_foreign_names_are_refused_everywhere_in_every_mode(instance_dir, settings, path):
    answer = make_app(instance_dir, **settings).test_client().get(path, headers={"Host": "rebound.example"})

    assert answer.status_code == 400


def test_the_line_to_add_keeps_the_names_that_are_there(instance_dir):
    app = make_app(instance_dir, QUOTA_TRUSTED_HOSTS="one.example, .two.example")

    answer = app.test_client().get("/", headers={"Host": "three.example"})

    assert "QUOTA_TRUSTED_HOSTS=one.example,.two.example,three.example" in answer.text


@pytest.mark.parametrize(
    ("host", "is_trusted"),
    [
        ("one.example", True),
        ("a.one.example", False),
        ("two.example", True),
        ("a.b.two.example", True),
        ("atwo.example", False),
        ("one.example.org", False),
    ],
)
def test_trusted_names_count_with_or_without_those_below(host, is_trusted):
    assert hosts.is_trusted(host, ("one.example", ".two.example")) is is_trusted


def test_a_trailing_dot_is_the_same_name():
    assert hosts.hostname("Quota.Example.Org.:8081") == "quota.example.org"


def test_a_request_without_a_host_is_no_browsers(instance_dir):
    client = make_app(instance_dir).test_client()

    with client.application.test_request_context("/login") as context:
        del context.request.environ["HTTP_HOST"]
        assert client.application.preprocess_request() is None


# Headers


def pages(app: Flask):
    browser = Browser(app).signed_in()
    yield from (
        browser.get(path)
        for path in ("/", "/settings", "/auth", "/login", "/nowhere", "/accounts/nobody", "/api/results", "/api/history?range=x", "/refresh")
    )
    yield browser.client.put("/")
    yield browser.client.options("/")
    yield browser.client.get("/", headers={"Host": "foreign.example"})
    yield browser.post("/auth/pause", csrf_token="")
    yield Browser(app).get("/")
    yield Browser(app).get("/healthz")
    yield Browser(app).get("/static/nowhere.css")
    yield Browser(app).get("/", Authorization="Bearer wrong")


def test_every_answer_has_the_headers(instance_dir):
    for answer in pages(make_app(instance_dir)):
        told = (answer.request.path, answer.status_code)
        assert answer.headers.getlist("Content-Security-Policy") == [POLICY], told
        assert answer.headers["X-Content-Type-Options"] == "nosniff", told
        assert answer.headers["Referrer-Policy"] == "same-origin", told
        assert answer.headers["X-Frame-Options"] == "DENY", told
        assert answer.headers["Cache-Control"] == "no-store", told
        assert "Cookie" in answer.headers["Vary"], told
        assert "Server" not in answer.headers, told


def test_a_bugs_answer_has_the_headers_too(instance_dir):
    app = make_app(instance_dir)
    app.add_url_rule("/bug", endpoint="health.healthz2", view_func=lambda: str(1 / 0))
    security.SCOPES["health.healthz2"] = "public"
    try:
        answer = Browser(app).get("/bug")
    finally:
        del security.SCOPES["health.healthz2"]

    assert answer.status_code == 500
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.headers["Cache-Control"] == "no-store"


def test_static_files_may_be_kept_and_for_good_where_their_address_says_so(instance_dir):
    client = make_app(instance_dir).test_client()

    plain, versioned = client.get("/static/css/app.css", buffered=True), client.get("/static/css/app.css?v=1", buffered=True)

    assert plain.headers["Cache-Control"] == "no-cache"
    assert versioned.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "Set-Cookie" not in plain.headers
    assert plain.headers["Content-Security-Policy"] == POLICY
    assert "Cookie" not in plain.headers.get("Vary", "")


def test_no_page_has_inline_code_or_styles(instance_dir):
    for answer in pages(make_app(instance_dir)):
        if "html" in (answer.content_type or ""):
            assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*(src=|application/json))", answer.text), answer.request.path


# Where to go after signing in


SAFE = {
    "/": "/",
    "/accounts/alice": "/accounts/alice",
    "/?sort=name&q=a%20b": "/?sort=name&q=a%20b",
    "/accounts/a%2Fb": "/accounts/a%2Fb",
    "/?next=//x.example": "/?next=//x.example",
}
UNSAFE = [
    "", "https://x.example", "//x.example", "///x.example/..", "////x.example", "/\\x.example", "\\\\x.example", "/\t/x.example",
    "/\n/x.example", "\t//x.example", "http:x.example", "javascript:alert(1)", "data:text/html,x", "x.example", "/..//x.example",
    "/%2e%2e//x.example", "/.//x.example", "/%2E/", "/a//b", " /", "/é", "/\x00", "/a b", "/\x7f", "https:/x.example", "//[", "/a/../../b",
    "mailto:a@x.example", "?x", "#x", "/a\u2028",
]  # fmt: skip


@pytest.mark.parametrize("target", SAFE)
def test_a_path_of_ours_is_where_one_goes(instance_dir, target):
    with make_app(instance_dir).test_request_context("/login"):
        assert security.safe_next(target) == SAFE[target]


@pytest.mark.parametrize("target", UNSAFE)
def test_anything_else_leads_to_the_dashboard(instance_dir, target):
    with make_app(instance_dir).test_request_context("/login"):
        assert security.safe_next(target) == "/"


@pytest.mark.parametrize(
    "start", ["", "/", "//", "/\\", "\\", "http://", "https:", "/.", "/..", "/%2f", "/%5c", "\t/", "/\t", "/;", "/@", "/:", " /"]
)
@pytest.mark.parametrize(
    "end",
    [
        "x.example",
        "/x.example",
        "\\x.example",
        "@x.example",
        "x.example/%2e%2e",
        ":80@x.example",
        "%0d%0aSet-Cookie:x",
        "x.example\r\nA: b",
        "[x.example]",
    ],
)
def test_no_spelling_leads_to_another_site(instance_dir, start, end):
    with first_start(instance_dir).test_request_context("/login"):
        target = security.safe_next(start + end)

    assert re.fullmatch(r"/([^/\\].*)?", target)
    assert urlsplit(target).netloc == ""


def test_under_a_prefix_one_stays_below_it(instance_dir):
    app = make_app(instance_dir, QUOTA_URL_PREFIX="/quota")
    with app.test_request_context("/login", environ_overrides={"SCRIPT_NAME": "/quota"}):
        assert security.safe_next("/quota/accounts/alice") == "/quota/accounts/alice"
        assert security.safe_next("/elsewhere") == "/quota/"
        assert security.safe_next("/quotas/") == "/quota/"
        assert security.safe_next("/quota/../elsewhere") == "/quota/"
