"""The act behind the account form: what was typed, pasted or uploaded becomes accounts, or errors
at their fields.
"""

import json
import stat

import pytest

from quota_web import store
from quota_web.accounts import account_form
from quota_web.accounts.account_form import AccountForm, FormInvalid
from quota_web.accounts.account_service import Saved
from quota_web.core.errors import AccountNotFound
from quota_web.store.accounts import Scope
from tests.fakes import NOW, FakeResponse, make_jwt, usage_body
from tests.logins import document, stored, text

BY = "a person"


@pytest.fixture
def save(installation):
    """Save a form as the view does; returns what came of it."""

    def saved(scope=None, **typed):
        return account_form.save(
            installation.services.cipher,
            scope or installation.scope,
            AccountForm(**typed),
            installation.now,
            BY,
        )

    return saved


@pytest.fixture
def refused(save):
    """The errors of a form that cannot be saved, by field."""

    def errors(**typed):
        with pytest.raises(FormInvalid) as caught:
            save(**typed)
        return caught.value.errors

    return errors


def file(name, *args, **kwargs):
    return (name, text(*args, **kwargs).encode())


# New accounts


def test_what_is_pasted_becomes_an_account_that_is_due(installation, save):
    assert save(name="alice", pasted=text()) == [Saved("alice", True)]

    found = installation.account("alice")
    assert (found.origin, found.next_due_at, found.chatgpt_account_id) == ("managed", NOW, "acct-1")
    assert stored(installation, "alice").access_token.reveal() == make_jwt(
        "acct-1", user_id="user-1"
    )


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ({"pasted": text()}, "a@example.com"),
        ({"pasted": json.dumps({"name": "team", **document()})}, "team"),
        ({"files": (file("carol.auth.json"),)}, "a@example.com"),
        ({"files": (file("carol.auth.json", email=None),)}, "carol"),
        ({"files": (file("C:\\Users\\me\\.codex\\auth.json", email=None),)}, "auth"),
        ({"files": (file("../../../etc/passwd", email=None),)}, "passwd"),
        ({"access_token": make_jwt("acct-1", email="t@example.com")}, "t@example.com"),
        ({"name": "mine", "files": (file("carol.auth.json"),)}, "mine"),
        ({"name": "pasted", "pasted": text(email=None)}, "pasted"),
    ],
)
def test_a_name_is_the_typed_one_else_the_entrys_else_the_e_mail_else_the_files(
    installation, save, typed, name
):
    assert [s.name for s in save(**typed)] == [name]
    assert installation.names() == [name]


@pytest.mark.parametrize(
    "typed",
    [{"pasted": text(email=None)}, {"access_token": "opaque-token", "account_id": "acct-1"}],
)
def test_what_names_nobody_needs_a_name(refused, typed):
    assert refused(**typed) == {"name": "give the account a name"}


def test_several_files_become_several_accounts(installation, save):
    saved = save(
        files=(
            file("one.json", "acct-1", email=None),
            file("two.json", "acct-2", "user-2", email=None),
        )
    )

    assert [s.name for s in saved] == installation.names() == ["one", "two"]
    assert stored(installation, "two").account_id == "acct-2"


def test_one_file_may_hold_several_accounts_beside_pasted_ones(installation, save):
    both = json.dumps(
        {"accounts": [{"name": "b", **document("acct-b")}, {"name": "c", **document("acct-c")}]}
    ).encode()

    assert [
        s.name for s in save(name="ignored", files=(("export.json", both),), pasted=text())
    ] == ["b", "c", "a@example.com"]


def test_logins_that_share_an_e_mail_get_names_of_their_own(installation, save):
    save(pasted=text("acct-1", "user-1"))

    assert [
        s.name
        for s in save(
            files=(file("x.json", "acct-2", "user-2"), file("y.json", "acct-3", "user-3"))
        )
    ] == [
        "a@example.com 2",
        "a@example.com 3",
    ]
    assert stored(installation, "a@example.com").account_id == "acct-1"


def test_what_can_be_saved_is_saved_beside_what_cannot(installation, save):
    with pytest.raises(FormInvalid) as caught:
        save(
            files=(
                file("good.json", email=None),
                ("bad.json", b"{"),
                ("key.json", b'{"OPENAI_API_KEY": "sk-x"}'),
            )
        )

    assert [s.name for s in caught.value.saved] == installation.names() == ["good"]
    assert set(caught.value.errors) == {"", "auth_json"}
    assert caught.value.errors[""] == "Saved good; the rest was not."
    assert "bad: auth file not found or invalid" in caught.value.errors["auth_json"]
    assert "key: holds an API key only" in caught.value.errors["auth_json"]


