"""Where a token may go: TLS that is always checked, proxies only as set, and addresses that are fit
for it.
"""

import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quota_web import config
from quota_web.codex.client import UsageClient
from quota_web.codex.fetch_result import FetchResult
from quota_web.core.errors import BadSetting
from quota_web.core.quota import Status
from quota_web.core.secret import Secret
from quota_web.core.urls import check_proxy_url, check_upstream_url, goes_past_proxy
from tests.certificates import Authority
from tests.codex.socks import FakeSocks
from tests.fakes import NOW, FakeCodex, FakeProxy, FakeResponse, usage_body

CANARY = "CANARY-51b8d0"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def codex(authority: Authority) -> Iterator[FakeCodex]:
    with FakeCodex(tls=authority.server()) as fake:
        yield fake


def ask(url: str, **settings: Any) -> FetchResult:
    client = UsageClient(url, "codex-quota/test", **{"retries": 0, "timeout": 3.0, **settings})
    try:
        return client.fetch("acct-1", Secret(CANARY), now=lambda: NOW)
    finally:
        client.close()


def words(answer: FetchResult) -> str:
    return "ok" if answer.fault is None else answer.fault.text(str)


def test_a_trusted_authority_is_enough(codex, authority):
    assert words(ask(codex.url, ca_bundle=authority.bundle)) == "ok"


def test_a_folder_of_authorities_is_read(authority, tmp_path):
    (tmp_path / "empty").mkdir()
    with FakeCodex(tls=authority.server()) as fake:
        assert words(ask(fake.url, ca_bundle=str(tmp_path / "empty"))).startswith(
            "Request failed: TLS: "
        )


WORTHLESS: list[tuple[dict[str, Any], str]] = [
    ({"self_signed": True}, "self-signed certificate"),
    ({"days": -1}, "certificate has expired"),
    ({"host": "10.9.8.7"}, "certificate is for another host"),
]


@pytest.mark.parametrize(("made", "reason"), WORTHLESS)
def test_a_certificate_that_does_not_hold_is_refused(authority, made, reason):
    with FakeCodex(tls=authority.server(**made)) as fake:
        found = ask(fake.url, ca_bundle=authority.bundle)

        assert (found.status, words(found)) == (
            Status.UNREACHABLE,
            f"Request failed: TLS: {reason}",
        )
        assert fake.seen == []


def test_an_unknown_authority_is_refused(codex):
    assert words(ask(codex.url)).startswith(
        "Request failed: TLS: unable to get local issuer certificate"
    )
    assert codex.seen == []


