"""auth.json in every shape → Credentials.

What is wrong with a file is a `CredentialsRefused` that carries the fault; nothing of the file's
content is in its text. An expired token is not refused here: that is judged later, where the
time is known.
"""

import os
import re
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from quota_web.codex import account_discovery, auth_services, auth_text, credentials
from quota_web.codex.account_discovery import Found, first_text
from quota_web.codex.auth_text import MAX_ENTRIES
from quota_web.codex.credentials import MAX_TOKEN, Credentials, refused
from quota_web.codex.json_guard import JsonRefused, size_in_words
from quota_web.codex.sanitize import clean
from quota_web.core.errors import CredentialsRefused
from quota_web.core.faults import Fault
from quota_web.core.limits import MAX_CREDENTIALS

__all__ = [
    "MAX_TOKEN",
    "Credentials",
    "Entry",
    "entries",
    "parse",
    "read",
    "read_file",
    "read_path",
    "read_whole",
]

MAX_NAME = 80
#: Waits before the next try to read a file that its owner is just writing (the Codex CLI truncates
#: it in place): a second in all.
READ_WAITS_S = (0.05, 0.1, 0.2, 0.3, 0.35)


@dataclass(frozen=True, slots=True)
class Entry:
    """One account of a file to import: its credentials, or the reason why they cannot be used."""

    name: str | None
    credentials: Credentials | None
    fault: Fault | None
    #: False for what stands among accounts, or in a file, and has nothing to do with signing in.
    is_sign: bool = True


def parse(document: object) -> Credentials:
    """The credentials of the one login in *document* (decoded JSON, or a bare token).

    Raises CredentialsRefused.
    """
    return credentials.only(credentials.split(document))[1]


def read(raw: bytes) -> Credentials:
    """The credentials of a file of one login, given as bytes. Raises CredentialsRefused."""
    try:
        return parse(auth_text.document(raw))
    except JsonRefused as error:
        raise refused("file_unreadable", str(error)) from None


def entries(raw: bytes, file_name: str) -> list[Entry]:
    """Every account in a file to import, usable or not; never raises for what is in it.

    Names come from the entry, else the e-mail address, else *file_name*.
    """
    stem = _file_stem(file_name)
    try:
        found = [
            item
            for document in auth_text.documents(raw)
            for item in account_discovery.split(document)
        ]
    except JsonRefused as error:
        return [Entry(stem, None, Fault("file_unreadable", {"reason": str(error)}))]
    if not found or len(found) > MAX_ENTRIES:
        reason = "no account in it" if not found else f"more than {MAX_ENTRIES} accounts"
        return [
            Entry(stem, None, Fault("file_unreadable", {"reason": reason}), is_sign=bool(found))
        ]
    alone = sum(item.service is None or item.service.kind != "other" for item in found) < 2
    return [
        _entry(item, stem if alone else f"{stem}-{number}") for number, item in enumerate(found, 1)
    ]


def read_file(path: Path) -> bytes:
    """The bytes of a regular file of at most 2 MiB; symbolic links are followed. Raises
    CredentialsRefused.

    A pipe, a device or a folder is refused without waiting for it.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise refused("file_unreadable", "not a regular file")
            raw = file.read(MAX_CREDENTIALS + 1)
    except FileNotFoundError:
        raise CredentialsRefused(Fault("file_gone")) from None
    except IsADirectoryError:
        raise refused("file_unreadable", "not a regular file") from None
    except (OSError, ValueError) as error:
        words = (
            os.strerror(error.errno).lower()
            if isinstance(error, OSError) and error.errno
            else "not a usable file name"
        )
        raise refused("file_unreadable", words) from None
    if len(raw) > MAX_CREDENTIALS:
        raise refused("file_unreadable", f"larger than {size_in_words(MAX_CREDENTIALS)}")
    return raw


def _without_waiting(path: str, flags: int) -> int:
    # Given to open(), which closes what this has opened also where that is a folder.
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def read_path(path: Path, sleep: Callable[[float], object] = time.sleep) -> Credentials:
    """The credentials in a file, which may be half-written at this moment. Raises
    CredentialsRefused.

    A file that looks like the beginning of one is read several times within a second.
    """
    return read_whole(path, sleep)[1]


def read_whole(
    path: Path, sleep: Callable[[float], object] = time.sleep
) -> tuple[bytes, Credentials]:
    """Like `read_path`, with the bytes that the credentials were read from.

    Raises CredentialsRefused.
    """
    for wait in (*READ_WAITS_S, None):
        raw = read_file(path)
        try:
            return raw, parse(auth_text.document(raw))
        except JsonRefused as error:
            if not error.incomplete or wait is None:
                raise refused("file_unreadable", str(error)) from None
        sleep(wait)
    raise AssertionError("the last try returns or raises")


def _entry(item: Found, file_stem: str) -> Entry:
    name = _usable_name(item.name)
    if fault := credentials.foreign(item):
        email = clean(first_text(item.where, account_discovery.EMAIL))
        return Entry(
            name or _usable_name(email or item.key) or file_stem, None, fault, item.is_sign
        )
    made = credentials.outcome(item)
    key = item.key if item.key and not auth_services.is_service(item.key) else None
    if isinstance(made, Fault):
        return Entry(name or _usable_name(key) or file_stem, None, made, item.is_sign)
    return Entry(name or _usable_name(made.email) or _usable_name(key) or file_stem, made, None)


def _file_stem(file_name: str) -> str:
    """A file's name without folder and the ends that auth files have."""
    stem = re.split(r"[/\\]", file_name)[-1]
    for end in (".json", ".jsonl", ".txt", ".auth"):
        stem = stem[: -len(end)] if stem.lower().endswith(end) else stem
    return _usable_name(stem) or "account"


def _usable_name(name: str | None) -> str | None:
    """A suggested name made fit for an account: no path separators, no leading dot, short
    enough.
    """
    return clean(re.sub(r"[/\\]", "-", name).lstrip("."), MAX_NAME) if name else None
