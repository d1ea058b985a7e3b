"""Taking accounts in on the command line: from files, folders and standard input, in every shape
that other tools export.
"""

import json
import os

import pytest

from quota_web.core.quota import Status
from tests.fakes import NOW, auth_document, make_jwt
from tests.logins import stored

ALICE = make_jwt("acct-1", user_id="user-1", email="alice@example.com")
BOB = make_jwt("acct-2", user_id="user-2", email="bob@example.com")


def lines(ran):
    return ran.stdout.splitlines(), ran.stderr.splitlines(), ran.exit_code


def put(folder, name, document):
    path = folder / name
    path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
    return path


SUB2API = {
    "type": "sub2api-data",
    "version": 1,
    "exported_at": "2026-11-21T00:00:00Z",
    "proxies": [],
    "accounts": [
        {
            "name": "Team A",
            "platform": "openai",
            "type": "oauth",
            "credentials": {"access_token": ALICE, "chatgpt_account_id": "acct-1"},
        },
        {
            "name": "Claude",
            "platform": "claude",
            "type": "oauth",
            "credentials": {"access_token": "x"},
        },
        {
            "name": "Agent",
            "platform": "openai",
            "credentials": {"auth_mode": "agentIdentity", "access_token": BOB},
        },
    ],
}

#: file name and document → the names that the accounts get, and what is said of those that cannot
#: be used.
SHAPES = {
    "Codex CLI": ("work.auth.json", auth_document("acct-1"), ["alice@example.com"], []),
    "without an e-mail": (
        "work.auth.json",
        {"tokens": {"access_token": make_jwt("acct-1"), "account_id": "acct-1"}},
        ["work"],
        [],
    ),
    "CLIProxyAPI": (
        "codex-1.json",
        {
            "access_token": ALICE,
            "id_token": ALICE,
            "refresh_token": "",
            "account_id": "acct-1",
            "email": "alice@example.com",
            "type": "codex",
        },
        ["alice@example.com"],
        [],
    ),
    "sub2api": (
        "export.json",
        SUB2API,
        ["Team A"],
        ["Claude: skipped: belongs to claude, not to ChatGPT", "Agent: holds an agent identity"],
    ),
    "sub2api inside data": (
        "export.json",
        {"data": SUB2API},
        ["Team A"],
        ["Claude: skipped", "Agent: holds an agent identity"],
    ),
    "Cockpit": (
        "cockpit.json",
        [{"access_token": ALICE}, {"access_token": BOB}],
        ["alice@example.com", "bob@example.com"],
        [],
    ),
    "camel case": (
        "x.json",
        {"accessToken": ALICE, "refreshToken": "rt_1", "accountId": "acct-1"},
        ["alice@example.com"],
        [],
    ),
    "OpenCode": (
        "auth.json",
        {
            "openai": {
                "type": "oauth",
                "access": ALICE,
                "refresh": "rt_1",
                "expires": 1,
                "accountId": "acct-1",
            },
            "anthropic": {"type": "oauth"},
        },
        ["alice@example.com"],
        ["skipped: belongs to anthropic, not to ChatGPT"],
    ),
    "JSON Lines": (
        "all.jsonl",
        f'{{"access_token": "{ALICE}"}}\n{{"access_token": "{BOB}"}}\n'.encode(),
        ["alice@example.com", "bob@example.com"],
        [],
    ),
    "bare tokens": (
        "tokens.txt",
        f"Bearer {ALICE}\n{BOB}\n".encode(),
        ["alice@example.com", "bob@example.com"],
        [],
    ),
    "a broken one among good ones": (
        "all.json",
        [{"access_token": ALICE}, {"access_token": "sess-x"}, {"OPENAI_API_KEY": "sk-x"}],
        ["alice@example.com"],
        ["looks like a session token", "holds an API key only"],
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_taken_in(installation, tmp_path, shape):
    name, document, names, complaints = SHAPES[shape]
    path = put(tmp_path, name, document)

    out, err, code = lines(installation.run("accounts", "import", str(path)))

    assert out == [f"{n}: added" for n in names]
    assert [c in e for c, e in zip(complaints, err, strict=True)] == [True] * len(complaints)
    assert code == (1 if complaints else 0)
    assert sorted(installation.names()) == sorted(names)
    assert {installation.account(n).origin for n in names} == {"managed"}


@pytest.mark.parametrize("shape", SHAPES)
def test_taking_the_same_in_again_replaces_the_credentials(installation, tmp_path, shape):
    name, document, names, _ = SHAPES[shape]
    path = put(tmp_path, name, document)
    installation.run("accounts", "import", str(path))

    assert installation.run("accounts", "import", str(path)).stdout.splitlines() == [
        f"{n}: credentials replaced" for n in names
    ]
    assert len(installation.names()) == len(names)


def test_what_was_taken_in_can_be_refreshed(installation, tmp_path, codex):
    installation.run(
        "accounts",
        "import",
        str(put(tmp_path, "all.json", [{"access_token": ALICE}, {"access_token": BOB}])),
    )

    assert {r.status for r in installation.ask().values()} == {Status.OK}
    assert {seen.account_id for seen in codex.seen} == {"acct-1", "acct-2"}


def test_a_folder_is_taken_in_file_by_file(installation, tmp_path):
    folder = tmp_path / "exports"
    folder.mkdir()
    put(folder, "1.json", {"access_token": ALICE})
    put(folder, "2.txt", BOB.encode())
    put(folder, "3.json", b"{")
    put(folder, "picture.png", b"\x89PNG")
    (folder / "deeper").mkdir()

    out, err, code = lines(installation.run("accounts", "import", str(folder)))
    assert out == ["alice@example.com: added", "bob@example.com: added"]
    assert err == ["3: auth file not found or invalid: not valid JSON (line 1)"]
    assert code == 1


def test_an_empty_folder_holds_no_auth_files(installation, tmp_path):
    (tmp_path / "empty").mkdir()

    assert lines(installation.run("accounts", "import", str(tmp_path / "empty"))) == (
        [],
        ["No auth files found."],
        1,
    )


def test_logins_that_share_an_address_get_names_of_their_own(installation, tmp_path):
    seats = [
        {"access_token": make_jwt("acct-team", user_id=f"user-{n}", email="team@example.com")}
        for n in range(3)
    ]
    path = put(tmp_path, "team.json", seats)

    assert installation.run("accounts", "import", str(path)).stdout.splitlines() == [
        f"team@example.com{n}: added" for n in ("", " 2", " 3")
    ]
    assert installation.run("accounts", "import", str(path)).exit_code == 0
    assert len(installation.names()) == 3


def test_an_account_that_a_file_has_already_is_not_taken_in_beside_it(installation, tmp_path):
    path = installation.file("alice", "acct-1", user_id="user-1")
    before = path.read_bytes()
    put(tmp_path, "export.json", {"name": "Alice", "access_token": ALICE})

    out, err, code = lines(installation.run("accounts", "import", str(tmp_path / "export.json")))
    assert (err, code) == ([], 0)
    assert out == ["alice: kept: its file has this token or a newer one"]
    assert installation.names() == ["alice"]
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("missing.json", "missing.json: auth file not found or invalid: no such file"),
        ("pipe", "pipe: auth file not found or invalid: not a regular file"),
        ("huge", "huge: auth file not found or invalid: larger than 2 MiB"),
        (b"\xff\x1b[31m", r"\udcff\x1b[31m: auth file not found or invalid: no such file"),
    ],
)
def test_a_path_that_cannot_be_read_is_one_line(installation, tmp_path, path, line):
    os.mkfifo(tmp_path / "pipe")
    put(tmp_path, "huge", b" " * ((2 << 20) + 1))
    argument = os.fsdecode(
        os.fsencode(tmp_path) + b"/" + (path if isinstance(path, bytes) else path.encode())
    )

    out, err, code = lines(installation.run("accounts", "import", argument))
    assert (out, err, code) == ([], [f"{tmp_path}/{line}"], 1)


