"""What one account's page and the list of credentials are told: no token, and nothing of accounts out of scope."""

import json
import os

import pytest

from quota_web import accounts, details
from quota_web.codex import auth_file
from quota_web.errors import AccountNotFound
from quota_web.store.accounts import Scope
from tests.fakes import NOW, Scene, auth_document, make_jwt, usage_body

HOUR = 3_600


def shown(house, name="alice", scope=None):
    return details.details(scope or house.scope, name, house.now, HOUR)


def listed(house, scope=None):
    return {one.report.account.name: one for one in details.listing(scope or house.scope, house.now, HOUR)}


def add(house, name, account_id="acct-1", user_id: str | None = "user-1", **tokens):
    held = {"access_token": make_jwt(account_id, user_id=user_id), "id_token": make_jwt(account_id, user_id=user_id), **tokens}
    accounts.add(house.world.sealer, name, auth_file.parse(auth_document(account_id, **held)), house.now, "test")


def test_an_account_that_was_never_asked_has_no_past(house):
    house.file("alice")
    house.follow()
    found = shown(house)

    assert (found.attempts, found.twins) == ((), ())
    assert (found.size.readings, found.size.snapshots, found.size.since) == (0, 0, None)
    assert (found.report.status, found.report.windows) == ("pending", ())


def test_history_is_counted_and_dated(house, codex):
    house.file("alice")
    for house.now in (NOW - 2 * HOUR, NOW - HOUR, NOW):
        house.refresh(force=True)
    found = shown(house, "ALICE")

    assert (found.size.readings, found.size.snapshots, found.size.since) == (6, 3, NOW - 2 * HOUR)
    assert found.report.account.name == "alice"


def test_equal_attempts_in_a_row_stand_as_one_and_the_newest_first(house, codex):
    house.file("alice")
    codex.answers("acct-alice", Scene(body=usage_body()), Scene(500, body={}), Scene(500, body={}), Scene(403, body={}))
    for house.now in (NOW, NOW + HOUR, NOW + 2 * HOUR, NOW + 3 * HOUR):
        house.refresh(force=True)
    found = shown(house).attempts

    assert [(a.status, a.http_status, a.count) for a in found] == [("forbidden", 403, 1), ("upstream_error", 500, 2), ("ok", 200, 1)]
    assert [(a.first_at, a.last_at) for a in found][1] == (NOW + HOUR, NOW + 2 * HOUR)
    assert found[1].fault is not None
    assert found[2].fault is None
    assert all(0 <= a.ms_mean <= a.ms_max for a in found)


def test_what_is_told_of_credentials_holds_no_token(house):
    house.file("alice", exp=NOW + HOUR)
    add(house, "bob", "acct-bob")
    house.follow()
    path = str(house.accounts / "alice.auth.json")
    alice, bob = shown(house).credentials, shown(house, "bob").credentials

    assert (alice.origin, alice.source_path, alice.file_read_only, alice.chatgpt_account_id) == ("followed", path, False, "acct-alice")
    assert (alice.expires_at, alice.updated_at, alice.is_stored, alice.has_refresh_token) == (NOW + HOUR, NOW, True, True)
    assert (bob.origin, bob.source_path, bob.file_read_only, bob.has_refresh_token) == ("managed", None, False, True)
    assert not any(secret in repr((shown(house), shown(house, "bob"), listed(house))) for secret in ("eyJ", "rt_", "c2lnbmF0dXJl"))


def test_a_refresh_token_is_looked_for_where_it_lies(house):
    house.raw_file("alice", json.dumps({"access_token": make_jwt("acct-1")}).encode())
    add(house, "bob", "acct-bob", refresh_token="")
    house.follow()

    assert (shown(house).credentials.has_refresh_token, shown(house, "bob").credentials.has_refresh_token) == (False, False)
    house.raw_file("alice", json.dumps(auth_document()).encode())
    assert shown(house).credentials.has_refresh_token is True


def test_a_file_that_is_gone_breaks_nothing(house):
    house.file("alice").unlink()
    house.file("alice")
    house.follow()
    (house.accounts / "alice.auth.json").unlink()
    house.follow()
    found = shown(house)

    assert (found.report.status, found.credentials.has_refresh_token) == ("invalid_credentials", False)
    assert found.report.fault is not None
    assert found.report.fault.code == "file_gone"


def test_a_file_that_cannot_be_replaced_is_told(house, monkeypatch):
    house.file("alice")
    house.follow()
    monkeypatch.setattr(os, "access", lambda path, mode: path != house.accounts)

    assert shown(house).credentials.file_read_only is True
    assert listed(house)["alice"].credentials.file_read_only is True


def test_equal_users_in_an_equal_workspace_are_told_to_be_one_login(house):
    add(house, "alice")
    house.file("twin", "acct-1", user_id="user-1")
    house.follow()
    add(house, "colleague", user_id="user-2")
    add(house, "elsewhere", account_id="acct-2")
    add(house, "nobody knows", user_id=None)

    assert {name: one.twin for name, one in listed(house).items()} == {
        "alice": "twin",
        "colleague": None,
        "elsewhere": None,
        "nobody knows": None,
        "twin": "alice",
    }
    assert (shown(house).twins, shown(house, "colleague").twins) == (("twin",), ())


def test_the_list_comes_by_name(house):
    for name in ("bob", "Alice", "ängst", "carl"):
        add(house, name, f"acct-{len(name)}-{name.isascii()}-{name[0].isupper()}", name.encode().hex())

    assert list(listed(house)) == ["Alice", "bob", "carl", "ängst"]


@pytest.mark.parametrize("name", ["nobody", "", "a\x00", "../alice", "alice\u202e"])
def test_who_is_not_there_is_not_found(house, name):
    add(house, "alice")

    with pytest.raises(AccountNotFound):
        shown(house, name)


def test_who_is_out_of_scope_is_not_there(house, tmp_path):
    add(house, "bob")
    house.file("alice")
    house.follow()

    assert list(listed(house, Scope(folder=tmp_path))) == ["bob"]
    with pytest.raises(AccountNotFound):
        shown(house, "alice", Scope(folder=tmp_path))
