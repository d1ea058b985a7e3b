"""Behind reverse proxies: whose forwarded headers count, which address a visitor has, and the path
that the app lives under.
"""

import re
from typing import Any

import pytest

from quota_web import config
from quota_web.auth import throttle
from quota_web.config import Settings
from quota_web.web.proxy import REFUSED, Door, client_address, is_trusted
from tests.browser import PASSWORD, Browser, make_app, make_token

PROXY, STRANGER, VISITOR = "10.0.0.2", "203.0.113.9", "198.51.100.7"
TRUSTED = {"QUOTA_TRUSTED_PROXIES": "10.0.0.0/8, 2001:db8::/32"}


def settings(**environ: str) -> Settings:
    return config.load(
        {"QUOTA_ACCOUNT_DIR": "/tmp/none", "QUOTA_INSTANCE_DIR": "/tmp/none", **environ}
    )


def through(
    peer: str | None, headers: dict[str, str], path: str = "/", script: str = "", **environ: str
) -> dict[str, Any]:
    """What the app below the door sees of a request."""
    seen: dict[str, Any] = {}
    request: dict[str, Any] = {
        "PATH_INFO": path,
        "SCRIPT_NAME": script,
        "wsgi.url_scheme": "http",
        "SERVER_NAME": "server",
        "SERVER_PORT": "8081",
        "HTTP_HOST": "direct",
    }
    if peer is not None:
        request["REMOTE_ADDR"] = peer
    request |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}

    def app(below: dict[str, Any], _start: Any) -> list[bytes]:
        seen.update(below)
        return []

    list(Door(app, settings(**environ))(request, lambda *_: lambda _: None))
    return seen


def address(peer: str | None, forwarded: str | None, **environ: str) -> str | int:
    """The visitor's address as the app sees it, or 400."""
    seen = through(peer, {"X-Forwarded-For": forwarded} if forwarded is not None else {}, **environ)
    return seen[REFUSED].status if REFUSED in seen else seen.get("REMOTE_ADDR", "")


ADDRESSES = [
    # From anybody else the header is dropped, whatever it says.
    *((STRANGER, said, STRANGER) for said in (None, "", VISITOR, f"{VISITOR}, {PROXY}", "rubbish",
                                              "127.0.0.1", "::1", "a, b, c")),
    ("2001:dead::1", VISITOR, "2001:dead::1"),
    ("127.0.0.1", VISITOR, "127.0.0.1"),
    # A trusted proxy's last entry counts; what stands before it the visitor may have made up.
    (PROXY, None, PROXY),
    (PROXY, VISITOR, VISITOR),
    (PROXY, f"1.2.3.4, {VISITOR}", VISITOR),
    (PROXY, f"1.2.3.4,5.6.7.8 ,{VISITOR}", VISITOR),
    (PROXY, f"rubbish, {VISITOR}", VISITOR),
    (PROXY, f"<script>, {VISITOR}", VISITOR),
    (PROXY, f" {VISITOR} ", VISITOR),
    # Two hops: the one before the last is the last proxy's visitor, even if it is a proxy, too.
    (PROXY, f"{VISITOR}, 10.0.0.3", "10.0.0.3"),
    # Ports and brackets.
    (PROXY, f"{VISITOR}:4711", VISITOR),
    (PROXY, "2001:db8::5", "2001:db8::5"),
    (PROXY, "[2001:db8::5]", "2001:db8::5"),
    (PROXY, "[2001:db8::5]:4711", "2001:db8::5"),
    (PROXY, "2001:DB8:0:0::5", "2001:db8::5"),
    (PROXY, "::ffff:198.51.100.7", VISITOR),
    # Malformed.
    *((PROXY, said, 400) for said in (
        "", ",", "rubbish", f"{VISITOR},", f"{VISITOR}, rubbish",
        "unknown", "_hidden", "198.51.100", "198.51.100.256", "198.51.100.7:x", "198.51.100.7:",
        "198.51.100.7:123456",
        "[2001:db8::5", "[2001:db8::5]x", "2001:db8::g", f"for={VISITOR}", f'"{VISITOR}"',
        "198.51.100.7/24", "0x7f.1", "127.1", "[]", "[]:80",
        "fe80::1%eth0", "fe80::1%eth0 x", "\u0661.2.3.4",
    )),
    # The peer itself, in all its forms.
    ("10.255.255.255", VISITOR, VISITOR),
    ("11.0.0.1", VISITOR, "11.0.0.1"),
    ("::ffff:10.0.0.2", VISITOR, VISITOR),
    ("2001:db8:1::1", VISITOR, VISITOR),
    ("2001:db9::1", VISITOR, "2001:db9::1"),
    ("", VISITOR, ""),
    ("localhost", VISITOR, "localhost"),
]  # fmt: skip


