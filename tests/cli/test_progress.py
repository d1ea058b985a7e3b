"""The progress bar: on a terminal only, and only for what takes longer than a moment."""

import io
import sys

import pytest

from quota_web.cli import progress
from quota_web.cli.progress import ProgressBar
from tests.installation import wait_until
from tests.project.test_rooms import modules, places_importing, room_of


def terminal_of(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Standard error as a terminal; called in the test itself, since pytest changes the stream
    before that.
    """
    monkeypatch.setenv("TERM", "xterm")
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stderr", screen)
    return screen


def test_a_pipe_shows_no_bar(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SHOW_AFTER_S", 0.0)
    with ProgressBar("refreshing", 5) as bar:
        bar.count()

    assert capsys.readouterr() == ("", "")


def test_a_short_refresh_shows_no_bar(monkeypatch):
    terminal = terminal_of(monkeypatch)
    monkeypatch.setattr(progress, "SHOW_AFTER_S", 5.0)
    with ProgressBar("refreshing", 5) as bar:
        bar.count()

    assert terminal.getvalue() == ""


def test_a_long_command_says_what_it_does_and_how_far_it_is(monkeypatch):
    terminal = terminal_of(monkeypatch)
    monkeypatch.setattr(progress, "SHOW_AFTER_S", 0.0)
    with ProgressBar("copying") as bar:
        bar.set("reading", 3, 90)
        wait_until(lambda: "3/90" in terminal.getvalue())

    assert "reading" in terminal.getvalue()


def test_a_count_goes_up_by_one(monkeypatch):
    terminal = terminal_of(monkeypatch)
    monkeypatch.setattr(progress, "SHOW_AFTER_S", 0.0)
    with ProgressBar("refreshing", 12) as bar:
        bar.count()
        bar.count()
        wait_until(lambda: "2/12" in terminal.getvalue())


def test_one_file_draws_bars():
    rooms = {room_of(module) for module in modules()}

    assert {p.partition(":")[0] for p in places_importing({"rich"}, rooms)} == {"cli.progress"}
