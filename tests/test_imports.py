"""Taking accounts in on the command line: from files, folders and standard input, in every shape that other tools export."""

import json
import os

import pytest

from quota_web.quota import Status
from tests.fakes import NOW, auth_document, make_jwt

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
        {"name": "Team A", "platform": "openai", "type": "oauth", "credentials": {"access_token": ALICE, "chatgpt_account_id": "acct-1"}},
        {"name": "Claude", "platform": "claude", "type": "oauth", "credentials": {"access_token": "x"}},
        {"name": "Agent", "platform": "openai", "credentials": {"auth_mode": "agentIdentity", "access_token": BOB}},
    ],
}

#: file name and document → the names that the accounts get, and what is said of those that cannot be used.
SHAPES = {
    "Codex CLI": ("work.auth.json", auth_document("acct-1"), ["alice@example.com"], []),
    "without an e-mail": ("work.auth.json", {"tokens": {"access_token": make_jwt("acct-1"), "account_id": "acct-1"}}, ["work"], []),
    "CLIProxyAPI": (
        "codex-1.json",
        {"access_token": ALICE, "id_token": ALICE, "refresh_token": "", "account_id": "acct-1", "email": "alice@example.com", "type": "codex"},
        ["alice@example.com"],
        [],
    ),
    "sub2api": (
        "export.json",
        SUB2API,
        ["Team A"],
        ["Claude: skipped: belongs to claude, not to ChatGPT", "Agent: holds an agent identity"],
    ),
    "sub2api inside data": ("export.json", {"data": SUB2API}, ["Team A"], ["Claude: skipped", "Agent: holds an agent identity"]),
    "Cockpit": ("cockpit.json", [{"access_token": ALICE}, {"access_token": BOB}], ["alice@example.com", "bob@example.com"], []),
    "camel case": ("x.json", {"accessToken": ALICE, "refreshToken": "rt_1", "accountId": "acct-1"}, ["alice@example.com"], []),
    "OpenCode": (
        "auth.json",
        {"openai": {"type": "oauth", "access": ALICE, "refresh": "rt_1", "expires": 1, "accountId": "acct-1"}, "anthropic": {"type": "oauth"}},
        ["alice@example.com"],
        ["skipped: belongs to anthropic, not to ChatGPT"],
    ),
    "JSON Lines": (
        "all.jsonl",
        f'{{"access_token": "{ALICE}"}}\n{{"access_token": "{BOB}"}}\n'.encode(),
        ["alice@example.com", "bob@example.com"],
        [],
    ),
    "bare tokens": ("tokens.txt", f"Bearer {ALICE}\n{BOB}\n".encode(), ["alice@example.com", "bob@example.com"], []),
    "a broken one among good ones": (
        "all.json",
        [{"access_token": ALICE}, {"access_token": "sess-x"}, {"OPENAI_API_KEY": "sk-x"}],
        ["alice@example.com"],
        ["looks like a session token", "holds an API key only"],
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_taken_in(house, tmp_path, shape):
    name, document, names, complaints = SHAPES[shape]
    path = put(tmp_path, name, document)

    out, err, code = lines(house.run("accounts", "import", str(path)))

    assert out == [f"{n}: added" for n in names]
    assert [c in e for c, e in zip(complaints, err, strict=True)] == [True] * len(complaints)
    assert code == (1 if complaints else 0)
    assert sorted(house.names()) == sorted(names)
    assert {house.account(n).origin for n in names} == {"managed"}


@pytest.mark.parametrize("shape", SHAPES)
def test_taking_the_same_in_again_replaces_the_credentials(house, tmp_path, shape):
    name, document, names, _ = SHAPES[shape]
    path = put(tmp_path, name, document)
    house.run("accounts", "import", str(path))

    assert house.run("accounts", "import", str(path)).stdout.splitlines() == [f"{n}: credentials replaced" for n in names]
    assert len(house.names()) == len(names)


def test_what_was_taken_in_can_be_refreshed(house, tmp_path, codex):
    house.run("accounts", "import", str(put(tmp_path, "all.json", [{"access_token": ALICE}, {"access_token": BOB}])))

    assert {r.status for r in house.ask().values()} == {Status.OK}
    assert {seen.account_id for seen in codex.seen} == {"acct-1", "acct-2"}


def test_a_folder_is_taken_in_file_by_file(house, tmp_path):
    folder = tmp_path / "exports"
    folder.mkdir()
    put(folder, "1.json", {"access_token": ALICE})
    put(folder, "2.txt", BOB.encode())
    put(folder, "3.json", b"{")
    put(folder, "picture.png", b"\x89PNG")
    (folder / "deeper").mkdir()

    out, err, code = lines(house.run("accounts", "import", str(folder)))
    assert out == ["alice@example.com: added", "bob@example.com: added"]
    assert err == ["3: auth file not found or invalid: not valid JSON (line 1)"]
    assert code == 1


def test_an_empty_folder_holds_no_auth_files(house, tmp_path):
    (tmp_path / "empty").mkdir()

    assert lines(house.run("accounts", "import", str(tmp_path / "empty"))) == ([], ["No auth files found."], 1)


def test_logins_that_share_an_address_get_names_of_their_own(house, tmp_path):
    seats = [{"access_token": make_jwt("acct-team", user_id=f"user-{n}", email="team@example.com")} for n in range(3)]
    path = put(tmp_path, "team.json", seats)

    assert house.run("accounts", "import", str(path)).stdout.splitlines() == [f"team@example.com{n}: added" for n in ("", " 2", " 3")]
    assert house.run("accounts", "import", str(path)).exit_code == 0
    assert len(house.names()) == 3


def test_an_account_that_a_file_has_already_is_not_taken_in_beside_it(house, tmp_path):
    path = house.file("alice", "acct-1", user_id="user-1")
    before = path.read_bytes()
    put(tmp_path, "export.json", {"name": "Alice", "access_token": ALICE})

    out, err, code = lines(house.run("accounts", "import", str(tmp_path / "export.json")))
    assert (err, code) == ([], 0)
    assert out == ["alice: kept: its file has this token or a newer one"]
    assert house.names() == ["alice"]
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
def test_a_path_that_cannot_be_read_is_one_line(house, tmp_path, path, line):
    os.mkfifo(tmp_path / "pipe")
    put(tmp_path, "huge", b" " * ((2 << 20) + 1))
    argument = os.fsdecode(os.fsencode(tmp_path) + b"/" + (path if isinstance(path, bytes) else path.encode()))

    out, err, code = lines(house.run("accounts", "import", argument))
    assert (out, err, code) == ([], [f"{tmp_path}/{line}"], 1)


def test_import_wants_a_path(house):
    assert house.run("accounts", "import").exit_code == 2


# accounts add


def test_an_account_is_added_from_a_file(house, tmp_path):
    path = put(tmp_path, "auth.json", auth_document("acct-1"))

    assert lines(house.run("accounts", "add", "alice", str(path))) == (["alice: added"], [], 0)
    assert lines(house.run("accounts", "add", "alice", str(path))) == (["alice: credentials replaced"], [], 0)


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_an_account_is_added_from_standard_input(house, arguments):
    ran = house.run("accounts", "add", "alice", *arguments, input=json.dumps(auth_document("acct-1")))

    assert lines(ran) == (["alice: added"], [], 0)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("", "auth file not found or invalid: empty"),
        ("{", "auth file not found or invalid: not valid JSON (line 1)"),
        ("{}", "missing access_token"),
        ('{"access_token": "sess-CANARY", "account_id": "a"}', "looks like a session token (sess-…); use the JWT access_token"),
        ('{"access_token": "CANARYCANARY"}', "missing account_id"),
        ('{"access_token": "CANARYCANARY", "account_id": "CANARY CANARY"}', "account_id may hold"),
        (json.dumps([auth_document("acct-1"), auth_document("acct-2")]), "holds 2 accounts; import it instead"),
        (" " * ((2 << 20) + 1), "the input is larger than 2 MiB"),
    ],
)
def test_what_cannot_be_added_is_one_line_without_its_content(house, content, line):
    out, err, code = lines(house.run("accounts", "add", "alice", input=content))

    assert (out, len(err), code) == ([], 1, 1)
    assert line in err[0]
    assert "CANARY" not in err[0]
    assert house.names() == []


