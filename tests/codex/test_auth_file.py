"""auth.json in every shape becomes one kind of credentials, or one fault that says why not."""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quota_web.codex import auth_edit, auth_file
from quota_web.codex.auth_file import MAX_TOKEN, Credentials
from quota_web.core.errors import CredentialsRefused
from quota_web.core.limits import MAX_CREDENTIALS
from quota_web.core.secret import Secret
from tests.fakes import NOW, auth_document, make_jwt
from tests.installation import wait_until

CANARY = "CANARY-5d1e9b"
ACCESS = make_jwt("acct-1", user_id="user-1", exp=NOW + 864_000)
ID = make_jwt(
    "acct-1",
    user_id="user-1",
    email="alice@example.com",
    auth={"chatgpt_plan_type": "plus"},
    aud=["app_made_up"],
)

#: Shapes of one account: each must give the access token ACCESS and the account id acct-1.
SHAPES = {
    "Codex CLI": auth_document("acct-1", access_token=ACCESS),
    "Codex CLI without account id": {
        "tokens": {"access_token": ACCESS, "id_token": ID, "refresh_token": ""}
    },
    "very old, id token as claims": {
        "tokens": {
            "access_token": ACCESS,
            "id_token": {"email": "alice@example.com"},
            "account_id": "acct-1",
        }
    },
    "flat": {
        "id_token": ID,
        "access_token": ACCESS,
        "refresh_token": "",
        "account_id": "acct-1",
        "type": "codex",
        "expired": "2026-12-01T00:00:00Z",
    },
    "flat in a list": [{"access_token": ACCESS, "account_id": "acct-1"}],
    "camel case": {
        "accessToken": ACCESS,
        "refreshToken": "rt_x",
        "idToken": ID,
        "accountId": "acct-1",
        "email": "alice@example.com",
    },
    "export with credentials": {
        "type": "sub2api-data",
        "proxies": [],
        "accounts": [
            {
                "name": "A",
                "platform": "openai",
                "type": "oauth",
                "credentials": {"access_token": ACCESS, "chatgpt_account_id": "acct-1"},
            }
        ],
    },
    "export inside data": {
        "data": {"accounts": [{"platform": "openai", "credentials": {"access_token": ACCESS}}]}
    },
    "token in credentials": {"credentials": {"token": ACCESS}, "account_id": "acct-1"},
    "OpenCode": {
        "anthropic": {"type": "oauth", "access": "other", "refresh": "other", "expires": 1},
        "openai": {
            "type": "oauth",
            "access": ACCESS,
            "refresh": "rt_x",
            "expires": (NOW + 864_000) * 1000,
            "accountId": "acct-1",
        },
    },
    "Hermes": {
        "providers": {"openai-codex": {"tokens": {"access_token": ACCESS, "refresh_token": "rt_x"}}}
    },
    "web session": {
        "user": {"id": "user-1", "email": "alice@example.com"},
        "account": {"id": "acct-1"},
        "accessToken": ACCESS,
    },
    "bare token": ACCESS,
    "with Bearer": {"access_token": f"  Bearer {ACCESS}\n", "account_id": " acct-1 "},
}