@pytest.mark.parametrize(("peer", "forwarded", "expected"), ADDRESSES)
def test_a_visitor_has_the_address_that_can_be_believed(peer, forwarded, expected):
    assert address(peer, forwarded, **TRUSTED) == expected


@pytest.mark.parametrize("peer", [None, "", "localhost", "/run/quota.sock", "unix:"])
def test_a_peer_on_a_unix_socket_counts_as_this_machine(peer):
    assert address(peer, VISITOR, QUOTA_TRUSTED_PROXIES="127.0.0.1") == VISITOR
    assert address(peer, VISITOR, QUOTA_TRUSTED_PROXIES="::1") == (peer or "")
    assert address(peer, VISITOR) == (peer or "")


@pytest.mark.parametrize("entry", ["198.51.100.7", "198.51.100.7:1", "[::1]:1", "::1"])
def test_addresses_of_entries_are_plain(entry):
    assert client_address(entry) in ("198.51.100.7", "::1")


def test_without_a_setting_nobody_is_trusted():
    assert not any(is_trusted(peer, ()) for peer in (None, "", "127.0.0.1", "::1", PROXY))


FORWARDED = [
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Prefix",
    "X-Forwarded-Port",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Real-IP",
]


@pytest.mark.parametrize("peer", [STRANGER, "127.0.0.1", ""])
def test_from_a_stranger_every_forwarded_and_user_header_is_dropped(peer):
    headers = dict.fromkeys((*FORWARDED, "Remote-User", "X-Script-Name"), "203.0.113.1")

    seen = through(peer, headers, **TRUSTED)

    assert {name for name in seen if name.startswith("HTTP_")} == {"HTTP_HOST"}
    assert (
        seen["HTTP_HOST"],
        seen["wsgi.url_scheme"],
        seen["SCRIPT_NAME"],
        seen["REMOTE_ADDR"],
    ) == ("direct", "http", "", peer)


def test_the_user_header_may_have_another_name():
    for peer, expected in (
        (PROXY, {"HTTP_X_AUTH_USER": "maria", "HTTP_REMOTE_USER": "eve"}),
        (STRANGER, {"HTTP_REMOTE_USER": "eve"}),
    ):
        seen = through(
            peer,
            {"X-Auth-User": "maria", "Remote-User": "eve"},
            QUOTA_PROXY_USER_HEADER="X-Auth-User",
            **TRUSTED,
        )
        assert {name: value for name, value in seen.items() if "USER" in name} == expected


def test_a_forwarded_user_header_can_be_the_one_that_counts():
    environ = {"QUOTA_PROXY_USER_HEADER": "X-Forwarded-User", **TRUSTED}

    assert (
        through(PROXY, {"X-Forwarded-User": "maria"}, **environ)["HTTP_X_FORWARDED_USER"] == "maria"
    )
    assert "HTTP_X_FORWARDED_USER" not in through(
        STRANGER, {"X-Forwarded-User": "maria"}, **environ
    )


@pytest.mark.parametrize(
    ("header", "value", "key", "expected"),
    [
        ("X-Forwarded-Proto", "https", "wsgi.url_scheme", "https"),
        ("X-Forwarded-Proto", "http", "wsgi.url_scheme", "http"),
        ("X-Forwarded-Proto", "HTTPS", "wsgi.url_scheme", "https"),
        ("X-Forwarded-Host", "quota.example.org", "HTTP_HOST", "quota.example.org"),
        ("X-Forwarded-Host", "quota.example.org:8443", "HTTP_HOST", "quota.example.org:8443"),
        ("X-Forwarded-Host", "[2001:db8::1]:8443", "HTTP_HOST", "[2001:db8::1]:8443"),
        ("X-Forwarded-Prefix", "/quota", "SCRIPT_NAME", "/quota"),
        ("X-Forwarded-Prefix", "/quota/", "SCRIPT_NAME", "/quota"),
        ("X-Forwarded-Prefix", "/a/b", "SCRIPT_NAME", "/a/b"),
        ("X-Forwarded-Prefix", "/", "SCRIPT_NAME", ""),
    ],
)
def test_what_a_trusted_proxy_says_counts(header, value, key, expected):
    assert through(PROXY, {header: value}, **TRUSTED)[key] == expected
    assert through(STRANGER, {header: value}, **TRUSTED)[key] != expected or expected in (
        "http",
        "",
    )