def test_the_old_tls_is_refused(authority):
    context = authority.server()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with FakeCodex(tls=context) as fake:
        assert words(ask(fake.url, ca_bundle=authority.bundle)) == "ok"
    with pytest.warns(DeprecationWarning, match="TLSv1 is deprecated"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
    with FakeCodex(tls=context) as fake:
        assert words(ask(fake.url, ca_bundle=authority.bundle)).startswith("Request failed: ")
        assert fake.seen == []


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_bad_bundle_is_a_bad_setting(tmp_path, content):
    file = tmp_path / "bundle.pem"
    if content is not None:
        file.write_text(content)

    with pytest.raises(
        BadSetting,
        match=r"^the CA bundle .*/bundle.pem (is not a file of certificates|cannot be read)$",
    ):
        UsageClient("https://example.com/", "x", ca_bundle=str(file))


def test_a_proxy_carries_the_request_and_sees_no_token(codex, authority):
    with FakeProxy() as proxy:
        assert (
            words(
                ask(
                    codex.url,
                    ca_bundle=authority.bundle,
                    https_proxy=proxy.url.replace("//", "//me:pass%40word@"),
                )
            )
            == "ok"
        )

        assert proxy.asked == [f"127.0.0.1:{codex.port}"]
        assert CANARY.encode() not in proxy.heads[0]
        assert b"proxy-authorization: basic bWU6cGFzc0B3b3Jk".lower() in proxy.heads[0].lower()
    assert "proxy-authorization" not in codex.seen[0].headers


def test_a_proxy_may_be_named_without_scheme(codex, authority):
    with FakeProxy() as proxy:
        assert (
            words(
                ask(
                    codex.url,
                    ca_bundle=authority.bundle,
                    https_proxy=proxy.url.removeprefix("http://"),
                )
            )
            == "ok"
        )
        assert len(proxy.asked) == 1


def test_no_proxy_leads_past_it(codex, authority):
    with FakeProxy() as proxy:
        assert (
            words(
                ask(
                    codex.url,
                    ca_bundle=authority.bundle,
                    https_proxy=proxy.url,
                    no_proxy="localhost,127.0.0.0/8",
                )
            )
            == "ok"
        )
        assert proxy.asked == []


def test_plain_http_goes_through_no_proxy():
    with FakeProxy() as proxy, FakeCodex() as fake:
        assert words(ask(fake.url, https_proxy=proxy.url)) == "ok"
        assert proxy.asked == []


def test_a_proxy_that_refuses_is_said_and_its_password_is_not(codex, authority):
    with FakeProxy(refuses=407) as proxy:
        found = ask(
            codex.url,
            ca_bundle=authority.bundle,
            https_proxy=proxy.url.replace("//", f"//me:{CANARY}@"),
        )

    assert words(found) == "Request failed: proxy: it answered HTTP 407"


def test_a_socks_proxy_carries_the_request(codex, authority):
    with FakeSocks() as proxy:
        found = ask(codex.url, ca_bundle=authority.bundle, https_proxy=proxy.url)

        assert (words(found), proxy.asked) == ("ok", [("127.0.0.1", codex.port)])


@pytest.mark.parametrize("kind", [FakeProxy, FakeSocks])
@pytest.mark.parametrize("drip", [{"header_drip": 0.05}, {"body_drip": 0.05}])
def test_the_deadline_ends_what_drips_through_a_proxy(codex, authority, kind, drip):
    codex.default = FakeResponse(body=usage_body(), **drip)
    with kind() as proxy:
        started = time.monotonic()
        found = ask(codex.url, ca_bundle=authority.bundle, https_proxy=proxy.url, timeout=0.4)

    assert words(found) == "Request failed: timed out after 0.4 s"
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_a_proxy_that_is_not_there_is_said_and_its_password_is_not(authority, scheme):
    found = ask(
        "https://example.com/",
        ca_bundle=authority.bundle,
        https_proxy=f"{scheme}://me:{CANARY}@127.0.0.1:9",
    )

    assert words(found) == "Request failed: proxy: connection refused"


GOOD_URLS = [
    "https://chatgpt.com/backend-api/wham/usage",
    "https://h",
    "http://127.0.0.1:8000/x",
    "http://localhost/x",
    "http://a.localhost",
]
GOOD_URLS += [
    "http://[::1]:80/",
    "http://10.1.2.3/",
    "http://192.168.0.9",
    "http://172.31.0.1/",
    "http://[fd00::1]/",
    "http://[::ffff:10.0.0.1]/",
]
BAD_URLS = [
    "",
    "chatgpt.com",
    "//chatgpt.com/",
    "ftp://h/",
    "file:///etc/passwd",
    "https://",
    "https:///x",
    "https://h:0/",
    "https://h:99999/",
]
BAD_URLS += [
    "https://h:x/",
    "https://me:pw@h/",
    "https://me@h/",
    "https://h/#x",
    "https://h /",
    "https://h\n/",
    "https://h\\@e/",
    "https://é/",
    "https://[::1",
]
BAD_URLS += [
    "http://example.com",
    "http://8.8.8.8/",
    "http://0.0.0.0/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://172.32.0.1/",
]
BAD_URLS += [
    "http://localhost@evil.example/",
    "http://127.0.0.1.evil.example/",
    "http://localhost.evil.example/",
]
BAD_URLS += ["http://[2001:db8::1]/", "https://h" + "x" * 3000]
BAD_URLS += [
    "http://198.18.0.1/x",
    "http://169.254.169.254/",
    "http://[fe80::1]/",
    "http://240.0.0.1/",
]
BAD_URLS += ["http://100.64.0.1/", "http://192.0.2.1/", "http://[::ffff:8.8.8.8]/", "http://[::]/"]


@pytest.mark.parametrize("url", GOOD_URLS)
def test_a_token_may_go_to(url):
    assert check_upstream_url(url) is None


@pytest.mark.parametrize("url", BAD_URLS)
def test_a_token_may_not_go_to(url):
    problem = check_upstream_url(url)

    assert problem is not None
    assert problem.split()[0] in ("must", "is", "has")


@pytest.mark.parametrize("url", [url for url in GOOD_URLS + BAD_URLS if url])
def test_the_settings_take_what_the_client_takes(url):
    if check_upstream_url(url) is None:
        assert config.load({"QUOTA_USAGE_URL": url}).usage_url == url
    else:
        with pytest.raises(BadSetting, match=r"^QUOTA_USAGE_URL: "):
            config.load({"QUOTA_USAGE_URL": url})


def test_the_words_about_a_bad_address_do_not_repeat_it():
    for check in (check_upstream_url, check_proxy_url):
        assert CANARY not in str(check(f"ftp://me:{CANARY}@h/")) + str(
            check(f"http://me:{CANARY}@/")
        )


@pytest.mark.parametrize(
    "url", ["http://p:3128", "https://me:pw@p", "socks5h://127.0.0.1:1080", "p.example:3128"]
)
def test_a_proxy_may_be(url):
    assert check_proxy_url(url) is None


@pytest.mark.parametrize("url", ["ftp://p", "http://", "http://p:x", "a b"])
def test_a_proxy_may_not_be(url):
    assert check_proxy_url(url) is not None


PAST = [("chatgpt.com", True), (".chatgpt.com", True), ("*.chatgpt.com", True), ("com", True),
        ("*", True), ("a.example, ChatGPT.com", True),
        ("chatgpt.com:443", True), ("chatgpt.com:80", False), ("hatgpt.com", False),
        ("www.chatgpt.com", False), ("", False), (None, False),
        (",.,", False)]  # fmt: skip


@pytest.mark.parametrize(("no_proxy", "past"), PAST)
def test_which_names_go_past_the_proxy(no_proxy, past):
    assert goes_past_proxy("https://chatgpt.com/x", no_proxy) is past


ADDRESSES = [
    ("10.1.2.3", "10.0.0.0/8", True),
    ("11.1.2.3", "10.0.0.0/8", False),
    ("10.1.2.3", "10.1.2.3:443", True),
]
ADDRESSES += [
    ("[::1]", "::1", True),
    ("[::1]", "[::1]:443", True),
    ("10.1.2.3", "nonsense/99", False),
]


@pytest.mark.parametrize(("host", "no_proxy", "past"), ADDRESSES)
def test_which_addresses_go_past_the_proxy(host, no_proxy, past):
    assert goes_past_proxy(f"https://{host}/", no_proxy) is past
