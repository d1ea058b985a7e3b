"""Under which names the dashboard may be opened."""

import pytest

from quota_web.web import hosts
from tests.browser import make_app

PROXY = {"QUOTA_AUTH": "proxy", "QUOTA_TRUSTED_PROXIES": "127.0.0.1"}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Asking for pages changes nothing, so one app serves all of these tests."""
    return make_app(tmp_path_factory.mktemp("hosts")).test_client()


LOCAL = [
    "localhost", "localhost:8081", "LOCALHOST", "127.0.0.1:8081", "192.168.1.5:8081", "10.0.0.1",
    "8.8.8.8", "[::1]:8081", "[fe80::1]",
    "[2001:db8::1]:443",
]  # fmt: skip
FOREIGN = [
    "example.org", "quota.example.org:8081", "localhost.example.org", "localhost.",
    "127.0.0.1.example.org", "127.0.0.1.nip.io",
    "0x7f000001", "2130706433", "127.1", "notlocalhost", "local-host", "example",
    "xn--e1afmkfd.example", "foo.localhost", "a_b.example",
]  # fmt: skip
MALFORMED = [
    "", " ", "local host", "localhost:", "localhost:0", "localhost:65536", "localhost:x",
    "localhost/", "user@localhost",
    "localhost,example.org", "[::1", "::1", "[::1]x", "[::1%25eth0]", "[127.0.0.1]", "<script>",
    "localhost:80:80", "é.example", "a..b",
    "-" * 300, "[]", "localhost\\x",
]  # fmt: skip


@pytest.mark.parametrize("host", LOCAL)
def test_addresses_and_localhost_need_no_setting(client, host):
    assert client.get("/login", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", [h for h in FOREIGN if h != "localhost."])
def test_a_foreign_name_is_refused_with_the_line_to_add(client, host):
    answer = client.get("/login", headers={"Host": host})

    assert answer.status_code == 400
    assert f"QUOTA_TRUSTED_HOSTS={host.partition(':')[0]}" in answer.text


@pytest.mark.parametrize("host", MALFORMED)
def test_a_malformed_name_is_refused_and_not_repeated(client, host):
    answer = client.get("/login", environ_overrides={"HTTP_HOST": host})

    assert answer.status_code == 400
    assert "malformed" in answer.text
    assert "<script>" not in answer.text.partition("<h1>")[2]


@pytest.mark.parametrize("settings", [{"QUOTA_AUTH": "off"}, {}, PROXY])
@pytest.mark.parametrize(
    "path", ["/", "/api/results", "/healthz", "/static/css/app.css", "/nowhere", "/login"]
)
def test_foreign_names_are_refused_everywhere_in_every_mode(instance_dir, settings, path):
    answer = (
        make_app(instance_dir, **settings)
        .test_client()
        .get(path, headers={"Host": "rebound.example"})
    )

    assert answer.status_code == 400


def test_a_foreign_name_is_told_the_setting_and_none_of_the_names_in_it(instance_dir):
    app = make_app(instance_dir, QUOTA_TRUSTED_HOSTS="one.example, .two.example")

    answer = app.test_client().get("/", headers={"Host": "three.example"})

    assert "QUOTA_TRUSTED_HOSTS=three.example" in answer.text
    assert "one.example" not in answer.text
    assert "two.example" not in answer.text


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


def test_a_request_without_a_host_is_no_browsers(client):
    with client.application.test_request_context("/login") as context:
        del context.request.environ["HTTP_HOST"]
        assert client.application.preprocess_request() is None
