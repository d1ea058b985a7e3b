"""Errors as answers: pages in the app's own style, JSON for programs, and nothing of the inside in
either.
"""

import io
import logging
import sqlite3

import pytest
from flask import abort, request
from werkzeug.test import EnvironBuilder

from quota_web import config
from quota_web.core.errors import (
    AccountExists,
    AccountNotFound,
    BadDatabase,
    BadInput,
    BadSetting,
    DatabaseBusy,
    KeyMissing,
    QuotaError,
    TooManyTries,
)
from quota_web.factory import create_app
from quota_web.serving.logs import TextLines
from quota_web.web import scopes, security
from tests.browser import Browser, make_app, make_token

CANARY = "eyJhbGciOiJub25lIn0.canary-canary.x"
CODES = [400, 401, 403, 404, 405, 413, 415, 422, 429, 500, 503]


@pytest.fixture
def app(instance_dir):
    """An app with views that fail as they are asked to."""
    app = make_app(instance_dir)
    faults = {
        "busy": DatabaseBusy("the database is busy; try again in a moment"),
        "broken": BadDatabase("/secret/path/quota.sqlite cannot be opened"),
        "key": KeyMissing("/secret/path/secret.key is missing"),
        "folder": BadSetting("/secret/path: Permission denied"),
        "missing": AccountNotFound("alice"),
        "taken": AccountExists("alice", "bob"),
        "input": BadInput("name", "give the account a name"),
        "guesses": TooManyTries(42),
        "bug": ZeroDivisionError(CANARY),
        "sqlite": sqlite3.OperationalError(CANARY),
        "ours": QuotaError("something new"),
    }

    def fail(what: str) -> str:
        if what.isdecimal():
            abort(int(what))
        raise faults[what]

    app.add_url_rule("/fail/<what>", "test.fail", fail)
    app.add_url_rule("/api/fail/<what>", "test.api_fail", fail)
    app.add_url_rule("/form", "test.form", lambda: str(len(request.form)), methods=["POST"])
    return app


@pytest.fixture(autouse=True)
def _scopes():
    added = {"test.fail": "public", "test.api_fail": "public", "test.form": "public"}
    scopes.SCOPES.update(added)
    security.TAKES_FILES.add("test.form")
    yield
    security.TAKES_FILES.discard("test.form")
    for name in added:
        del scopes.SCOPES[name]


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_page(app, code):
    answer = Browser(app).get(f"/fail/{code}")

    assert answer.status_code == code
    assert answer.mimetype == "text/html"
    assert f">{code}</p>" in answer.text
    assert "To the dashboard" in answer.text


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_json(app, code):
    answer = Browser(app).get(f"/api/fail/{code}")

    assert answer.status_code == code
    assert answer.mimetype == "application/json"
    assert set(answer.get_json()) == {"error"}
    assert set(answer.get_json()["error"]) == {"code", "message"}


@pytest.mark.parametrize(
    ("what", "status", "code", "told"),
    [
        ("missing", 404, "unknown_account", "alice: unknown account"),
        ("taken", 422, "name_taken", "alice: name already taken by bob"),
        ("input", 422, "bad_input", "give the account a name"),
        ("guesses", 429, "too_many_requests", "try again in 42 s"),
        ("busy", 503, "busy", "The database is busy"),
        ("broken", 503, "unavailable", "Not available at the moment"),
        ("key", 503, "unavailable", "Not available at the moment"),
        ("folder", 503, "unavailable", "Not available at the moment"),
        ("bug", 500, "internal", "Something broke here"),
        ("sqlite", 500, "internal", "Something broke here"),
        ("ours", 500, "internal", "Something broke here"),
    ],
)
def test_the_apps_own_errors_have_their_codes_and_words(app, what, status, code, told):
    page, api = Browser(app).get(f"/fail/{what}"), Browser(app).get(f"/api/fail/{what}")

    assert page.status_code == api.status_code == status
    assert told in page.text
    assert api.get_json()["error"]["code"] == code
    assert told in api.get_json()["error"]["message"]
    assert not any(
        secret in answer.text
        for answer in (page, api)
        for secret in (CANARY, "/secret/path", "Traceback")
    )


@pytest.mark.parametrize(("what", "seconds"), [("busy", "2"), ("broken", "30"), ("guesses", "42")])
def test_a_client_that_should_wait_is_told_how_long(app, what, seconds):
    assert Browser(app).get(f"/fail/{what}").headers["Retry-After"] == seconds


