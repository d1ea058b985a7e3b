"""The accounts and their credentials: list, add, edit, delete, pause. No token is ever shown."""

import json
import logging
import os
import re
from typing import Any

import pytest
from werkzeug.test import TestResponse

from quota_web.core import clock
from quota_web.serving.logs import TextLines
from tests.fakes import NOW, FakeResponse, make_jwt, usage_body
from tests.logins import document, managed
from tests.pages import JSON, Script, read, said, value_of, visiting, world_of

VIEWS = ["/auth", "/auth/new", "/auth/edit?name=alice", "/auth/delete?name=alice"]
ACTS = ["/auth/save", "/auth/delete", "/auth/pause", "/auth/resume"]


@pytest.fixture
def script(browser):
    return Script(browser, write=True)


@pytest.fixture
def alice(installation, codex):
    """A managed account with a reading."""
    return managed(installation)


# The list and the forms


def test_the_list_shows_where_credentials_are_and_how_they_do(alice, browser):
    alice.file("bob", exp=NOW - 9)
    alice.refresh()
    page = browser.get("/auth").text
    rows = {
        name: re.sub(r"<[^>]+>", " ", row)
        for name, row in zip(["alice", "bob"], page.split("<tr role")[2:], strict=True)
    }

    assert all(
        words in rows["alice"]
        for words in (
            "a@example.com",
            "Plus",
            "Works",
            "token expires",
            "kept here, sealed",
            "Pause",
        )
    )
    assert all(words in rows["bob"] for words in ("Needs sign-in", "bob.auth.json"))
    assert read(page).dangers == []


def test_an_empty_list_says_how_to_begin(browser):
    page = browser.get("/auth").text

    assert "No accounts yet." in page
    assert 'href="/auth/new"' in page


def test_files_that_are_followed_by_no_account_are_named(alice, browser):
    alice.file("alice")
    alice.raw_file("a\u202eb", b"{}")
    page = browser.get("/auth").text

    assert any(
        "alice.auth.json: the name is already taken by a managed account; rename the file" in words
        for words in said(page)
    )
    assert any("a\\u202eb.auth.json" in words for words in said(page))


def test_a_folder_that_cannot_be_read_is_said(installation):
    with visiting(installation, QUOTA_ACCOUNT_DIR=str(installation.folder / "nowhere")) as browser:
        assert any(
            "No such file or directory" in words for words in said(browser.get("/auth").text)
        )


def test_the_forms_are_blank_but_for_the_name_and_the_account_id(alice, browser):
    new, edit = browser.get("/auth/new").text, browser.get("/auth/edit?name=ALICE").text

    assert (value_of(new, "name"), value_of(new, "account_id"), value_of(new, "access_token")) == (
        "",
        "",
        "",
    )
    assert (
        value_of(edit, "name"),
        value_of(edit, "account_id"),
        value_of(edit, "access_token"),
    ) == ("alice", "acct-1", "")
    assert '<input type="hidden" name="original_name" value="alice">' in edit
    assert "original_name" not in new
    assert all(
        "</textarea>" in page and re.search(r"<textarea[^>]*></textarea>", page)
        for page in (new, edit)
    )


def test_editing_says_which_file_is_written(installation, browser, monkeypatch):
    path = installation.file("alice")
    installation.follow()
    assert (
        f"This account follows <code>{path}</code>. Saving writes that file"
        in browser.get("/auth/edit?name=alice").text
    )

    monkeypatch.setattr(os, "access", lambda folder, mode: folder != installation.accounts)
    assert (
        "cannot be written from here: change it where it lies"
        in browser.get("/auth/edit?name=alice").text
    )
    assert "read-only: change it where it lies" in browser.get("/auth").text
    assert "remove it where it lies first" in browser.get("/auth/delete?name=alice").text


@pytest.mark.parametrize("path", VIEWS)
def test_looking_is_for_people_who_signed_in(alice, browser, script, path):
    stranger = browser.client.application.test_client().get(path)

    assert stranger.status_code == 303
    assert stranger.location.startswith("/login?next=/auth")
    assert script.get(path).status_code == 403
    with visiting(alice, QUOTA_AUTH="off") as visitor:
        assert visitor.get(path).status_code == 403


