"""The act that brings the accounts of a folder in step with its `<name>.auth.json` files.

Files are read before the transaction opens. Nothing is written to them but what an act has decided
and left to do, and that is done first. An account belongs to its file's absolute path: a file that
is gone keeps its account and history, and another login in the same file starts a new history.
"""

import errno
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from quota_web import store
from quota_web.accounts import account_service, file_outbox, folder_files, stored_credentials
from quota_web.accounts.folder_files import AuthFile, SkippedFile
from quota_web.codex.auth_file import Credentials
from quota_web.core import names
from quota_web.core.errors import AccountExists, AccountNotFound, BadSetting
from quota_web.core.faults import Fault
from quota_web.core.language import mark
from quota_web.core.quota import Status
from quota_web.core.renewal_policy import CredentialKind
from quota_web.store.accounts import FOLLOWED, Account
from quota_web.store.encryption import ACCESS, TokenCipher

GONE = Fault("file_gone")
SIGNED_IN_HERE = Fault("signed_in_here")
ACTOR = "account folder"
#: Files whose accounts are brought in step in one transaction, and the pause before the next: a
#: folder of 2,000 new files must not keep other processes from the database for seconds.
PIECE = 20
BETWEEN_PIECES_S = 0.01

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What following a folder came to."""

    problems: tuple[SkippedFile, ...] = ()
    #: Why the folder could not be read; then nothing was changed.
    folder_fault: BadSetting | None = None
    #: Whether that is because there is no such folder.
    is_missing: bool = False


def folders(settled: Path, is_named: bool) -> list[Path]:
    """The folders to follow: the named one alone, else the default one with all that accounts were
    followed in before.
    """
    if is_named:
        return [settled]
    with store.database.reading() as conn:
        others = {
            Path(a.source_path).parent
            for a in store.accounts.list_all(conn)
            if a.origin == FOLLOWED and a.source_path
        }
    return [folder for folder in [settled, *sorted(others - {settled})] if os.path.isdir(folder)]


def sync(cipher: TokenCipher, folder: Path, now: int) -> SyncResult:
    """Add, update and mark the accounts of *folder* as its files say.

    A folder that cannot be read changes nothing.
    """
    with suppress(OSError):
        file_outbox.resume(folder, now)
    found = _look(folder, cipher)
    if isinstance(found, SyncResult):
        return found
    files, known, problems = found
    changed = [file for file in files if not _is_in_step(file, known.get(str(file.path)))]
    for piece in _pieces(changed):
        problems += _apply(cipher, piece, now)
    there = {str(file.path) for file in files}
    gone = [p for p, a in known.items() if p not in there and a.source_gone_at is None]
    for paths in _pieces(gone):
        _mark_gone(paths, now)
    return SyncResult(tuple(problems))


def _pieces(every: list[_T]) -> Iterator[list[_T]]:
    """A few at a time, so that no process waits long for the database."""
    for start in range(0, len(every), PIECE):
        if start:
            time.sleep(BETWEEN_PIECES_S)
        yield every[start : start + PIECE]


def look(folder: Path) -> SyncResult:
    """What is wrong with *folder* and its files, changing nothing."""
    found = _look(folder)
    if isinstance(found, SyncResult):
        return found
    files, known, problems = found
    with store.database.reading() as conn:
        holders = {names.fold(a.name): a for a in store.accounts.list_all(conn)}
        own = store.credentials.own(conn)
    strangers = [
        (f, holders[names.fold(f.name)])
        for f in files
        if str(f.path) not in known and names.fold(f.name) in holders
    ]
    taken = [
        _left_alone(f, holder, holder.id in own)
        for f, holder in strangers
        if holder.id in own
        or f.credentials is None
        or not account_service.same_login(holder, f.credentials)
    ]
    return SyncResult((*problems, *taken))


def _look(
    folder: Path, cipher: TokenCipher | None = None
) -> tuple[list[AuthFile], dict[str, Account], list[SkippedFile]] | SyncResult:
    """The folder's files beside what is known of them; a Report where it cannot be read."""
    shown = names.printable(str(folder))
    try:
        str(folder).encode()
        listed = folder_files.listed(folder)
    except UnicodeEncodeError:
        message = mark("account folder %(folder)s: its name is not UTF-8")
        return SyncResult(folder_fault=BadSetting(message, folder=shown))
    except OSError as error:
        reason = os.strerror(error.errno or errno.EIO)
        message = mark("account folder %(folder)s: %(reason)s")
        return SyncResult(
            folder_fault=BadSetting(message, folder=shown, reason=reason),
            is_missing=isinstance(error, FileNotFoundError),
        )
    with store.database.reading() as conn:
        held = file_outbox.held(conn)
        known = _followed(conn, folder, held)
        sealed_with = (
            store.credentials.key_ids(conn, [a.id for a in known.values()]) if cipher else {}
        )
    if cipher and sealed_with:
        # What cannot be opened any more is read from its file again before it is sent.
        ours = cipher.opened_ids
        closed = {account_id for account_id, key_id in sealed_with.items() if key_id not in ours}
        known = {p: replace(a, source_hash=None) if a.id in closed else a for p, a in known.items()}
    files, problems = folder_files.read_all(
        [path for path in listed if str(path) not in held], known
    )
    return files, known, problems