REFUSED = {
    "empty object": ({}, "missing_access_token"),
    "null tokens": ({"tokens": None}, "missing_access_token"),
    "blank token": ({"access_token": "  ", "account_id": "a"}, "missing_access_token"),
    "Bearer alone": ({"access_token": "Bearer ", "account_id": "a"}, "missing_access_token"),
    "no account id": ({"access_token": make_jwt(None)}, "missing_account_id"),
    "opaque without account id": ({"access_token": "at-opaque"}, "missing_account_id"),
    "claimed id of odd characters": ({"access_token": make_jwt("a b")}, "missing_account_id"),
    "session token": ({"access_token": "sess-abc", "account_id": "a"}, "session_token"),
    "five parts": ({"access_token": "a.b.c.d.e", "account_id": "a"}, "encrypted_token"),
    "API key": ({"OPENAI_API_KEY": "sk-x", "tokens": None}, "api_key"),
    "API key as access token": ({"access_token": "sk-abc", "account_id": "a"}, "api_key"),
    "OpenCode API key": ({"openai": {"type": "api", "key": "sk-x"}}, "api_key"),
    "agent identity": (
        {"auth_mode": "agentIdentity", "agent_identity": {"account_id": "a"}},
        "agent_identity",
    ),
    "agent identity in credentials": (
        {"credentials": {"auth_mode": "agentIdentity", "access_token": ACCESS}},
        "agent_identity",
    ),
    "refresh token alone": ({"tokens": {"refresh_token": "rt_abc"}}, "refresh_token_only"),
    "refresh token as access token": (
        {"access_token": "oaistb_rt_abc", "account_id": "a"},
        "refresh_token_only",
    ),
    "another platform": (
        {"platform": "claude", "access_token": "x", "account_id": "a"},
        "other_platform",
    ),
    "space inside": ({"access_token": "a b", "account_id": "a"}, "bad_access_token"),
    "line break inside": (
        {"access_token": "a\r\nX-Evil: 1", "account_id": "a"},
        "bad_access_token",
    ),
    "NUL inside": ({"access_token": "a\0b", "account_id": "a"}, "bad_access_token"),
    "accent": ({"access_token": "tokén", "account_id": "a"}, "bad_access_token"),
    "too long": ({"access_token": "x" * (MAX_TOKEN + 1), "account_id": "a"}, "bad_access_token"),
    "number as token": ({"access_token": 5, "account_id": "a"}, "bad_access_token"),
    "id with slash": ({"access_token": "x", "account_id": "../a"}, "bad_account_id"),
    "id too long": ({"access_token": "x", "account_id": "a" * 129}, "bad_account_id"),
    "id with line break": ({"access_token": "x", "account_id": "a\nb"}, "bad_account_id"),
    "number as id": ({"access_token": "x", "account_id": 5}, "bad_account_id"),
    "two accounts": (
        [{"access_token": "x", "account_id": "a"}, {"access_token": "y", "account_id": "b"}],
        "file_unreadable",
    ),
    "null": (None, "file_unreadable"),
    "number": (7, "file_unreadable"),
    "empty list": ([], "file_unreadable"),
}


def as_bytes(document: object) -> bytes:
    return document.encode() if isinstance(document, str) else json.dumps(document).encode()


def refusal(act, *args) -> CredentialsRefused:
    with pytest.raises(CredentialsRefused) as caught:
        act(*args)
    return caught.value


@pytest.mark.parametrize("shape", SHAPES)
def test_it_reads_every_shape(shape):
    found = auth_file.read(as_bytes(SHAPES[shape]))

    assert (found.access_token.reveal(), found.account_id, found.expires_at) == (
        ACCESS,
        "acct-1",
        NOW + 864_000,
    )
    assert found == auth_file.parse(SHAPES[shape])


@pytest.mark.parametrize("shape", SHAPES)
def test_import_takes_every_shape(shape):
    usable = [
        entry
        for entry in auth_file.entries(as_bytes(SHAPES[shape]), "folder/file.auth.json")
        if entry.credentials
    ]

    assert [entry.credentials.account_id for entry in usable if entry.credentials] == ["acct-1"]


@pytest.mark.parametrize("case", REFUSED)
def test_it_refuses_with_a_code(case):
    document, code = REFUSED[case]

    assert refusal(auth_file.parse, document).fault.code == code


def test_every_refusal_is_one_plain_line():
    texts = [str(refusal(auth_file.parse, document)) for document, _ in REFUSED.values()]

    assert [text for text in texts if "\n" in text or len(text) > 200 or '{"' in text] == []


