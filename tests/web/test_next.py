"""Where to go after signing in: somewhere in the app, never to another site."""

import re
from itertools import product
from urllib.parse import urlsplit

import pytest

from quota_web.web import origins
from tests.browser import first_start


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    return first_start(tmp_path_factory.mktemp("next"))


SAFE = {
    "/": "/",
    "/accounts/alice": "/accounts/alice",
    "/?sort=name&q=a%20b": "/?sort=name&q=a%20b",
    "/accounts/a%2Fb": "/accounts/a%2Fb",
    "/?next=//x.example": "/?next=//x.example",
}
UNSAFE = [
    "", "https://x.example", "//x.example", "///x.example/..", "////x.example", "/\\x.example",
    "\\\\x.example", "/\t/x.example",
    "/\n/x.example", "\t//x.example", "http:x.example", "javascript:alert(1)", "data:text/html,x",
    "x.example", "/..//x.example",
    "/%2e%2e//x.example", "/.//x.example", "/%2E/", "/a//b", " /", "/é", "/\x00", "/a b", "/\x7f",
    "https:/x.example", "//[", "/a/../../b",
    "mailto:a@x.example", "?x", "#x", "/a\u2028",
]  # fmt: skip


@pytest.mark.parametrize("target", SAFE)
def test_a_path_of_ours_is_where_one_goes(app, target):
    with app.test_request_context("/login"):
        assert origins.safe_next(target) == SAFE[target]


@pytest.mark.parametrize("target", UNSAFE)
def test_anything_else_leads_to_the_dashboard(app, target):
    with app.test_request_context("/login"):
        assert origins.safe_next(target) == "/"


STARTS = [
    "",
    "/",
    "//",
    "/\\",
    "\\",
    "http://",
    "https:",
    "/.",
    "/..",
    "/%2f",
    "/%5c",
    "\t/",
    "/\t",
    "/;",
    "/@",
    "/:",
    " /",
]
ENDS = [
    "x.example",
    "/x.example",
    "\\x.example",
    "@x.example",
    "x.example/%2e%2e",
    ":80@x.example",
    "%0d%0aA:x",
    "x.example\r\nA: b",
    "[x.example]",
]


def test_no_spelling_leads_to_another_site(app):
    with app.test_request_context("/login"):
        targets = [origins.safe_next(start + end) for start, end in product(STARTS, ENDS)]

    assert [
        target
        for target in targets
        if not re.fullmatch(r"/([^/\\].*)?", target) or urlsplit(target).netloc
    ] == []


def test_under_a_prefix_one_stays_below_it(app):
    with app.test_request_context("/login", environ_overrides={"SCRIPT_NAME": "/quota"}):
        assert origins.safe_next("/quota/accounts/alice") == "/quota/accounts/alice"
        assert origins.safe_next("/elsewhere") == "/quota/"
        assert origins.safe_next("/quotas/") == "/quota/"
        assert origins.safe_next("/quota/../elsewhere") == "/quota/"
