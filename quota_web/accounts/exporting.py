"""Writes the credentials of an account to a file, as an auth.json."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection

from quota_web import store
from quota_web.accounts import file_outbox, stored_credentials
from quota_web.codex import auth_edit, auth_file
from quota_web.core import names
from quota_web.core.errors import BadInput, CredentialsRefused
from quota_web.core.language import mark
from quota_web.core.renewal_policy import CredentialKind, Renewal
from quota_web.core.secret import Secret
from quota_web.store.accounts import FOLLOWED, Account, Scope
from quota_web.store.credentials import EncryptedCredential
from quota_web.store.encryption import TokenCipher
from quota_web.store.renewals import Claim


def export(
    cipher: TokenCipher,
    name: str,
    file: Path,
    now: int,
    actor: str,
    scope: Scope | None = None,
    *,
    overwrite: bool = False,
    with_refresh_token: bool = False,
) -> bool:
    """Write an account's credentials to *file* as an auth.json of mode 0600; returns whether a
    refresh token was left out.

    With *with_refresh_token* it is handed over: nothing is renewed here any more, whatever becomes
    of the file. Without, one that this installation made or renews stays here. Raises BadInput
    where there is a file already and *overwrite* is false, and where there is no token to hand
    over.
    """
    if not overwrite and os.path.lexists(file) and not file.is_dir():
        shown = names.printable(str(file))
        raise BadInput(
            "file", f"{shown} exists already; nothing was written (--force overwrites it)"
        )
    with store.database.reading() as conn:
        found = store.accounts.get_by_name(conn, name, scope)
        sealed = store.credentials.get_by_ids(conn, [found.id]).get(found.id)
    if sealed is None:
        raise BadInput("name", f"{found.name}: has no stored credentials")
    content, handed, is_left_out = _content(cipher, found, sealed, with_refresh_token)
    # Tokens in the clear: what root exports stays root's, whoever's folder it is written to.
    with (
        _writable(file.parent),
        store.filesystem.writing_private(file, content, give=False),
        store.database.transaction() as tx,
    ):
        if handed is not None:
            _hand_over(tx, cipher, found, sealed, handed, now)
        more = {"with_refresh_token": 1} if handed is not None else {}
        store.audit_log.add(tx, now, "account_exported", actor, found.id, name=found.name, **more)
    return is_left_out


def _content(
    cipher: TokenCipher, found: Account, sealed: EncryptedCredential, with_refresh_token: bool
) -> tuple[bytes, Secret | None, bool]:
    """What is written, the refresh token in it that must not be sent from here any more, and
    whether one was left out.
    """
    if (raw := _followed_file(found)) is not None:
        return raw, None, False
    told = stored_credentials.opened(cipher, found, sealed)
    if with_refresh_token:
        if told.refresh_token is None:
            raise BadInput("name", mark("%(name)s: has no refresh token here"), name=found.name)
        return auth_edit.to_document(told), told.refresh_token, False
    # A token that may be sent from here stays here alone.
    is_ours = sealed.kind == CredentialKind.OWN or sealed.may_be_renewed
    if not is_ours or told.refresh_token is None:
        return auth_edit.to_document(told), None, False
    return auth_edit.to_document(replace(told, refresh_token=None)), None, True


#: Why a refresh token may be in use in another place, and is not handed over from here.
_ELSEWHERE = {
    "moved": mark("%(name)s: was copied to another database, which renews it; export it there"),
    "handed_over": mark("%(name)s: its refresh token was handed over before; sign in again"),
    "restored": mark(
        "%(name)s: came from a backup; a newer copy of its refresh token may be in use: sign in "
        "again"
    ),
}


def _hand_over(
    tx: Connection,
    cipher: TokenCipher,
    found: Account,
    sealed: EncryptedCredential,
    token: Secret,
    now: int,
) -> None:
    """End the renewal here before the file can be read: two programs must never both send a token.

    Raises BadInput where it may be in use elsewhere, or was used.
    """
    # Written first: a renewal that would claim the token waits for this transaction from here on.
    columns = {"renewal": Renewal.OFF, "renewal_code": "handed_over", "renew_at": None}
    store.credentials.set_columns(tx, found.id, columns)
    held = store.credentials.get_by_ids(tx, [found.id]).get(found.id)
    prints = cipher.fingerprints(token)
    claim = store.renewals.of_tokens(tx, prints)
    problem = None
    if held is None or held.refresh_fp not in (None, *prints) or _is_open(claim):
        problem = mark("%(name)s: is being renewed; try again in a minute")
    elif claim is not None:
        problem = mark("%(name)s: its refresh token was used before; sign in again")
    elif not sealed.may_be_renewed:
        problem = _ELSEWHERE.get(sealed.renewal_code or "")
    if problem is not None:
        raise BadInput("name", problem, name=found.name)
    store.accounts.bump_version(tx, found.id)
    store.site_state.bump_version(tx, now)


def _is_open(claim: Claim | None) -> bool:
    return claim is not None and claim.outcome is None


def _followed_file(found: Account) -> bytes | None:
    """A followed account's file as it stands: it has what is not stored here, such as the refresh
    token.
    """
    path = Path(found.source_path or "")
    if found.origin != FOLLOWED or not file_outbox.is_auth_file(path):
        return None
    try:
        return auth_file.read_file(path)
    except CredentialsRefused:
        return None


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadInput(
            "", f"{names.printable(str(folder))} cannot be written: {error.strerror}"
        ) from None