def test_the_same_login_under_its_name_gets_the_new_credentials(installation, save):
    save(name="alice", pasted=text())

    assert save(
        name="ALICE", pasted=text(access_token=make_jwt("acct-1", user_id="user-1", exp=NOW + 5))
    ) == [Saved("alice", False)]
    assert stored(installation, "alice").expires_at == NOW + 5


def test_a_typed_name_that_another_login_has_is_refused(installation, save, refused):
    save(name="alice", pasted=text())

    assert refused(name="Alice", pasted=text("acct-2", "user-2")) == {
        "name": "Alice: name already taken by another login"
    }
    assert stored(installation, "alice").account_id == "acct-1"


def test_a_followed_accounts_name_is_its_files(installation, save, refused):
    installation.file("alice", "acct-1")
    installation.follow()

    assert refused(name="alice", pasted=text("acct-2", "user-2")) == {
        "name": "alice: name already taken by another login"
    }


# What cannot be used stands at its field


@pytest.mark.parametrize(
    ("typed", "field", "told"),
    [
        ({}, "auth_json", "give an auth.json, or a token and an account id"),
        ({"name": "x", "pasted": "  \n "}, "auth_json", "give an auth.json"),
        ({"name": "x", "account_id": "acct-1"}, "auth_json", "give an auth.json"),
        ({"name": "x", "pasted": "{"}, "auth_json", "auth file not found or invalid"),
        ({"name": "x", "pasted": "\ud800"}, "auth_json", "auth file not found or invalid"),
        ({"name": "x", "pasted": "[" * 10_000}, "auth_json", "auth file not found or invalid"),
        ({"name": "x", "pasted": "{}"}, "auth_json", "missing access_token"),
        (
            {"name": "x", "pasted": '{"tokens": {"access_token": "opaque"}}'},
            "auth_json",
            "missing account_id",
        ),
        (
            {"name": "x", "files": (("a.json", b"\x00\xff"),)},
            "auth_json",
            "auth file not found or invalid",
        ),
        ({"name": "x", "files": (("a.json", b""),)}, "auth_json", "auth file not found or invalid"),
        ({"name": "x", "access_token": "opaque"}, "account_id", "missing account_id"),
        (
            {"name": "x", "access_token": "opaque", "account_id": "a b"},
            "account_id",
            "account_id may hold letters",
        ),
        (
            {"name": "x", "access_token": "opaque", "account_id": "a" * 129},
            "account_id",
            "account_id may hold letters",
        ),
        (
            {"name": "x", "access_token": "sess-abc", "account_id": "a"},
            "access_token",
            "looks like a session token (sess-…); use the JWT access_token",
        ),
        (
            {"name": "x", "access_token": "sk-abc", "account_id": "a"},
            "access_token",
            "holds an API key only",
        ),
        (
            {"name": "x", "access_token": "a.b.c.d.e", "account_id": "a"},
            "access_token",
            "five parts",
        ),
        (
            {"name": "x", "access_token": "tökèn", "account_id": "a"},
            "access_token",
            "has characters that no token has",
        ),
        (
            {"name": "x", "access_token": "t" * 16_385, "account_id": "a"},
            "access_token",
            "longer than 16384",
        ),
        (
            {"name": "x", "access_token": "token", "account_id": "a", "pasted": "{}"},
            "access_token",
            "not both",
        ),
        ({"name": "a/b", "pasted": text()}, "name", "no /"),
        ({"name": "..\\b", "pasted": text()}, "name", "no / and no \\"),
        ({"name": ".hidden", "pasted": text()}, "name", "does not start with a dot"),
        ({"name": "x" * 81, "pasted": text()}, "name", "at most 80"),
        ({"name": "a\u202eb", "pasted": text()}, "name", "printable"),
        ({"name": "a\x00b", "pasted": text()}, "name", "printable"),
    ],
)
def test_what_cannot_be_used_is_told_at_its_field_and_saves_nothing(
    installation, refused, typed, field, told
):
    errors = refused(**typed)

    assert list(errors) == [field]
    assert told in errors[field]
    assert installation.names() == []


def test_nothing_of_a_token_is_in_an_error_or_in_what_a_form_looks_like(refused):
    canary = "canary\u00e9" * 3
    typed = AccountForm(
        name="x",
        pasted=canary,
        access_token=canary,
        files=(("f", canary.encode()),),
        account_id=canary,
    )

    assert "canary" not in str(refused(name="x", access_token=canary, account_id="a"))
    assert "canary" not in str(
        refused(name="x", pasted='{"tokens": {"access_token": "' + canary + '"}}')
    )
    assert "canary" not in repr(typed)


