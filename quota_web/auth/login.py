"""Signing in and out, the password, and the one-time link with which the first one is chosen.

The session cookie carries the site's epoch. A new password and every sign-out raise it, which ends
all sessions. QUOTA_PASSWORD wins over the stored password.
"""

import hashlib
import hmac
import re
import secrets
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from quota_web import store
from quota_web.auth import passwords, throttle
from quota_web.auth.passwords import COST, Cost
from quota_web.config import Settings
from quota_web.core.errors import BadInput, BadSetting
from quota_web.core.language import mark
from quota_web.core.secret import Secret

LINK_FILE = "setup-link"
LINK_MARK = "/login#setup="
#: In characters: the 43 of a code, and blanks that came along.
MAX_CODE = 100
#: Who a signed-in person is in the audit: there is one password, so there is one name.
SESSION_ACTOR = "password session"
#: How long a proxy on this machine is remembered, and how exactly it is known when it was seen
#: last.
PROXY_KNOWN_FOR_S, NOTE_PROXY_EVERY_S = 30 * 86_400, 86_400
NOT_THE_PASSWORD = mark("That is not the password.")
NOT_THE_CODE = mark("That is not the code of the link.")


@dataclass(frozen=True, slots=True)
class LoginContext:
    """What signing in depends on: the settings, and what a password's hash costs."""

    settings: Settings
    cost: Cost = COST

    @property
    def fixed_password(self) -> Secret | None:
        return self.settings.password

    @property
    def link_file(self) -> Path:
        return self.settings.instance_dir / LINK_FILE


def epoch() -> int:
    """The epoch that a session must have to count; read at every request."""
    with store.database.reading() as conn:
        return store.site_state.read(conn).session_epoch


def has_password(gate: LoginContext) -> bool:
    """Whether there is a password to sign in with; without one, only the set-up link leads in."""
    return gate.fixed_password is not None or _stored_hash() is not None


def sign_in(
    gate: LoginContext, guess: str, address: str | None, now: int, own: str | None = None
) -> int | None:
    """Compare a guess and return the epoch for the session, or None if it is wrong. Raises
    TooManyTries.

    *own* names the pot of a client that is known otherwise than by its address (see
    throttle.py); here and below.
    """
    stored = _stored_hash()
    with _turn(gate, throttle.check(address, now, own)):
        ticket = throttle.record(address, now, own)
        right = _is_password(gate, stored, guess)
    with store.database.transaction() as conn:
        store.auth.lock(conn)
        # A password that was replaced while the old one was compared is no longer right.
        if not right or (
            gate.fixed_password is None
            and store.auth.setting_of(conn, store.auth.PASSWORD) != stored
        ):
            store.audit_log.add(
                conn, now, "sign_in_failed", "stranger", address=throttle.address_key(address)
            )
            return None
        store.auth.forgive_failure(conn, ticket)
        throttle.remember(conn, address, now)
        store.audit_log.add(
            conn, now, "signed_in", SESSION_ACTOR, address=throttle.address_key(address)
        )
        return store.site_state.read(conn).session_epoch


def sign_out(now: int, actor: str) -> None:
    """End all sessions: a copied cookie must not outlive the sign-out."""
    with store.database.transaction() as conn:
        store.site_state.end_sessions(conn)
        store.audit_log.add(conn, now, "signed_out", actor)


def remember_local_proxy(now: int) -> None:
    """Note that requests from elsewhere arrive through a proxy on this machine: for some weeks, a
    request from the machine itself is not known for that reason.
    """
    with store.database.reading() as conn:
        is_fresh = (
            0
            <= now - int(store.auth.setting_of(conn, store.auth.LOCAL_PROXY) or 0)
            < NOTE_PROXY_EVERY_S
        )
    if not is_fresh:
        with store.database.transaction() as conn:
            store.auth.set_setting(conn, store.auth.LOCAL_PROXY, str(now))


def has_local_proxy(now: int) -> bool:
    """Whether a proxy on this machine was seen lately, by whichever process."""
    with store.database.reading() as conn:
        return (
            now - int(store.auth.setting_of(conn, store.auth.LOCAL_PROXY) or 0) < PROXY_KNOWN_FOR_S
        )


@dataclass(frozen=True, slots=True)
class NewPassword:
    """A new password as a person typed it, twice."""

    password: str
    again: str | None = None


def choose_first(
    gate: LoginContext,
    code: str,
    new: NewPassword,
    address: str | None,
    now: int,
    own: str | None = None,
) -> int:
    """Set the first password with the code of the set-up link and return the epoch.

    Raises BadInput or TooManyTries.
    """
    passwords.validate(new.password, new.again)
    ticket = throttle.record(address, now, own)
    if not _is_code(code):
        _note_failure(now, "setup_code_refused", address)
        raise BadInput("code", NOT_THE_CODE)
    with passwords.turn(first=True):
        password_hash = passwords.hash_password(new.password, gate.cost)
    with store.database.transaction() as conn:
        store.auth.lock(conn)
        # The link is good for one use, also when two use it at the same time.
        if not store.auth.drop_setting(conn, store.auth.SETUP_CODE):
            raise BadInput("code", NOT_THE_CODE)
        store.auth.forgive_failure(conn, ticket)
        reached = _store_password(conn, password_hash, "password_set", "set-up link", now)
    _remove_link(gate)
    return reached


