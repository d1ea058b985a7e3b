"""What both servers do around the app: bring the database up to date, start the schedule, say
where to look, and stop in time.
"""

import gc
import logging
import os
import sys
import threading
import time

from flask import Flask

from quota_web import store
from quota_web.auth import login
from quota_web.auth.login import LoginContext
from quota_web.config import Settings
from quota_web.core import clock
from quota_web.core.errors import BadDatabase, DatabaseBusy, QuotaError
from quota_web.maintenance import rotate_key
from quota_web.refresh import scheduler
from quota_web.refresh.tick import Tick
from quota_web.services import Services
from quota_web.serving import alert_sender, logs

logger = logging.getLogger(__name__)

#: From the signal to the end of the process; what is not done by then is left.
STOP_WITHIN_S = 6.5
#: The same while a sign-in is renewed: what comes back may be the only copy of a token.
RENEWED_WITHIN_S = 7.7
#: How long a new database that another worker makes is waited for; gunicorn kills a worker that
#: has not begun to work after 30 s, and forks the next one.
READY_WITHIN_S = 5.0
#: How many objects more than before let the collector look for rings.
LOOKS_AFTER = 10_000
#: Set once the database was looked through, here or before the fork.
_LOOKED_THROUGH = "quota_database_looked_through"


def prepare(app: Flask) -> None:
    """Do before a fork what each worker would do after it, so that they share what is loaded and
    made; no handle, lock or thread of it stays. Raises BadSetting or BadDatabase as `start`.
    """
    from quota_web.serving import shared_modules  # noqa: F401

    _bring_up(app)
    with app.app_context():
        try:
            # Looks of the kind that each worker begins with.
            Tick(_world(app), lambda: None).due_accounts()
            alert_sender.look(clock.now())
        except QuotaError as error:
            # What stops a schedule stops no service: its pages show what is there, and say so.
            logger.warning("the first look for what is due failed: %s", error)
        _world(app).leave_database()
        store.database.disconnect()
    gc.collect()
    gc.freeze()


def start(app: Flask) -> None:
    """Make the app ready to serve in this process. Raises BadSetting or BadDatabase."""
    _bring_up(app)
    scheduler.start(app)
    alert_sender.start(app)
    # What is loaded stays. Without this the collector goes through all of it whenever the thousands
    # of points of a long chart wake it: that doubled what such a chart takes.
    gc.freeze()
    # And what is read comes in thousands of rows, none of which is part of a ring.
    gc.set_threshold(LOOKS_AFTER)


def _bring_up(app: Flask) -> None:
    settings: Settings = app.config["SETTINGS"]
    logs.init(settings.log_format, settings.timezone)
    with app.app_context():
        _ready(app)
        if _LOOKED_THROUGH not in app.extensions:
            # Once a start: a damaged page is better met here than by a write years later.
            store.health.check()
            _bind_tokens(app)
            app.extensions[_LOOKED_THROUGH] = True


def _ready(app: Flask) -> None:
    """Bring the database up to date.

    Workers that make a new one at the same moment can be told at once that it is busy: then again.
    """
    until = clock.monotonic() + READY_WITHIN_S
    while True:
        try:
            return _world(app).ready()
        except DatabaseBusy:
            if clock.monotonic() >= until:
                raise
            time.sleep(0.2)


def _bind_tokens(app: Flask) -> None:
    """Seal tokens from before 1.1 anew.

    Where nothing can be stored at present, the next start does.
    """
    try:
        if done := rotate_key.bind(_world(app).cipher):
            logger.info("the tokens of %d accounts were sealed anew, each for its account", done)
    except BadDatabase as error:
        logger.warning("tokens from before 1.1 are still to be sealed anew: %s", error)


def begin_to_stop(app: Flask) -> None:
    """At the signal: nothing more is sent, requests under way are cut, and the process ends in
    time, whatever hangs.

    Safe in a signal handler: what takes locks happens in a thread of its own.
    """
    threading.Thread(target=_world(app).end, name="quota-stop", daemon=True).start()
    last = threading.Timer(STOP_WITHIN_S, _give_up, [app])
    last.daemon = True
    last.start()


def stop(app: Flask) -> None:
    """Store what has been answered and end the schedule."""
    scheduler.stop(app)
    _wait_for_renewal(app, RENEWED_WITHIN_S)
    alert_sender.stop(app)


def _wait_for_renewal(app: Flask, seconds: float) -> None:
    """Wait until a renewal under way is over; none begins any more."""
    lock = _world(app).renewal_lock
    if lock.acquire(timeout=seconds):
        lock.release()


def welcome(app: Flask, base: str) -> None:
    """Say on the console where the dashboard is and, while there is no password, how to choose
    one.
    """
    settings: Settings = app.config["SETTINGS"]
    print(f"Codex Quota: {base}{settings.url_prefix}/", flush=True)
    with app.app_context():
        link = login.setup_link(LoginContext(settings), base, clock.now())
    if link is not None:
        print(f"No password yet. Choose one here; the link works once: {link}", flush=True)


def _world(app: Flask) -> Services:
    found: Services = app.extensions["quota_services"]
    return found


def leave(status: int = 0) -> None:
    """End the process at once, when nothing is left to do."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _give_up(app: Flask) -> None:
    _wait_for_renewal(app, RENEWED_WITHIN_S - STOP_WITHIN_S)
    logger.warning("something did not end in time; it is left behind")
    leave()
