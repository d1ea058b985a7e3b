"""A client that is told to stop lets go of everything at once, and one that was forked starts
anew.
"""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import requests

from quota_web.core.quota import Status
from tests.codex.test_client import TOKEN, codex, make, now
from tests.fakes import FakeResponse

__all__ = ["codex"]


def test_cut_ends_requests_and_waits_at_once(codex):
    codex.answers("slow", FakeResponse(delay=30))
    codex.answers("broken", FakeResponse(status=503))
    client = make(codex.url, timeout=30, retries=3, retry_delay=20)
    with ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(client.fetch, name, TOKEN, now=now) for name in ("slow", "broken")]
        deadline = time.monotonic() + 5
        while len(codex.seen) < 2 and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        started = time.monotonic()
        client.cut()
        found = [one.result(5) for one in asked]
    client.close()

    assert time.monotonic() - started < 5
    assert [(answer.dropped, answer.status) for answer in found] == [(True, Status.UNREACHABLE)] * 2


def test_nothing_is_sent_after_the_stop(codex):
    stop = threading.Event()
    client = make(codex.url, stop=stop)
    stop.set()
    found = client.fetch("acct-1", TOKEN, now=now)
    client.close()

    assert (found.dropped, found.requests_sent, codex.connections) == (True, 0, 0)


def test_a_closed_client_leaves_no_thread(codex):
    before = threading.active_count()
    client = make(codex.url)
    client.fetch("acct-1", TOKEN, now=now)
    client.close()
    deadline = time.monotonic() + 2
    while (
        any(t.name == "codex-deadlines" for t in threading.enumerate())
        and time.monotonic() < deadline
    ):
        threading.Event().wait(0.01)

    assert threading.active_count() <= before + 1  # the fake's own thread for the connection


def test_a_forked_process_uses_sockets_of_its_own(codex):
    client = make(codex.url)
    client.fetch("acct-1", TOKEN, now=now)
    child = os.fork()
    if child == 0:
        os._exit(0 if client.fetch("acct-2", TOKEN, now=now).status is Status.OK else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert client.fetch("acct-1", TOKEN, now=now).status is Status.OK
    assert codex.connections == 2
    client.close()


def test_threads_that_begin_after_a_fork_at_once_share_what_cuts_them(codex, monkeypatch):
    client = make(codex.url)
    began, both = [], threading.Barrier(2)
    begin = requests.adapters.HTTPAdapter.__init__

    def noted(self, *args, **kwargs) -> None:
        began.append(self)
        with suppress(threading.BrokenBarrierError):
            both.wait(0.5)
        begin(self, *args, **kwargs)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "__init__", noted)
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(client.fetch, name, TOKEN, now=now) for name in ("a", "b")]
    client.close()

    assert ([one.result().status for one in asked], len(began)) == ([Status.OK] * 2, 1)
