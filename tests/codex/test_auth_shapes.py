"""The accounts in files of other tools: each is found wherever it stands, and what is none of ours
is said, never dropped.
"""

import json
from dataclasses import replace

import pytest

from quota_web.codex import auth_edit, auth_file
from quota_web.core.errors import CredentialsRefused
from quota_web.core.secret import Secret
from tests.fakes import auth_document, make_jwt


def token(name, **claims):
    return make_jwt(f"acct-{name}", user_id=f"user-{name}", email=f"{name}@example.com", **claims)


def oauth(name):
    return {
        "type": "oauth",
        "access": token(name),
        "refresh": "rt_x",
        "expires": 1_800_000_000_000,
        "accountId": f"acct-{name}",
    }


A, B = token("a"), token("b")
TOKENS = {"id_token": A, "access_token": A, "refresh_token": "rt_x", "account_id": "acct-a"}

#: Shape → the document, and what its entries are called, with the fault of those that cannot be
#: used.
SHAPES: dict[str, tuple[object, dict[str, str | None]]] = {
    "by service": ({"openai-codex": oauth("a")}, {"a@example.com": None}),
    "profiles": (
        {
            "profiles": {
                "openai-codex:default": {**oauth("a"), "provider": "openai-codex"},
                "openai-codex:b@example.com": {
                    **oauth("b"),
                    "provider": "openai",
                    "email": "b@example.com",
                },
                "anthropic:manual": {
                    "type": "token",
                    "provider": "anthropic",
                    "token": "sk-ant-oat01-made-up",
                },
            },
            "lastGood": {"openai-codex": "openai-codex:default"},
        },
        {"a@example.com": None, "b@example.com": None, "anthropic:manual": "other_platform"},
    ),
    "providers and a pool": (
        {
            "providers": {
                "openai-codex": {"tokens": {"access_token": A}},
                "nous": {"access_token": "made-up"},
            },
            "credential_pool": {
                "openai-codex": [{"label": "seat-2", "access_token": B}],
                "anthropic": [{"label": "c", "access_token": "x"}],
            },
        },
        {"a@example.com": None, "nous": "other_platform", "seat-2": None, "c": "other_platform"},
    ),
    "data beside a name": (
        {
            "accounts": [
                {
                    "name": "Work",
                    "auth_mode": "chat_g_p_t",
                    "auth_data": {"type": "chat_g_p_t", **TOKENS},
                },
                {
                    "name": "Key",
                    "auth_mode": "api_key",
                    "auth_data": {"type": "api_key", "key": "sk-made-up"},
                },
            ]
        },
        {"Work": None, "Key": "api_key"},
    ),
    "settings inside": (
        {
            "id": "x",
            "name": "Official",
            "settingsConfig": {"auth": {"tokens": TOKENS}, "config": ""},
        },
        {"Official": None},
    ),
    "connections": (
        {
            "providerConnections": [
                {
                    "provider": "codex",
                    "name": "nr",
                    "accessToken": "opaque",
                    "providerSpecificData": {"chatgptAccountId": "acct-a"},
                }
            ]
        },
        {"nr": None},
    ),
    "a label and a file": (
        {"label": "mine", "account_id": "acct-a", "auth_json": {"access_token": "opaque"}},
        {"mine": None},
    ),
    "a file in a text": (
        {"label": "mine", "auth_json": json.dumps({"tokens": TOKENS})},
        {"mine": None},
    ),
    "by name": (
        {"accounts": {"alice": {"tokens": TOKENS}, "bob": {"access_token": B}}},
        {"alice": None, "bob": None},
    ),
    "by any key": (
        {
            "home": {"access_token": make_jwt("acct-a")},
            "work": {"access_token": make_jwt("acct-b")},
        },
        {"home": None, "work": None},
    ),
    "one id for all": (
        {
            "account_id": "acct-a",
            "pool": [{"label": "1", "token": "at-one-one"}, {"label": "2", "token": "at-two-two"}],
        },
        {"1": None, "2": None},
    ),
    "a service that nobody knows": (
        {"providers": {"my-own": {"access_token": A}}},
        {"a@example.com": None},
    ),
    "another service's type": (
        {"type": "claude", "access_token": A, "email": "c@example.com"},
        {"c@example.com": "other_platform"},
    ),
    "another service's token": (
        {"access_token": "sk-ant-oat01-made-up", "account_id": "a"},
        {"export": "other_platform"},
    ),
    "an agent's key": (
        [{"name": "agent", "agent_identity": {"agent_private_key": "k", "account_id": "a"}}],
        {"agent": "agent_identity"},
    ),
    "nothing among accounts": (
        {"accounts": [{"name": "a", "access_token": A}, {"name": "empty"}, 7]},
        {"a": None, "empty": "missing_access_token", "export-3": "file_unreadable"},
    ),
    "deep": (
        {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"access_token": A}}}}}}}}},
        {"a@example.com": None},
    ),
    "too deep": (
        [
            {"access_token": A},
            {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"access_token": B}}}}}}}}},
        ],
        {"a@example.com": None, "export-2": "missing_access_token", "export-3": "file_unreadable"},
    ),
    "a cut text": (
        [{"access_token": A}, {"auth": '{"access_token": "x'}],
        {"a@example.com": None, "export-2": "file_unreadable"},
    ),
}


