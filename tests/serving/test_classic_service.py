"""The classic service's options: what they may be, that they win over the environment, and what
they do.
"""

import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from quota_web.core import clock
from quota_web.core.checkout import PROJECT
from quota_web.core.errors import BadSetting
from quota_web.serving import classic_service
from tests.fakes import FakeResponse, auth_document, usage_body
from tests.servers import Server


def parsed(*options: str, environ: dict[str, str] | None = None, monkeypatch: pytest.MonkeyPatch):
    for name, value in (environ or {}).items():
        monkeypatch.setenv(name, value)
    return classic_service.settings(classic_service.parser().parse_args(options))


def run(*options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROJECT / "codex_quota_service.py"), *options]
    return subprocess.run(
        command,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=60,
    )


def test_options_win_over_the_environment(monkeypatch, tmp_path):
    environ = {
        "QUOTA_REFRESH_INTERVAL": "7200",
        "QUOTA_ACCOUNT_DIR": str(tmp_path / "a"),
        "QUOTA_STATE_FILE": str(tmp_path / "a.json"),
        "QUOTA_RETRIES": "1",
        "QUOTA_RETRY_DELAY": "1",
        "QUOTA_USAGE_URL": "https://a.example/x",
    }
    options = [
        *(
            "--interval-seconds",
            "60",
            "--account-dir",
            str(tmp_path / "b"),
            "--state-file",
            str(tmp_path / "b.json"),
            "--retries",
            "5",
        ),
        *(
            "--retry-delay",
            "0.5",
            "--chatgpt-url",
            "https://b.example",
            "--account-name",
            "alice",
            "--refresh",
        ),
    ]
    found = parsed(*options, environ=environ, monkeypatch=monkeypatch)

    assert (found.refresh_interval, found.active_interval, found.retries, found.retry_delay) == (
        60,
        60,
        5,
        0.5,
    )
    assert (found.account_dir, found.account_dir_named, found.state_file) == (
        tmp_path / "b",
        True,
        tmp_path / "b.json",
    )
    assert found.usage_url == "https://b.example/backend-api/wham/usage"
    assert (found.only_account, found.skip_cache) == ("alice", True)


def test_without_options_the_environment_holds(monkeypatch, tmp_path):
    environ = {
        "QUOTA_REFRESH_INTERVAL": "7200",
        "QUOTA_ACCOUNT_DIR": str(tmp_path),
        "QUOTA_STATE_FILE": str(tmp_path / "a.json"),
    }
    found = parsed(environ=environ, monkeypatch=monkeypatch)

    assert (found.refresh_interval, found.active_interval, found.account_dir, found.state_file) == (
        7_200,
        300,
        tmp_path,
        tmp_path / "a.json",
    )
    assert (found.only_account, found.skip_cache, found.retries) == (None, False, 3)


def test_the_state_file_lies_in_the_account_folder(monkeypatch, tmp_path):
    assert (
        parsed("--account-dir", str(tmp_path), monkeypatch=monkeypatch).state_file
        == tmp_path / "codex_quota_web_results.json"
    )
    assert (
        parsed(monkeypatch=monkeypatch).state_file
        == PROJECT / "account/codex_quota_web_results.json"
    )


def test_paths_are_relative_to_where_it_was_called(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    found = parsed("--account-dir", "mine", "--state-file", "out.json", monkeypatch=monkeypatch)

    assert (found.account_dir, found.state_file) == (tmp_path / "mine", tmp_path / "out.json")


@pytest.mark.parametrize(
    "options",
    [
        ("--port", "65536"),
        ("--port", "-1"),
        ("--port", "٨٠"),
        ("--interval-seconds", "9"),
        ("--interval-seconds", "1e3"),
        ("--interval-seconds", "99999999999"),
        ("--retries", "x"),
        ("--retry-delay", "nan"),
        ("--chatgpt-url", "http://chatgpt.com"),
        ("--por", "80"),
        ("alice",),
    ],
)
def test_wrong_usage_is_status_2(options, capsys):
    with pytest.raises(SystemExit) as end:
        classic_service.service(options)

    assert end.value.code == 2
    assert "usage: codex_quota_service.py" in capsys.readouterr().err


def test_help_names_every_option_and_loads_nothing(tmp_path):
    done = run(
        "--help", QUOTA_INSTANCE_DIR=str(tmp_path / "instance"), QUOTA_REFRESH_INTERVAL="nonsense"
    )

    assert done.returncode == 0
    for option in (
        "host",
        "port",
        "interval-seconds",
        "account-dir",
        "state-file",
        "account-name",
        "chatgpt-url",
        "retries",
        "retry-delay",
        "refresh",
    ):
        assert f"--{option} " in done.stdout
    assert not (tmp_path / "instance").exists()


def test_a_bad_setting_is_one_line_and_status_4(tmp_path):
    done = run("--port", "0", QUOTA_INSTANCE_DIR=str(tmp_path), QUOTA_AUTH="perhaps")

    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("QUOTA_AUTH: ")


def test_a_port_in_use_is_one_line_and_status_4_and_nothing_is_touched(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            QUOTA_INSTANCE_DIR=str(tmp_path / "instance"),
        )

    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == f"--host 127.0.0.1 --port {port}: Address already in use\n"
    assert not (tmp_path / "instance").exists()


def test_an_address_that_is_not_ours_is_refused():
    with pytest.raises(BadSetting, match=r"--host 192\.0\.2\.1 --port 0"):
        classic_service.listen("192.0.2.1", 0)


@pytest.mark.parametrize(
    ("host", "families"),
    [("127.0.0.1", {socket.AF_INET}), ("::1", {socket.AF_INET6}), ("0.0.0.0", {socket.AF_INET})],
)
def test_it_listens_where_it_is_told_to(host, families):
    sockets = classic_service.listen(host, 0)
    try:
        assert {sock.family for sock in sockets} == families
        assert len({sock.getsockname()[1] for sock in sockets}) == 1
    except BadSetting as error:
        pytest.skip(f"no such address here: {error}")
    finally:
        for sock in sockets:
            sock.close()


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("0.0.0.0", "localhost"),
        ("::", "localhost"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "[2001:db8::1]"),
    ],
)
def test_the_address_that_is_printed_can_be_typed(host, shown):
    assert classic_service.shown_host(host) == shown


