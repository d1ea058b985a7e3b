"""Acts on accounts: add, replace, rename, pause, remove.

A login that is here already is updated under the name that it has. Another login never goes on with
another's history: the old account keeps its own under another name, and the new one starts afresh.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection

from quota_web import store
from quota_web.accounts import file_outbox, stored_credentials
from quota_web.codex import auth_edit, auth_file
from quota_web.codex.auth_file import Credentials
from quota_web.core import account_identity, names
from quota_web.core.errors import AccountExists, AccountNotFound, BadInput
from quota_web.core.language import gettext as _
from quota_web.core.language import mark
from quota_web.core.quota import Status
from quota_web.core.renewal_policy import CredentialKind, Renewal
from quota_web.store.accounts import (
    DEMO,
    FOLLOWED,
    MANAGED,
    Account,
    Scope,
    Shown,
)
from quota_web.store.credentials import EncryptedCredential
from quota_web.store.encryption import TokenCipher


@dataclass(frozen=True, slots=True)
class Saved:
    """An account that was just stored."""

    name: str
    #: False where an account of this name and login got new credentials.
    is_new: bool
    #: What the account of another login that had the name is called now.
    archived_as: str | None = None
    #: Whether it has new credentials, with which it is asked soon.
    is_due: bool = True
    #: The name that was given, where the login is here already under the other one.
    given_name: str | None = None

    #: Whether the token was not taken, because the followed file has this or a newer one.
    is_kept: bool = False
    #: The same, because the account was signed in to here and that is renewed.
    is_own_kept: bool = False

    @property
    def done(self) -> str:
        """What became of the credentials, in words."""
        if self.is_own_kept:
            return _("already signed in here, kept")
        if self.is_kept:
            return _("kept: its file has this token or a newer one")
        return _("added") if self.is_new else _("credentials replaced")

    @property
    def outcome(self) -> str:
        """The same for whoever gave it under another name."""
        if self.given_name is None or self.is_own_kept:
            return self.done
        return _("here already, %(done)s", done=self.done)


def same_login(found: Account, credentials: Credentials) -> bool:
    """Whether the credentials belong to the login whose history this account holds; an account that
    never knew any says yes.
    """
    return found.chatgpt_account_id is None or account_identity.may_be_same(
        found.login, credentials.login
    )


def add(
    cipher: TokenCipher,
    name: str,
    credentials: Credentials,
    now: int,
    actor: str,
    *,
    replace_own: bool = False,
) -> Saved:
    """Store a managed account; a login that is here already gets the new credentials instead, but
    for a sign-in that was made here and is renewed: that is kept unless *replace_own*.

    Raises BadInput for the name and AccountExists where another login has it.
    """
    name = names.validate(name)
    with store.database.transaction() as tx:
        found = standing(tx, name, credentials)
        if found is None:
            return _added(tx, cipher, name, credentials, now, actor)
        if not replace_own and is_renewed_own(tx, found):
            return _own_kept(found, other_name(name, found))
        if found.origin != FOLLOWED:
            stored_credentials.put(tx, cipher, found.id, credentials, now)
            store.audit_log.add(tx, now, "account_replaced", actor, found.id, name=found.name)
            store.site_state.bump_version(tx, now)
            return Saved(found.name, False, given_name=other_name(name, found))
        held = store.credentials.get_by_ids(tx, [found.id]).get(found.id)
    return _renew_followed(cipher, name, found, held, credentials, now, actor)


def is_renewed_own(tx: Connection, found: Account) -> bool:
    """Whether an account was signed in to here, and that is renewed."""
    held = store.credentials.get_by_ids(tx, [found.id]).get(found.id)
    return held is not None and held.kind == CredentialKind.OWN and held.renewal == Renewal.ON


def _is_own_meant(tx: Connection, found: Account, credentials: Credentials | None) -> bool:
    is_same = credentials is not None and same_login(found, credentials)
    return is_same and is_renewed_own(tx, found)


def _own_kept(found: Account, given_name: str | None = None) -> Saved:
    return Saved(
        found.name, False, is_due=False, given_name=given_name, is_kept=True, is_own_kept=True
    )


def standing(tx: Connection, name: str, credentials: Credentials) -> Account | None:
    """The account of this login, or of this name where nothing speaks against it.

    Raises AccountExists where the name is another login's and the login is not here yet.
    """
    try:
        named = store.accounts.get_by_name(tx, name)
    except AccountNotFound:
        named = None
    if named is not None and named.origin == DEMO:
        raise AccountExists(name, mark("an invented account of the demo"))
    certain = store.accounts.of_login(tx, credentials.login, credentials.access_token.fingerprint())
    if certain:
        return next(
            (found for found in certain if named is not None and found.id == named.id), certain[0]
        )
    if named is not None and not same_login(named, credentials):
        raise AccountExists(name, mark("another login"))
    return named


def other_name(given: str, found: Account) -> str | None:
    """The name that was given for an account, where it has another one."""
    return given if names.fold(given) != names.fold(found.name) else None


def _renew_followed(
    cipher: TokenCipher,
    name: str,
    found: Account,
    held: EncryptedCredential | None,
    credentials: Credentials,
    now: int,
    actor: str,
) -> Saved:
    """Write a token into the file that the account follows, but only one that lasts longer than
    what is there.

    The file's owner may have renewed it since: an older copy would take the sign-in away from it.
    """
    given = other_name(name, found)
    if held is not None and not _is_useless(found) and not _lasts_longer(credentials, held):
        return Saved(found.name, False, is_due=False, given_name=given, is_kept=True)
    return replace(edit(cipher, found.name, found.name, credentials, now, actor), given_name=given)


def _is_useless(found: Account) -> bool:
    return found.last_status in (Status.INVALID_CREDENTIALS, Status.EXPIRED)


def _lasts_longer(credentials: Credentials, held: EncryptedCredential) -> bool:
    if held.access_fp == credentials.access_token.fingerprint():
        return False
    return (credentials.expires_at or 0) > (held.access_expires_at or 0)


def _added(
    tx: Connection, cipher: TokenCipher, name: str, credentials: Credentials, now: int, actor: str
) -> Saved:
    account_id = store.accounts.add(tx, name, MANAGED, now)
    stored_credentials.put(tx, cipher, account_id, credentials, now)
    store.audit_log.add(tx, now, "account_added", actor, account_id, name=name)
    store.site_state.bump_version(tx, now)
    return Saved(name, True)


def add_under_free_name(
    cipher: TokenCipher,
    name: str,
    credentials: Credentials,
    now: int,
    actor: str,
    *,
    replace_own: bool = False,
) -> Saved:
    """Store under the first of `name`, `name 2`, … that no other login has: seats of one workspace
    often share an e-mail address.
    """
    for number in range(1, 100):
        suffix = "" if number == 1 else f" {number}"
        try:
            free = name[: names.MAX_NAME - len(suffix)] + suffix
            return add(cipher, free, credentials, now, actor, replace_own=replace_own)
        except AccountExists:
            continue
    raise AccountExists(name, mark("other logins, a hundred times over"))


def edit(
    cipher: TokenCipher,
    original_name: str,
    name: str,
    credentials: Credentials | None,
    now: int,
    actor: str,
    shown: Shown | None = None,
    *,
    replace_own: bool = False,
) -> Saved:
    """Rename an account or give it other credentials, or both; a followed account's file changes
    with it. A sign-in that was made here and is renewed is kept unless *replace_own*.

    Raises AccountNotFound, Outdated, BadInput, AccountExists.
    """
    name = names.validate(name)
    with file_outbox.transaction() as (tx, files_after):
        found = store.accounts.as_shown(tx, original_name, shown)
        if found.origin == DEMO and credentials is not None:
            raise BadInput(
                "name",
                mark("%(name)s is an invented account of the demo; it takes no credentials"),
                name=found.name,
            )
        is_own_kept = not replace_own and _is_own_meant(tx, found, credentials)
        credentials = None if is_own_kept else credentials
        if credentials is not None and not same_login(found, credentials):
            _refuse_repeated(tx, credentials)
        archived_as = None
        if name != found.name:
            store.accounts.rename(tx, found.id, name)
        account_id = found.id
        if credentials is not None and not same_login(found, credentials):
            archived_as = archive(tx, replace(found, name=name), now)
            account_id = store.accounts.add(
                tx, name, found.origin, now, source_path=found.source_path
            )
        if credentials is not None:
            kind = CredentialKind.FILE if found.origin == FOLLOWED else CredentialKind.COPY
            stored_credentials.put(tx, cipher, account_id, credentials, now, kind=kind)
        if found.origin == FOLLOWED:
            old = Path(found.source_path or "")
            files_after.change(
                old, new := old.with_name(name + names.FILE_SUFFIX), _new_content(old, credentials)
            )
            written = (
                {"source_hash": None, "source_gone_at": None} if credentials is not None else {}
            )
            store.accounts.update_account(tx, account_id, source_path=str(new), **written)
        store.audit_log.add(
            tx,
            now,
            "account_edited",
            actor,
            account_id,
            name=name,
            renamed_from=found.name,
            new_credentials=int(credentials is not None),
        )
        store.site_state.bump_version(tx, now)
    if is_own_kept:
        return _own_kept(replace(found, name=name))
    return Saved(name, archived_as is not None, archived_as, credentials is not None)


def _refuse_repeated(tx: Connection, credentials: Credentials) -> None:
    certain = store.accounts.of_login(tx, credentials.login, credentials.access_token.fingerprint())
    if certain:
        holder = certain[0].name
        told = mark("this login is here already as %(holder)s; change it there")
        raise BadInput("auth_json", told, holder=holder)


def _new_content(file: Path, credentials: Credentials | None) -> bytes | None:
    """A followed account's file with other credentials in it, whatever else it holds kept."""
    if credentials is None:
        return None
    return auth_edit.updated(auth_file.read_file(file) if file.exists() else None, credentials)