def test_a_bug_is_found_in_the_log_by_its_number_and_without_tokens(app, caplog):
    with caplog.at_level(logging.ERROR):
        answer = Browser(app).get("/fail/bug")

    written = "\n".join(TextLines(None).format(record) for record in caplog.records)
    number = answer.text.partition("In the log under <code>")[2][:8]
    assert len(number) == 8
    assert f"request {number} failed: GET /fail/bug" in written
    assert "ZeroDivisionError" in written
    assert "canary" not in written


def test_nobody_writes_lines_into_the_log_by_an_address(app, caplog):
    with caplog.at_level(logging.ERROR):
        Browser(app).get("/api/fail/bug%0AERROR%20fake")

    assert [record.getMessage() for record in caplog.records if "fake" in record.getMessage()]
    assert all("\n" not in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/api/nowhere",
        "/accounts/",
        "/static/../../etc/passwd",
        "/static/nowhere.css",
        "/%00",
        "/accounts/%ff",
    ],
)
def test_what_is_not_there_is_404(app, path):
    assert Browser(app).signed_in().get(path).status_code == 404


def test_a_wrong_method_says_which_are_right(app):
    answer = Browser(app).client.delete("/login")

    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


def test_the_page_of_an_unknown_account_is_404(app):
    answer = Browser(app).signed_in().get("/accounts/nobody")

    assert answer.status_code == 404
    assert "nobody: unknown account" in answer.text


def test_hostile_addresses_are_not_repeated_as_code(app):
    answer = Browser(app).signed_in().get("/accounts/<script>alert(1)</script>")

    assert answer.status_code == 404
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize(
    ("accept", "is_json"),
    [
        ("application/json", True),
        ("text/html", False),
        ("*/*", False),
        ("", False),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
    ],
)
def test_a_request_for_json_gets_it(app, accept, is_json):
    assert Browser(app).get("/fail/404", Accept=accept).is_json is is_json


def test_a_script_with_a_token_gets_json(app):
    assert app.test_client().get("/nowhere", headers=make_token(app)).is_json


def test_who_is_signed_in_keeps_the_navigation_on_error_pages(app):
    assert 'aria-label="Main"' in Browser(app).signed_in().get("/nowhere").text
    assert 'aria-label="Main"' not in Browser(app).get("/nowhere").text


# Too large


LIMIT = 2 * 1024 * 1024
FORM, PARTS = "application/x-www-form-urlencoded", "multipart/form-data; boundary=cut"


def part(name: str, content: bytes, file: bool = False) -> bytes:
    """One part of a form, made by hand: Werkzeug's own would put large ones into files that stay
    open.
    """
    return b'--cut\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n' % (
        name.encode(),
        b'; filename="f.json"' if file else b"",
        content,
    )


def post(app, body: bytes, content_type: str, length: int | None = None, **environ):
    environ |= {"CONTENT_LENGTH": str(len(body) if length is None else length)}
    return app.test_client().post(
        "/form",
        input_stream=io.BytesIO(body),
        content_type=content_type,
        headers=make_token(app),
        environ_overrides=environ,
    )


@pytest.mark.parametrize(
    ("body", "content_type", "length"),
    [
        (b"a=" + b"x" * (LIMIT + 70_000), FORM, None),
        (part("f", b"x" * (3 * LIMIT), file=True) + b"--cut--\r\n", PARTS, None),
        (b"".join(part(f"a{i}", b"x") for i in range(60)) + b"--cut--\r\n", PARTS, None),
        (part("a", b"x" * (LIMIT + 1)) + b"--cut--\r\n", PARTS, None),
        (b"a=b", FORM, 2**30),
    ],
    ids=["field", "file", "many parts", "field in parts", "declared only"],
)
def test_what_is_too_large_is_413(app, body, content_type, length):
    assert post(app, body, content_type, length).status_code == 413


def test_a_body_in_chunks_is_counted_too(app):
    with app.test_client() as client:
        request = EnvironBuilder(
            path="/form",
            method="POST",
            input_stream=io.BytesIO(b"a=" + b"x" * (3 * LIMIT)),
            content_type=FORM,
            headers=list(make_token(app).items()),
        )
        environ = request.get_environ() | {"wsgi.input_terminated": True}
        del environ["CONTENT_LENGTH"]

        assert client.open(environ).status_code == 413


