"""The Codex CLI truncates and writes auth.json in place: whatever moment we read at, no account is
lost and no half token kept.
"""

import json
import threading
import time

from tests.fakes import NOW, auth_document, make_jwt
from tests.faults.figures import runs


def contents():
    """Two states of one file, of different lengths, as before and after a renewal."""
    tokens = [
        make_jwt(
            "acct-alice", exp=NOW + 864_000 + n, user_id="user-acct-alice", filler="x" * 700 * n
        )
        for n in range(2)
    ]
    return tokens, [
        json.dumps(auth_document("acct-alice", access_token=token), indent=2).encode()
        for token in tokens
    ]


class Cli(threading.Thread):
    """Writes as the CLI does: open, truncate, write, flush; no lock, no rename."""

    def __init__(self, path, states):
        super().__init__(daemon=True)
        self.path, self.states, self.written, self.stop = path, states, 0, threading.Event()

    def run(self):
        while not self.stop.is_set():
            with open(self.path, "wb") as file:
                state = self.states[self.written % 2]
                # In two pieces: a reader in between sees the first one.
                file.write(state[:200])
                file.flush()
                file.write(state[200:])
            self.written += 1
            time.sleep(0.0005)


def test_rewritten_files(figures, installation):
    tokens, states = contents()
    path = installation.raw_file("alice", states[0])
    installation.file("bob")
    installation.follow()
    cli, bad, looks = Cli(path, states), 0, runs(150, 1_500)
    cli.start()
    try:
        for _ in range(looks):
            installation.follow()
            bad += set(installation.names()) != {"alice", "bob"}
            bad += installation.account("alice").source_gone_at is not None
            bad += stored(installation) not in tokens
            installation.now += 1
    finally:
        cli.stop.set()
        cli.join()
    installation.follow()
    bad += stored(installation) != tokens[(cli.written - 1) % 2]
    figures.record(
        "looks at an auth file while it was rewritten",
        of=looks,
        bad=bad,
        bad_is="dropped the account or kept half a token",
        rewritten=cli.written,
    )


def stored(installation):
    (row,) = installation.rows(
        "SELECT access_sealed, a.id FROM credential c JOIN account a ON a.id = c.account_id WHERE "
        "a.name = 'alice'"
    )
    return installation.services.cipher.open(row[0], row[1], "access").reveal()
