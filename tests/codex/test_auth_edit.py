"""Tokens put into an auth file, new or of any shape, are found there again, and nothing else is
lost.
"""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quota_web.codex import auth_edit, auth_file
from quota_web.codex.auth_file import Credentials
from quota_web.core.secret import Secret
from tests.codex.test_auth_file import ACCESS, CANARY, ID, SHAPES, as_bytes, refusal
from tests.fakes import NOW, auth_document, make_jwt


@pytest.mark.parametrize("shape", SHAPES)
def test_an_edit_puts_new_tokens_in_their_places_and_keeps_the_rest(shape):
    raw = as_bytes(SHAPES[shape])
    new = replace(
        auth_file.read(raw),
        access_token=Secret(make_jwt("acct-1", exp=NOW + 1)),
        refresh_token=Secret("rt_new"),
        expires_at=NOW + 1,
    )
    written = auth_edit.updated(raw, new)
    found = auth_file.read(written)

    assert (found.access_token, found.refresh_token, found.account_id) == (
        new.access_token,
        new.refresh_token,
        "acct-1",
    )
    assert ACCESS.encode() not in written


def test_an_edit_keeps_unknown_fields_and_tokens_that_it_does_not_bring():
    document = auth_document("acct-1", access_token=ACCESS, odd={"deep": [1, 2.5, None, "é"]}) | {
        "mine": True
    }
    new = Credentials(Secret("new-token"), None, None, "acct-1")
    written = json.loads(auth_edit.updated(as_bytes(document), new))
    document["tokens"] = {**document["tokens"], "access_token": "new-token"}  # type: ignore[dict-item]

    assert written == document


def test_an_edit_to_another_login_leaves_none_of_the_old_tokens():
    document = auth_document(
        "acct-1", access_token=ACCESS, refresh_token=f"rt_{CANARY}", id_token=ID
    )
    written = auth_edit.updated(
        as_bytes(document), Credentials(Secret("new-token"), None, None, "acct-2")
    )

    assert CANARY.encode() not in written
    assert auth_file.read(written) == Credentials(Secret("new-token"), None, None, "acct-2")


def test_an_edit_to_another_user_of_the_same_workspace_leaves_none_of_the_old_tokens():
    document = auth_document(
        "acct-1",
        access_token=make_jwt("acct-1", user_id="user-1"),
        refresh_token=f"rt_{CANARY}",
        id_token=ID,
    )
    new = auth_file.parse({"access_token": make_jwt("acct-1", user_id="user-2")})
    written = auth_edit.updated(as_bytes(document), new)

    assert CANARY.encode() not in written
    assert (auth_file.read(written).user_id, auth_file.read(written).id_token) == ("user-2", None)


@pytest.mark.parametrize(
    "document",
    [
        auth_document("acct-1"),
        {"accessToken": "token", "refresh_token": "rt_x", "account": {"id": "acct-1"}},
    ],
)
def test_an_account_id_is_corrected_without_loss_of_tokens(document):
    before = auth_file.parse(document)
    found = auth_file.read(
        auth_edit.updated(
            as_bytes(document),
            replace(before, account_id="acct-2", refresh_token=None, id_token=None),
        )
    )

    assert found == replace(before, account_id="acct-2")


def test_an_edit_turns_an_api_key_file_into_a_login():
    written = auth_edit.updated(
        b'{"auth_mode": "apikey", "OPENAI_API_KEY": "sk-x", "tokens": null}',
        Credentials(Secret("t"), None, None, "a"),
    )

    assert auth_file.read(written).access_token.reveal() == "t"
    assert json.loads(written)["tokens"] == {"access_token": "t", "account_id": "a"}


def test_an_edit_writes_a_new_file_where_there_is_none():
    new = auth_file.parse(auth_document("a"))

    assert (
        auth_edit.updated(None, new)
        == auth_edit.updated(b"{broken", new)
        == auth_edit.to_document(new)
    )


def test_an_edit_never_drops_the_other_accounts_of_a_file():
    two = as_bytes(
        [{"access_token": "x", "account_id": "a"}, {"access_token": "y", "account_id": "b"}]
    )

    assert (
        refusal(auth_edit.updated, two, auth_file.parse(auth_document("a"))).fault.code
        == "file_unreadable"
    )


def test_the_expiry_beside_the_tokens_is_kept_in_step():
    document = {
        "access_token": ACCESS,
        "expired": "2026-01-01T00:00:00Z",
        "expires": 1_700_000_000_000,
        "expires_at": 1_700_000_000,
    }
    written = json.loads(
        auth_edit.updated(as_bytes(document), replace(auth_file.parse(document), expires_at=NOW))
    )

    assert (written["expired"], written["expires"], written["expires_at"]) == (
        "2026-11-21T12:00:00Z",
        NOW * 1000,
        NOW,
    )


tokens = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=60
).filter(
    lambda t: t.count(".") != 4 and not t.startswith(("sess-", "sk-", "rt_", "rt.", "oaistb_rt_"))
)
texts = st.none() | st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=30)
credentials = st.builds(
    Credentials,
    access_token=tokens.map(Secret),
    refresh_token=st.none() | tokens.map(Secret),
    id_token=st.none() | tokens.map(Secret),
    account_id=st.from_regex(r"\A[A-Za-z0-9_-]{1,128}\Z"),
    user_id=texts,
    email=texts,
    plan=texts,
    client_id=texts,
)


@given(credentials)
def test_what_is_exported_reads_back(found):
    assert auth_file.read(auth_edit.to_document(found)) == found
