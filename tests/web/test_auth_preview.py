"""The page between a pasted or uploaded file and its accounts: it shows what was found, keeps it
encrypted, and saves what is chosen.
"""

import html
import json
import re

import pytest

from quota_web.accounts import stash
from quota_web.core import clock
from tests.codex.test_auth_shapes import SHAPES
from tests.fakes import NOW, auth_document, holds_jwt, make_jwt
from tests.logins import managed, stored, text, upload
from tests.pages import HOSTILE, Script, error_at, read, said, visiting

HOUR = 3_600


def words(page):
    """What a person reads on a page."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def kept(page):
    found = re.search(r'name="kept" value="([^"]+)"', page)
    return found.group(1) if found else ""


def rows(page):
    """The name that each account found gets."""
    return {
        int(n): html.unescape(name)
        for n, name in re.findall(r'name="name-(\d+)" value="([^"]*)"', page)
    }


def save(browser, page, *places, **changed):
    """Send the page's form, with these rows ticked, or all."""
    fields = {f"name-{n}": name for n, name in rows(page).items()} | {
        key.replace("_", "-"): v for key, v in changed.items()
    }
    ticked = [str(n) for n in places or rows(page)]
    return browser.post("/auth/save", kept=kept(page), take=ticked, **fields)


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_found_is_shown_before_it_is_saved_and_the_rest_is_said(
    installation, browser, shape
):
    document, expected = SHAPES[shape]
    answer = browser.post(
        "/auth/preview", name="", auth_json=json.dumps(document).replace("export", "pasted")
    )

    usable = [name for name, fault in expected.items() if fault is None]
    refused = [
        name.replace("export", "pasted") for name, fault in expected.items() if fault is not None
    ]
    assert installation.names() == []
    if not usable:
        assert answer.status_code == 422
        return
    assert answer.status_code == 200
    assert list(rows(answer.text).values()) == usable
    assert [name for name in refused if f"<b>{name}</b>: " not in answer.text] == []

    assert save(browser, answer.text).status_code == 303
    assert installation.names() == sorted(usable, key=str.casefold)


def test_no_token_is_in_the_page(browser):
    pasted = text()
    page = browser.post("/auth/preview", name="", auth_json=pasted).text

    assert kept(page)
    assert holds_jwt(pasted)
    assert not holds_jwt(page)
    assert "made-up-refresh" not in page


def test_it_says_whose_it_is_and_what_will_become_of_it(installation, browser, codex):
    managed(installation)
    both = f"{text()}\n{text('acct-2', 'user-2', 'bob@example.com')}"
    page = browser.post("/auth/preview", name="", auth_json=both).text

    assert rows(page) == {0: "alice", 1: "bob@example.com"}
    assert "2 accounts found" in words(page)
    assert "Here already: it gets this token, and keeps its name and history." in words(page)
    assert save(browser, page).status_code == 303
    assert installation.names() == ["alice", "bob@example.com"]


def test_only_what_is_ticked_is_saved_under_the_name_given_there(installation, browser):
    files = [
        upload("bob.json", "b", "user-b", email=None),
        upload("carol.json", "c", "user-c", email=None),
    ]
    page = browser.post("/auth/preview", name="", auth_json=files).text

    assert rows(page) == {0: "bob", 1: "carol"}
    assert save(browser, page, 1, name_1="Caro").status_code == 303
    assert installation.names() == ["Caro"]
    assert stored(installation, "Caro").account_id == "c"
    assert said(browser.get("/auth").text) == ["Saved Caro. A refresh follows at once."]


def test_where_nothing_is_ticked_nothing_is_saved(installation, browser):
    page = browser.post("/auth/preview", name="", auth_json=text()).text
    answer = browser.post("/auth/save", kept=kept(page))

    assert answer.status_code == 422
    assert said(answer.text) == ["Nothing is ticked, so nothing was saved."]
    assert save(browser, answer.text).status_code == 303


def test_a_name_that_cannot_be_used_costs_no_second_paste(installation, browser):
    managed(installation)
    both = (
        f"{text('acct-2', 'user-2', email=None)}\n{text('acct-3', 'user-3', 'carol@example.com')}"
    )
    page = browser.post("/auth/preview", name="", auth_json=both).text
    answer = save(browser, page, name_0="alice")

    assert answer.status_code == 422
    assert said(answer.text) == ["Saved carol@example.com; the rest needs another name."]
    assert (rows(answer.text), installation.names()) == (
        {0: "alice"},
        ["alice", "carol@example.com"],
    )
    assert "alice: name already taken by another login" in words(answer.text)
    assert save(browser, answer.text, name_0="bob").status_code == 303
    assert stored(installation, "bob").account_id == "acct-2"


