"""Answers in gzip: the same content for who takes it, the plain one for who does not, and one
ETag's promise for both.
"""

import gzip

import pytest
from flask import Flask, Response

from quota_web.web import compression
from quota_web.web.scopes import SCOPES
from tests.pages import Script, visiting

GZIP = {"Accept-Encoding": "gzip, deflate, br"}


@pytest.fixture
def browser(installation, codex):
    for number in range(5):
        installation.file(f"a{number}")
    installation.refresh()
    with visiting(installation) as browser:
        yield browser


def unpacked(answer):
    assert answer.headers["Content-Encoding"] == "gzip"
    return gzip.decompress(answer.data)


@pytest.mark.parametrize(
    "path",
    [
        "/api/results",
        "/api/history",
        "/accounts/a0/chart.svg",
        "/static/css/app.css",
        "/static/js/live.js",
        "/login",
        "/nowhere",
    ],
)
def test_a_client_that_takes_gzip_gets_the_same_in_gzip(browser, path):
    plain, packed = browser.get(path), browser.get(path, Accept_Encoding="gzip")
    if plain.status_code != 200:
        assert "Content-Encoding" not in packed.headers
        return

    assert unpacked(packed) == plain.data
    assert "Content-Encoding" not in plain.headers
    assert (len(packed.data), len(plain.data)) == (packed.content_length, plain.content_length)
    assert len(packed.data) < len(plain.data)
    assert packed.mimetype == plain.mimetype


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api/results",
        "/static/css/app.css",
        "/static/js/live.js",
        "/login",
        "/nowhere",
        "/refresh",
    ],
)
def test_caches_are_told_that_it_depends_on_what_is_taken(browser, path):
    for answer in (
        browser.get(path, Sec_Fetch_Site="cross-site"),
        browser.get(path, Sec_Fetch_Site="cross-site", **GZIP),
    ):
        assert "Accept-Encoding" in answer.vary


@pytest.mark.parametrize(
    "accepted", ["", "identity", "br, deflate", "gzip;q=0", "gzip;q=0, *;q=0", "x-gzip2"]
)
def test_a_client_without_gzip_gets_it_plain(browser, accepted):
    answer = browser.get("/api/results", Accept_Encoding=accepted)

    assert "Content-Encoding" not in answer.headers
    assert len(answer.get_json()["results"]) == 5


@pytest.mark.parametrize("accepted", ["gzip", "GZIP", "br;q=1.0, gzip;q=0.1", "*"])
def test_gzip_may_be_asked_for_in_any_way(browser, accepted):
    assert unpacked(browser.get("/api/results", Accept_Encoding=accepted)).startswith(
        b'{"updated_at"'
    )


def test_a_tag_is_weak_in_gzip_and_serves_for_both(browser):
    script = Script(browser)
    plain, packed = script.get("/api/results"), script.get("/api/results", **GZIP)

    assert packed.headers["ETag"] == f"W/{plain.headers['ETag']}"
    for tag in (plain.headers["ETag"], packed.headers["ETag"]):
        for headers in ({}, GZIP):
            again = script.get("/api/results", **{"If-None-Match": tag, **headers})
            assert (again.status_code, again.data) == (304, b"")
            assert "Content-Encoding" not in again.headers
            assert "Accept-Encoding" in again.vary


def test_a_static_file_keeps_its_tag_and_its_304(browser):
    packed = browser.client.get("/static/css/app.css", headers=GZIP, buffered=True)
    tag = packed.headers["ETag"]

    assert tag.startswith('W/"')
    assert (
        browser.client.get(
            "/static/css/app.css", headers={**GZIP, "If-None-Match": tag}, buffered=True
        ).status_code
        == 304
    )


def test_a_part_of_a_file_stays_as_it_is(browser):
    answer = browser.client.get(
        "/static/css/app.css", headers={**GZIP, "Range": "bytes=0-9"}, buffered=True
    )

    assert "Content-Encoding" not in answer.headers
    if answer.status_code == 206:
        assert len(answer.data) == 10


@pytest.mark.parametrize("path", ["/", "/api/results", "/static/css/app.css"])
def test_a_head_is_never_packed(browser, path):
    answer = browser.client.head(path, headers=GZIP, buffered=True)

    assert (answer.status_code, answer.data) == (200, b"")
    assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "/healthz",
        "/api/history?account=nobody",
        "/static/icons/touch.png",
        "/static/icons/favicon.ico",
    ],
)
def test_what_is_small_or_packed_already_stays_plain(browser, path):
    assert "Content-Encoding" not in browser.client.get(path, headers=GZIP, buffered=True).headers


@pytest.mark.parametrize(
    ("length", "is_packed"),
    [(compression.LEAST_BYTES - 1, False), (compression.LEAST_BYTES, True), (200_000, True)],
)
def test_the_size_decides(installation, length, is_packed):
    app = installation.another()
    app.add_url_rule("/long", "test.long", lambda: Response("x" * length, mimetype="text/plain"))
    SCOPES["test.long"] = "public"
    try:
        answer = app.test_client().get("/long", headers=GZIP)
    finally:
        del SCOPES["test.long"]

    assert ("Content-Encoding" in answer.headers) is is_packed
    assert len(unpacked(answer) if is_packed else answer.data) == length


@pytest.mark.parametrize(
    "response",
    [
        lambda: Response(iter(["x" * 5_000]), mimetype="text/plain"),
        lambda: Response("x" * 5_000, mimetype="application/octet-stream"),
        lambda: Response("x" * 5_000, mimetype="text/plain", headers={"Content-Encoding": "br"}),
        lambda: Response("x" * 5_000, status=201, mimetype="text/plain"),
    ],
)
def test_streams_and_other_kinds_stay_as_they_are(installation, response):
    app = installation.another()
    app.add_url_rule("/odd", "test.odd", response)
    SCOPES["test.odd"] = "public"
    try:
        answer = app.test_client().get("/odd", headers=GZIP)
    finally:
        del SCOPES["test.odd"]

    assert answer.data == b"x" * 5_000
    assert answer.headers.get("Content-Encoding") != "gzip"


def test_what_was_compressed_once_is_stored_but_not_for_ever(monkeypatch):
    packings: list[bytes] = []
    compress = gzip.compress

    def noted(body, *arguments, **options):
        packings.append(body)
        return compress(body, *arguments, **options)

    monkeypatch.setattr(gzip, "compress", noted)
    app = Flask("small")
    compression.init_app(app)
    app.add_url_rule(
        "/<number>", "number", lambda number: Response(number * 999, mimetype="text/html")
    )
    client = app.test_client()

    def get(number):
        return client.get(f"/{number}", headers=GZIP).data

    packed = [get(number) for number in range(compression.MOST_STORED + 5)]
    assert len(packings) == compression.MOST_STORED + 5
    assert [get(number) for number in range(5, compression.MOST_STORED + 5)] == packed[5:]
    assert len(packings) == compression.MOST_STORED + 5
    assert get(0) == packed[0]
    assert len(packings) == compression.MOST_STORED + 6
