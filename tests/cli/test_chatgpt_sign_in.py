"""`flask quota accounts sign-in NAME`, in a process of its own as a person runs it."""

import re
import signal
import subprocess
import sys

import pytest

from tests.issuer import CANARY, FakeIssuer


@pytest.fixture
def issuer():
    with FakeIssuer() as issuer:
        yield issuer
        issuer.assert_gentle()


class Terminal:
    """The command under way."""

    def __init__(self, installation, issuer, *options):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "flask", "quota", "accounts", "sign-in", *options],
            env=installation.process_environment(QUOTA_AUTH_URL=issuer.url),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.shown = ""

    def reads(self, pattern):
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.shown += line
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"{self.shown}{self.process.communicate()[1]}")

    def ended(self, text=None):
        try:
            out, error = self.process.communicate(text, timeout=60)
        finally:
            self.process.kill()
        assert CANARY not in self.shown + out + error
        return self.process.returncode, out, error


def test_it_prints_a_code_and_waits_until_it_is_approved(installation, codex, issuer):
    terminal = Terminal(installation, issuer, "alice")
    code = terminal.reads(r"^Code  (\S+)")[1]
    assert "https://auth.openai.com/codex/device" in terminal.shown
    issuer.decide(code, "approved", account_id="acct-alice")

    status, out, error = terminal.ended()
    assert (status, error) == (0, "")
    assert "alice: signed in and read" in out


def test_a_refusal_ends_with_three(installation, issuer):
    terminal = Terminal(installation, issuer, "alice")
    issuer.decide(terminal.reads(r"^Code  (\S+)")[1], "denied")

    status, _, error = terminal.ended()
    assert (status, "declined" in error, len(error.splitlines())) == (3, True, 1)


def test_an_interrupt_cancels_it(installation, issuer):
    terminal = Terminal(installation, issuer, "alice")
    terminal.reads(r"^Never enter")
    terminal.process.send_signal(signal.SIGINT)

    assert terminal.ended()[0] == 130
    assert installation.rows("SELECT outcome, code FROM sign_in") == [("failed", "cancelled")]


def test_a_link_is_pasted_back(installation, codex, issuer):
    terminal = Terminal(installation, issuer, "alice", "--paste")
    state = terminal.reads(r"[?&]state=([\w-]+)")[1]
    issuer.grant("ac_link", account_id="acct-alice")
    status, out, error = terminal.ended(f"nonsense\ncode=ac_link&state={state}\n")

    assert (status, "not the address at the end" in error) == (0, True)
    assert "alice: signed in and read" in out


def test_nothing_reached_is_two(installation):
    with FakeIssuer() as gone:
        pass
    status, _, error = Terminal(installation, gone, "alice").ended()
    assert (status, "cannot be reached" in error) == (2, True)
