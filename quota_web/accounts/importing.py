"""Acts that take accounts in from files and texts: what they hold, what it would become, and the
import of it.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Connection

from quota_web import store
from quota_web.accounts import account_service
from quota_web.accounts.account_service import Saved
from quota_web.codex import auth_file
from quota_web.codex.auth_file import Credentials, Entry
from quota_web.core import account_identity, labels, names
from quota_web.core.errors import AccountExists, BadInput, CredentialsRefused
from quota_web.core.faults import Fault
from quota_web.core.language import gettext as _
from quota_web.core.language import mark
from quota_web.core.limits import MAX_CREDENTIALS
from quota_web.store.accounts import Account
from quota_web.store.encryption import TokenCipher

#: Of so many entries without a token one line says how many they are.
MOST_EMPTY = 3


@dataclass(frozen=True, slots=True)
class ImportLine:
    """What became of one entry or file, as a line for a person."""

    text: str
    is_good: bool
    #: False for a word about files that hold no account.
    is_account: bool = True


@dataclass(frozen=True, slots=True)
class Planned:
    """What an entry becomes if it is taken."""

    entry: Entry
    #: The account's name, new or as it is.
    name: str
    #: The account that has this login already.
    here: Account | None = None
    #: Whether that one was signed in to here and is renewed, so that it is kept.
    is_own_here: bool = False
    #: Why it is not taken.
    left_out: str | None = None
    #: Whether leaving it out is as it should be.
    is_fine: bool = True
    #: Plan and short account id, where its e-mail is another login's as well.
    apart: str = ""
    short_id: str = ""


def read_input(file: Path | None, standard_input: BinaryIO) -> bytes:
    """The bytes of *file*, or of standard input for None or `-`."""
    if file is not None and str(file) != "-":
        return _read(file)
    raw = standard_input.read(MAX_CREDENTIALS + 1)
    if len(raw) > MAX_CREDENTIALS:
        raise BadInput("auth_json", mark("the input is larger than 2 MiB"))
    return raw


def add(
    cipher: TokenCipher, name: str, raw: bytes, now: int, actor: str, *, replace_own: bool = False
) -> Saved:
    """Store the one account of an auth.json as *name*; raises CredentialsRefused, BadInput or
    AccountExists.
    """
    found = auth_file.read(raw)
    return account_service.add(cipher, name, found, now, actor, replace_own=replace_own)


def plan(entries: Iterable[Entry]) -> list[Planned]:
    """What entries become: which are here already, which come twice, and the names of new ones.

    Changes nothing.
    """
    planned: list[Planned] = []
    entries = list(entries)
    longest = _longest_of_each_login(entries)
    with store.database.reading() as conn:
        every = store.accounts.list_all(conn)
        taken = {names.fold(a.name) for a in every}
        for entry in entries:
            made = _planned(conn, entry, longest, taken)
            taken.add(names.fold(made.name))
            planned.append(made)
    return _told_apart(every, planned)


def _planned(
    conn: Connection, entry: Entry, longest: dict[object, Entry], taken: set[str]
) -> Planned:
    name, found = entry.name or "", entry.credentials
    if found is None:
        reason = entry.fault.explained_here() if entry.fault else _("no credentials")
        return Planned(entry, name, left_out=reason, is_fine=False)
    kept = longest[_login_of(found)]
    if kept is not entry:
        told = _("the same login as %(name)s, whose token is taken", name=kept.name)
        return Planned(entry, name, left_out=told)
    here = store.accounts.of_login(conn, found.login, found.access_token.fingerprint())
    if here:
        is_own = account_service.is_renewed_own(conn, here[0])
        return Planned(entry, here[0].name, here[0], is_own)
    return Planned(entry, free_name(name, taken) if name else "")


def free_name(name: str, taken: set[str]) -> str:
    """The first of `name`, `name 2`, … that is not taken: seats of one workspace often share an
    e-mail address.
    """
    number, free = 1, name
    while names.fold(free) in taken:
        number += 1
        suffix = f" {number}"
        free = name[: names.MAX_NAME - len(suffix)] + suffix
    return free


def _login_of(found: Credentials) -> object:
    return found.login if found.login.is_known else (found.access_token, found.account_id)


def _longest_of_each_login(entries: Iterable[Entry]) -> dict[object, Entry]:
    """Of several tokens of one login the one that lasts longest; of equal ones the first."""
    longest: dict[object, Entry] = {}
    for entry in entries:
        if entry.credentials is not None:
            key = _login_of(entry.credentials)
            before = longest.setdefault(key, entry)
            if _lasts_until(entry) > _lasts_until(before):
                longest[key] = entry
    return longest


def _lasts_until(entry: Entry) -> int:
    return (entry.credentials.expires_at if entry.credentials else None) or 0


def _told_apart(every: Sequence[Account], planned: Sequence[Planned]) -> list[Planned]:
    """The same, with what tells a login from another one of the same e-mail address."""
    owners = [(a.id, a.email, a.chatgpt_account_id) for a in every]
    new = [(-n, p.entry.credentials) for n, p in enumerate(planned, 1) if p.left_out is None]
    owners += [(n, found.email, found.account_id) for n, found in new if found is not None]
    short = account_identity.short_ids(owners)
    return [
        replace(p, apart=_apart(p, short.get(-n)), short_id=short.get(-n) or "")
        for n, p in enumerate(planned, 1)
    ]


def _apart(planned: Planned, short_id: str | None) -> str:
    if short_id is None or planned.entry.credentials is None:
        return ""
    words = [labels.plan(planned.entry.credentials.plan), _("account %(id)s", id=short_id)]
    return _(", ").join(word for word in words if word)


def import_paths(
    cipher: TokenCipher,
    paths: Sequence[Path],
    now: int,
    actor: str,
    *,
    replace_own: bool = False,
) -> Iterator[ImportLine]:
    """Store every account in files and folders; one that cannot be used stops none of the others.

    Of a folder's files those that have nothing to do with signing in are only counted.
    """
    entries: list[Entry] = []
    passed_over = 0
    for path in paths:
        try:
            files = _files(path)
        except OSError as error:
            yield ImportLine(f"{names.printable(str(path))}: {error.strerror}", False, False)
            continue
        for file in files:
            found, lines = _looked_into(file, is_named=file == path)
            entries += found
            yield from lines
            passed_over += not found and not lines
    yield from _imported(cipher, plan(entries), now, actor, replace_own)
    if passed_over:
        told = _("%(count)s other files hold no account", count=passed_over)
        yield ImportLine(told, True, False)


def _looked_into(file: Path, is_named: bool) -> tuple[list[Entry], list[ImportLine]]:
    """A file's entries, and lines about what else is wrong with it; neither where it does not
    matter.
    """
    matters = is_named or file.suffix == ".json"
    try:
        found = auth_file.entries(_read(file), file.name)
    except CredentialsRefused as refused:
        line = f"{names.printable(str(file))}: {refused.said}"
        return [], [ImportLine(line, False, False)] if matters else []
    signs = [entry for entry in found if entry.is_sign]
    is_unread = (
        len(found) == 1 and found[0].fault is not None and found[0].fault.code == "file_unreadable"
    )
    if is_unread:
        return (found, []) if matters else ([], [])
    if not signs and not is_named:
        return [], []
    empty = len(found) - len(signs)
    if empty <= MOST_EMPTY:
        return found, []
    shown = names.printable(file.name)
    told = _("%(file)s: %(count)s entries hold no access token", file=shown, count=empty)
    return signs, [ImportLine(told, False, False)]


def _read(file: Path) -> bytes:
    try:
        return auth_file.read_file(file)
    except CredentialsRefused as refused:
        if refused.fault.code != "file_gone":
            raise
        # Of a file that never was here, other words are true than of one that an account followed.
        raise CredentialsRefused(
            Fault("file_unreadable", {"reason": mark("no such file")})
        ) from None


def _files(path: Path) -> list[Path]:
    if not os.path.isdir(path):
        return [path]
    return sorted(
        p
        for p in path.iterdir()
        if p.suffix in (".json", ".jsonl", ".txt") and not p.name.startswith(".")
    )


def _imported(
    cipher: TokenCipher, planned: Iterable[Planned], now: int, actor: str, replace_own: bool
) -> Iterator[ImportLine]:
    for one in planned:
        shown = names.printable(one.entry.name or one.name)
        if one.entry.credentials is None or one.left_out is not None:
            yield ImportLine(f"{shown}: {one.left_out}", one.is_fine)
            continue
        try:
            saved = account_service.add_under_free_name(
                cipher, one.name, one.entry.credentials, now, actor, replace_own=replace_own
            )
        except (AccountExists, BadInput) as error:
            yield ImportLine(f"{shown}: {error.said}", False)
            continue
        apart = f" ({one.apart})" if one.apart else ""
        yield ImportLine(f"{saved.name}: {_outcome(one, saved)}{apart}", True)


def _outcome(one: Planned, saved: Saved) -> str:
    """What became of it; the name that it has here is told where the file has another."""
    is_renamed = one.here is not None and names.fold(one.entry.name or "") != names.fold(one.name)
    return replace(saved, given_name=one.entry.name if is_renamed else None).outcome
