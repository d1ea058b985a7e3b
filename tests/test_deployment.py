"""The samples of docs/deployment.md as they stand there: Debian's nginx in front of gunicorn, and a visitor who follows every link."""

import datetime
import http.client
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections import deque
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode, urljoin, urlsplit

import pytest

from tests import parts
from tests.fakes import FakeCodex
from tests.servers import Server

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "deployment.md").read_text(encoding="utf-8")
SAMPLES = re.findall(r"```nginx\n(.+?)```", PAGE, re.DOTALL)
HOST, PASSWORD = "quota.example.org", "correct horse battery"
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


class Links(HTMLParser):
    """Every address that a page names."""

    def __init__(self, page):
        super().__init__()
        self.found, self.actions, self.csrf = [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.found += [given[name] for name in ("href", "src", "data-api", "data-library") if given.get(name)]
        self.actions += [given["action"]] if given.get("action") else []
        if given.get("name") == "csrf_token":
            self.csrf = given.get("value") or ""


class Visitor:
    """Speaks https to the proxy under the real name, and keeps the cookie."""

    def __init__(self, port):
        self.port, self.cookie, self.cookie_path = port, "", ""
        self.tls = ssl.create_default_context()
        self.tls.check_hostname, self.tls.verify_mode = False, ssl.CERT_NONE

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls, timeout=30)
        try:
            connection.request(method, path, body, {"Host": HOST, "Cookie": self.cookie, **{k.replace("_", "-"): v for k, v in headers.items()}})
            answer = connection.getresponse()
            if cookie := answer.headers["Set-Cookie"]:
                self.cookie = cookie.partition(";")[0]
                self.cookie_path = cookie.partition("Path=")[2].partition(";")[0]
                assert "Secure" in cookie
            return answer.status, answer.headers, answer.read().decode("utf-8", "replace")
        finally:
            connection.close()

    def sign_in(self, login):
        _, _, page = self.ask("GET", login)
        form = urlencode({"password": PASSWORD, "csrf_token": Links(page).csrf})
        return self.ask("POST", login, form, Content_Type="application/x-www-form-urlencoded", Origin=f"https://{HOST}")


@pytest.fixture
def gunicorn(tmp_path, request):
    prefix = {"QUOTA_URL_PREFIX": request.param} if request.param else {}
    settings = {"QUOTA_TRUSTED_PROXIES": "127.0.0.1", "QUOTA_TRUSTED_HOSTS": HOST, "QUOTA_PASSWORD": PASSWORD, **prefix}
    with FakeCodex() as codex, Server(tmp_path, codex, accounts=2, **settings).gunicorn() as server:
        yield server


@pytest.fixture
def nginx(tmp_path, gunicorn, request):
    """The sample with this test's port, upstream and certificate in it, and nothing else changed."""
    program, sample, port = parts.require("nginx"), request.param, free_port()
    certificate(tmp_path)
    for written, ours in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("http://127.0.0.1:8081", gunicorn.url),
        ("/etc/ssl/quota", str(tmp_path / "quota")),
    ):
        assert written in sample
        sample = sample.replace(written, ours)
    paths = "\n".join(f"{name}_temp_path {tmp_path}/{name};" for name in TEMPORARY)
    user = "user root;\n" if shutil.which("id") and subprocess.run(["id", "-u"], capture_output=True, text=True, check=True).stdout == "0\n" else ""
    config = tmp_path / "nginx.conf"
    config.write_text(f"{user}pid {tmp_path}/pid;\ndaemon off;\nevents {{}}\nhttp {{\naccess_log off;\n{paths}\n{sample}\n}}\n")
    with subprocess.Popen([program, "-c", config, "-e", tmp_path / "nginx.log", "-p", tmp_path]) as process:
        wait_for(port)
        yield Visitor(port)
        process.terminate()


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
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    signed = made.not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1)).sign(key, hashes.SHA256())
    (folder / "quota.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    (folder / "quota.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))


def crawl(visitor, start):
    """Follow every link of every page; what each address answered, and where forms go."""
    answers, to_ask = {}, deque([start])
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
            assert (parts_of.scheme, parts_of.netloc) in (("https", HOST), ("data", "")), (path, link)
            if parts_of.netloc:
                to_ask.append(parts_of._replace(scheme="", netloc="", fragment="").geturl())
    return answers, forms


@pytest.mark.parametrize(
    ("gunicorn", "nginx", "prefix"), [("", SAMPLES[0], ""), ("/quota", SAMPLES[1], "/quota")], ids=["root", "prefix"], indirect=["gunicorn", "nginx"]
)
def test_every_link_leads_somewhere_behind_nginx(nginx, prefix):
    status, headers, _ = nginx.sign_in(f"{prefix}/login")
    assert (status, urlsplit(headers["Location"]).path, nginx.cookie_path) == (303, f"{prefix}/", prefix or "/")

    answers, forms = crawl(nginx, f"{prefix}/")

    assert {path: status for path, status in answers.items() if status not in (200, 302, 303)} == {}
    assert [path for path in (*answers, *forms) if not path.startswith(f"{prefix}/")] == []
    assert {f"{prefix}/accounts/a0", f"{prefix}/auth", f"{prefix}/settings"} <= {path.partition("?")[0] for path in answers}
    if prefix:
        assert nginx.ask("GET", prefix)[0] == 301


@pytest.mark.parametrize(("gunicorn", "nginx"), [("", SAMPLES[0])], ids=["root"], indirect=True)
def test_what_a_visitor_forwards_is_not_believed(nginx, gunicorn):
    forged = {
        "X_Forwarded_For": "10.9.8.7",
        "X_Forwarded_Host": "evil.example",
        "X_Forwarded_Proto": "http",
        "X_Forwarded_Prefix": "/evil",
        "Remote_User": "root",
    }
    status, headers, _ = nginx.ask("GET", "/", **forged)

    assert status in (302, 303)
    assert "evil" not in headers["Location"]
    for _ in range(3):
        _, _, page = nginx.ask("GET", "/login", **forged)
        body = urlencode({"password": "wrong", "csrf_token": Links(page).csrf})
        nginx.ask("POST", "/login", body, Content_Type="application/x-www-form-urlencoded", Origin=f"https://{HOST}", **forged)
    assert gunicorn.rows("SELECT DISTINCT address FROM login_failure") == [("127.0.0.1",)]
