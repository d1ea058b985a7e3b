"""Writes the credentials of an account to a file, as an auth.json."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from quota_web import store
from quota_web.accounts import file_outbox, stored_credentials
from quota_web.codex import auth_edit, auth_file
from quota_web.codex.credentials import Credentials
from quota_web.core import names
from quota_web.core.errors import BadInput, CredentialsRefused
from quota_web.store.accounts import FOLLOWED, Account, Scope
from quota_web.store.credentials import EncryptedCredential
from quota_web.store.encryption import TokenCipher


def export(
    cipher: TokenCipher,
    name: str,
    file: Path,
    now: int,
    actor: str,
    scope: Scope | None = None,
    *,
    overwrite: bool = False,
) -> None:
    """Write an account's credentials to *file* as an auth.json of mode 0600.

    Raises BadInput where there is a file already and *overwrite* is false.
    """
    if not overwrite and os.path.lexists(file) and not file.is_dir():
        shown = names.printable(str(file))
        raise BadInput(
            "file", f"{shown} exists already; nothing was written (--force overwrites it)"
        )
    with store.database.transaction() as tx:
        found = store.accounts.get_by_name(tx, name, scope)
        sealed = store.credentials.get_by_ids(tx, [found.id]).get(found.id)
        if sealed is None:
            raise BadInput("name", f"{found.name}: has no stored credentials")
        store.audit_log.add(tx, now, "account_exported", actor, found.id, name=found.name)
    raw = _followed_file(found)
    with _writable(file.parent):
        content = (
            raw if raw is not None else auth_edit.to_document(_handed_over(cipher, found, sealed))
        )
        # Tokens in the clear: what root exports stays root's, whoever's folder it is written to.
        store.filesystem.write_private(file, content, give=False)


def _handed_over(cipher: TokenCipher, found: Account, sealed: EncryptedCredential) -> Credentials:
    """What is written: a refresh token that is renewed here stays here alone."""
    opened = stored_credentials.opened(cipher, found, sealed)
    return replace(opened, refresh_token=None) if sealed.may_be_renewed else opened


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