def found(raw, file_name="export.json"):
    return {e.name: e.fault.code if e.fault else None for e in auth_file.entries(raw, file_name)}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_account_is_found_and_the_rest_is_said(shape):
    document, expected = SHAPES[shape]

    assert found(json.dumps(document).encode()) == expected


ONE = [
    shape
    for shape, (_, expected) in SHAPES.items()
    if list(expected.values()).count(None) == 1 and shape != "a file in a text"
]


@pytest.mark.parametrize("shape", ONE)
def test_a_file_of_one_login_is_edited_where_its_token_stands(shape):
    raw = json.dumps(SHAPES[shape][0]).encode()
    new = replace(
        auth_file.read(raw),
        access_token=Secret(token("a", exp=1_900_000_000)),
        expires_at=1_900_000_000,
    )
    written = auth_edit.updated(raw, new)

    assert auth_file.read(written).access_token == new.access_token
    assert found(written).keys() == SHAPES[shape][1].keys()


def test_a_file_whose_tokens_are_in_a_text_is_read_and_never_written():
    raw = json.dumps(SHAPES["a file in a text"][0]).encode()

    with pytest.raises(CredentialsRefused, match="kept in a text"):
        auth_edit.updated(raw, auth_file.read(raw))


def test_of_several_tokens_of_one_login_the_longest_lasting_is_read():
    pool = {
        "providers": {"openai": {"access_token": token("a", exp=1_900_000_000)}},
        "credential_pool": {"openai": [{"access_token": A}]},
    }

    assert auth_file.parse(pool).access_token.reveal() == A


def test_a_walk_ends_where_there_is_too_much():
    [entry] = auth_file.entries(
        json.dumps([{"a": {}, "b": {"x": 1}}] * 12_000).encode(), "export.json"
    )

    assert entry.fault is not None
    assert (
        entry.fault.text(str) == "auth file not found or invalid: more than 20000 objects; split it"
    )


# Text as people paste it


def pretty(name):
    return json.dumps(
        auth_document(f"acct-{name}", access_token=token(name), id_token=token(name)), indent=1
    )


PASTED = {
    "one after the other": pretty("a") + "\n" + pretty("b"),
    "on one line": json.dumps(json.loads(pretty("a"))) + json.dumps(json.loads(pretty("b"))),
    "with commas": pretty("a") + ",\n" + pretty("b") + ",",
    "in code fences": (
        f"Alice's:\n```json\n{pretty('a')}\n```\nBob's:\n\n~~~\n{pretty('b')}\n~~~\nThanks!"
    ),
    "a list and a token": f"[{pretty('a')}]\nBearer {B}\n",
    "lines and a document": json.dumps({"access_token": A}) + "\n" + pretty("b"),
}


@pytest.mark.parametrize("text", PASTED.values(), ids=PASTED.keys())
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_several_documents_are_read_in_any_text(text, encoding):
    assert found(text.encode(encoding), "pasted") == {"a@example.com": None, "b@example.com": None}


@pytest.mark.parametrize("rest", [pretty("b")[:-30], '"account_id": "acct-b"}}', "eyJhbGciOi cut"])
def test_a_part_that_is_cut_is_said(rest):
    faults = found(f"{pretty('a')}\n{rest}".encode(), "pasted")

    assert list(faults.values()) == [None, "file_unreadable"]


def test_a_followed_file_with_a_broken_part_is_refused_whole():
    raw = f"{pretty('a')}\n{{".encode()

    with pytest.raises(CredentialsRefused, match="not valid JSON"):
        auth_file.read(raw)
    assert auth_file.read(pretty("a").encode("utf-16")).account_id == "acct-a"


def test_a_text_of_brackets_is_one_fault_and_soon_told():
    assert found(b"[x\n" * 600_000, "odd.txt") == {"odd": "file_unreadable"}