@pytest.mark.parametrize("name", ["../x", "", ".", "a/b", "x" * 81, "a\nb"])
def test_a_bad_name_is_one_line(house, name):
    out, err, code = lines(house.run("accounts", "add", name, input=json.dumps(auth_document("acct-1"))))

    assert (out, len(err), code) == ([], 1, 1)
    assert "name" in err[0]


def test_a_name_of_another_login_is_refused(house):
    house.run("accounts", "add", "alice", input=json.dumps(auth_document("acct-1")))
    ran = house.run("accounts", "add", "Alice", input=json.dumps(auth_document("acct-2")))

    assert lines(ran) == ([], ["Alice: name already taken by another login"], 1)


def test_an_expired_token_can_be_added_and_says_so_when_it_is_refreshed(house):
    house.run("accounts", "add", "alice", input=json.dumps(auth_document("acct-1", access_token=make_jwt("acct-1", exp=NOW - 5))))

    assert house.ask()["alice"].status is Status.EXPIRED


# list, export, remove


def test_the_list_shows_where_accounts_come_from_and_when_tokens_expire(house):
    house.file("alice", "acct-1", exp=NOW + 3_600)
    house.run("accounts", "add", "bob", input=json.dumps({"access_token": "an-opaque-token", "account_id": "a"}))

    assert house.run("accounts", "list").stdout.splitlines() == [
        f"account  status   origin{' ' * (len(str(house.accounts)) + 10)}  e-mail             token expires",
        f"alice    pending  {house.accounts}/alice.auth.json  alice@example.com  2026-11-21 21:00:00 CST",
        f"bob      pending  managed{' ' * (len(str(house.accounts)) + 9)}  -                  -",
    ]


def test_an_export_says_that_it_holds_tokens(house, tmp_path):
    house.run("accounts", "add", "alice", input=json.dumps(auth_document("acct-1")))
    file = tmp_path / "out.json"

    assert lines(house.run("accounts", "export", "Alice", str(file))) == ([f"{file}: written, mode 0600; it holds tokens"], [], 0)
    assert house.run("accounts", "add", "again", str(file)).exit_code == 0


def test_an_account_is_removed_without_a_question_where_nobody_can_answer(house):
    path = house.file("alice")

    assert lines(house.run("accounts", "remove", "ALICE")) == (["alice: removed"], [], 0)
    assert not path.exists()


@pytest.mark.parametrize("arguments", [["remove", "nobody"], ["export", "nobody", "out.json"]])
def test_nobody_is_one_line(house, arguments):
    assert lines(house.run("accounts", *arguments)) == ([], ["nobody: unknown account"], 1)