def change_password(
    gate: LoginContext,
    present: str,
    new: NewPassword,
    address: str | None,
    now: int,
    actor: str = SESSION_ACTOR,
    own: str | None = None,
) -> int:
    """Replace the password, given the present one, end all sessions, and return the new epoch.

    Raises BadInput or TooManyTries.
    """
    _require_changeable(gate)
    passwords.validate(new.password, new.again)
    stored = _stored_hash()
    with passwords.turn(throttle.check(address, now, own)):
        ticket = throttle.record(address, now, own)
        password_hash = (
            passwords.hash_password(new.password, gate.cost)
            if passwords.verify(stored, present, gate.cost)
            else None
        )
    if password_hash is None:
        _note_failure(now, "password_change_refused", address, actor)
        raise BadInput("current_password", NOT_THE_PASSWORD)
    with store.database.transaction() as conn:
        store.auth.lock(conn)
        if store.auth.setting_of(conn, store.auth.PASSWORD) != stored:
            raise BadInput("current_password", NOT_THE_PASSWORD)
        store.auth.forgive_failure(conn, ticket)
        return _store_password(conn, password_hash, "password_changed", actor, now)


def set_password(gate: LoginContext, new: NewPassword, now: int, actor: str) -> None:
    """Set the password from a command on the host: the present one is not needed, and the guesses
    are forgotten. Raises BadInput.
    """
    _require_changeable(gate)
    passwords.validate(new.password, new.again)
    with passwords.turn(first=True):
        password_hash = passwords.hash_password(new.password, gate.cost)
    with store.database.transaction() as conn:
        store.auth.lock(conn)
        store.auth.forget_all_failures(conn)
        _store_password(conn, password_hash, "password_set", actor, now)
    _remove_link(gate)


def setup_link(gate: LoginContext, base: str, now: int) -> str | None:
    """The one-time link under the address *base* (`http://localhost:8081`); None where there is
    nothing to set up.

    The code is made once, kept in the link file, and the same after a restart; the database has its
    hash only. Raises BadSetting where the file cannot be written.
    """
    if gate.settings.auth != "password" or has_password(gate):
        _void_link(gate)
        return None
    start = f"{base.rstrip('/')}{gate.settings.url_prefix}{LINK_MARK}"
    # Several processes that start at once must agree: the write lock is held while the file is read
    # and written.
    with store.database.transaction() as conn:
        store.auth.lock(conn)
        code = _kept_code(gate.link_file)
        if code is None or _hash(code) != store.auth.setting_of(conn, store.auth.SETUP_CODE):
            code = secrets.token_urlsafe(32)
            store.auth.set_setting(conn, store.auth.SETUP_CODE, _hash(code))
            store.audit_log.add(conn, now, "setup_link_made", "service")
        _write_link(gate.link_file, f"{start}{code}\n")
    return f"{start}{code}"


def _stored_hash() -> str | None:
    with store.database.reading() as conn:
        return store.auth.setting_of(conn, store.auth.PASSWORD)


def _turn(gate: LoginContext, first: bool) -> AbstractContextManager[None]:
    """A turn to compare a password; the fixed one is compared at once."""
    return nullcontext() if gate.fixed_password is not None else passwords.turn(first)


def _is_password(gate: LoginContext, stored: str | None, guess: str) -> bool:
    if gate.fixed_password is not None:
        return passwords.same(gate.fixed_password.reveal(), guess)
    return passwords.verify(stored, guess, gate.cost)


def _is_code(code: str) -> bool:
    if len(code) > MAX_CODE:
        return False
    with store.database.reading() as conn:
        wanted = store.auth.setting_of(conn, store.auth.SETUP_CODE)
    return wanted is not None and hmac.compare_digest(wanted, _hash(code.strip()))


def _hash(code: str) -> str:
    # 256 random bits cannot be guessed, so a fast hash is enough.
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()


def _require_changeable(gate: LoginContext) -> None:
    if gate.fixed_password is not None:
        raise BadInput("password", mark("QUOTA_PASSWORD sets the password; change it there."))


def _note_failure(now: int, kind: str, address: str | None, actor: str = "stranger") -> None:
    with store.database.transaction() as conn:
        store.audit_log.add(conn, now, kind, actor, address=throttle.address_key(address))


def _store_password(conn: Connection, password_hash: str, kind: str, actor: str, now: int) -> int:
    """The one way in which a password changes: sessions end, the set-up link is void, the audit
    says so. Returns the new epoch.
    """
    store.auth.set_setting(conn, store.auth.PASSWORD, password_hash)
    store.auth.drop_setting(conn, store.auth.SETUP_CODE)
    store.site_state.end_sessions(conn)
    store.audit_log.add(conn, now, kind, actor)
    return store.site_state.read(conn).session_epoch


def _void_link(gate: LoginContext) -> None:
    """A link from before there was a password must not choose another one."""
    with store.database.reading() as conn:
        is_open = store.auth.setting_of(conn, store.auth.SETUP_CODE) is not None
    if is_open:
        with store.database.transaction() as conn:
            store.auth.drop_setting(conn, store.auth.SETUP_CODE)
    _remove_link(gate)


def _remove_link(gate: LoginContext) -> None:
    # The code in it is void already; a file that stays is untidy, not dangerous.
    with suppress(OSError):
        gate.link_file.unlink(missing_ok=True)


def _kept_code(file: Path) -> str | None:
    try:
        found = re.search(rf"{LINK_MARK}([\w-]{{43}})\s*$", file.read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError):
        return None
    return found.group(1) if found else None


def _write_link(file: Path, content: str) -> None:
    try:
        if (
            file.is_symlink()
            or not file.exists()
            or file.read_text(encoding="ascii", errors="replace") != content
            or file.stat().st_mode & 0o077
        ):
            store.filesystem.make_folder(file.parent)
            file.unlink(missing_ok=True)
            store.filesystem.write_private(file, content.encode("ascii"))
    except OSError as error:
        raise BadSetting(
            f"{file}: {error.strerror}; the instance folder must be writable"
        ) from None