def archive(tx: Connection, found: Account, now: int) -> str:
    """Move an account aside for another login: renamed with today's date, paused, its history kept.

    Returns the new name.
    """
    day = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d")
    name = next(n for n in _aside_names(found.name, day) if not _is_taken(tx, n))
    store.accounts.rename(tx, found.id, name)
    store.accounts.update_account(
        tx,
        found.id,
        origin=MANAGED,
        source_path=None,
        source_hash=None,
        source_gone_at=None,
        paused_at=now,
        next_due_at=None,
    )
    return name


def _aside_names(name: str, day: str) -> Iterator[str]:
    number = 1
    while True:
        suffix = f" (until {day})" if number == 1 else f" (until {day}, {number})"
        yield name[: names.MAX_NAME - len(suffix)] + suffix
        number += 1


def _is_taken(tx: Connection, name: str) -> bool:
    try:
        store.accounts.get_by_name(tx, name)
    except AccountNotFound:
        return False
    return True


def pause(
    name: str, now: int, actor: str, scope: Scope | None = None, shown: Shown | None = None
) -> str:
    """Send nothing for an account until a person resumes it. Returns its name."""
    with store.database.transaction() as tx:
        found = store.accounts.as_shown(tx, name, shown, scope)
        if found.paused_at is None:
            store.accounts.update_account(tx, found.id, paused_at=now)
            store.audit_log.add(tx, now, "account_paused", actor, found.id, name=found.name)
            store.site_state.bump_version(tx, now)
    return found.name


