"""Reads the `<name>.auth.json` files of a folder; each is parsed only where its content changed."""

import hashlib
import os
import time
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

from quota_web.codex import auth_file
from quota_web.codex.auth_file import Credentials
from quota_web.core import faults, names
from quota_web.core.errors import BadInput, CredentialsRefused
from quota_web.core.faults import Fault
from quota_web.core.quota import Status
from quota_web.store.accounts import Account

#: The stored token is of no use; the file has it still.
UNOPENED = Fault("sealed_unreadable")


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that became no account: its name is taken, or is no name at all."""

    name: str
    fault: Fault
    #: Nothing is wrong with it: its login was signed in to here.
    is_fine: bool = False

    def line(self, zone: tzinfo | None) -> str:
        """One line about it; the status of a fault only where it has one."""
        if self.is_fine:
            return f"{self.name}: {self.fault.text(str)}"
        return faults.line(self.name, self.fault, zone)


@dataclass(frozen=True, slots=True)
class AuthFile:
    """A file as it was read; without credentials where it is as it was known, or has a fault."""

    name: str
    path: Path
    hash: str | None
    credentials: Credentials | None
    fault: Fault | None


def listed(folder: Path) -> list[Path]:
    """The folder's auth files in byte order, which decides between names that differ only in
    case.
    """
    with os.scandir(folder) as entries:
        found = [
            folder / e.name
            for e in entries
            if e.name.endswith(names.FILE_SUFFIX) and not e.name.startswith(".")
        ]
    return sorted(found, key=lambda path: os.fsencode(path.name))


def read_all(
    paths: list[Path], known: dict[str, Account]
) -> tuple[list[AuthFile], list[SkippedFile]]:
    """The files at these paths, and those whose name is none or is another file's already;
    *known* are the accounts that follow them, by path.
    """
    files: list[AuthFile] = []
    problems: list[SkippedFile] = []
    seen: dict[str, str] = {}
    patience = _Patience()
    for path in paths:
        stem = path.name.removesuffix(names.FILE_SUFFIX)
        try:
            name = names.validate(stem)
        except BadInput as error:
            problems.append(
                SkippedFile(
                    names.printable(stem), Fault("file_unreadable", {"reason": error.message})
                )
            )
            continue
        first = seen.setdefault(names.fold(name), path.name)
        if first != path.name:
            problems.append(SkippedFile(name, Fault("name_taken", {"holder": f"the file {first}"})))
            continue
        files.append(_read(name, path, known.get(str(path)), patience))
    return files, problems


class _Patience:
    """Waits for files that are just being written, but for all of a folder together no longer
    than this.
    """

    def __init__(self, seconds: float = 2.0) -> None:
        self._left = seconds

    def wait(self, seconds: float) -> None:
        if self._left > 0:
            self._left -= seconds
            time.sleep(seconds)


def _read(name: str, path: Path, known: Account | None, patience: _Patience) -> AuthFile:
    """One file; parsed only when its content changed since.

    A file that cannot be read while it is still being written stays as it was known; the next
    look settles it.
    """
    before = _signature(path)
    try:
        raw = auth_file.read_file(path)
        digest = hashlib.sha256(raw).hexdigest()
        if known is not None and known.source_hash == digest and known.fault != UNOPENED:
            return AuthFile(name, path, digest, None, None)
        if (
            known is not None
            and known.source_hash is None
            and known.last_status is Status.INVALID_CREDENTIALS
        ):
            # Known to be broken: not worth waiting whether it is just being written.
            return AuthFile(name, path, digest, auth_file.read(raw), None)
        raw, credentials = auth_file.read_whole(path, patience.wait)
        return AuthFile(name, path, hashlib.sha256(raw).hexdigest(), credentials, None)
    except CredentialsRefused as refused:
        if (
            known is not None
            and known.source_hash is not None
            and before is not None
            and _signature(path) not in (before, None)
        ):
            return AuthFile(name, path, known.source_hash, None, None)
        return AuthFile(name, path, None, None, refused.fault)


def _signature(path: Path) -> tuple[int, int, int] | None:
    """What changes with every write to a file; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