def _followed(conn: Connection, folder: Path, held: set[str]) -> dict[str, Account]:
    """The accounts of the folder's files by path, but for those whose files are about to change."""
    followed = (
        a
        for a in store.accounts.list_all(conn)
        if a.origin == FOLLOWED and a.source_path not in held
    )
    return {
        a.source_path: a for a in followed if a.source_path and Path(a.source_path).parent == folder
    }


def _is_in_step(file: AuthFile, found: Account | None) -> bool:
    """Whether the database already says all that the file says."""
    return found is not None and found.source_gone_at is None and _is_known(file, found)


def _is_known(file: AuthFile, found: Account) -> bool:
    if file.fault is not None:
        return found.source_hash is None and found.fault == file.fault
    return file.credentials is None


def _apply(cipher: TokenCipher, files: list[AuthFile], now: int) -> list[SkippedFile]:
    """Bring the accounts of these files in step; returns those that no account could be made of."""
    problems, has_changed = [], False
    with store.database.transaction() as tx:
        held = file_outbox.held(tx)
        known = store.accounts.by_paths(tx, [str(file.path) for file in files])
        for file in (f for f in files if str(f.path) not in held):
            found = known.get(str(file.path))
            if found is not None and _is_in_step(file, found):
                continue
            problem = None
            if found is not None:
                _update(tx, cipher, file, found, now)
            else:
                problem = _new(tx, cipher, file, now)
            problems += [problem] if problem else []
            has_changed |= problem is None
        if has_changed:
            store.site_state.bump_version(tx, now)
    return problems


def _mark_gone(paths: list[str], now: int) -> None:
    with store.database.transaction() as tx:
        held = file_outbox.held(tx)
        every = store.accounts.by_paths(tx, paths)
        gone = [a for path, a in every.items() if path not in held and not os.path.lexists(path)]
        for found in gone:
            store.accounts.set_fault(tx, found.id, GONE)
            store.accounts.update_account(tx, found.id, source_gone_at=now, source_hash=None)
        if gone:
            store.site_state.bump_version(tx, now)


def _new(tx: Connection, cipher: TokenCipher, file: AuthFile, now: int) -> SkippedFile | None:
    """A file that no account has followed until now."""
    if not os.path.lexists(file.path):
        # Removed or renamed since the folder was listed, by an act whose account is another's now.
        return None
    holder = _added_or_holder(tx, cipher, file, now)
    if holder is None:
        return None
    if holder.origin == FOLLOWED and holder.source_path == str(file.path):
        # PostgreSQL: another process, which started with this one, was faster. Its rows are not
        # written again: they may be locked by a refresh that waits for what is locked here.
        return None
    if _has_moved(holder, file):
        store.accounts.rename(tx, holder.id, file.name)
        store.accounts.update_account(tx, holder.id, source_path=str(file.path))
        _update(tx, cipher, file, holder, now)
        return None
    return _left_alone(file, holder, holder.id in store.credentials.own(tx))


