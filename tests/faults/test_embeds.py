"""Embeds on a page that many look at, while the data change and a worker is killed: each answer is
whole, and nothing but the link's own.
"""

import http.client
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from quota_web import config
from quota_web.auth import share_links
from quota_web.core import clock
from quota_web.factory import create_app
from quota_web.services import services
from quota_web.store.accounts import Scope
from tests.fakes import FakeCodex, FakeResponse, usage_body
from tests.faults.figures import Figures, runs
from tests.operations import record
from tests.servers import Server

REQUESTS, READERS, KILLS = runs(1_200, 40_000), 8, 2
#: What opens each kind, and what its answer ends with.
KINDS = {
    "badge": ("badge.svg", "</svg>"),
    "chart": ("chart.svg", "</svg>"),
    "board": ("board", "</html>"),
}
CANARY = "someone@example.com"


def test_embeds_under_load(tmp_path, codex: FakeCodex, figures: Figures):
    codex.default = FakeResponse(body=usage_body(at=clock.now(), email=CANARY))
    answers = Answers()
    with Server(tmp_path, codex, 6, QUOTA_REFRESH_INTERVAL="3600").gunicorn(
        "--workers", "2", "--log-level", "critical"
    ) as server:
        server.wait_for(
            lambda: server.rows("SELECT count(*) FROM account WHERE taken_at > 0") == [(6,)]
        )
        app = create_app(config.load({k: v for k, v in server.env.items() if k[:6] == "QUOTA_"}))
        with app.app_context(), reading(server, links(), answers):
            changes = 0
            for kill in range(1, KILLS + 1):
                while answers.count < kill * REQUESTS // (KILLS + 1):
                    changes += 1
                    record(1, clock.now() + changes, changes % 100)
                os.kill(server.workers()[0], signal.SIGKILL)
    figures.record(
        "embeds asked for while the data changed and workers were killed",
        of=answers.count,
        bad=answers.wrong,
        bad_is="had an error, were cut, or showed more than the link's",
        changes=changes,
        dropped_with_their_worker=answers.dropped,
    )
    # A killed worker takes along what it was answering, at most one request a thread of it.
    assert answers.dropped <= KILLS * READERS


def links() -> list[tuple[str, str]]:
    """A link of each kind that shows no names, with what its answers end with."""
    services().ready()
    made = {
        kind: share_links.create(Scope(), kind, "", False, "", clock.now(), "test").reveal()
        for kind in KINDS
    }
    return [(f"/embed/{made[kind]}/{name}", end) for kind, (name, end) in KINDS.items()]


class Answers:
    """What came of the requests of all readers."""

    def __init__(self) -> None:
        self.count = self.wrong = self.dropped = 0
        self._lock = threading.Lock()

    def add(self, *, is_right: bool) -> None:
        with self._lock:
            self.count += 1
            self.wrong += not is_right

    def drop(self) -> None:
        with self._lock:
            self.dropped += 1


@contextmanager
def reading(server: Server, paths: list[tuple[str, str]], answers: Answers) -> Iterator[None]:
    """Readers that ask one after the other until there are enough answers."""
    threads = [
        threading.Thread(target=_read, args=(server, paths, answers)) for _ in range(READERS)
    ]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join(600)


def _read(server: Server, paths: list[tuple[str, str]], answers: Answers) -> None:
    number = 0
    while answers.count < REQUESTS:
        path, end = paths[number % len(paths)]
        number += 1
        try:
            status, body = server.get(path)
        except (OSError, http.client.HTTPException):
            answers.drop()
            time.sleep(0.01)
            continue
        is_whole = status == 200 and body.rstrip().endswith(end)
        answers.add(is_right=is_whole and CANARY not in body)
