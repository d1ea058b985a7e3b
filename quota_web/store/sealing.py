"""Tokens at rest, and the one key that everything secret is derived from.

The key is `QUOTA_SECRET_KEY`, else the first line of `secret.key` in the instance folder; further lines are older keys
that still open what they sealed. From it HKDF derives one key to sign cookies and one to seal tokens, so that neither
says anything about the other.
"""

import base64
import contextlib
import hashlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from quota_web.errors import BadSetting, KeyMissing
from quota_web.secret import Secret

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

KEY_FILE = "secret.key"
_SEALING = b"codex-quota: seal tokens"
_COOKIES = b"codex-quota: sign cookies"


class Unreadable(Exception):
    """A sealed token cannot be opened with any of the keys."""


class Sealer:
    """Seals and opens tokens. The keys are read, or made, at first use: a start must not need them."""

    def __init__(self, instance_dir: Path, secret_key: Secret | None = None) -> None:
        self._instance_dir, self._given = instance_dir, secret_key
        self._masters: list[bytes] | None = None

    @property
    def key_id(self) -> str:
        """Names the key that seals now; says nothing about it."""
        return hashlib.sha256(_derive(self._keys()[0], _SEALING)).hexdigest()[:16]

    def seal(self, token: Secret) -> bytes:
        return self._box().encrypt(token.reveal().encode("ascii"))

    def open(self, sealed: bytes) -> Secret:
        """The token; raises Unreadable where no key fits or the bytes were changed."""
        from cryptography.fernet import InvalidToken

        try:
            return Secret(self._box().decrypt(bytes(sealed)).decode("ascii"))
        except InvalidToken:
            raise Unreadable from None

    def cookie_keys(self) -> list[bytes]:
        """The keys that sign cookies: the present one, then older ones."""
        return [_derive(key, _COOKIES) for key in self._keys()]

    def require_key(self) -> None:
        """Refuse to go on when tokens were sealed here before and their key is gone, rather than make a new one."""
        if self._given is None and not self._file.exists():
            raise KeyMissing(
                f"{self._file} is missing, and the database holds tokens sealed with it; put it back, or set QUOTA_SECRET_KEY if that was used before"
            )

    @property
    def _file(self) -> Path:
        return self._instance_dir / KEY_FILE

    def _keys(self) -> list[bytes]:
        if self._masters is None:
            self._masters = [self._given.reveal().encode()] if self._given else _read_or_make(self._file)
        return self._masters

    def _box(self) -> "MultiFernet":
        # Imported where it is used: it is slow to load, and most commands seal nothing.
        from cryptography.fernet import Fernet, MultiFernet

        return MultiFernet([Fernet(base64.urlsafe_b64encode(_derive(key, _SEALING))) for key in self._keys()])


def _derive(master: bytes, purpose: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(master)


def _read_or_make(file: Path) -> list[bytes]:
    try:
        if not file.exists():
            _make(file)
        lines = [line.strip() for line in file.read_bytes().splitlines() if line.strip()]
    except OSError as error:
        raise BadSetting(f"{file}: {error.strerror}; the key of the stored tokens must be readable and its folder writable") from None
    if not lines or any(len(line) < 16 for line in lines):
        raise BadSetting(f"{file}: holds no usable key (16 characters or more in each line); put the right file back")
    return lines


def _make(file: Path) -> None:
    """Make the key file so that of several processes that start at once, all end up with the same key."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = file.with_name(f".{KEY_FILE}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(secrets.token_urlsafe(32).encode() + b"\n")
            out.flush()
            os.fsync(out.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Make a new name in *folder* survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