def test_what_has_no_name_is_given_one_there(installation, browser):
    page = browser.post("/auth/preview", name="", auth_json=text(email=None)).text
    assert rows(page) == {0: ""}

    answer = save(browser, page)
    assert answer.status_code == 422
    assert "give the account a name" in words(answer.text)
    assert save(browser, answer.text, name_0="mine").status_code == 303
    assert installation.names() == ["mine"]


def test_a_typed_token_is_shown_first_as_well(installation, browser):
    page = browser.post(
        "/auth/preview", name="mine", access_token="opaque-token", account_id="acct-1", auth_json=""
    ).text

    assert rows(page) == {0: "mine"}
    assert save(browser, page).status_code == 303
    assert stored(installation, "mine").access_token.reveal() == "opaque-token"


@pytest.mark.parametrize(
    ("typed", "field", "told"),
    [
        (
            {"auth_json": '{"tokens": {"access_token": "opaque-canary"}}'},
            "auth_json",
            "the token names no account either; copy the whole auth.json",
        ),
        (
            {"auth_json": '{"hello": "canary"}'},
            "auth_json",
            "missing access_token: copy the whole auth.json",
        ),
        (
            {"access_token": "opaque-canary"},
            "account_id",
            "or give the account id beside the token",
        ),
        ({"auth_json": ""}, "auth_json", "give an auth.json, or a token and an account id"),
    ],
)
def test_what_cannot_be_used_is_told_with_what_to_do_and_the_rest_of_the_form_stays(
    browser, typed, field, told
):
    answer = browser.post("/auth/preview", **{"name": "mine", "account_id": "", **typed})

    assert answer.status_code == 422
    assert told in html.unescape(error_at(answer.text, field) or "")
    assert 'value="mine"' in answer.text
    assert "canary" not in answer.text


def test_what_was_read_is_kept_for_an_hour_and_one_session(installation, browser):
    page = browser.post("/auth/preview", name="", auth_json=text()).text
    with clock.frozen(NOW + HOUR + 1):
        late = save(browser, page)
    with visiting(installation) as other:
        stolen = save(other, page)
    changed = browser.post("/auth/save", kept=kept(page)[:-4] + "AAAA", take="0", **{"name-0": "x"})

    for answer in (late, stolen, changed):
        assert answer.status_code == 422
        assert "is kept for an hour and for this sign-in alone" in words(answer.text)
    assert installation.names() == []
    assert save(browser, page).status_code == 303


def test_more_than_a_form_holds_is_refused_in_words(installation, browser, monkeypatch):
    monkeypatch.setattr(stash, "MAX_STASH", 100)
    answer = browser.post(
        "/auth/preview", name="", auth_json=f"{text()}\n{text('acct-2', 'user-2')}"
    )

    assert answer.status_code == 422
    assert (error_at(answer.text, "auth_json") or "").startswith("2 accounts are too many at once")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_words_stay_text(browser, hostile):
    document = [
        {"name": hostile, **auth_document("acct-1", access_token=make_jwt("acct-1", user_id="u"))},
        {"name": hostile, "access_token": "sess-x"},
    ]
    page = browser.post("/auth/preview", name="", auth_json=json.dumps(document)).text

    assert rows(page)
    assert read(page).dangers == []


def test_a_program_saves_without_a_preview_and_cannot_ask_for_one(installation, browser):
    script = Script(browser, write=True)

    assert script.post("/auth/preview", name="", auth_json=text()).status_code == 403
    assert script.post("/auth/save", name="alice", auth_json=text()).status_code == 303


def test_the_form_leads_to_the_preview(browser):
    assert 'formaction="/auth/preview"' in browser.get("/auth/new").text


def test_a_paste_of_a_login_that_is_here_says_under_which_name(installation, browser, codex):
    managed(installation)
    assert browser.post("/auth/save", name="work", auth_json=text()).status_code == 303

    assert "work is the same login as alice: credentials replaced." in said(
        browser.get("/auth").text
    )
    assert installation.names() == ["alice"]


def test_workspaces_of_one_address_are_told_apart_before_and_after(browser):
    auth = {"chatgpt_plan_type": "team"}
    tokens = [
        make_jwt(f"{n}a2b3c4d-0000", user_id=f"user-{n}", email="w@example.com", auth=auth)
        for n in (1, 2)
    ]
    page = browser.post("/auth/preview", name="", auth_json="\n".join(tokens)).text
    save(browser, page)

    for shown in (page, browser.get("/auth").text):
        assert "account 1a2b3c4d" in words(shown)
        assert "account 2a2b3c4d" in words(shown)
    assert "Business" in words(page)
