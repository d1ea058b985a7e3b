"""Real servers for tests: the classic service or gunicorn as a process of its own, with accounts in
a folder and a fake upstream.

with FakeCodex() as codex, Server(tmp_path, codex, accounts=3).classic() as server:
    server.wait_for(lambda: len(codex.seen) == 3)
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from quota_web.core.checkout import PROJECT
from tests import parts
from tests.fakes import FakeCodex, auth_document

START_WITHIN_S = 30.0


class Server:
    """One service under test. It ends with the block, whatever happens in it."""

    def __init__(self, folder: Path, codex: FakeCodex, accounts: int = 0, **settings: str) -> None:
        self.instance, self.account_dir = folder / "instance", folder / "account"
        self.account_dir.mkdir(exist_ok=True)
        self.log_file = folder / "log"
        for number in range(accounts):
            self.add_account(f"a{number}", f"acct-{number}")
        self.env = {
            **os.environ,
            "QUOTA_INSTANCE_DIR": str(self.instance),
            "QUOTA_ACCOUNT_DIR": str(self.account_dir),
            "QUOTA_USAGE_URL": codex.url,
            "QUOTA_RETRY_DELAY": "0",
            "QUOTA_REFRESH_INTERVAL": "3600",
            **settings,
        }
        self.url, self._before, self._command, self._listener = (
            "",
            list[str](),
            list[str](),
            list[socket.socket](),
        )
        self.process: subprocess.Popen[bytes]

    def add_account(self, name: str, account_id: str) -> None:
        (self.account_dir / f"{name}.auth.json").write_text(json.dumps(auth_document(account_id)))

    def classic(self, *options: str) -> "Server":
        self._command = [
            sys.executable,
            str(PROJECT / "codex_quota_service.py"),
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            *options,
        ]
        return self

    def limited_to(self, files: int) -> "Server":
        """Let the process open so many files at most. To be said first."""
        self._before = ["/bin/sh", "-c", f'ulimit -n {files} && exec "$0" "$@"']
        return self

    def at_another_time(self, ahead_s: int) -> "Server":
        """Give the process a wall clock that is so far ahead of ours."""
        # Its own program stays beside what it starts, and would be ended in its place.
        parts.require("faketime")
        libraries = list(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        if not libraries:
            parts.lack("the library of faketime is not where Debian has it")
        # Waits go by a stopwatch, and files keep their times.
        self.env |= {
            "LD_PRELOAD": str(libraries[0]),
            "FAKETIME": f"{ahead_s:+}s",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }
        return self

    def gunicorn(self, *options: str) -> "Server":
        # gunicorn takes over a socket that listens already, so no other test can be given the port
        # in between.
        listener = socket.create_server(("127.0.0.1", 0))
        self._listener, self.url = [listener], f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._command = [
            sys.executable,
            "-m",
            "gunicorn",
            "--bind",
            f"fd://{listener.fileno()}",
            *options,
            "wsgi:app",
        ]
        return self

    def __enter__(self) -> "Server":
        said_before = len(self.log())
        with open(self.log_file, "ab") as log:
            passed = [listener.fileno() for listener in self._listener]
            command = [*self._before, *self._command]
            self.process = subprocess.Popen(
                command,
                env=self.env,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=PROJECT,
                pass_fds=passed,
            )
        try:
            self.wait_for(lambda: "Codex Quota: " in self.log()[said_before:], START_WITHIN_S)
        except AssertionError:
            self.kill()
            self._close()
            raise
        if not self._listener:
            said = self.log().rpartition("Codex Quota: ")[2].split()[0]
            self.url = f"http://127.0.0.1:{urlsplit(said).port}"
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()
        self._close()

    def _close(self) -> None:
        for listener in self._listener:
            listener.close()

    def kill(self) -> None:
        for pid in [*self.workers(), self.process.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(15)

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Send the signal and return how many seconds the process then took to end."""
        started = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(20)
        return time.monotonic() - started

    def workers(self) -> list[int]:
        """The ids of the process's children."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()] if children.exists() else []

    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        request = urllib.request.Request(self.url + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def wait_for(self, there: Callable[[], object], seconds: float = 30.0) -> None:
        until = time.monotonic() + seconds
        while not there():
            assert self.process.poll() is None, (
                f"it ended with {self.process.returncode}:\n{self.log()}"
            )
            assert time.monotonic() < until, f"not within {seconds} s:\n{self.log()}"
            time.sleep(0.05)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """What a query on the service's database says."""
        import sqlite3
        from contextlib import closing

        with closing(
            sqlite3.connect(f"file:{self.instance / 'quota.sqlite'}?mode=ro", uri=True)
        ) as conn:
            return conn.execute(query).fetchall()