# Editing


@pytest.fixture
def alice(installation, save, codex):
    """A managed account with a reading."""
    save(name="alice", pasted=text())
    installation.ask()
    return installation


def test_leaving_all_blank_keeps_the_tokens(alice, save):
    before = stored(alice, "alice")

    assert save(original_name="alice", name="alice", account_id="acct-1") == [
        Saved("alice", False, None, is_due=False)
    ]
    assert stored(alice, "alice") == before
    assert alice.used("alice") == {"five_hour": 12, "weekly": 40}


def test_renaming_keeps_the_history_and_the_tokens(alice, save):
    before = stored(alice, "alice")
    [saved] = save(original_name="alice", name="Bob & co", account_id="acct-1")

    assert (saved.name, saved.archived_as, alice.names()) == ("Bob & co", None, ["Bob & co"])
    assert alice.used("Bob & co") == {"five_hour": 12, "weekly": 40}
    assert stored(alice, "Bob & co") == before


def test_a_name_may_change_in_case_alone(alice, save):
    assert [s.name for s in save(original_name="alice", name="ALICE")] == ["ALICE"]
    assert alice.names() == ["ALICE"]


def test_a_blank_name_is_the_old_one(alice, save):
    assert [
        s.name
        for s in save(original_name="alice", access_token=make_jwt("acct-1", user_id="user-1"))
    ] == ["alice"]


def test_new_tokens_of_the_same_login_go_on_with_the_history(alice, save):
    save(
        original_name="alice",
        name="alice",
        pasted=text(access_token=make_jwt("acct-1", user_id="user-1", exp=NOW + 7)),
    )

    assert stored(alice, "alice").expires_at == NOW + 7
    assert alice.used("alice") == {"five_hour": 12, "weekly": 40}
    assert alice.account("alice").next_due_at == NOW


def test_a_token_without_an_account_id_takes_the_stored_one(alice, save):
    save(original_name="alice", name="alice", access_token="opaque-token")

    assert (stored(alice, "alice").access_token.reveal(), stored(alice, "alice").account_id) == (
        "opaque-token",
        "acct-1",
    )


def test_a_tokens_own_account_id_comes_before_the_stored_one(alice, save):
    [saved] = save(
        original_name="alice", name="alice", access_token=make_jwt("acct-2", user_id="user-2")
    )

    assert saved.archived_as == "alice (until 2026-11-21)"
    assert stored(alice, "alice").account_id == "acct-2"


def test_an_account_id_alone_goes_with_the_stored_token(alice, save):
    [saved] = save(original_name="alice", name="alice", account_id="acct-9")

    assert stored(alice, "alice").account_id == "acct-9"
    assert stored(alice, "alice").access_token.reveal() == make_jwt("acct-1", user_id="user-1")
    # Another account id is another login, whose numbers must not mix.
    assert saved.archived_as == "alice (until 2026-11-21)"


def test_another_login_under_the_same_name_starts_afresh(alice, save):
    [saved] = save(original_name="alice", name="alice", pasted=text("acct-2", "user-2"))

    assert saved == Saved("alice", True, "alice (until 2026-11-21)")
    assert alice.used("alice") == {}
    assert alice.used("alice (until 2026-11-21)") == {"five_hour": 12, "weekly": 40}
    assert alice.report("alice (until 2026-11-21)").status == "paused"


@pytest.mark.parametrize(
    ("typed", "field", "told"),
    [
        ({"name": "a/b"}, "name", "no /"),
        ({"name": "BOB"}, "name", "BOB: name already taken by another account"),
        ({"account_id": "a b"}, "account_id", "may hold letters"),
        ({"access_token": "sess-x"}, "access_token", "session token"),
        ({"pasted": "{"}, "auth_json", "invalid"),
        (
            {"files": (("two.json", json.dumps([document("a"), document("b")]).encode()),)},
            "auth_json",
            "this is one account, the file holds 2",
        ),
    ],
)
def test_an_edit_that_cannot_be_used_changes_nothing(alice, save, refused, typed, field, told):
    save(name="bob", pasted=text("acct-2", "user-2"))
    before = stored(alice, "alice")
    errors = refused(**{"original_name": "alice", "name": "alice", **typed})

    assert list(errors) == [field]
    assert told in errors[field]
    assert (alice.names(), stored(alice, "alice")) == (["alice", "bob"], before)


def test_an_account_id_without_a_stored_token_needs_one(installation, refused):
    installation.raw_file("alice", b"{}")
    installation.follow()

    assert "no stored token" in refused(original_name="alice", account_id="acct-1")["access_token"]