def _added_or_holder(
    tx: Connection, cipher: TokenCipher, file: AuthFile, now: int
) -> Account | None:
    """Add the account of *file*; or the account that has its name already."""
    with suppress(AccountNotFound):
        return store.accounts.get_by_name(tx, file.name)
    try:
        _add(tx, cipher, file, now)
    except AccountExists:
        return store.accounts.get_by_name(tx, file.name)
    return None


def _left_alone(file: AuthFile, holder: Account, is_own: bool) -> SkippedFile:
    """A file whose name another account has; with *is_own* that one was signed in to here, and the
    file may well be of the same login.
    """
    found = file.credentials
    if is_own and (found is None or account_service.same_login(holder, found)):
        return SkippedFile(file.name, SIGNED_IN_HERE, is_fine=True)
    return SkippedFile(file.name, _taken(holder))


def _has_moved(holder: Account, file: AuthFile) -> bool:
    """Whether the followed account of this name and login had another file until now, in another
    folder or spelling: its history goes on here.
    """
    if file.credentials is None or holder.origin != FOLLOWED or holder.chatgpt_account_id is None:
        return False
    return account_service.same_login(holder, file.credentials)


def _add(tx: Connection, cipher: TokenCipher, file: AuthFile, now: int) -> None:
    account_id = store.accounts.add(tx, file.name, FOLLOWED, now, source_path=str(file.path))
    store.audit_log.add(tx, now, "account_added", ACTOR, account_id, name=file.name)
    if file.credentials is None:
        _refuse(tx, account_id, file.fault or GONE)
        return
    stored_credentials.put(tx, cipher, account_id, file.credentials, now, kind=CredentialKind.FILE)
    store.accounts.update_account(tx, account_id, source_hash=file.hash)


def _taken(holder: Account) -> Fault:
    by = (
        f"the file {names.printable(holder.source_path)}"
        if holder.source_path
        else f"a {holder.origin} account"
    )
    return Fault("name_taken", {"holder": by})


def _update(tx: Connection, cipher: TokenCipher, file: AuthFile, found: Account, now: int) -> None:
    """A file that has changed since, or is back."""
    account_id = found.id
    if file.credentials is None:
        # The file is gone bad, or two processes raced and this one read it as it was known a moment
        # ago: the next look puts that right.
        if file.fault is not None:
            _refuse(tx, account_id, file.fault)
        return
    if not account_service.same_login(found, file.credentials):
        archived_as = account_service.archive(tx, found, now)
        account_id = store.accounts.add(tx, file.name, FOLLOWED, now, source_path=str(file.path))
        store.audit_log.add(
            tx, now, "account_archived", ACTOR, found.id, name=file.name, archived_as=archived_as
        )
    _put(tx, cipher, account_id, file, file.credentials, now)


def _put(
    tx: Connection,
    cipher: TokenCipher,
    account_id: int,
    file: AuthFile,
    credentials: Credentials,
    now: int,
) -> None:
    """Store new credentials.

    A file that was only written anew with the same token changes nothing: what the upstream said of
    it still holds.
    """
    sealed, found = (
        store.credentials.get_by_ids(tx, [account_id]).get(account_id),
        store.accounts.get_by_id(tx, account_id),
    )
    is_same = sealed is not None and sealed.access_fp == credentials.access_token.fingerprint()
    is_new = (
        sealed is None or not is_same or not cipher.opens(sealed.access_sealed, account_id, ACCESS)
    )
    if is_new or found is None or found.last_status is Status.INVALID_CREDENTIALS:
        stored_credentials.put(tx, cipher, account_id, credentials, now, kind=CredentialKind.FILE)
    store.accounts.update_account(tx, account_id, source_hash=file.hash, source_gone_at=None)


def _refuse(tx: Connection, account_id: int, fault: Fault) -> None:
    """Say what is wrong with the file; what was stored of it stays, and so does the history."""
    store.accounts.set_fault(tx, account_id, fault)
    store.accounts.update_account(tx, account_id, source_hash=None, source_gone_at=None)
