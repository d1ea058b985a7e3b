"""The commands as processes of their own: what is written where, on a terminal and in a pipe, at
the end and when ended early.
"""

import fcntl
import json
import os
import pty
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from quota_web.core.checkout import PROJECT
from tests.fakes import FakeResponse, make_jwt, usage_body
from tests.installation import wait_until

FLASK = [sys.executable, "-m", "flask"]
REFRESH = [*FLASK, "quota", "refresh"]
CLASSIC = [sys.executable, "codex_quota.py"]
#: The same where also what a busy machine takes long for counts as quick.
PATIENT = [
    sys.executable,
    "-c",
    "from quota_web.cli import progress; from quota_web.serving import classic_command; "
    "progress.SHOW_AFTER_S = 60.0; classic_command.command([])",
]
#: How to go on with one of them in a program that has done something else before.
ON = {
    "-m": "import runpy; runpy.run_module('flask', run_name='__main__', alter_sys=True)",
    "codex_quota.py": (
        "import runpy; del sys.argv[1:]; runpy.run_path('codex_quota.py', run_name='__main__')"
    ),
}
CANARY = "CANARY-e1c07f"


@pytest.fixture
def at():
    return int(time.time())


@pytest.fixture
def present(codex, at):
    """Answers as of this moment: processes have the real clock."""
    codex.default = FakeResponse(body=usage_body(at=at))
    return codex


def put(installation, name: str, at: int) -> None:
    installation.file(name, exp=at + 864_000)


def run(installation, command, **settings: str):
    environment = installation.process_environment(**settings)
    return subprocess.run(
        command,
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )


def on_terminal(installation, command) -> str:
    """What a process writes on a terminal of 80 columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = installation.process_environment(TERM="xterm")
    process = subprocess.Popen(
        command, cwd=PROJECT, env=environment, stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    written = b""
    while True:
        try:
            part = os.read(master, 65_536)
        except OSError:
            break
        if not part:
            break
        written += part
    os.close(master)
    process.wait(30)
    return written.decode()


@pytest.mark.parametrize("command", [REFRESH, CLASSIC])
def test_a_command_needs_nothing_but_the_projects_folder(installation, present, at, command):
    put(installation, "alice", at)
    ran = run(installation, command)

    assert (ran.stderr, ran.returncode) == ("", 0)
    assert [line.split()[:3] for line in ran.stdout.splitlines()] == [
        ["account", "five_hour%", "weekly%"],
        ["alice", "88", "60"],
    ]


@pytest.mark.parametrize(
    ("variable", "value", "command"),
    [
        ("QUOTA_RETRIES", "x", [*FLASK, "quota", "status"]),
        ("QUOTA_AUTH", "proxy", CLASSIC),
        ("QUOTA_DATABASE_URL", f"postgresql://u:{CANARY}@h:x/y", [*FLASK, "db", "current"]),
    ],
)
def test_a_bad_setting_is_one_line_and_four(installation, variable, value, command):
    ran = run(installation, command, **{variable: value})

    assert (ran.stdout, ran.returncode, ran.stderr.count("\n")) == ("", 4, 1)
    assert ran.stderr.startswith(f"{variable}: ")
    assert CANARY not in ran.stderr


def test_a_bar_appears_on_a_terminal_when_it_takes_long(installation, present, at):
    put(installation, "alice", at)
    present.default = FakeResponse(body=usage_body(at=at), delay=1.8)

    shown = on_terminal(installation, REFRESH)
    assert "refreshing" in shown
    assert "0/1" in shown
    assert "network" in shown.splitlines()[-1]


def test_no_bar_appears_when_it_is_quick_or_goes_into_a_pipe(installation, present, at):
    put(installation, "alice", at)
    assert "refreshing" not in on_terminal(installation, PATIENT)

    present.default = FakeResponse(body=usage_body(at=at), delay=1.5)
    assert run(installation, REFRESH).stderr == ""


@pytest.mark.parametrize("command", [REFRESH, CLASSIC])
def test_a_command_that_comes_late_asks_for_nobody_who_was_asked_since(
    installation, present, at, command
):
    put(installation, "alice", at)
    file, given_at = installation.folder / "go", int(time.time())
    wait = f"while not pathlib.Path({str(file)!r}).exists(): time.sleep(0.05)"
    program = f"import pathlib, sys, time\n{wait}\n{ON[command[1]]}"
    late = subprocess.Popen(
        [sys.executable, "-c", program, *command[3:]],
        cwd=PROJECT,
        env=installation.process_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    wait_until(lambda: int(time.time()) > given_at + 1)
    assert run(installation, command).returncode == 0
    file.touch()
    said = late.communicate(timeout=60)[0].decode()

    assert (late.returncode, "network" in said, len(present.seen)) == (0, True, 1), said
    assert run(installation, command).returncode == 0
    assert len(present.seen) == 2, "the next one is given later"


def test_a_reader_that_goes_away_is_no_trouble(installation, present, at):
    put(installation, "alice", at)
    for command in (CLASSIC, [*FLASK, "quota", "status", "--json"]):
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=installation.process_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        process.stderr.close()
        process.wait(30)


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_names_that_a_terminal_cannot_write_are_spelled_out(installation, present, at, encoding):
    installation.file("团队", "acct-1", exp=at + 864_000)
    ran = run(installation, CLASSIC, PYTHONIOENCODING=encoding)

    assert ("团队" if encoding == "utf-8" else r"\u56e2\u961f") in ran.stdout
    assert (ran.stderr, ran.returncode) == ("", 0)


@pytest.mark.parametrize(
    ("number", "command", "code"),
    [
        (signal.SIGTERM, REFRESH, 143),
        (signal.SIGHUP, CLASSIC, 129),
        (signal.SIGINT, REFRESH, 1),
        (signal.SIGINT, CLASSIC, 130),
    ],
)
def test_a_command_that_is_ended_gives_its_claims_back(
    installation, present, at, number, command, code
):
    put(installation, "alice", at)
    put(installation, "bob", at)
    present.answers("acct-alice", FakeResponse(body=usage_body(at=at), delay=60))
    process = subprocess.Popen(
        command,
        cwd=PROJECT,
        env=installation.process_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_until(lambda: installation.rows("SELECT count(*) FROM reading") == [(2,)])
    wait_until(lambda: bool(present.requests_of("acct-alice")))
    process.send_signal(number)
    started = time.monotonic()
    _, errors = process.communicate(timeout=40)

    assert time.monotonic() - started < 20
    assert process.returncode == code
    assert b"Traceback" not in errors
    assert installation.rows("SELECT count(*) FROM account WHERE claim_id IS NOT NULL") == [(0,)]
    assert installation.rows("SELECT status FROM account ORDER BY name") == [("pending",), ("ok",)]


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def secret_files(installation, at: int) -> tuple[str, str]:
    """Plant tokens that can be recognised in every field of files that work, fail and break; the
    access token and what echoes it.
    """
    auth = {"chatgpt_account_id": "acct-alice", "chatgpt_user_id": "user-acct-alice"}
    access = (
        make_jwt("acct-alice", exp=at + 864_000, canary=CANARY, auth=auth).rsplit(".", 1)[0]
        + f".{CANARY}-access"
    )
    tokens = {
        "access_token": access,
        "refresh_token": f"rt_{CANARY}-refresh",
        "id_token": f"a.b.{CANARY}-id",
        "account_id": "acct-alice",
    }
    document = json.dumps({"tokens": tokens})
    for name in ("alice", "bob", "carol", "dave"):
        installation.raw_file(name, document.replace("acct-alice", f"acct-{name}").encode())
    (installation.folder / "eve.json").write_text(document.replace("acct-alice", "acct-eve"))
    installation.raw_file("broken", document.encode()[:-30])
    installation.raw_file(
        "session",
        json.dumps({"tokens": {"access_token": f"sess-{CANARY}", "account_id": "x"}}).encode(),
    )
    return access, json.dumps(
        {"error": {"message": f"bad token {access} (Bearer {access})", "code": access[:80]}}
    )


def test_tokens_are_found_nowhere_in_the_clear(installation, present, at, tmp_path, caplog):
    installation.now = at
    access, echo = secret_files(installation, at)
    present.answers("acct-bob", FakeResponse(401, raw=echo.encode()))
    present.answers("acct-carol", FakeResponse(500, raw=echo.encode()))
    present.answers("acct-dave", FakeResponse(drop="body"))
    exported = tmp_path / "exported.json"
    commands = [
        ("refresh",),
        ("refresh", "--json", "--force"),
        ("status", "--json"),
        ("accounts", "list"),
        ("accounts", "import", str(installation.accounts)),
        ("accounts", "add", "eve", str(installation.folder / "eve.json")),
        ("accounts", "export", "eve", str(exported)),
        ("accounts", "remove", "eve"),
    ]
    said = "".join(installation.run(*command).output for command in commands)
    process = run(installation, [*CLASSIC, "--raw-headers"])
    said += process.stdout + process.stderr + caplog.text

    payload, stored = access.split(".")[1], everything_in(installation.instance)
    assert "Traceback" not in said
    for secret in (CANARY, access, payload, payload[20:60]):
        assert secret not in said
        assert secret.encode() not in stored
    assert f"{CANARY}-refresh" in exported.read_text()
    assert exported.stat().st_mode & 0o777 == 0o600


def test_the_database_is_left_closed_and_whole(installation, present, at):
    put(installation, "alice", at)
    run(installation, REFRESH)

    database = sqlite3.connect(installation.database)
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