@pytest.mark.parametrize("path", ACTS)
def test_acting_is_for_people_who_signed_in_and_tokens_that_may_write(alice, browser, path):
    stranger, reader = browser.client.application.test_client(), Script(browser)

    assert stranger.post(path, data={"name": "alice"}).location == "/login"
    assert stranger.post(path, data={"name": "alice"}, headers=JSON).status_code == 401
    assert reader.post(path, name="alice").status_code == 403
    with visiting(alice, QUOTA_AUTH="off") as visitor:
        assert visitor.post(path, name="alice").status_code == 403
    assert (
        browser.post(path, headers={"Sec-Fetch-Site": "cross-site"}, name="alice").status_code
        == 403
    )
    assert browser.post(path, csrf_token="nonsense", name="alice").status_code == 400
    assert (alice.names(), alice.account("alice").paused_at) == (["alice"], None)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("POST", v) for v in VIEWS[:3]),
        ("GET", ACTS[0]),
        ("GET", ACTS[2]),
        ("GET", ACTS[3]),
        ("DELETE", ACTS[1]),
    ],
)
def test_wrong_methods_are_refused(alice, browser, script, method, path):
    answer = (
        browser.post(path)
        if method == "POST"
        else browser.client.open(path, method=method, headers=script.headers)
    )

    assert answer.status_code == 405


@pytest.mark.parametrize("path", ["/auth/edit", "/auth/delete"])
def test_an_unknown_account_is_404(alice, browser, path):
    assert browser.get(path).status_code == 404
    for name in (
        "nobody",
        "",
        "..%2f..%2fetc%2fpasswd",
        "%00",
        "alice%00",
        "%ff",
        "%E2%80%AEalice",
        "x" * 3_000,
    ):
        answer = browser.get(f"{path}?name={name}")
        assert answer.status_code == 404, name
        assert read(answer.text).dangers == []


# Deleting, pausing, resuming


def test_deleting_asks_first_and_says_what_goes(alice, browser):
    page = browser.get("/auth/delete?name=alice").text
    text = " ".join(re.sub(r"<[^>]+>", " ", page).split())

    assert "Delete alice?" in text
    assert "2 readings from 1 refresh, since" in text
    assert "its stored tokens" in text
    assert "Pause it instead" in text
    assert alice.names() == ["alice"]


def test_deleting_takes_account_credentials_and_history(alice, browser):
    answer = browser.post("/auth/delete", name="ALICE")

    assert (answer.status_code, answer.location) == (303, "/auth")
    assert said(browser.get("/auth").text) == ["Deleted alice."]
    assert alice.names() == []
    assert alice.rows("SELECT count(*) FROM credential") == [(0,)]
    assert browser.get("/accounts/alice").status_code == 404
    assert browser.get("/api/results").get_json()["results"] == []


def test_deleting_a_followed_account_takes_its_file(installation, browser):
    path = installation.file("alice")
    installation.follow()
    assert (
        f"the file <code>{path}</code> with its tokens"
        in browser.get("/auth/delete?name=alice").text
    )

    assert browser.post("/auth/delete", name="alice").status_code == 303
    assert not path.exists()


def test_an_account_whose_file_cannot_be_removed_stays_and_it_is_said(installation, browser):
    installation.file("alice").unlink()
    installation.file("alice")
    installation.follow()
    path = installation.accounts / "alice.auth.json"
    path.unlink()
    (path / "in the way").mkdir(parents=True)
    answer = browser.post("/auth/delete", name="alice")

    assert answer.status_code == 422
    assert "cannot be written" in answer.text
    assert installation.names() == ["alice"]


def test_pausing_stops_asking_until_resumed(alice, browser, codex):
    assert browser.post("/auth/pause", name="alice").location == "/auth"
    assert alice.report("alice").status == "paused"
    assert "Resume" in browser.get("/auth").text
    codex.seen.clear()
    with clock.frozen(NOW + 60):
        browser.post("/refresh", headers=JSON)
    assert codex.seen == []

    woken = []
    world_of(browser.client.application).wake = lambda: woken.append(
        alice.account("alice").next_due_at
    )
    assert browser.post("/auth/resume", name="alice").location == "/auth"
    assert (alice.report("alice").status, woken) == ("ok", [NOW])


@pytest.mark.parametrize("path", ACTS[1:])
def test_an_act_on_an_unknown_account_is_refused(alice, browser, path):
    for name, status in [
        ("nobody", 404),
        ("../alice", 404),
        ("a\x00", 404),
        ("x" * 3_000, 404),
        ("", 422),
    ]:
        assert browser.post(path, name=name).status_code == status, name
    assert (alice.names(), alice.account("alice").paused_at) == (["alice"], None)


