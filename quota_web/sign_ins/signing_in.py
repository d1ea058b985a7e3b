"""Signing in to ChatGPT here: by a code typed on its page, or by a link whose last address is
pasted back.

What is under way is in the database, so that any process can go on with it and none sends the same
thing twice. A code works once: its exchange is claimed before it is sent, and where the answer is
lost, the person starts again; nothing else is lost.
"""

import hashlib
import secrets
from dataclasses import dataclass

from sqlalchemy import Connection

from quota_web import store
from quota_web.codex import device_login, pasted_callback
from quota_web.codex.device_login import DeviceCode, Grant, LoginVerdict
from quota_web.codex.pasted_callback import Pasted
from quota_web.core import names
from quota_web.core.errors import BadInput
from quota_web.core.language import mark
from quota_web.core.secret import Secret
from quota_web.services import Services, services
from quota_web.sign_ins import exchange, outcomes
from quota_web.sign_ins.outcomes import SignInRefused, SignInState
from quota_web.store.encryption import DecryptionFailed
from quota_web.store.sign_ins import SignIn

__all__ = ["DEVICE", "LINK", "SignIn", "Wanted", "begin", "cancel", "find", "paste", "poll", "work"]

DEVICE, LINK = "device", "link"
#: Open at once, and begun within an hour.
MOST_OPEN, MOST_AN_HOUR, HOUR = 3, 10, 3_600
#: An exchange that has no outcome after this many seconds was lost with its process.
LOST_S = 60
#: How long rows of what has ended are kept, in seconds.
KEPT_S = 86_400
DEVICE_ID, VERIFIER, STATE = "device", "verifier", "state"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person wants to sign in: a new account *name*, or the one with the id *account_id*."""

    name: str
    account_id: int | None
    method: str
    #: `session_hash` of the browser session; None in a terminal.
    session: str | None


def session_hash(session_id: str, user: str | None = None) -> str:
    """What is stored of the browser session that began a sign-in."""
    return hashlib.sha256(f"{session_id}\n{user or ''}".encode()).hexdigest()


def begin(present: Services, wanted: Wanted, now: int) -> int:
    """Begin a sign-in and return its id. Raises SignInRefused or BadInput.

    By a code, the first request is sent here; it is not repeated.
    """
    name = names.validate(wanted.name)
    if wanted.method not in (DEVICE, LINK):
        raise BadInput("method", mark("choose how to sign in: by a code or by a link"))
    with store.database.reading() as conn:
        _require_room(conn, now)
    device = _ask_for_code(present, now) if wanted.method == DEVICE else None
    with store.database.transaction() as tx:
        _require_room(tx, now)
        return _add(tx, present, wanted, name, device, now)


def _require_room(conn: Connection, now: int) -> None:
    is_open, begun = store.sign_ins.counts(conn, now - HOUR, now)
    if is_open >= MOST_OPEN or begun >= MOST_AN_HOUR:
        raise SignInRefused(
            SignInState.FAILED,
            "too_many",
            mark("Too many sign-ins are open, or were begun within an hour. Cancel one or wait."),
        )


def _ask_for_code(present: Services, now: int) -> DeviceCode:
    fields = {"client_id": present.oauth.client_id}
    sent = present.oauth.post(device_login.CODE_PATH, fields)
    answer = device_login.of_code(sent.exchange, now)
    if answer.device is not None:
        return answer.device
    raise _no_code(answer.verdict, answer.code, answer.wait_s)


def _no_code(verdict: LoginVerdict, code: str | None, wait_s: int) -> SignInRefused:
    if verdict is LoginVerdict.UNAVAILABLE:
        text = outcomes.message(SignInState.UNAVAILABLE)
        return SignInRefused(SignInState.UNAVAILABLE, code, text)
    if verdict is LoginVerdict.ADDRESS_BLOCKED:
        text = mark("ChatGPT answers this machine's address with a challenge. Try again later.")
        return SignInRefused(SignInState.BLOCKED, code, text)
    if verdict is LoginVerdict.NOT_REACHED:
        text = outcomes.message(SignInState.FAILED, "not_reached")
        return SignInRefused(SignInState.FAILED, "not_reached", text)
    if verdict is LoginVerdict.WAIT:
        text = mark("ChatGPT asks to wait. Try again in %(seconds)s s.")
        return SignInRefused(SignInState.FAILED, "throttled", text, seconds=wait_s)
    text = mark("ChatGPT gave no code (%(code)s). Try again later, or use the link.")
    return SignInRefused(SignInState.FAILED, code, text, code=code)


def _add(
    tx: Connection,
    present: Services,
    wanted: Wanted,
    name: str,
    device: DeviceCode | None,
    now: int,
) -> int:
    interval_s = device.interval_s if device else device_login.INTERVAL_S
    new = store.sign_ins.add(
        tx,
        session_hash=wanted.session,
        method=wanted.method,
        account_id=wanted.account_id,
        name=name,
        user_code=device.user_code if device else None,
        interval_s=interval_s,
        next_poll_at=now + interval_s if device else None,
        created_at=now,
        expires_at=now + device_login.LASTS_S,
    )
    seal = present.cipher.seal
    if device is not None:
        store.sign_ins.update_one(tx, new, device_sealed=seal(device.device_id, new, DEVICE_ID))
        return new
    verifier, state = Secret(secrets.token_urlsafe(64)), Secret(secrets.token_urlsafe(32))
    store.sign_ins.update_one(
        tx,
        new,
        verifier_sealed=seal(verifier, new, VERIFIER),
        state_sealed=seal(state, new, STATE),
        state_hash=pasted_callback.state_hash(state.reveal()),
    )
    return new


def find(sign_in_id: int, session: str) -> SignIn | None:
    """The sign-in of that number, if the browser session with that hash began it."""
    with store.database.reading() as conn:
        row = store.sign_ins.get(conn, sign_in_id)
    return row if row is not None and row.session_hash == session else None


def account_to_sign_in(present: Services, name: str) -> tuple[int, str]:
    """Id and name of an account that is to be signed in anew. Raises AccountNotFound."""
    with store.database.reading() as conn:
        found = store.accounts.get_by_name(conn, name, present.scope)
    return found.id, found.name


def address_of(present: Services, row: SignIn) -> str | None:
    """The address to open; None where the sign-in is over."""
    if row.method == DEVICE:
        return device_login.PAGE
    if row.verifier_sealed is None or row.state_sealed is None:
        return None
    try:
        verifier = present.cipher.open(row.verifier_sealed, row.id, VERIFIER)
        state = present.cipher.open(row.state_sealed, row.id, STATE)
    except DecryptionFailed:
        return None
    client_id = present.settings.oauth_client_id
    return pasted_callback.link(client_id, verifier.reveal(), state.reveal())


def poll(present: Services, sign_in_id: int, now: int) -> None:
    """Ask once whether the code of a sign-in was approved, if it is time and no other process
    does; go on with it if it was.
    """
    with store.database.transaction() as tx:
        row = store.sign_ins.get(tx, sign_in_id)
        if row is None or row.device_sealed is None:
            return
        # As long as the answer may take, no other process asks.
        if not store.sign_ins.claim_poll(tx, row.id, now, row.interval_s):
            return
    device_id = _opened(present, row, row.device_sealed, DEVICE_ID)
    if device_id is None:
        return
    fields = {"device_auth_id": device_id.reveal(), "user_code": row.user_code or ""}
    sent = present.oauth.post(device_login.POLL_PATH, fields)
    answer = device_login.of_poll(sent.exchange, now, (device_id,))
    if answer.verdict is LoginVerdict.PENDING:
        if answer.wait_s:
            _slow_down(row, answer.wait_s, now)
    elif answer.grant is not None:
        exchange.run(present, row, answer.grant, device_login.REDIRECT, now)
    else:
        _end(row.id, _OUTCOMES.get(answer.verdict, SignInState.FAILED), answer.code)


_OUTCOMES = {
    LoginVerdict.DECLINED: SignInState.DECLINED,
    LoginVerdict.EXPIRED: SignInState.EXPIRED,
    LoginVerdict.ADDRESS_BLOCKED: SignInState.BLOCKED,
}


def _slow_down(row: SignIn, more_s: int, now: int) -> None:
    interval_s = min(row.interval_s + more_s, device_login.MOST_INTERVAL_S)
    with store.database.transaction() as tx:
        store.sign_ins.update_one(tx, row.id, interval_s=interval_s, next_poll_at=now + interval_s)


def _opened(present: Services, row: SignIn, sealed: bytes, kind: str) -> Secret | None:
    """A secret of *row*; ends it where its key is gone."""
    try:
        return present.cipher.open(sealed, row.id, kind)
    except DecryptionFailed:
        _end(row.id, SignInState.FAILED, "key_changed")
        return None


def _end(sign_in_id: int, outcome: SignInState, code: str | None) -> None:
    with store.database.transaction() as tx:
        if store.sign_ins.end(tx, sign_in_id, outcome, code):
            store.site_state.touch(tx)


def paste(present: Services, row: SignIn, pasted: str, now: int) -> None:
    """Go on with a sign-in by link, given the address at its end. Raises BadInput for one that is
    not, and changes nothing then.
    """
    if row.state_hash is None or row.verifier_sealed is None or not row.is_open(now):
        raise BadInput("url", outcomes.OVER)
    found = pasted_callback.read(pasted, row.state_hash)
    if found.what is Pasted.DECLINED:
        _end(row.id, SignInState.DECLINED, None)
        return
    if found.code is None:
        raise BadInput("url", _PASTED[found.what])
    verifier = _opened(present, row, row.verifier_sealed, VERIFIER)
    if verifier is not None:
        grant = Grant(Secret(found.code), verifier)
        exchange.run(present, row, grant, pasted_callback.REDIRECT, now)


_PASTED = {
    Pasted.FOREIGN: mark("that address is from another sign-in; start again"),
    Pasted.LINK: mark("that is the page to open; paste the address you land on at the end"),
    Pasted.TAKEN: mark(
        "a Codex CLI on that computer took the sign-in; stop it and start again here"
    ),
    Pasted.UNKNOWN: mark(
        "that is not the address at the end of the sign-in; it begins with "
        "http://localhost:1455/auth/callback"
    ),
}


def cancel(sign_in_id: int) -> None:
    """End a sign-in that a person no longer wants."""
    _end(sign_in_id, SignInState.FAILED, "cancelled")


def work(now: int) -> None:
    """Poll what is due and end what is overdue: for the schedule, every few seconds."""
    present = services()
    with store.database.reading() as conn:
        due = store.sign_ins.due(conn, now)
        is_overdue = store.sign_ins.has_overdue(conn, now, now - LOST_S)
    for sign_in_id in due:
        if present.stop.is_set():
            return
        poll(present, sign_in_id, now)
    if is_overdue:
        end_overdue(now)


def end_overdue(now: int) -> None:
    """End sign-ins whose time is over or whose process died."""
    with store.database.transaction() as tx:
        if store.sign_ins.end_overdue(tx, now, now - LOST_S):
            store.site_state.touch(tx)


def forget_old(now: int) -> None:
    """Delete what has ended a while ago: for the schedule, every hour."""
    with store.database.transaction() as tx:
        store.sign_ins.forget(tx, now - KEPT_S)
