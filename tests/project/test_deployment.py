"""The samples of docs/deployment.md as they stand there: Debian's nginx and Caddy in front of
gunicorn, and a visitor who follows every link.
"""

import base64
import datetime
import http.client
import os
import re
import socket
import sqlite3
import ssl
import subprocess
import time
from collections import deque
from contextlib import closing
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import pytest

from quota_web import store
from quota_web.core.checkout import PROJECT
from tests import parts
from tests.fakes import FakeCodex
from tests.servers import Server

PAGE = (PROJECT / "docs" / "deployment.md").read_text(encoding="utf-8")
NGINX, CADDY = (
    re.findall(rf"```{kind}\n(.+?)```", PAGE, re.DOTALL) for kind in ("nginx", "caddyfile")
)
HOST, PASSWORD = "quota.example.org", "correct horse battery"
HASH = "HASH_FROM_caddy_hash-password"
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


class Links(HTMLParser):
    """Every address that a page names."""

    def __init__(self, page):
        super().__init__()
        self.found, self.actions, self.csrf = [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.found += [
            given[name] for name in ("href", "src", "data-api", "data-library") if given.get(name)
        ]
        self.actions += [given["action"]] if given.get("action") else []
        if given.get("name") == "csrf_token":
            self.csrf = given.get("value") or ""


class Connection(http.client.HTTPSConnection):
    """To the proxy, whatever the name says; opened again whenever it was closed."""

    def __init__(self, port):
        super().__init__(HOST, port, timeout=30)
        self.tls = ssl.create_default_context()
        self.tls.check_hostname, self.tls.verify_mode = False, ssl.CERT_NONE

    def connect(self):
        plain = socket.create_connection(("127.0.0.1", self.port), 30)
        self.sock = self.tls.wrap_socket(plain, server_hostname=HOST)


class Visitor:
    """Speaks https to the proxy under the real name, and keeps the cookie."""

    def __init__(self, port):
        self.connection = Connection(port)
        self.cookie = self.cookie_path = ""

    def ask(self, method, path, body=None, **headers):
        self.connection.request(
            method,
            path,
            body,
            {
                "Host": HOST,
                "Cookie": self.cookie,
                **{k.replace("_", "-"): v for k, v in headers.items()},
            },
        )
        answer = self.connection.getresponse()
        if cookie := answer.headers["Set-Cookie"]:
            self.cookie = cookie.partition(";")[0]
            self.cookie_path = cookie.partition("Path=")[2].partition(";")[0]
            assert "Secure" in cookie
        return answer.status, answer.headers, answer.read().decode("utf-8", "replace")

    def sign_in(self, login):
        _, _, page = self.ask("GET", login)
        form = urlencode({"password": PASSWORD, "csrf_token": Links(page).csrf})
        return self.ask(
            "POST",
            login,
            form,
            Content_Type="application/x-www-form-urlencoded",
            Origin=f"https://{HOST}",
        )


@pytest.fixture(scope="module")
def gunicorn(tmp_path_factory, request):
    settings = {
        "QUOTA_TRUSTED_PROXIES": "127.0.0.1",
        "QUOTA_TRUSTED_HOSTS": HOST,
        "QUOTA_PASSWORD": PASSWORD,
        **request.param,
    }
    folder = tmp_path_factory.mktemp("gunicorn")
    with FakeCodex() as codex, Server(folder, codex, accounts=2, **settings).gunicorn() as server:
        yield server


@pytest.fixture(scope="module")
def port(tmp_path_factory, gunicorn, request):
    """Where a sample listens with that port, upstream and certificate in it, and nothing else
    changed.
    """
    kind, sample = request.param
    folder, port = tmp_path_factory.mktemp(kind), free_port()
    certificate(folder)
    command = {"nginx": nginx, "caddy": caddy}[kind](folder, sample, port, gunicorn.url)
    with subprocess.Popen(command, env={**os.environ, "HOME": str(folder)}) as process:
        wait_for(port)
        yield port
        process.terminate()


@pytest.fixture
def proxy(gunicorn, port):
    """A visitor of it who is new to the app."""
    with closing(sqlite3.connect(gunicorn.instance / "quota.sqlite")) as conn, conn:
        conn.execute("DELETE FROM login_failure")
        conn.execute("DELETE FROM setting WHERE key = ?", (store.auth.KNOWN_ADDRESSES,))
    visitor = Visitor(port)
    yield visitor
    visitor.connection.close()


def nginx(folder, sample, port, upstream):
    program = parts.require("nginx")
    sample = with_ours(
        sample,
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("http://127.0.0.1:8081", upstream),
        ("/etc/ssl/quota", str(folder / "quota")),
    )
    paths = "\n".join(f"{name}_temp_path {folder}/{name};" for name in TEMPORARY)
    user = "user root;\n" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(
        f"{user}pid {folder}/pid;\ndaemon off;\nevents {{}}\nhttp "
        f"{{\naccess_log off;\n{paths}\n{sample}\n}}\n"
    )
    return [program, "-c", config, "-e", folder / "nginx.log", "-p", folder]


def caddy(folder, sample, port, upstream):
    program = parts.require("caddy")
    if HASH in sample:
        made = subprocess.run(
            [program, "hash-password", "--plaintext", PASSWORD],
            capture_output=True,
            text=True,
            check=True,
        )
        sample = sample.replace(HASH, made.stdout.strip())
    sample = with_ours(
        sample,
        (
            f"{HOST} {{\n",
            f"{HOST}:{port} {{\n\tbind 127.0.0.1\n\ttls {folder}/quota.pem {folder}/quota.key\n",
        ),
        ("127.0.0.1:8081", upstream.removeprefix("http://")),
    )
    config = folder / "Caddyfile"
    # Neither its port for orders nor port 80 is ours to take.
    config.write_text(
        "{\n\tadmin off\n\tauto_https disable_redirects\n\tlog {\n\t\tlevel ERROR\n\t}\n}\n"
        f"{sample}"
    )
    return [program, "run", "--adapter", "caddyfile", "--config", config]


def with_ours(sample, *replacements):
    for written, ours in replacements:
        assert written in sample
        sample = sample.replace(written, ours)
    return sample


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_for(port):
    until = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.05)