def test_it_reads_all_that_a_file_says():
    document = {
        "tokens": {
            "access_token": ACCESS,
            "id_token": ID,
            "refresh_token": "rt_x",
            "account_id": "acct-1",
        }
    }

    assert auth_file.parse(document) == Credentials(
        access_token=Secret(ACCESS),
        refresh_token=Secret("rt_x"),
        id_token=Secret(ID),
        account_id="acct-1",
        user_id="user-1",
        email="alice@example.com",
        plan="plus",
        expires_at=NOW + 864_000,
        fedramp=False,
        client_id="app_made_up",
    )


def test_the_account_id_comes_from_the_file_then_the_id_token_then_the_access_token():
    tokens = {"access_token": make_jwt("of-access"), "id_token": make_jwt("of-id")}

    assert auth_file.parse({"tokens": {**tokens, "account_id": "of-file"}}).account_id == "of-file"
    assert auth_file.parse({"tokens": tokens}).account_id == "of-id"
    assert auth_file.parse({"tokens": {**tokens, "id_token": "rubbish"}}).account_id == "of-access"


def test_fedramp_is_on_where_a_claim_says_so():
    claimed: dict[str, Any] = {"auth": {"chatgpt_account_is_fedramp": True}}

    assert auth_file.parse({"access_token": make_jwt("a", **claimed)}).fedramp
    assert auth_file.parse(
        {"access_token": make_jwt("a"), "id_token": make_jwt("a", **claimed)}
    ).fedramp
    assert not auth_file.parse(
        {
            "access_token": make_jwt("a", auth={"chatgpt_account_is_fedramp": "true"}),
            "fedramp": True,
        }
    ).fedramp


@pytest.mark.parametrize("exp", [None, True, "1795262400", -5, 0, 1e300, 10**18, [1], NOW + 0.5])
def test_a_senseless_expiry_is_unknown(exp):
    assert auth_file.parse({"access_token": make_jwt("a", exp=exp)}).expires_at is None


def test_a_passed_expiry_is_no_refusal():
    assert auth_file.parse({"access_token": make_jwt("a", exp=1000)}).expires_at == 1000


def test_an_opaque_token_is_taken_with_unknown_expiry():
    found = auth_file.parse({"personal_access_token": "at-opaque", "account_id": "a"})

    assert (found.access_token.reveal(), found.expires_at) == ("at-opaque", None)


@pytest.mark.parametrize(
    "part", ["e30", "bm90IGpzb24", "W10", "!!!!", "bnVsbA", "eyJhIjogTmFOfQ", "", "Ww" * 4000]
)
def test_odd_claims_are_no_claims(part):
    found = auth_file.parse({"access_token": f"x.{part}.y", "account_id": "a"})

    assert (found.expires_at, found.user_id, found.email) == (None, None, None)


def test_a_byte_order_mark_is_ignored():
    assert auth_file.read(b"\xef\xbb\xbf" + as_bytes(auth_document("a"))).account_id == "a"


def test_import_skips_what_is_not_ours_and_says_why():
    document = {
        "accounts": [
            {"name": "mine", "platform": "openai", "credentials": {"access_token": ACCESS}},
            {"name": "theirs", "platform": "claude", "credentials": {"access_token": "x"}},
            {
                "name": "agent",
                "platform": "openai",
                "credentials": {"auth_mode": "agentIdentity", "access_token": ACCESS},
            },
            {
                "platform": "openai",
                "credentials": {"access_token": ACCESS, "email": "bob@example.com"},
            },
            "rubbish.to.read",
            7,
        ]
    }
    found = auth_file.entries(as_bytes(document), "/tmp/export.json")

    assert [(e.name, e.fault.code if e.fault else None) for e in found] == [
        ("mine", None),
        ("theirs", "other_platform"),
        ("agent", "agent_identity"),
        ("bob@example.com", None),
        ("export-5", "missing_account_id"),
        ("export-6", "file_unreadable"),
    ]


def test_import_reads_json_lines_and_reports_the_broken_one():
    raw = b"\n".join(
        [
            as_bytes({"access_token": ACCESS}),
            b"{broken",
            as_bytes({"access_token": ACCESS, "email": "b@example.com"}),
            b"",
        ]
    )

    assert [
        (e.name, e.fault.code if e.fault else None) for e in auth_file.entries(raw, "many.jsonl")
    ] == [
        ("many-1", None),
        ("many-2", "file_unreadable"),
        ("b@example.com", None),
    ]