@pytest.mark.parametrize(
    ("header", "value"),
    [
        *(
            ("X-Forwarded-Proto", value)
            for value in (
                "",
                "https,http",
                "https, https",
                "ftp",
                "javascript",
                "https://",
                "http s",
            )
        ),
        *(
            ("X-Forwarded-Host", value)
            for value in (
                "",
                "a.example,b.example",
                "a.example, a.example",
                "a b",
                "a.example/x",
                "u@a.example",
                "a.example:",
                "a.example:x",
                "<script>",
                "[::1",
                "\u00e9",
            )
        ),
        *(
            ("X-Forwarded-Prefix", value)
            for value in (
                "",
                "quota",
                "//quota",
                "/a//b",
                "/..",
                "/a/../b",
                "/a,/b",
                "/a b",
                "/\\x",
                "/.hidden",
                "/%2e",
                "http://x",
            )
        ),
    ],
)
def test_what_is_malformed_or_there_twice_is_refused(header, value):
    seen = through(PROXY, {header: value}, **TRUSTED)

    assert seen[REFUSED].status == 400
    assert header in seen[REFUSED].said()[1]
    assert (seen["HTTP_HOST"], seen["wsgi.url_scheme"], seen["SCRIPT_NAME"]) == (
        "direct",
        "http",
        "",
    )


def test_a_refused_request_gets_a_page_that_names_the_header(instance_dir):
    browser = Browser(make_app(instance_dir, **TRUSTED), REMOTE_ADDR=PROXY)

    page, api = (
        browser.get(path, X_Forwarded_Proto="https,http") for path in ("/login", "/api/results")
    )

    assert page.status_code == api.status_code == 400
    assert "X-Forwarded-Proto" in page.text
    assert api.get_json()["error"]["code"] == "bad_request"


# The prefix