# What they do.


def test_only_the_named_account_is_asked_and_shown(tmp_path, codex):
    codex.default = FakeResponse(body=usage_body(at=clock.now()))
    state_file = tmp_path / "account/codex_quota_web_results.json"
    with Server(tmp_path, codex, 3, QUOTA_AUTH="off").classic(
        "--account-dir", str(tmp_path / "account"), "--account-name", "A1"
    ) as server:
        server.wait_for(state_file.exists)
        time.sleep(0.5)
        shown = json.loads(server.get("/api/results")[1])

    assert [seen.account_id for seen in codex.seen] == ["acct-1"]
    assert [r["account"] for r in shown["results"]] == ["a1"]
    assert [r["account"] for r in json.loads(state_file.read_text())["results"]] == ["a1"]
    assert state_file.stat().st_mode & 0o777 == 0o600


def test_a_named_folder_leaves_the_accounts_of_others_alone(tmp_path, codex):
    codex.default = FakeResponse(body=usage_body(at=clock.now()))
    other = tmp_path / "other"
    other.mkdir()
    (other / "carol.auth.json").write_text(json.dumps(auth_document("acct-carol")))
    with Server(tmp_path, codex, 1).classic() as server:
        server.wait_for(lambda: len(codex.seen) == 1)
    with Server(tmp_path, codex, 0, QUOTA_AUTH="off").classic(
        "--account-dir", str(other)
    ) as server:
        server.wait_for(lambda: len(codex.seen) == 2)
        server.wait_for(
            lambda: json.loads(server.get("/api/results")[1])["results"][0]["status"] == "ok"
        )
        shown = json.loads(server.get("/api/results")[1])

    assert [r["account"] for r in shown["results"]] == ["carol"]
    assert (other / "codex_quota_web_results.json").exists()


def test_a_restart_asks_nobody_before_the_time(tmp_path, codex):
    codex.default = FakeResponse(body=usage_body(at=clock.now()))
    with Server(tmp_path, codex, 2).classic() as server:
        server.wait_for(
            lambda: server.rows("SELECT count(*) FROM account WHERE taken_at IS NOT NULL") == [(2,)]
        )
    with Server(tmp_path, codex).classic() as server:
        server.wait_for(lambda: server.get("/readyz")[0] == 200)
        time.sleep(1)

    assert len(codex.seen) == 2


def test_the_schedule_skips_the_cache_when_told_to(tmp_path, codex):
    codex.default = FakeResponse(body=usage_body(100, 40, at=clock.now()))
    with Server(tmp_path, codex, 1).classic("--interval-seconds", "10") as server:
        server.wait_for(
            lambda: server.rows("SELECT count(*) FROM account WHERE taken_at IS NOT NULL") == [(1,)]
        )
    with closing(sqlite3.connect(tmp_path / "instance/quota.sqlite")) as conn:
        conn.execute("UPDATE account SET attempted_at = attempted_at - 100")
        conn.commit()
    with Server(tmp_path, codex, 1).classic("--interval-seconds", "10") as server:
        server.wait_for(lambda: server.get("/readyz")[0] == 200)
        time.sleep(1)
        assert len(codex.seen) == 1
    with Server(tmp_path, codex, 1).classic("--interval-seconds", "10", "--refresh") as server:
        server.wait_for(lambda: len(codex.seen) == 2)


def test_it_runs_from_anywhere(tmp_path):
    done = subprocess.run(
        [sys.executable, str(Path(PROJECT, "codex_quota_service.py")), "--port", "x"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )

    assert done.returncode == 2