def test_import_wants_a_path(installation):
    assert installation.run("accounts", "import").exit_code == 2


# accounts add


def test_an_account_is_added_from_a_file(installation, tmp_path):
    path = put(tmp_path, "auth.json", auth_document("acct-1"))

    assert lines(installation.run("accounts", "add", "alice", str(path))) == (
        ["alice: added"],
        [],
        0,
    )
    assert lines(installation.run("accounts", "add", "alice", str(path))) == (
        ["alice: credentials replaced"],
        [],
        0,
    )


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_an_account_is_added_from_standard_input(installation, arguments):
    ran = installation.run(
        "accounts", "add", "alice", *arguments, input=json.dumps(auth_document("acct-1"))
    )

    assert lines(ran) == (["alice: added"], [], 0)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("", "auth file not found or invalid: empty"),
        ("{", "auth file not found or invalid: not valid JSON (line 1)"),
        ("{}", "missing access_token"),
        (
            '{"access_token": "sess-CANARY", "account_id": "a"}',
            "looks like a session token (sess-…); use the JWT access_token",
        ),
        ('{"access_token": "CANARYCANARY"}', "missing account_id"),
        ('{"access_token": "CANARYCANARY", "account_id": "CANARY CANARY"}', "account_id may hold"),
        (
            json.dumps([auth_document("acct-1"), auth_document("acct-2")]),
            "holds 2 accounts; import it instead",
        ),
        (" " * ((2 << 20) + 1), "the input is larger than 2 MiB"),
    ],
)
def test_what_cannot_be_added_is_one_line_without_its_content(installation, content, line):
    out, err, code = lines(installation.run("accounts", "add", "alice", input=content))

    assert (out, len(err), code) == ([], 1, 1)
    assert line in err[0]
    assert "CANARY" not in err[0]
    assert installation.names() == []


