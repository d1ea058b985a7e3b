"""Settings of gunicorn, which finds this file by itself: `gunicorn wsgi:app`. Each can be overruled
on its command line.

Workers share the work through the claims in the database, so any number of them will do;
WEB_CONCURRENCY sets it.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

bind = "127.0.0.1:8081"
#: Several workers share what is loaded before the fork; a single one would only add the master's
#: copy to its own. With `--workers` say `--preload` beside it.
preload_app = os.environ.get("WEB_CONCURRENCY", "") not in ("", "1")
worker_class = "gthread"
threads = 8
#: Workers end by themselves within 8 seconds after SIGTERM (serving/lifecycle.py), in the longest
#: case because a sign-in is being renewed; what has not ended then is killed.
graceful_timeout = 8
#: A worker in the middle of its requests must not be replaced because it has served many.
max_requests = 0
#: Forwarded headers are judged by the app (QUOTA_TRUSTED_PROXIES); gunicorn itself believes nobody.
forwarded_allow_ips = ""
#: Nobody needs a socket through which the server takes orders.
control_socket_disable = True
#: The workers' heartbeat is a file; in memory, where that is possible, no slow disk delays it and
#: no read-only one forbids it.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - gunicorn makes it unguessable

_FIRST = 1
#: How long the others wait for the first worker to end it all.
REFUSE_WITHIN_S = 5


def on_starting(server: Any) -> None:
    """A bad setting is said once, before there are workers to say it side by side; so is a bad
    database where the app is here already.
    """
    from quota_web import config
    from quota_web.core.errors import BadDatabase, BadSetting

    try:
        config.load()
        # As another user than the workers it would make files that they may not write.
        is_the_workers = (server.cfg.uid, server.cfg.gid) == (os.geteuid(), os.getegid())
        if server.cfg.preload_app and is_the_workers:
            from quota_web.serving import lifecycle

            lifecycle.prepare(server.app.wsgi())
    except (BadSetting, BadDatabase) as error:
        print(error, file=sys.stderr, flush=True)
        sys.exit(_status(error))


def post_worker_init(worker: Any) -> None:
    """Start the schedule in the worker, never in the process that forks: threads and database
    handles do not survive a fork.
    """
    from quota_web.core.errors import BadDatabase, BadSetting
    from quota_web.serving import lifecycle

    app = worker.wsgi
    try:
        _aside(lifecycle.start, app)
        if worker.age == _FIRST:
            _aside(lifecycle.welcome, app, _base(worker))
    except (BadSetting, BadDatabase) as error:
        print(error, file=sys.stderr, flush=True)
        _refuse(worker, _status(error))
    stop_gracefully = signal.getsignal(signal.SIGTERM)

    def handle(number: int, frame: Any) -> None:
        lifecycle.begin_to_stop(app)
        if callable(stop_gracefully):
            stop_gracefully(number, frame)

    signal.signal(signal.SIGTERM, handle)
    signal.siginterrupt(signal.SIGTERM, False)


def _aside(work: Callable[..., object], *args: object) -> None:
    """Do it in a thread of its own, which gets memory of its own.

    The main thread would fill small gaps between what was loaded before the fork, and each page
    that it writes to is shared no more: 3 MiB of them for the first connection to the database.
    """
    with ThreadPoolExecutor(1) as thread:
        thread.submit(work, *args).result()


def _status(error: Exception) -> int:
    """4 for what starting again does not mend, 3 for what it may; either stops gunicorn."""
    from quota_web.core.errors import DatabaseBusy

    return 3 if isinstance(error, DatabaseBusy) else 4


def _refuse(worker: Any, status: int) -> None:
    """End with a status that stops gunicorn, instead of making it try again for ever.

    The first worker says it for all: heard twice at the same moment, it makes gunicorn end with
    status 1 and a traceback.
    """
    until = time.monotonic() + REFUSE_WITHIN_S
    while worker.age != _FIRST and worker.alive and time.monotonic() < until:
        time.sleep(0.05)
    sys.exit(status if worker.alive else 0)


def worker_int(worker: Any) -> None:
    """SIGINT or SIGQUIT: the worker ends at once, but what has been answered is stored."""
    from quota_web.serving import lifecycle

    lifecycle.begin_to_stop(worker.wsgi)


def worker_exit(_server: Any, worker: Any) -> None:
    """The last thing a worker does."""
    from quota_web.serving import lifecycle

    if getattr(worker, "wsgi", None) is not None:
        lifecycle.stop(worker.wsgi)
    if worker.booted:
        # Taking the interpreter apart takes several workers on a busy machine longer than all of
        # the above.
        lifecycle.leave()


def _base(worker: Any) -> str:
    """The address that a person on this machine types."""
    address = worker.sockets[0].getsockname()
    return f"http://localhost:{address[1]}" if isinstance(address, tuple) else "http://localhost"
