"""Acts that take accounts in from files: one under a given name, or everything that files and folders hold."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from quota_web import accounts, names
from quota_web.accounts import Saved
from quota_web.codex import auth_file
from quota_web.errors import AccountExists, BadInput, CredentialsRefused
from quota_web.faults import Fault
from quota_web.store.sealing import Sealer

MAX_FILE = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one entry, as a line for a person."""

    text: str
    is_good: bool


def read_input(file: Path | None, standard_input: BinaryIO) -> bytes:
    """The bytes of *file*, or of standard input for None or `-`."""
    if file is not None and str(file) != "-":
        return _read(file)
    raw = standard_input.read(MAX_FILE + 1)
    if len(raw) > MAX_FILE:
        raise BadInput("auth_json", "the input is larger than 2 MiB")
    return raw


def add(sealer: Sealer, name: str, raw: bytes, now: int, actor: str) -> Saved:
    """Store the one account of an auth.json as *name*; raises CredentialsRefused, BadInput or AccountExists."""
    return accounts.add(sealer, name, auth_file.read(raw), now, actor)


def import_paths(sealer: Sealer, paths: Sequence[Path], now: int, actor: str) -> Iterator[Line]:
    """Store every account in files and folders; one that cannot be used stops none of the others."""
    for path in paths:
        try:
            files = _files(path)
        except OSError as error:
            yield Line(f"{names.visible(str(path))}: {error.strerror}", False)
            continue
        for file in files:
            try:
                raw = _read(file)
            except CredentialsRefused as refused:
                yield Line(f"{names.visible(str(file))}: {refused}", False)
                continue
            yield from import_raw(sealer, raw, file.name, now, actor)


def _read(file: Path) -> bytes:
    try:
        return auth_file.read_file(file)
    except CredentialsRefused as refused:
        if refused.fault.code != "file_gone":
            raise
        # Of a file that never was here, other words are true than of one that an account followed.
        raise CredentialsRefused(Fault("file_unreadable", {"reason": "no such file"})) from None


def _files(path: Path) -> list[Path]:
    if not os.path.isdir(path):
        return [path]
    return sorted(p for p in path.iterdir() if p.suffix in (".json", ".jsonl", ".txt") and not p.name.startswith("."))


def import_raw(sealer: Sealer, raw: bytes, file_name: str, now: int, actor: str) -> Iterator[Line]:
    """Store every account in the bytes of one file. Two entries of one name and different logins get names of their own."""
    for entry in auth_file.entries(raw, file_name):
        shown = entry.name or file_name
        if entry.credentials is None:
            yield Line(f"{shown}: {entry.fault.text(str) if entry.fault else 'no credentials'}", False)
            continue
        try:
            saved = accounts.add_under_free_name(sealer, names.checked(shown), entry.credentials, now, actor)
        except AccountExists as error:
            yield Line(str(error), False)
            continue
        except BadInput as error:
            yield Line(f"{names.visible(shown)}: {error}", False)
            continue
        yield Line(f"{saved.name}: {saved.outcome}", True)