@pytest.mark.parametrize("path", ACTS[1:])
def test_an_account_of_another_folder_is_out_of_reach(installation, path):
    installation.file("alice")
    installation.follow()
    with visiting(installation, QUOTA_ACCOUNT_DIR=str(installation.folder)) as browser:
        assert browser.post(path, name="alice").status_code == 404
    assert (installation.names(), installation.account("alice").paused_at) == (["alice"], None)


@pytest.mark.parametrize(
    ("target", "place"),
    [
        ("/accounts/alice", "/accounts/alice"),
        ("", "/auth"),
        ("//evil.example", "/auth"),
        ("https://evil.example/", "/auth"),
        ("/\\evil.example", "/auth"),
        ("/\t/evil.example", "/auth"),
        ("javascript:alert(1)", "/auth"),
    ],
)
def test_the_way_back_is_a_page_of_ours(alice, browser, target, place):
    for act in ("pause", "resume"):
        assert browser.post(f"/auth/{act}", name="alice", next=target).location == place


# Canaries


def looked(browser) -> list[TestResponse]:
    """All that tells of the accounts."""
    others = (
        "/",
        "/accounts/alice",
        "/accounts/followed",
        "/auth/edit?name=followed",
        "/api/results",
        "/api/history",
        "/metrics",
        "/settings",
    )
    return [*(browser.get(path) for path in (*VIEWS, *others)), browser.get("/refresh", **JSON)]


def useless_forms(access: str, whole: str) -> list[dict[str, Any]]:
    """Forms with a token in each field that takes one; none of them can be saved as it is."""
    return [
        {"name": "alice", "auth_json": whole[:-9]},
        {"name": "alice", "auth_json": whole.replace("acct-1", "acct 1")},
        {"name": "a/b", "access_token": access, "account_id": "x"},
        {"name": "a/b", "access_token": access + "é", "account_id": "x"},
        {"name": "x", "access_token": f"sess-{access}", "auth_json": whole},
        {"original_name": "alice", "name": "a/b", "access_token": access},
        {"original_name": "nobody", "name": "alice", "auth_json": whole},
        {"name": "followed", "auth_json": whole},
        {"original_name": "followed", "name": "alice", "auth_json": whole},
        {
            "original_name": "followed",
            "name": "followed",
            "access_token": access,
            "account_id": "acct-2",
        },
    ]


def failures(secret: str) -> list[FakeResponse]:
    """Answers of the upstream that say *secret* where it could be repeated."""
    said = [
        FakeResponse(401, body={"error": secret}),
        FakeResponse(403, body={"detail": secret}),
        FakeResponse(500, raw=secret.encode()),
        FakeResponse(raw=secret.encode()),
    ]
    return [
        FakeResponse(body=usage_body()),
        *said,
        FakeResponse(body={"email": secret}),
        FakeResponse(body=usage_body(plan=secret)),
    ]


def test_tokens_appear_nowhere(installation, browser, codex, caplog):
    """Planted in every token field, through every page, act, answer and failure."""
    canaries = {
        "access": "CANARY" + "a" * 40,
        "refresh": "rt_CANARY" + "r" * 40,
        "id": "CANARY" + "i" * 40,
    }
    access = make_jwt("acct-1", user_id="user-1") + canaries["access"]
    tokens = {
        "access_token": access,
        "refresh_token": canaries["refresh"],
        "id_token": make_jwt("acct-1", email="a@example.com") + canaries["id"],
    }
    whole, script, shown = json.dumps(document("acct-1", **tokens)), Script(browser, write=True), []
    installation.raw_file("followed", json.dumps(document("acct-2", **tokens)).encode())

    with caplog.at_level(logging.DEBUG):
        shown += [
            who.post("/auth/save", name="alice", auth_json=whole) for who in (browser, script)
        ]
        installation.follow()
        for step, scene in enumerate(failures(access)):
            codex.answers("acct-1", scene)
            codex.answers("acct-2", scene)
            installation.now = NOW + 40 * step
            installation.ask("alice", "followed", force=True)
            with clock.frozen(installation.now):
                shown += looked(browser)
        shown += [
            who.post("/auth/save", **form)
            for form in useless_forms(access, whole)
            for who in (browser, script)
        ]
        shown += looked(browser)

    texts = [answer.text + str(answer.headers) for answer in shown]
    log = "\n".join(TextLines(None).format(record) for record in caplog.records)
    assert len(texts) > 100
    assert [
        text[:200] for text in texts if any(canary in text for canary in canaries.values())
    ] == []
    assert not any(canary in log for canary in canaries.values())
    assert installation.names() == ["alice", "followed"]