def test_import_reads_bare_token_lines():
    raw = (
        f"# my tokens\nBearer "
        f"{ACCESS}\n\n{make_jwt('acct-2', email='b@example.com')}\nrt_only-a-refresh-token\n"
    ).encode()

    assert [
        (e.name, e.fault.code if e.fault else None) for e in auth_file.entries(raw, "tokens.txt")
    ] == [
        ("tokens-1", None),
        ("b@example.com", None),
        ("tokens-3", "refresh_token_only"),
    ]


@pytest.mark.parametrize(
    "raw", [b"", b"hello", b"\x00\x01\x02", b"<html></html>", b"{", b"a\n" * 5000, b"[" * 99]
)
def test_import_of_something_else_is_one_fault(raw):
    found = auth_file.entries(raw, "odd.json")

    assert [(e.name, e.fault.code if e.fault else None) for e in found] == [
        ("odd", "file_unreadable")
    ]


def test_import_stops_at_a_thousand_accounts():
    found = auth_file.entries(
        as_bytes([{"access_token": "x", "account_id": "a"}] * 1001), "all.json"
    )

    assert [e.fault.text(str) for e in found if e.fault] == [
        "auth file not found or invalid: more than 1000 accounts"
    ]


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("../../etc/x", "-..-etc-x"),
        ("a\nb\u202e", "a b"),
        ("n" * 300, "n" * 80),
        (".hidden", "hidden"),
    ],
)
def test_suggested_names_are_fit_for_an_account(name, suggested):
    [entry] = auth_file.entries(as_bytes({"name": name, "access_token": ACCESS}), "f.json")

    assert entry.name == suggested


def test_read_file_follows_links_and_reads_no_more_than_it_may(tmp_path):
    file, link = tmp_path / "a.auth.json", tmp_path / "link"
    file.write_bytes(b"x" * (MAX_CREDENTIALS))
    link.symlink_to(file)

    assert len(auth_file.read_file(link)) == MAX_CREDENTIALS
    with open(file, "ab") as more:
        more.truncate(1 << 34)
    assert (
        str(refusal(auth_file.read_file, file))
        == "auth file not found or invalid: larger than 2 MiB"
    )


