"""The classic command: every option, its output to the byte, and its exit status."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from quota_web.core import clock
from quota_web.core.checkout import PROJECT
from quota_web.serving import classic_command
from tests.fakes import NOW, FakeResponse, usage_body

HEADER = "account  five_hour%  weekly%  weekly_reset             source"
ALICE = "alice            88       60  2026-11-25 07:20:00 CST  network"


@pytest.fixture
def run(installation, codex, capsys, monkeypatch):
    """Runs the command in this process, at the installation's moment and with its settings;
    gives output lines, error lines and exit status.
    """
    for name, value in installation.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("QUOTA_ACCOUNT_DIR")

    def run(*arguments: str, folder: Path | None = None):
        try:
            with clock.frozen(installation.now):
                code = classic_command.command(
                    [*arguments, "--account-dir", str(folder or installation.accounts)]
                )
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = capsys.readouterr()
        return captured.out.splitlines(), captured.err.splitlines(), code

    return run


def test_a_folder_of_accounts_is_shown(installation, run):
    installation.file("alice")
    installation.file("bob", "acct-1")

    assert run() == ([HEADER, ALICE, ALICE.replace("alice", "bob  ")], [], 0)


def test_rows_stand_in_the_order_of_old_and_a_failed_account_has_none(installation, codex, run):
    left = {
        "d": (50, 40),
        "c": (50, 50),
        "b": (90, 90),
        "a": (None, 5),
        "f": (50, None),
        "e": (100, 0),
    }
    for name, (five, week) in left.items():
        installation.file(name)
        codex.answers(f"acct-{name}", FakeResponse(body=usage_body(five, week)))
    installation.file("broken")
    codex.answers("acct-broken", FakeResponse(body=usage_body()), FakeResponse(503, body={}))
    assert [line.split()[0] for line in run()[0]] == [
        "account",
        "broken",
        "d",
        "c",
        "f",
        "b",
        "e",
        "a",
    ]

    out, err, code = run("--refresh")
    assert [line.split()[0] for line in out] == ["account", "d", "c", "f", "b", "e", "a"]
    assert out[0] == HEADER
    assert ([line.split(": ")[0] for line in err], code) == (["broken"], 3)


def test_one_account_can_be_named(installation, codex, run):
    installation.file("alice")
    installation.file("bob")

    assert run("ALICE") == ([HEADER, ALICE], [], 0)
    assert len(codex.seen) == 1
    assert run("nobody") == ([], ["nobody: unknown account: auth file not found or invalid"], 1)


def test_an_empty_folder_holds_no_auth_files(run):
    assert run() == ([], ["No auth files found."], 1)


def test_a_missing_folder_is_answered_as_an_empty_one(installation, codex, run):
    installation.file("alice")
    run()
    installation.accounts.rename(installation.folder / "away")

    assert run(folder=installation.folder / "nowhere") == ([], ["No auth files found."], 1)
    assert run() == ([], ["No auth files found."], 1)
    assert (len(codex.seen), installation.account("alice").status) == (1, "ok")


def test_a_folder_shows_its_own_accounts_alone(installation, run, tmp_path):
    installation.file("alice")
    other = tmp_path / "other"
    other.mkdir()
    installation.file("bob").rename(other / "bob.auth.json")
    carol = installation.file("carol").rename(tmp_path / "carol.json")
    installation.run("accounts", "add", "carol", input=carol.read_text())

    assert [line.split()[0] for line in run()[0]] == ["account", "alice"]
    assert [line.split()[0] for line in run(folder=other)[0]] == ["account", "bob"]
    assert installation.names() == ["alice", "bob", "carol"]


def test_spellings_of_a_folder_are_the_same_folder(installation, run):
    installation.file("alice")
    run()

    assert run(folder=Path(f"{installation.accounts}/../account/."))[0] == [HEADER, ALICE]
    assert installation.account("alice").source_path == str(
        installation.accounts / "alice.auth.json"
    )


def test_an_exhausted_account_is_asked_only_on_demand(installation, codex, run):
    installation.file("alice")
    codex.default = FakeResponse(body=usage_body(None, 100))
    run()
    cached = "alice             -        0  2026-11-25 07:20:00 CST  cache"

    assert run() == ([HEADER, cached], [], 0)
    assert run("--refresh") == ([HEADER, cached.replace("cache", "network")], [], 0)


@pytest.mark.parametrize(
    "given",
    [
        "http://127.0.0.1:{port}",
        "http://127.0.0.1:{port}/",
        "http://127.0.0.1:{port}/backend-api",
        "{url}",
    ],
)
def test_another_address_can_be_asked(installation, codex, run, monkeypatch, given):
    monkeypatch.setenv("QUOTA_USAGE_URL", "http://127.0.0.1:9/")
    installation.file("alice")

    assert run("--chatgpt-url", given.format(port=codex.port, url=codex.url)) == (
        [HEADER, ALICE],
        [],
        0,
    )
    assert [seen.path for seen in codex.seen] == ["/backend-api/wham/usage"]


def test_retries_and_their_wait_can_be_given(installation, codex, run):
    installation.file("alice")
    codex.answers("acct-alice", *[FakeResponse(503)] * 3, FakeResponse(body=usage_body()))

    assert run("--retries", "2", "--retry-delay", "0")[2] == 3
    assert len(codex.seen) == 3
    assert run("--retries", "3", "--retry-delay", "0.01") == ([HEADER, ALICE], [], 0)


def test_without_a_folder_all_accounts_are_shown(installation, run, capsys):
    installation.file("alice")
    run()
    with clock.frozen(NOW):
        assert classic_command.command([]) == 0

    assert capsys.readouterr().out.splitlines() == [HEADER, ALICE]


# Raw answers


def test_raw_json_is_printed_in_place_of_the_table(installation, codex, run):
    installation.file("alice")
    out, err, code = run("--raw-json")

    assert out[0] == "=== Raw JSON ==="
    assert "\n".join(out[1:]) == json.dumps(usage_body(), indent=2)
    assert (err, code) == ([], 0)
    assert installation.used("alice") == {"five_hour": 12, "weekly": 40}


def test_raw_headers_are_printed_before_the_table_with_cookies_masked(installation, codex, run):
    installation.file("alice")
    codex.default = FakeResponse(
        body=usage_body(), headers={"Set-Cookie": "session=CANARY", "X-Odd": "ü"}
    )
    out, _, _ = run("--raw-headers")

    end = out.index("}")
    assert out[:2] == ["=== Headers ===", "{"]
    assert out[end + 1 :] == ["", HEADER, ALICE]
    headers = json.loads("\n".join(out[1 : end + 1]))
    assert (headers["Set-Cookie"], headers["Content-Type"]) == ("***", "application/json")
    assert out[2].startswith('  "')


def test_both_together_print_no_table(installation, run):
    installation.file("alice")
    out, _, _ = run("--raw-headers", "--raw-json")

    assert [line for line in out if line.startswith("===")] == [
        "=== Headers ===",
        "=== Raw JSON ===",
    ]
    assert HEADER not in out


def test_error_bodies_are_printed_raw_too(installation, codex, run):
    installation.file("alice")
    codex.default = FakeResponse(401, body={"detail": "Unauthorized"})

    out = ["=== Raw JSON ===", "{", '  "detail": "Unauthorized"', "}"]
    assert run("--raw-json") == (out, ["alice: expired: HTTP 401: Unauthorized; sign in again"], 3)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"", '""'),
        (b"<html>\xff", '"<html>\ufffd"'),
        (b'{"a": "\\ud800"}', '  "a": "\\ud800"'),
        (b"[" * 900 + b"]" * 900, None),
        (b"[" * 100_000, None),
        (b"9" * 5_000, '"' + "9" * 5_000 + '"'),
        (b'{"a": NaN}', '  "a": NaN'),
    ],
)
def test_any_body_can_be_printed_raw(installation, codex, run, raw, shown):
    installation.file("alice")
    codex.default = FakeResponse(raw=raw)
    out, err, code = run("--raw-json")

    assert out[0] == "=== Raw JSON ==="
    assert shown is None or shown in out
    assert len(err) == 1
    assert code == 3


ORDERS = "\x1b[2J\x7f\x80\x9b31m\u200e\u202e\u2066\u2028\ufeff\U000e0001"


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps({"plan_type": ORDERS, ORDERS: "团队 ü"}, ensure_ascii=False),
        f"<html>{ORDERS}",
        '{"a": "\\ud800"}',
    ],
)
def test_what_a_terminal_obeys_is_spelled_out_in_what_is_printed_raw(installation, codex, run, raw):
    installation.file("alice")
    codex.default = FakeResponse(raw=raw.encode())
    out, _, _ = run("--raw-json")

    assert all(line.isprintable() for line in out)
    said = json.loads("\n".join(out[1:]))
    assert said == (json.loads(raw) if raw.startswith("{") else raw)


def test_to_see_the_raw_answer_always_sends(installation, codex, run):
    installation.file("alice")
    codex.default = FakeResponse(body=usage_body(100, 100))
    run()
    codex.answers("acct-alice", FakeResponse(429))
    run("--raw-headers")
    run("--raw-json")

    assert len(codex.seen) == 3


def test_an_unreachable_upstream_has_nothing_to_print_raw(installation, codex, run):
    installation.file("alice")
    codex.default = FakeResponse(drop="request")

    assert run("--raw-json", "--raw-headers") == (
        [],
        ["alice: unreachable: Request failed: connection closed by the other side"],
        2,
    )


def test_nothing_is_sent_with_an_expired_token_even_then(installation, codex, run):
    installation.file("alice", exp=NOW - 1)

    assert run("--raw-json")[2] == 1
    assert codex.seen == []


# Wrong use


@pytest.mark.parametrize(
    "arguments",
    [
        ["--frobnicate"],
        ["alice", "bob"],
        ["--retries", "-1"],
        ["--retries", "x"],
        ["--retries", "21"],
        ["--retry-delay", "-1"],
        ["--retry-delay", "nan"],
        ["--retry-delay", "301"],
        ["--chatgpt-url", "http://example.org"],
        ["--chatgpt-url", "ftp://127.0.0.1"],
        ["--chatgpt-url", "https://user:CANARY@example.org"],
        ["--chatgpt-url", "http://[::1"],
    ],
)
def test_wrong_usage_ends_with_two(run, arguments):
    out, err, code = run(*arguments)

    assert (out, code) == ([], 2)
    assert err[0].startswith("usage: codex_quota.py")
    assert "CANARY" not in "".join(err)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("QUOTA_RETRIES", "many"), ("QUOTA_USAGE_URL", "http://example.org"), ("QUOTA_TIMEZONE", "x")],
)
def test_a_bad_setting_is_one_line(run, monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    out, [line], code = run()

    assert (out, code) == ([], 4)
    assert line.startswith(f"{variable}: ")


def test_a_database_of_a_later_version_is_one_line(installation, run):
    installation.execute("UPDATE alembic_version SET version_num = '9999'")
    out, [line], code = run()

    assert (out, code) == ([], 4)
    assert "at version 9999" in line


def test_help_answers_without_the_app():
    program = (
        "import sys; from quota_web.serving import classic_command\ntry: "
        "classic_command.command(['--help'])\nfinally: print(*sorted(sys.modules))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )

    assert "usage: codex_quota.py" in ran.stdout
    assert not {"flask", "sqlalchemy", "urllib3", "cryptography", "alembic"} & set(
        ran.stdout.split()
    )


def test_the_classic_command_stays_english_whatever_the_language_is(installation, run, monkeypatch):
    installation.file("alice")
    installation.raw_file("broken", b"{")
    english = run()
    monkeypatch.setenv("QUOTA_LANGUAGE", "zh")

    assert run() == english
    assert english[0][0].split()[:2] == ["account", "five_hour%"]
