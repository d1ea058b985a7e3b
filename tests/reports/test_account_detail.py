"""What one account's page and the list of credentials are told: no token, and nothing of accounts
out of scope.
"""

import json
import os

import pytest

from quota_web.accounts import account_service
from quota_web.codex import auth_file
from quota_web.core.errors import AccountNotFound
from quota_web.reports import account_detail
from quota_web.store.accounts import Scope
from tests.fakes import NOW, FakeResponse, auth_document, make_jwt, usage_body

HOUR = 3_600


def shown(installation, name="alice", scope=None):
    return account_detail.load_details(scope or installation.scope, name, installation.now, HOUR)


def listed(installation, scope=None):
    return {
        one.report.account.name: one
        for one in account_detail.listing(scope or installation.scope, installation.now, HOUR)
    }


def add(installation, name, account_id="acct-1", user_id: str | None = "user-1", **tokens):
    held = {
        "access_token": make_jwt(account_id, user_id=user_id),
        "id_token": make_jwt(account_id, user_id=user_id),
        **tokens,
    }
    account_service.add(
        installation.services.cipher,
        name,
        auth_file.parse(auth_document(account_id, **held)),
        installation.now,
        "test",
    )


def test_an_account_that_was_never_asked_has_no_past(installation):
    installation.file("alice")
    installation.follow()
    found = shown(installation)

    assert (found.attempts, found.twins) == ((), ())
    assert (found.size.readings, found.size.snapshots, found.size.since) == (0, 0, None)
    assert (found.report.status, found.report.windows) == ("pending", ())


def test_history_is_counted_and_dated(installation, codex):
    installation.file("alice")
    for installation.now in (NOW - 2 * HOUR, NOW - HOUR, NOW):
        installation.refresh(force=True)
    found = shown(installation, "ALICE")

    assert (found.size.readings, found.size.snapshots, found.size.since) == (6, 3, NOW - 2 * HOUR)
    assert found.report.account.name == "alice"


def test_equal_attempts_in_a_row_stand_as_one_and_the_newest_first(installation, codex):
    installation.file("alice")
    codex.answers(
        "acct-alice",
        FakeResponse(body=usage_body()),
        FakeResponse(500, body={}),
        FakeResponse(500, body={}),
        FakeResponse(403, body={}),
    )
    for installation.now in (NOW, NOW + HOUR, NOW + 2 * HOUR, NOW + 3 * HOUR):
        installation.refresh(force=True)
    found = shown(installation).attempts

    assert [(a.status, a.http_status, a.count) for a in found] == [
        ("forbidden", 403, 1),
        ("upstream_error", 500, 2),
        ("ok", 200, 1),
    ]
    assert [(a.first_at, a.last_at) for a in found][1] == (NOW + HOUR, NOW + 2 * HOUR)
    assert found[1].fault is not None
    assert found[2].fault is None
    assert all(0 <= a.ms_mean <= a.ms_max for a in found)


def test_what_is_told_of_credentials_holds_no_token(installation):
    installation.file("alice", exp=NOW + HOUR)
    add(installation, "bob", "acct-bob")
    installation.follow()
    path = str(installation.accounts / "alice.auth.json")
    alice, bob = shown(installation).credentials, shown(installation, "bob").credentials

    assert (alice.origin, alice.source_path, alice.file_read_only, alice.chatgpt_account_id) == (
        "followed",
        path,
        False,
        "acct-alice",
    )
    assert (alice.expires_at, alice.updated_at, alice.is_stored, alice.has_refresh_token) == (
        NOW + HOUR,
        NOW,
        True,
        True,
    )
    assert (bob.origin, bob.source_path, bob.file_read_only, bob.has_refresh_token) == (
        "managed",
        None,
        False,
        True,
    )
    assert not any(
        secret in repr((shown(installation), shown(installation, "bob"), listed(installation)))
        for secret in ("eyJ", "rt_", "c2lnbmF0dXJl")
    )


def test_a_refresh_token_is_looked_for_where_it_lies(installation):
    installation.raw_file("alice", json.dumps({"access_token": make_jwt("acct-1")}).encode())
    add(installation, "bob", "acct-bob", refresh_token="")
    installation.follow()

    assert (
        shown(installation).credentials.has_refresh_token,
        shown(installation, "bob").credentials.has_refresh_token,
    ) == (False, False)
    installation.raw_file("alice", json.dumps(auth_document()).encode())
    assert shown(installation).credentials.has_refresh_token is True


def test_a_file_that_is_gone_breaks_nothing(installation):
    installation.file("alice").unlink()
    installation.file("alice")
    installation.follow()
    (installation.accounts / "alice.auth.json").unlink()
    installation.follow()
    found = shown(installation)

    assert (found.report.status, found.credentials.has_refresh_token) == (
        "invalid_credentials",
        False,
    )
    assert found.report.fault is not None
    assert found.report.fault.code == "file_gone"


def test_a_file_that_cannot_be_replaced_is_told(installation, monkeypatch):
    installation.file("alice")
    installation.follow()
    monkeypatch.setattr(os, "access", lambda path, mode: path != installation.accounts)

    assert shown(installation).credentials.file_read_only is True
    assert listed(installation)["alice"].credentials.file_read_only is True


def test_equal_users_in_an_equal_workspace_are_told_to_be_one_login(installation):
    add(installation, "alice")
    installation.file("twin", "acct-1", user_id="user-1")
    installation.follow()
    add(installation, "colleague", user_id="user-2")
    add(installation, "elsewhere", account_id="acct-2")
    add(installation, "nobody knows", user_id=None)

    assert {name: one.twin for name, one in listed(installation).items()} == {
        "alice": "twin",
        "colleague": None,
        "elsewhere": None,
        "nobody knows": None,
        "twin": "alice",
    }
    assert (shown(installation).twins, shown(installation, "colleague").twins) == (("twin",), ())


def test_the_list_comes_by_name(installation):
    for name in ("bob", "Alice", "ängst", "carl"):
        add(
            installation,
            name,
            f"acct-{len(name)}-{name.isascii()}-{name[0].isupper()}",
            name.encode().hex(),
        )

    assert list(listed(installation)) == ["Alice", "bob", "carl", "ängst"]


@pytest.mark.parametrize("name", ["nobody", "", "a\x00", "../alice", "alice\u202e"])
def test_who_is_not_there_is_not_found(installation, name):
    add(installation, "alice")

    with pytest.raises(AccountNotFound):
        shown(installation, name)


def test_who_is_out_of_scope_is_not_there(installation, tmp_path):
    add(installation, "bob")
    installation.file("alice")
    installation.follow()

    assert list(listed(installation, Scope(folder=tmp_path))) == ["bob"]
    with pytest.raises(AccountNotFound):
        shown(installation, "alice", Scope(folder=tmp_path))
