"""The headers of every answer, and that no page needs what they forbid."""

import re

from flask import Flask

from quota_web.web import scopes
from quota_web.web.security import POLICY
from tests.browser import Browser, make_app


def pages(app: Flask):
    browser = Browser(app).signed_in()
    yield from (
        browser.get(path)
        for path in (
            "/",
            "/settings",
            "/auth",
            "/login",
            "/nowhere",
            "/accounts/nobody",
            "/api/results",
            "/api/history?range=x",
            "/refresh",
        )
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
    scopes.SCOPES["health.healthz2"] = "public"
    try:
        answer = Browser(app).get("/bug")
    finally:
        del scopes.SCOPES["health.healthz2"]

    assert answer.status_code == 500
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.headers["Cache-Control"] == "no-store"


def test_static_files_may_be_kept_and_for_good_where_their_address_says_so(instance_dir):
    client = make_app(instance_dir).test_client()

    plain, versioned = (
        client.get("/static/css/app.css", buffered=True),
        client.get("/static/css/app.css?v=1", buffered=True),
    )

    assert plain.headers["Cache-Control"] == "no-cache"
    assert versioned.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "Set-Cookie" not in plain.headers
    assert plain.headers["Content-Security-Policy"] == POLICY
    assert "Cookie" not in plain.headers.get("Vary", "")


def test_no_page_has_inline_code_or_styles(instance_dir):
    for answer in pages(make_app(instance_dir)):
        if "html" in (answer.content_type or ""):
            assert not re.search(
                r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*(src=|application/json))", answer.text
            ), answer.request.path