@pytest.mark.parametrize("name", ["../x", "", ".", "a/b", "x" * 81, "a\nb"])
def test_a_bad_name_is_one_line(installation, name):
    out, err, code = lines(
        installation.run("accounts", "add", name, input=json.dumps(auth_document("acct-1")))
    )

    assert (out, len(err), code) == ([], 1, 1)
    assert "name" in err[0]


def test_a_name_of_another_login_is_refused(installation):
    installation.run("accounts", "add", "alice", input=json.dumps(auth_document("acct-1")))
    ran = installation.run("accounts", "add", "Alice", input=json.dumps(auth_document("acct-2")))

    assert lines(ran) == ([], ["Alice: name already taken by another login"], 1)


def test_an_expired_token_can_be_added_and_says_so_when_it_is_refreshed(installation):
    installation.run(
        "accounts",
        "add",
        "alice",
        input=json.dumps(auth_document("acct-1", access_token=make_jwt("acct-1", exp=NOW - 5))),
    )

    assert installation.ask()["alice"].status is Status.EXPIRED


# What a folder says


HISTORY = b"\n".join(b'{"session_id": "s", "ts": 1, "text": "hello"}' for _ in range(300))


def test_a_folder_says_one_line_for_each_file_that_matters(installation, tmp_path):
    folder = tmp_path / ".codex"
    folder.mkdir()
    put(folder, "auth.json", auth_document("acct-1"))
    put(folder, "history.jsonl", HISTORY)
    put(folder, "version.json", {"latest_version": "1", "dismissed": None})
    put(folder, "notes.txt", b"buy milk\n{")
    put(folder, "key.json", {"OPENAI_API_KEY": "sk-made-up"})

    out, err, code = lines(installation.run("accounts", "import", str(folder)))
    assert out == ["alice@example.com: added", "3 other files hold no account"]
    assert (len(err), code) == (1, 1)
    assert err[0].startswith("key: holds an API key only")


def test_a_folder_without_any_account_says_so(installation, tmp_path):
    put(tmp_path, "history.jsonl", HISTORY)

    ran = installation.run("accounts", "import", str(tmp_path))
    assert lines(ran) == (["1 other files hold no account"], ["No auth files found."], 1)


def test_a_named_file_of_many_other_things_is_one_line(installation, tmp_path):
    path = put(tmp_path, "history.jsonl", HISTORY)

    ran = installation.run("accounts", "import", str(path))
    assert lines(ran) == ([], ["history.jsonl: 300 entries hold no access token"], 1)


def test_workspaces_of_one_address_are_told_apart(installation, tmp_path):
    auth = {"chatgpt_plan_type": "team"}
    names = {f"{n}a2b3c4d-0000-4000-8000-00000000000{n}": n for n in (1, 2)}
    tokens = [
        make_jwt(i, user_id=f"user-{n}", email="w@example.com", auth=auth) for i, n in names.items()
    ]
    path = put(tmp_path, "all.json", [{"access_token": token} for token in tokens])

    assert installation.run("accounts", "import", str(path)).stdout.splitlines() == [
        "w@example.com: added (Business, account 1a2b3c4d)",
        "w@example.com 2: added (Business, account 2a2b3c4d)",
    ]
    listed = installation.run("accounts", "list").stdout
    assert "w@example.com 1a2b3c4d" in listed
    assert "w@example.com 2a2b3c4d" in listed


def test_of_two_tokens_of_one_login_the_longer_lasting_is_taken_and_it_is_said(
    installation, tmp_path
):
    tokens = [
        make_jwt("acct-1", user_id="user-1", email="a@example.com", exp=NOW + s) for s in (5, 900)
    ]
    pool = [{"label": f"seat-{n}", "access_token": token} for n, token in enumerate(tokens, 1)]
    path = put(tmp_path, "pool.json", {"credential_pool": {"openai-codex": pool}})

    out, err, code = lines(installation.run("accounts", "import", str(path)))
    assert out == ["seat-1: the same login as seat-2, whose token is taken", "seat-2: added"]
    assert (err, code) == ([], 0)
    assert stored(installation, "seat-2").expires_at == NOW + 900