def test_read_file_says_what_is_in_the_way(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")

    assert refusal(auth_file.read_file, tmp_path / "none").fault.code == "file_gone"
    assert (
        str(refusal(auth_file.read_file, tmp_path / "pipe"))
        == "auth file not found or invalid: not a regular file"
    )
    assert (
        str(refusal(auth_file.read_file, tmp_path))
        == "auth file not found or invalid: not a regular file"
    )
    assert refusal(auth_file.read_file, tmp_path / "loop").fault.code == "file_unreadable"
    assert refusal(auth_file.read_file, tmp_path / "n\0l").fault.code == "file_unreadable"
    assert refusal(auth_file.read_file, tmp_path / ("n" * 300)).fault.code == "file_unreadable"


def test_a_half_written_file_is_read_again(tmp_path):
    file = tmp_path / "a.auth.json"
    waits: list[float] = []
    whole = as_bytes(auth_document("a"))
    file.write_bytes(b"")

    def write_on(seconds: float) -> None:
        waits.append(seconds)
        file.write_bytes(whole[:100] if len(waits) == 1 else whole)

    assert auth_file.read_path(file, write_on).account_id == "a"
    assert len(waits) == 2
    assert sum(waits) <= 1


def test_a_file_that_stays_half_written_is_refused_after_a_second(tmp_path):
    file = tmp_path / "a.auth.json"
    waits: list[float] = []
    file.write_bytes(as_bytes(auth_document("a"))[:50])

    assert refusal(auth_file.read_path, file, waits.append).fault.code == "file_unreadable"
    assert len(waits) >= 2
    assert sum(waits) == pytest.approx(1)


def test_a_wrong_file_is_not_waited_for(tmp_path):
    file = tmp_path / "a.auth.json"
    waits: list[float] = []
    file.write_bytes(b'{"tokens": {}}')

    assert refusal(auth_file.read_path, file, waits.append).fault.code == "missing_access_token"
    assert waits == []


#: Like the Codex CLI: truncated in place, then written; about a thousand times a second, by a
#: process of its own.
REWRITE = """
import sys, time
whole = open(sys.argv[1], "rb").read()
while True:
    with open(sys.argv[1], "wb", buffering=0) as out:
        out.write(whole[:40])
        out.write(whole[40:])
    time.sleep(0.001)
"""


def test_reading_while_the_owner_rewrites_in_place_never_loses_the_account(tmp_path):
    file = tmp_path / "a.auth.json"
    whole = file.write_bytes(as_bytes(auth_document("a")))

    def sleep(seconds):
        # On a busy machine the owner may stand still in the middle for longer than anybody waits.
        time.sleep(seconds)
        wait_until(lambda: file.stat().st_size == whole)

    writer = subprocess.Popen([sys.executable, "-c", REWRITE, str(file)])
    try:
        found = {auth_file.read_path(file, sleep).account_id for _ in range(300)}
    finally:
        writer.kill()
        writer.wait()

    assert found == {"a"}


NAMES = [
    "tokens",
    "credentials",
    "accounts",
    "data",
    "providers",
    "access_token",
    "accessToken",
    "access",
    "token",
    "refresh_token",
    "id_token",
]
NAMES += [
    "account_id",
    "account",
    "id",
    "user",
    "email",
    "name",
    "platform",
    "type",
    "auth_mode",
    "openai",
    "anthropic",
    "OPENAI_API_KEY",
    "expires",
]
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
)
documents = st.recursive(
    scalars
    | st.sampled_from(
        [ACCESS, "agentIdentity", "oauth", "api", "sess-x", "a.b.c.d.e", "rt_x", "Bearer ", ""]
    )
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)
    ),
    max_leaves=25,
)


@given(documents)
def test_no_document_raises_anything_but_a_refusal(document):
    raw = json.dumps(document).encode()
    found = None
    with suppress(CredentialsRefused):
        found = auth_file.parse(document)

    if found is not None:
        assert auth_file.read(auth_edit.updated(raw, found)).access_token == found.access_token
    for entry in auth_file.entries(raw, "f.json"):
        assert (entry.credentials is None) != (entry.fault is None)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_refusal(raw):
    assert auth_file.entries(raw, "f.json")
    refusal(auth_file.read, raw)


LEAKY = [
    {"access_token": CANARY + " with space", "account_id": "a"},
    {"access_token": "sess-" + CANARY},
    {"access_token": f"{CANARY}.b.c.d.e"},
    {"access_token": CANARY, "account_id": CANARY + "/"},
    {"access_token": CANARY},
    {"refresh_token": CANARY},
    {"OPENAI_API_KEY": CANARY},
    {"agent_identity": CANARY, "auth_mode": "agentIdentity"},
    {"tokens": [CANARY]},
    [{"access_token": CANARY, "account_id": "a"}, {"access_token": CANARY, "account_id": "b"}],
]


@pytest.mark.parametrize("document", LEAKY)
def test_no_token_is_in_a_refusal(document):
    raw = json.dumps(document).encode()
    errors = [
        refusal(auth_file.read, raw),
        refusal(auth_file.read, raw[:-1] + b"oops"),
        refusal(auth_file.read, raw[:-2]),
    ]
    shown = [
        repr(e) + str(e) + repr(e.fault) + repr(e.__cause__) + repr(e.__context__) for e in errors
    ]
    shown += [repr(auth_file.entries(raw, "f.json")), repr(auth_file.entries(raw[:-2], "f.json"))]

    assert [text for text in shown if CANARY in text] == []