def certificate(folder):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
    )
    signed = (
        made.not_valid_before(now - datetime.timedelta(1))
        .not_valid_after(now + datetime.timedelta(1))
        .sign(key, hashes.SHA256())
    )
    (folder / "quota.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    (folder / "quota.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )


def crawl(visitor, start, is_whole):
    """Follow every link of every page; what each address answered, and where forms go.

    Where it is not whole, a page's choices are followed one by one and not in all combinations,
    which are most links.
    """
    answers, to_ask = {}, deque([start])
    chosen: set[tuple[str, str, str]] = set()
    forms: set[str] = set()
    while to_ask:
        path = to_ask.popleft()
        if path in answers or "/logout" in path:
            continue
        status, headers, body = visitor.ask("GET", path)
        answers[path] = status
        named = [headers["Location"]] if headers["Location"] else []
        if (headers["Content-Type"] or "").startswith("text/html"):
            page = Links(body)
            named += page.found
            # Where forms go is not asked for, but must be ours too.
            forms |= {urljoin(path, action) for action in page.actions}
        for link in named:
            parts_of = urlsplit(urljoin(f"https://{HOST}{path}", link))
            assert (parts_of.scheme, parts_of.netloc) in (("https", HOST), ("data", "")), (
                path,
                link,
            )
            choices = {(parts_of.path, *choice) for choice in parse_qsl(parts_of.query)}
            is_known = bool(choices) and choices <= chosen and not is_whole
            chosen |= choices
            if parts_of.netloc and not is_known:
                to_ask.append(parts_of._replace(scheme="", netloc="", fragment="").geturl())
    return answers, forms


#: One app is behind both samples of a place.
PLACES = (("root", {"QUOTA_URL_PREFIX": ""}), ("prefix", {"QUOTA_URL_PREFIX": "/quota"}))
ALL_SAMPLES = pytest.mark.parametrize(
    ("gunicorn", "port", "prefix"),
    [
        pytest.param(
            settings, (kind, samples[number]), settings["QUOTA_URL_PREFIX"], id=f"{kind}-{place}"
        )
        for number, (place, settings) in enumerate(PLACES)
        for kind, samples in (("nginx", NGINX), ("caddy", CADDY))
    ],
    indirect=["gunicorn", "port"],
    scope="module",
)


@ALL_SAMPLES
def test_every_link_leads_somewhere_behind_it(request, proxy, prefix):
    status, headers, _ = proxy.sign_in(f"{prefix}/login")
    assert (status, urlsplit(headers["Location"]).path, proxy.cookie_path) == (
        303,
        f"{prefix}/",
        prefix or "/",
    )

    answers, forms = crawl(proxy, f"{prefix}/", is_whole=request.node.callspec.id == "nginx-prefix")

    assert {path: status for path, status in answers.items() if status not in (200, 302, 303)} == {}
    assert [path for path in (*answers, *forms) if not path.startswith(f"{prefix}/")] == []
    assert {f"{prefix}/accounts/a0", f"{prefix}/auth", f"{prefix}/settings"} <= {
        path.partition("?")[0] for path in answers
    }
    if prefix:
        status, headers, _ = proxy.ask("GET", prefix)
        assert (status in (301, 302), urlsplit(headers["Location"]).path) == (True, f"{prefix}/")


@ALL_SAMPLES
def test_what_a_visitor_forwards_is_not_believed(proxy, gunicorn, prefix):
    forged = {
        "X_Forwarded_For": "10.9.8.7",
        "X_Forwarded_Host": "evil.example",
        "X_Forwarded_Proto": "http",
        "X_Forwarded_Prefix": "/evil",
        "Remote_User": "root",
    }
    status, headers, _ = proxy.ask("GET", f"{prefix}/", **forged)

    assert status in (302, 303)
    assert urlsplit(headers["Location"]).path == f"{prefix}/login"
    assert "evil" not in headers["Location"]
    _, _, page = proxy.ask("GET", f"{prefix}/login", **forged)
    body = urlencode({"password": "wrong", "csrf_token": Links(page).csrf})
    proxy.ask(
        "POST",
        f"{prefix}/login",
        body,
        Content_Type="application/x-www-form-urlencoded",
        Origin=f"https://{HOST}",
        **forged,
    )
    assert gunicorn.rows("SELECT DISTINCT address FROM login_failure") == [("127.0.0.1",)]


@pytest.mark.parametrize(
    ("gunicorn", "port"),
    [({"QUOTA_AUTH": "proxy"}, ("caddy", CADDY[2]))],
    ids=["caddy"],
    indirect=True,
)
def test_only_whom_the_proxy_names_is_signed_in(proxy):
    signed_in = "Basic " + base64.b64encode(f"maria:{PASSWORD}".encode()).decode()

    assert proxy.ask("GET", "/settings")[0] == 401
    assert proxy.ask("GET", "/settings", Remote_User="mallory")[0] == 401
    status, _, page = proxy.ask("GET", "/settings", Remote_User="mallory", Authorization=signed_in)
    assert (status, "maria" in page, "mallory" in page) == (200, True, False)
