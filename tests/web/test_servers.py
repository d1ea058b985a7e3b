"""The guard behind the two real servers, whose own ways with headers and sockets no test client
shows.
"""

import re
import socket
import sqlite3
from contextlib import closing
from dataclasses import dataclass

import pytest

from quota_web import store
from tests.fakes import FakeCodex
from tests.servers import Server

PASSWORD = "correct horse battery"
SERVERS = ("classic", "gunicorn")


def start(kind: str, server: Server, workers: int = 1) -> Server:
    return server.classic() if kind == "classic" else server.gunicorn("--workers", str(workers))


@dataclass(frozen=True)
class Opened:
    """A server that got its password through the link on its console, and how that went."""

    server: Server
    codes: list[str]
    mode: int
    status: int
    location: str
    #: Of the session that the link opened.
    cookie: str


@pytest.fixture(scope="module", params=SERVERS)
def opened(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    with FakeCodex() as codex, start(request.param, Server(folder, codex), workers=2) as server:
        server.wait_for(lambda: "#setup=" in server.log())
        codes = re.findall(r"/login#setup=([\w-]{43})", server.log())
        mode = (server.instance / "setup-link").stat().st_mode & 0o777
        _, told, page = ask(server, "GET /login HTTP/1.1", "Host: localhost")
        token = re.findall(r'name="csrf_token" value="([^"]+)"', page)[0]
        lines = (
            "POST /login HTTP/1.1",
            "Host: localhost",
            "Sec-Fetch-Site: same-origin",
            f"Cookie: {told['set-cookie'].partition(';')[0]}",
        )
        password = PASSWORD.replace(" ", "+")
        status, told, _ = ask(
            server,
            *lines,
            body=f"csrf_token={token}&code={codes[0]}&password={password}"
            f"&password_again={password}",
        )
        cookie = told["set-cookie"].partition(";")[0]
        yield Opened(server, codes, mode, status, told["location"], cookie)


@pytest.fixture
def server(opened):
    """The same, to which everybody is a stranger again."""
    with closing(sqlite3.connect(opened.server.instance / "quota.sqlite")) as conn, conn:
        conn.execute("DELETE FROM login_failure")
        conn.execute("DELETE FROM event")
        conn.execute("DELETE FROM setting WHERE key = ?", (store.auth.KNOWN_ADDRESSES,))
    return opened.server


def ask(server: Server, *lines: str, body: str = "") -> tuple[int, dict[str, str], str]:
    """Send these lines as they are, doubled and odd headers included; status, headers and body of
    the answer.
    """
    host, _, port = server.url.removeprefix("http://").partition(":")
    content = (
        [f"Content-Length: {len(body)}", "Content-Type: application/x-www-form-urlencoded"]
        if body
        else []
    )
    with closing(socket.create_connection((host, int(port)), timeout=10)) as sock:
        sock.sendall("\r\n".join([*lines, *content, "Connection: close", "", body]).encode())
        answer = b"".join(iter(lambda: sock.recv(65536), b"")).decode("utf-8", "replace")
    head, _, rest = answer.partition("\r\n\r\n")
    first, *others = head.split("\r\n")
    return (
        int(first.split()[1]),
        {name.lower(): value for name, _, value in (line.partition(": ") for line in others)},
        rest,
    )


def sign_in(server: Server, password: str, *headers: str) -> tuple[int, dict[str, str], str]:
    _, told, page = ask(server, "GET /login HTTP/1.1", "Host: localhost")
    token = re.findall(r'name="csrf_token" value="([^"]+)"', page)[0]
    cookie = told["set-cookie"].partition(";")[0]
    lines = [
        "POST /login HTTP/1.1",
        "Host: localhost",
        "Origin: http://localhost",
        f"Cookie: {cookie}",
        *headers,
    ]
    return ask(server, *lines, body=f"csrf_token={token}&password={password.replace(' ', '+')}")


def addresses(server: Server) -> list[str]:
    return [
        str(row[0])
        for row in server.rows(
            "SELECT json_extract(data, '$.address') FROM event WHERE kind = 'sign_in_failed' "
            "ORDER BY id"
        )
    ]


def test_the_console_shows_one_link_and_it_opens_the_door(opened):
    assert len(opened.codes) == 1
    assert opened.mode == 0o600

    assert (opened.status, opened.location) == (303, "/")
    assert not (opened.server.instance / "setup-link").exists()
    lines = ("GET /settings HTTP/1.1", "Host: localhost", f"Cookie: {opened.cookie}")
    assert ask(opened.server, *lines)[0] == 200


def test_forwarded_headers_of_a_stranger_are_dropped(server):
    for header in (
        "X-Forwarded-For: 198.51.100.7",
        "X-Forwarded-For: rubbish",
        "X_Forwarded_For: 198.51.100.7",
        "Forwarded: for=198.51.100.7",
    ):
        assert sign_in(server, "wrong password", header)[0] == 401
    status, told, _ = sign_in(
        server,
        PASSWORD,
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-Prefix: /evil",
    )

    assert addresses(server) == ["127.0.0.1"] * 4
    assert (status, told["location"]) == (303, "/")
    assert "Secure" not in told["set-cookie"]


def test_guesses_are_counted_over_all_workers(server):
    answers = [
        sign_in(server, "wrong password", f"X-Forwarded-For: 198.51.100.{i}")[0] for i in range(12)
    ]

    assert answers == [401] * 5 + [429] * 7


def test_foreign_and_malformed_hosts_are_refused(opened):
    cookie = f"Cookie: {opened.cookie}"

    def asked(line: str, host: str) -> tuple[int, str]:
        status, _, body = ask(opened.server, f"GET {line} HTTP/1.1", f"Host: {host}", cookie)
        return status, body

    status, body = asked("/api/results", "192.168.7.7:8081")
    assert (status, '"results"' in body) == (200, True)
    for host in ("rebound.example", "localhost:8081/x", "a b", "user@localhost", ""):
        status, body = asked("/api/results", host)
        assert (status, '"results"' in body) == (400, False), host
    assert asked("http://rebound.example/api/results", "rebound.example")[0] == 400


@pytest.mark.parametrize("kind", SERVERS)
def test_a_trusted_proxys_headers_count_and_doubled_ones_are_refused(kind, tmp_path, codex):
    settings = {
        "QUOTA_PASSWORD": PASSWORD,
        "QUOTA_TRUSTED_PROXIES": "127.0.0.1",
        "QUOTA_TRUSTED_HOSTS": "quota.example",
    }
    with start(kind, Server(tmp_path, codex, 0, **settings)) as server:
        assert (
            sign_in(server, "wrong password", "X-Forwarded-For: 192.0.2.9, 198.51.100.7")[0] == 401
        )
        assert (
            sign_in(
                server,
                "wrong password",
                "X-Forwarded-For: 192.0.2.9",
                "X-Forwarded-For: 2001:db8::7",
            )[0]
            == 401
        )
        assert addresses(server) == ["198.51.100.7", "2001:db8::/64"]

        forwarded = (
            "X-Forwarded-Proto: https",
            "X-Forwarded-Host: quota.example",
            "X-Forwarded-Prefix: /q",
        )
        status, told, _ = ask(server, "GET /q/ HTTP/1.1", "Host: inside", *forwarded)
        assert (status, told["location"]) == (303, "/q/login")
        cookie = ask(server, "GET /login HTTP/1.1", "Host: inside", *forwarded)[1]["set-cookie"]
        assert "Secure" in cookie
        assert "Path=/q" in cookie

        assert (
            ask(
                server,
                "GET /login HTTP/1.1",
                "Host: localhost",
                "X-Forwarded-Proto: https",
                "X-Forwarded-Proto: http",
            )[0]
            == 400
        )
        assert (
            ask(server, "GET /login HTTP/1.1", "Host: localhost", "X-Forwarded-For: rubbish")[0]
            == 400
        )


@pytest.mark.parametrize("kind", SERVERS)
def test_a_user_is_named_by_the_trusted_proxy_alone(kind, tmp_path, codex):
    settings = {"QUOTA_AUTH": "proxy", "QUOTA_TRUSTED_PROXIES": "10.0.0.1"}
    with start(kind, Server(tmp_path, codex, 0, **settings)) as server:
        for header in ("Remote-User: eve", "Remote_User: eve", "REMOTE-USER: eve"):
            assert ask(server, "GET /api/results HTTP/1.1", "Host: localhost", header)[0] == 401