@pytest.mark.parametrize(
    ("path", "script", "expected"),
    [
        ("/quota", "", ("/quota", "/")),
        ("/quota/", "", ("/quota", "/")),
        ("/quota/accounts/a", "", ("/quota", "/accounts/a")),
        ("/quota/quota/x", "", ("/quota", "/quota/x")),
        ("/accounts/a", "/quota", ("/quota", "/accounts/a")),
        ("/healthz", "", ("/quota", "/healthz")),
        ("/readyz", "", ("/quota", "/readyz")),
        ("/quota/healthz", "", ("/quota", "/healthz")),
        ("/", "", 404),
        ("/quotas", "", 404),
        ("/login", "", 404),
        ("", "", 404),
        ("/QUOTA/", "", 404),
        ("/static/css/app.css", "", 404),
    ],
)
def test_the_app_lives_under_its_prefix(path, script, expected):
    seen = through(STRANGER, {}, path, script, QUOTA_URL_PREFIX="/quota")

    assert (
        seen[REFUSED].status == expected
        if expected == 404
        else (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == expected
    )
    assert (REFUSED in seen) == (expected == 404)


@pytest.mark.parametrize("path", ["/quota/accounts/a", "/accounts/a"])
def test_a_proxy_that_names_the_prefix_may_or_may_not_cut_it_off(path):
    seen = through(PROXY, {"X-Forwarded-Prefix": "/quota"}, path, **TRUSTED)

    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == ("/quota", "/accounts/a")
    assert "HTTP_X_FORWARDED_PREFIX" not in seen


def test_outside_of_the_prefix_a_page_says_where_to_look(instance_dir):
    answer = Browser(make_app(instance_dir, QUOTA_URL_PREFIX="/a/b")).get("/")

    assert answer.status_code == 404
    assert "/a/b/" in answer.text
    assert "QUOTA_URL_PREFIX" in answer.text


@pytest.mark.parametrize(
    ("peer", "who"),
    [
        (PROXY, "X-Forwarded-Prefix: /quota."),
        (STRANGER, "X-Forwarded-Prefix: /quota from an address in QUOTA_TRUSTED_PROXIES."),
    ],
)
def test_a_proxy_that_cuts_the_prefix_is_told_what_it_lacks(instance_dir, peer, who):
    answer = Browser(
        make_app(instance_dir, QUOTA_URL_PREFIX="/quota", **TRUSTED), REMOTE_ADDR=peer
    ).get("/login")

    assert answer.status_code == 404
    assert "its reverse proxy cuts /quota off the path" in answer.text
    assert f"or send {who}" in answer.text


def test_every_link_form_and_redirect_stays_below_the_prefix(instance_dir):
    browser = Browser(make_app(instance_dir, QUOTA_URL_PREFIX="/a/b"))
    assert browser.get("/a/b/").location == "/a/b/login"
    assert browser.get("/a/b/accounts/x").location == "/a/b/login?next=/a/b/accounts/x"

    answer = browser.client.post(
        "/a/b/login",
        data={
            "password": PASSWORD,
            "next": "/a/b/settings",
            "csrf_token": re.findall(r'csrf_token" value="([^"]+)', browser.get("/a/b/login").text)[
                0
            ],
        },
        headers={"Origin": "http://localhost"},
    )

    assert answer.location == "/a/b/settings"
    assert "Path=/a/b;" in f"{answer.headers['Set-Cookie']};"
    for path in ("/a/b/", "/a/b/settings", "/a/b/auth", "/a/b/nowhere"):
        text = browser.get(path).text
        links = re.findall(r'(?:href|src|action|data-[a-z-]+)="(/[^"]*)"', text)
        assert links, path
        assert [link for link in links if not link.startswith("/a/b/")] == [], path


def test_a_forwarded_prefix_sets_the_cookies_path(instance_dir):
    browser = Browser(make_app(instance_dir, **TRUSTED), REMOTE_ADDR=PROXY)

    assert "Path=/q;" in f"{browser.get('/login', X_Forwarded_Prefix='/q').headers['Set-Cookie']};"


# Together with the sign-in


def test_behind_a_trusted_proxy_https_makes_the_cookie_secure(instance_dir):
    app = make_app(instance_dir, QUOTA_TRUSTED_HOSTS="quota.example.org", **TRUSTED)
    headers = {
        "X_Forwarded_Proto": "https",
        "X_Forwarded_Host": "quota.example.org",
        "X_Forwarded_For": VISITOR,
    }

    assert (
        "Secure" in Browser(app, REMOTE_ADDR=PROXY).get("/login", **headers).headers["Set-Cookie"]
    )
    assert (
        "Secure"
        not in Browser(app, REMOTE_ADDR=STRANGER).get("/login", **headers).headers["Set-Cookie"]
    )


def test_a_forwarded_host_must_be_a_trusted_one(instance_dir):
    answer = Browser(make_app(instance_dir, **TRUSTED), REMOTE_ADDR=PROXY).get(
        "/login", X_Forwarded_Host="quota.example.org"
    )

    assert answer.status_code == 400
    assert "QUOTA_TRUSTED_HOSTS=quota.example.org" in answer.text


def test_made_up_addresses_do_not_help_to_guess(instance_dir):
    browser = Browser(make_app(instance_dir), REMOTE_ADDR=STRANGER)

    answers = [
        browser.sign_in("wrong password", headers={"X-Forwarded-For": f"10.9.8.{i}"}).status_code
        for i in range(20)
    ]

    assert answers == [401] * throttle.PER_MINUTE + [429] * 15
    assert Browser(browser.client.application, REMOTE_ADDR=VISITOR).sign_in().status_code == 303


def test_visitors_of_one_proxy_are_slowed_down_each_for_himself(instance_dir):
    app = make_app(instance_dir, **TRUSTED)
    browser = Browser(app, REMOTE_ADDR=PROXY)
    for _ in range(throttle.PER_MINUTE + 1):
        last = browser.sign_in(
            "wrong password", headers={"X-Forwarded-For": f"1.2.3.4, {STRANGER}"}
        )
    assert last.status_code == 429

    assert (
        Browser(app, REMOTE_ADDR=PROXY).sign_in(headers={"X-Forwarded-For": VISITOR}).status_code
        == 303
    )


def test_nobody_names_himself_where_a_proxy_signs_people_in(instance_dir):
    app = make_app(instance_dir, QUOTA_AUTH="proxy", **TRUSTED)

    assert Browser(app, REMOTE_ADDR=PROXY).get("/settings", Remote_User="maria").status_code == 200
    assert (
        Browser(app, REMOTE_ADDR=STRANGER).get("/settings", Remote_User="maria").status_code == 303
    )
    assert Browser(app, REMOTE_ADDR=STRANGER).get("/login", Remote_User="maria").status_code == 401
    assert (
        Browser(app, REMOTE_ADDR=STRANGER).get("/api/results", **make_token(app)).status_code == 200
    )
