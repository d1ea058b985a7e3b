"""`flask quota accounts sign-in NAME`: signing in to ChatGPT from a terminal."""

import sys
from dataclasses import replace

from quota_web import store
from quota_web.cli import output
from quota_web.core import clock, names, times
from quota_web.core.errors import AccountNotFound, BadInput
from quota_web.refresh import context, refresh_service
from quota_web.services import Services
from quota_web.sign_ins import outcomes, signing_in
from quota_web.sign_ins.outcomes import SignInRefused, SignInState
from quota_web.sign_ins.signing_in import DEVICE, LINK, Wanted
from quota_web.store.accounts import Scope
from quota_web.store.sign_ins import SignIn

#: Exit statuses: another identity; nothing was reached; declined, expired, unavailable, blocked.
OTHER_IDENTITY, NOT_REACHED, NOT_SIGNED_IN, INTERRUPTED = 1, 2, 3, 130


def run(present: Services, name: str, by_link: bool) -> int:
    """Sign in, then read the account once; returns the exit status."""
    try:
        return _told(present, (_by_link if by_link else _by_code)(present, name))
    except SignInRefused as refused:
        output.print_error(str(refused))
        return NOT_REACHED if refused.code == "not_reached" else NOT_SIGNED_IN
    except KeyboardInterrupt:
        return INTERRUPTED


def _by_code(present: Services, name: str) -> SignIn:
    with output.ended_by_signals(present.end):
        return _approved(present, _begin(present, name, DEVICE))


def _by_link(present: Services, name: str) -> SignIn:
    started = _begin(present, name, LINK)
    try:
        return _pasted(present, started)
    except KeyboardInterrupt:
        signing_in.cancel(started)
        raise


def _begin(present: Services, name: str, method: str) -> int:
    with store.database.reading() as conn:
        try:
            known: int | None = store.accounts.get_by_name(conn, name).id
        except AccountNotFound:
            known = None
    started = signing_in.begin(present, Wanted(name, known, method, None), clock.now())
    row = _row(started)
    print(f"Open  {signing_in.address_of(present, row)}")
    if row.user_code is not None:
        print(f"Code  {names.printable(row.user_code)}")
    print("Never enter a code that somebody else gave you.", flush=True)
    return started


def _approved(present: Services, started: int) -> SignIn:
    """Wait until the code was approved, or the sign-in is over for another reason; cancel it at a
    signal.
    """
    while (row := _row(started)).outcome is None:
        if present.stop.is_set():
            signing_in.cancel(started)
            continue
        if not row.is_open(clock.now()) and row.claim is None:
            signing_in.end_overdue(clock.now())
            continue
        # Another process may poll as well: the database lets one of them.
        present.stop.wait(max(0.2, min(row.interval_s, (row.next_poll_at or 0) - clock.now())))
        signing_in.poll(present, started, clock.now())
    return row


def _pasted(present: Services, started: int) -> SignIn:
    """Read the address at the end from standard input, again while it is none."""
    print("At the end the browser shows an error page. Paste its address here:", flush=True)
    for line in sys.stdin:
        try:
            signing_in.paste(present, _row(started), line, clock.now())
            break
        except BadInput as error:
            output.print_error(str(error))
    else:
        signing_in.cancel(started)
    return _row(started)


def _row(started: int) -> SignIn:
    with store.database.reading() as conn:
        row = store.sign_ins.get(conn, started)
    if row is None:
        raise BadInput("name", "the sign-in is gone; start again")
    return row


def _told(present: Services, row: SignIn) -> int:
    outcome = SignInState(row.outcome or SignInState.FAILED)
    if outcome is not SignInState.DONE:
        output.print_error(f"{row.name}: {outcomes.words(outcome, row.code)}")
        if outcome is SignInState.OTHER_IDENTITY:
            return OTHER_IDENTITY
        return NOT_REACHED if row.code == "not_reached" else NOT_SIGNED_IN
    zone = present.settings.timezone
    chosen, _ = refresh_service.select(Scope(), [row.name])
    asked = replace(context.make_context(present), since=None)
    for result in refresh_service.refresh(asked, chosen, force=True):
        words = "signed in and read"
        if result.fault is not None:
            words = f"signed in; {result.fault.text(lambda at: times.local(at, zone))}"
        print(f"{result.name}: {words}")
    return 0