def resume(
    name: str, now: int, actor: str, scope: Scope | None = None, shown: Shown | None = None
) -> str:
    """Refresh an account again, starting now. Returns its name."""
    with store.database.transaction() as tx:
        found = store.accounts.as_shown(tx, name, shown, scope)
        if found.paused_at is not None:
            store.accounts.update_account(
                tx,
                found.id,
                paused_at=None,
                next_due_at=None if found.last_status is Status.INVALID_CREDENTIALS else now,
            )
            store.audit_log.add(tx, now, "account_resumed", actor, found.id, name=found.name)
            store.site_state.bump_version(tx, now)
    return found.name


def remove(
    name: str, now: int, actor: str, scope: Scope | None = None, shown: Shown | None = None
) -> str:
    """Remove an account, its credentials and, in the background, its history; a followed account's
    file goes too. Returns its name.
    """
    with file_outbox.transaction() as (tx, files_after):
        found = store.accounts.as_shown(tx, name, shown, scope)
        store.accounts.mark_deleted(tx, found.id, now)
        store.audit_log.add(tx, now, "account_deleted", actor, found.id, name=found.name)
        store.site_state.bump_version(tx, now)
        if found.origin == FOLLOWED and found.source_path:
            files_after.remove(Path(found.source_path))
    return found.name
