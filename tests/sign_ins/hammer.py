"""Renews below the minute's gate, in processes of many threads, until it is told to end.

`python -m tests.sign_ins.hammer PROCESSES THREADS` begins another process for each that ends, as a
server does for its workers. SIGTERM to one of them ends it the way the service ends; to the first
process, all. Ends with 1 where a thread failed.
"""

import os
import random
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

from quota_web import config, factory, store
from quota_web.core import clock
from quota_web.core.errors import BadDatabase
from quota_web.services import services
from quota_web.sign_ins import renewal, renewal_service
from quota_web.sign_ins.renewal import RenewalContext


def main() -> None:
    processes, threads = int(sys.argv[1]), int(sys.argv[2])
    children: set[int] = set()
    is_ending, failed = threading.Event(), 0

    def end(*_: object) -> None:
        is_ending.set()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    # While a child begins or ends, no signal is passed on.
    with held_back():
        children |= {begun(threads) for _ in range(processes)}
    while children:
        child, status = os.wait()
        with held_back():
            children.remove(child)
            failed += os.waitstatus_to_exitcode(status) > 0
            if not is_ending.is_set() and not failed:
                children.add(begun(threads))
    sys.exit(failed > 0)


@contextmanager
def held_back() -> Iterator[None]:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    yield
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])


def begun(threads: int) -> int:
    """The id of a new process that works."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work(threads)
            status = 0
        finally:
            # Whatever happened, it must not go on as its parent.
            if status:
                traceback.print_exc()
            os._exit(status)
    return child


def work(threads: int) -> None:
    app = factory.create_app(config.load(), pages=False)
    with app.app_context():
        present = services()
        # As everywhere: what takes locks is not called in the middle of other code.
        signal.signal(
            signal.SIGTERM, lambda *_: threading.Thread(target=present.end, daemon=True).start()
        )
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        present.ready()
        context = renewal_service.make(present, "hammer").context
        with store.database.reading() as conn:
            ids = sorted(store.credentials.own(conn))

        def renewing(_thread: int) -> None:
            with app.app_context():
                while not context.stop.is_set():
                    with suppress(BadDatabase):
                        renew(context, random.choice(ids))

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(renewing, range(threads)))


def renew(context: RenewalContext, account_id: int) -> None:
    found = renewal.held(context.cipher, account_id)
    # A lost token's second try is the schedule's alone.
    if found is not None and found.credential.renewal == "on":
        renewal.renew(context, found)
    renewal_service.settle_lost(clock.now())


if __name__ == "__main__":
    main()