def test_a_stored_token_that_the_key_does_not_open_is_asked_for_again(alice, save, refused):
    alice.execute("UPDATE credential SET access_sealed = :raw", raw=b"gAAAA torn")

    assert (
        "cannot be opened with the present key"
        in refused(original_name="alice", account_id="acct-2")["access_token"]
    )
    save(original_name="alice", pasted=text())
    assert stored(alice, "alice").account_id == "acct-1"


@pytest.mark.parametrize("name", ["nobody", "../alice", "a\x00", ""])
def test_an_unknown_account_cannot_be_edited(alice, save, name):
    with pytest.raises((AccountNotFound, FormInvalid)):
        save(original_name=name, name="new")
    assert alice.names() == ["alice"]


def test_an_account_outside_of_the_scope_is_not_there(alice, save):
    with pytest.raises(AccountNotFound):
        save(Scope(managed=False), original_name="alice", name="new")


def test_the_audit_knows_who_saved(alice, save):
    save(original_name="alice", name="bob")
    with store.database.reading() as conn:
        found = [(e.kind, e.actor) for e in reversed(store.audit_log.newest(conn))]

    assert found == [("account_added", BY), ("account_edited", BY)]


# Followed accounts: the file changes with them


@pytest.fixture
def followed(installation, codex):
    """An account that follows a file with fields that we do not know, in a house of its own."""
    held = document("acct-1") | {"mine": {"deep": [1, None]}}
    path = installation.raw_file("alice", json.dumps(held).encode())
    path.chmod(0o644)
    codex.answers("acct-1", FakeResponse(body=usage_body()))
    installation.refresh()
    return installation


def test_new_tokens_are_written_into_the_file_and_unknown_fields_stay(followed, save):
    path = followed.accounts / "alice.auth.json"
    before = json.loads(path.read_bytes())
    new = make_jwt("acct-1", user_id="user-1", exp=NOW + 7)
    save(original_name="alice", name="alice", access_token=new)

    expected = {**before, "tokens": {**before["tokens"], "access_token": new}}
    assert json.loads(path.read_bytes()) == expected
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(p.name for p in followed.accounts.iterdir()) == ["alice.auth.json"]
    followed.follow()
    assert (followed.account("alice").origin, stored(followed, "alice").expires_at) == (
        "followed",
        NOW + 7,
    )


def test_renaming_renames_the_file_and_keeps_the_history(followed, save):
    save(original_name="alice", name="zoë & co")

    assert [p.name for p in followed.accounts.iterdir()] == ["zoë & co.auth.json"]
    followed.follow()
    assert followed.names() == ["zoë & co"]
    assert followed.used("zoë & co") == {"five_hour": 12, "weekly": 40}


def test_a_file_that_has_the_new_name_is_not_overwritten(followed, refused):
    other = followed.raw_file("bob", b"{}")

    assert (
        "there is already a file bob.auth.json"
        in refused(original_name="alice", name="bob")["name"]
    )
    assert other.read_bytes() == b"{}"
    assert followed.names() == ["alice"]


def test_another_login_in_the_file_starts_afresh_and_takes_no_old_token_along(followed, save):
    [saved] = save(
        original_name="alice", name="alice", access_token=make_jwt("acct-2", user_id="user-2")
    )
    held = (followed.accounts / "alice.auth.json").read_text()

    assert saved.archived_as == "alice (until 2026-11-21)"
    assert "rt_made-up" not in held
    followed.follow()
    assert (followed.account("alice").origin, followed.used("alice")) == ("followed", {})
    assert followed.used("alice (until 2026-11-21)") == {"five_hour": 12, "weekly": 40}


def test_a_folder_that_cannot_be_written_is_said_and_nothing_changed(followed, save):
    followed.execute("UPDATE account SET source_path = '/proc/alice.auth.json'")
    with pytest.raises(FormInvalid) as caught:
        save(
            Scope(),
            original_name="alice",
            name="alice",
            access_token=make_jwt("acct-1", user_id="user-1", exp=NOW + 7),
        )

    assert list(caught.value.errors) == [""]
    assert "/proc cannot be written" in caught.value.errors[""]
    assert stored(followed, "alice").expires_at != NOW + 7


def test_a_file_of_several_accounts_is_left_alone(followed, refused):
    two = json.dumps([document("a"), document("b")]).encode()
    path = followed.raw_file("alice", two)
    errors = refused(
        original_name="alice", name="alice", access_token=make_jwt("acct-1", user_id="user-1")
    )

    assert "holds 2 accounts" in errors["auth_json"]
    assert path.read_bytes() == two
