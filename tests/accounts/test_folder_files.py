"""What lies in an account folder instead of a whole auth file: halves, rubbish, pipes, links."""

import os
import threading
import time

import pytest

from quota_web.codex import auth_file
from quota_web.core.quota import Status
from tests.fakes import NOW, FakeResponse


def words(installation, name):
    fault = installation.account(name).fault
    return None if fault is None else fault.text(str)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'{"tokens": {"access_token": "eyJ',
        b"\xff\xfe{",
        b"[" * 5000,
        b'{"a": "\\ud800"}',
        b"null",
        b"[]",
    ],
)
def test_what_is_no_auth_file_is_an_account_that_says_so(installation, content, monkeypatch):
    monkeypatch.setattr(auth_file, "READ_WAITS_S", (0.01,))
    installation.raw_file("alice", content)
    installation.follow()

    assert installation.account("alice").status is Status.INVALID_CREDENTIALS
    assert words(installation, "alice")


def test_a_byte_order_mark_is_ignored(installation):
    path = installation.file("alice")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    installation.follow()

    assert installation.account("alice").status is Status.PENDING


@pytest.mark.parametrize(
    ("size", "status"), [((2 << 20), Status.PENDING), ((2 << 20) + 1, Status.INVALID_CREDENTIALS)]
)
def test_a_file_may_have_two_mebibytes(installation, size, status):
    path = installation.file("alice")
    path.write_bytes(path.read_bytes().ljust(size))
    installation.follow()

    assert installation.account("alice").status is status


def test_a_pipe_or_a_folder_in_place_of_a_file_does_not_hang(installation):
    os.mkfifo(installation.accounts / "pipe.auth.json")
    (installation.accounts / "folder.auth.json").mkdir()
    started = time.monotonic()
    installation.follow()

    assert time.monotonic() - started < 10
    assert (
        words(installation, "pipe")
        == words(installation, "folder")
        == "auth file not found or invalid: not a regular file"
    )


def test_symbolic_links_are_read_and_broken_ones_are_said(installation, tmp_path):
    target = installation.file("alice").rename(tmp_path / "auth.json")
    (installation.accounts / "alice.auth.json").symlink_to(target)
    (installation.accounts / "broken.auth.json").symlink_to(tmp_path / "nowhere")
    (installation.accounts / "loop.auth.json").symlink_to(installation.accounts / "loop.auth.json")
    installation.follow()

    assert installation.account("alice").status is Status.PENDING
    assert words(installation, "broken") == "file is gone; put it back or delete the account"
    assert "too many levels" in words(installation, "loop")
    assert (installation.accounts / "alice.auth.json").is_symlink()


@pytest.fixture
def meanwhile(monkeypatch):
    """Lets something happen at each wait for a file: a machine may be too busy for a thread that
    does it in time.
    """
    sleep = time.sleep

    def happens(act) -> list[float]:
        waits: list[float] = []

        def sleeps(seconds: float) -> None:
            waits.append(seconds)
            sleep(seconds)
            act()

        monkeypatch.setattr(time, "sleep", sleeps)
        return waits

    return happens


def test_a_file_that_is_just_being_written_is_waited_for(installation, meanwhile):
    path = installation.file("alice")
    content = path.read_bytes()
    installation.follow()
    path.write_bytes(content[:40])
    waits = meanwhile(lambda: path.write_bytes(content.replace(b"last_refresh", b"last-refresh")))
    installation.follow()

    assert waits
    assert installation.account("alice").status is Status.PENDING


def test_a_half_written_file_of_a_refused_account_is_waited_for_too(installation, codex, meanwhile):
    codex.answers("acct-alice", FakeResponse(401))
    path = installation.file("alice")
    installation.refresh()
    content = installation.file("alice", exp=NOW + 5_000).read_bytes()
    path.write_bytes(content[:40])
    waits = meanwhile(lambda: path.write_bytes(content))
    installation.follow()

    assert waits
    assert installation.account("alice").status is Status.PENDING


def test_a_writer_that_truncates_all_the_time_drops_no_account(installation, meanwhile):
    path = installation.file("alice")
    content = path.read_bytes()
    installation.follow()
    stop = threading.Event()

    def write() -> None:
        # Like the Codex CLI: truncated in place, then written; a thousand times a second.
        number = 0
        while not stop.is_set():
            number += 1
            with path.open("wb") as file:
                file.write(content[:50])
                file.flush()
                file.write(content[50:] + b" " * (number % 7))
            stop.wait(0.001)

    def is_whole() -> None:
        while path.stat().st_size < len(content):
            stop.wait(0.0005)

    meanwhile(is_whole)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        statuses = set()
        for _ in range(30):
            installation.follow()
            statuses.add(installation.account("alice").status)
    finally:
        stop.set()
        writer.join()

    assert statuses == {Status.PENDING}