def test_a_file_of_two_mebibytes_fits(app):
    assert post(app, part("f", b"x" * LIMIT, file=True) + b"--cut--\r\n", PARTS).status_code == 200


# Where even the guard cannot work


def test_a_database_that_cannot_be_opened_is_503_and_health_answers(instance_dir):
    app = make_app(instance_dir)
    fresh = make_app_on_broken_database(instance_dir)

    for path, status in (
        ("/", 503),
        ("/api/results", 503),
        ("/login", 503),
        ("/nowhere", 503),
        ("/healthz", 200),
        ("/readyz", 503),
        ("/static/css/app.css", 200),
    ):
        answer = fresh.test_client().get(path, buffered=True)
        assert answer.status_code == status, path
        assert str(instance_dir) not in answer.text
    assert app is not fresh


def make_app_on_broken_database(instance_dir):
    broken = instance_dir / "broken.sqlite"
    broken.write_bytes(b"this is no database" * 100)
    return create_app(
        config.load(
            {
                "QUOTA_INSTANCE_DIR": str(instance_dir),
                "QUOTA_ACCOUNT_DIR": str(instance_dir),
                "QUOTA_DATABASE_URL": f"sqlite:///{broken}",
            }
        )
    )


def test_strangers_learn_the_kind_of_trouble_and_the_log_its_words_once(instance_dir, caplog):
    fresh = make_app_on_broken_database(instance_dir)

    told = [fresh.test_client().get("/readyz").get_json() for _ in range(3)]

    assert told == [{"status": "unavailable", "reason": "database"}] * 3
    said = [record.getMessage() for record in caplog.records if "readyz" in record.getMessage()]
    assert len(said) == 1
    assert "broken.sqlite" in said[0]


@pytest.mark.parametrize(
    ("who", "is_told"), [("stranger", False), ("session", True), ("token", True)]
)
def test_who_is_signed_in_is_told_what_is_wrong_with_the_schedule(instance_dir, who, is_told):
    app = make_app(instance_dir)
    browser, headers = Browser(app), make_token(app) if who == "token" else {}
    if who == "session":
        browser.signed_in()

    answer = browser.client.get("/readyz", headers=headers)

    assert (answer.status_code, answer.get_json()["reason"]) == (503, "schedule")
    assert answer.get_json().get("message") == (
        "the schedule does not run here" if is_told else None
    )


def test_a_key_that_cannot_be_read_is_503_and_health_answers(instance_dir):
    app = make_app(instance_dir)
    (instance_dir / "secret.key").write_text("short\n")

    for path, status in (("/", 503), ("/login", 503), ("/api/results", 503), ("/healthz", 200)):
        answer = app.test_client().get(path)
        assert answer.status_code == status, path
        assert str(instance_dir) not in answer.text


def test_a_page_that_cannot_be_drawn_does_not_hide_the_error(app):
    app.jinja_env.globals["version"] = property()
    app.jinja_env.filters.clear()
    del app.view_functions["dashboard.index"]
    app.url_map = type(app.url_map)(
        [rule.empty() for rule in app.url_map.iter_rules() if rule.endpoint != "dashboard.index"]
    )

    answer = Browser(app).get("/fail/403")

    assert answer.status_code == 403
    assert "That is not allowed here" in answer.text


def test_a_mistyped_address_is_not_taken_for_an_account(app):
    nowhere, account = (
        Browser(app).signed_in().get("/acounts/alice"),
        Browser(app).get("/fail/missing"),
    )

    assert "Check the address" in nowhere.text
    assert "renamed or deleted" not in nowhere.text
    assert "Perhaps it was renamed or deleted." in account.text


def test_a_long_word_is_said_back_and_logged_cut(app, caplog):
    with caplog.at_level(logging.ERROR):
        Browser(app).get("/fail/bug", X="y")
        broken = Browser(app).get(f"/api/fail/broken?{'x' * 5000}")
        missing = Browser(app).get(f"/fail/{'x' * 5000}")

    assert broken.status_code == 503
    assert missing.status_code == 500
    assert all(len(record.getMessage()) < 300 for record in caplog.records)
    assert len(str(AccountNotFound("x" * 1_000_000))) < 200
