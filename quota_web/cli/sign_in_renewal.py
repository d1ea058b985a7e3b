"""`flask quota accounts renew NAME` and `renewal NAME on|off`, from a terminal."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from quota_web.cli import output
from quota_web.codex.renewal_answer import Verdict
from quota_web.core import clock, times
from quota_web.core.language import use_language
from quota_web.reports import renewal_words
from quota_web.services import Services
from quota_web.sign_ins import renewal_service, renewal_switch
from quota_web.sign_ins.renewal_service import Press, Pressed

#: Exit statuses: nothing to renew; not reached; everything else.
NOTHING, NOT_REACHED, OTHER = 1, 2, 3


def renew(present: Services, name: str, actor: str) -> int:
    """Renew an account's sign-in now; returns the exit status."""
    with _finishing(present):
        done = renewal_service.renew_now(renewal_service.make(present, actor), name)
    zone = present.settings.timezone
    may_at = "" if done.may_at is None else times.local(done.may_at, zone)
    # What a command prints about its end is English for whoever reads logs.
    with use_language(None):
        line = f"{done.name}: {_line(done, may_at)}"
    if done.is_renewed:
        ends = "" if done.ends_at is None else f"; it ends {times.local(done.ends_at, zone)}"
        print(line + ends)
        return output.OK
    output.print_error(line)
    return _status(done)


def _line(done: Pressed, may_at: str) -> str:
    return renewal_words.pressed(done.outcome, done.code, done.failure, may_at)


def _status(done: Pressed) -> int:
    if done.outcome in (Press.NOTHING_TO_RENEW, Press.SWITCHED_OFF):
        return NOTHING
    is_unreached = done.outcome is Verdict.NOT_TAKEN and done.code == "not_reached"
    return NOT_REACHED if is_unreached else OTHER


@contextmanager
def _finishing(present: Services) -> Iterator[None]:
    """Let a signal to end shorten a renewal under way instead of cutting it: its answer may be the
    only copy of a token. A second signal ends the process at once.

    That happens in a thread of its own: the signal may have come where locks are held.
    """
    kinds = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {kind: signal.getsignal(kind) for kind in kinds}

    def hurry() -> None:
        output.print_error("a renewal is under way; it is over within a few seconds")
        present.end()

    def note(_number: int, _frame: FrameType | None) -> None:
        for kind, handler in before.items():
            signal.signal(kind, handler)
        threading.Thread(target=hurry, daemon=True).start()

    for kind in kinds:
        signal.signal(kind, note)
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def switch(present: Services, name: str, on: bool, actor: str) -> str:
    """Switch the renewal of a sign-in on or off; the line to print."""
    now = clock.now()
    if not on:
        return f"{renewal_switch.switch_off(name, now, actor)}: not renewed any more"
    client_id = present.settings.oauth_client_id
    done = renewal_switch.switch_on(present.cipher, client_id, name, now, actor)
    return f"{done}: renewed from now on; let nothing else use this sign-in"
