"""Tokens at rest, and the one key that everything secret is derived from.

The key is `QUOTA_SECRET_KEY`, else the first line of `secret.key` in the instance folder. Older
keys still open what they
sealed: `QUOTA_SECRET_KEY_OLD` beside the former, further lines in the latter. From the key HKDF
derives one key to sign cookies and one to seal tokens, so that neither says anything about the
other.

Sealed with a token are its account and its kind: moved to another row or column it opens no more.
Until 1.0 tokens were sealed alone, with a key derived for that. Such ones are accepted until a
service has sealed all of them anew (`rotation.bind`).
"""

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from quota_web.core import times
from quota_web.core.errors import BadSetting, KeyMissing
from quota_web.core.secret import Secret
from quota_web.store import filesystem

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

KEY_FILE = "secret.key"
_KEPT = f"{KEY_FILE}.before-"
_SEALING = b"codex-quota: seal tokens of accounts"
_SEALING_ALONE = b"codex-quota: seal tokens"
_COOKIES = b"codex-quota: sign cookies"
_FINGERPRINTS = b"codex-quota: fingerprints of refresh tokens"


#: The setting that says that no token is sealed alone any more.
BOUND = "tokens_bound"
FINGERPRINT_CHARS = 32
#: Kinds of tokens.
ACCESS, REFRESH, IDENTITY = "access", "refresh", "identity"
#: The same of a channel: its address, and what signs a webhook. Their owner is the channel's id.
CHANNEL_URL, CHANNEL_SECRET = "channel-url", "channel-secret"
#: Several tokens that are kept aside, as one JSON text.
SPARE = "spare"


class DecryptionFailed(Exception):
    """A sealed token cannot be opened with any of the keys, or belongs to another place."""


class TokenCipher:
    """Seals and opens tokens. The keys are read, or made, at first use: a start must not need them.

    Another process may change the key file at any time, so it is looked at again before each use;
    keys that this process has known go on opening what it read before that.
    """

    def __init__(
        self,
        instance_dir: Path,
        secret_key: Secret | None = None,
        older_key: Secret | None = None,
        *,
        kept: bool = False,
    ) -> None:
        self._instance_dir, self._given, self._older, self._with_kept = (
            instance_dir,
            secret_key,
            older_key,
            kept,
        )
        self._masters: list[bytes] | None = None
        self._boxes: list[_Box] = []
        self._known: list[_Box] = []
        self._read_at: tuple[int, int, int] | None = None
        #: No token is sealed alone any more, so one that is was put there by another program.
        self.only_bound = False
        self._lock = threading.Lock()

    @property
    def key_id(self) -> str:
        """Names the key that seals now; says nothing about it."""
        return _key_id(self._keys()[0])

    @property
    def key_ids(self) -> list[str]:
        """The names of all keys that there are, the present one first."""
        return [_key_id(key) for key in self._keys()]

    @property
    def opened_ids(self) -> list[str]:
        """The same, and behind them the names under which tokens were sealed alone, if accepted."""
        alone = [] if self.only_bound else [_key_id(key, _SEALING_ALONE) for key in self._keys()]
        return [*self.key_ids, *alone]

    @property
    def is_from_file(self) -> bool:
        """Whether the present key is the one in the instance folder."""
        return self._given is None

    def seal(self, token: Secret, owner: int, kind: str) -> bytes:
        """Seal a token of the account with the id *owner*."""
        self._keys()
        return self._boxes[0].seal(token, owner, kind)

    def open(self, sealed: bytes, owner: int, kind: str) -> Secret:
        """The token; raises DecryptionFailed where no key fits, or it is not that account's and
        kind.
        """
        # What the keys in memory open needs no look at the file: a refresh opens a token a request.
        with contextlib.suppress(DecryptionFailed):
            return _opened([*self._boxes, *self._known], sealed, owner, kind, self.only_bound)
        self._keys()
        return _opened([*self._boxes, *self._known], sealed, owner, kind, self.only_bound)

    def opens(self, sealed: bytes, owner: int, kind: str) -> bool:
        """Whether `open` would."""
        try:
            self.open(sealed, owner, kind)
        except DecryptionFailed:
            return False
        return True

    def is_present(self, sealed: bytes, owner: int, kind: str, *, or_alone: bool = False) -> bool:
        """Whether it is sealed with the present key, whatever the database says.

        One that was sealed alone counts only with *or_alone*.
        """
        self._keys()
        try:
            _opened(self._boxes[:1], sealed, owner, kind, self.only_bound or not or_alone)
        except DecryptionFailed:
            return False
        return True

    def fingerprints(self, token: Secret) -> list[str]:
        """A refresh token's fingerprint with each key, the present one's first."""
        digests = (
            hmac.digest(_derive(key, _FINGERPRINTS), token.reveal().encode(), "sha256")
            for key in self._keys()
        )
        return [digest.hex()[:FINGERPRINT_CHARS] for digest in digests]

    def cookie_keys(self) -> list[bytes]:
        """The keys that sign cookies: the present one, then older ones."""
        return [_derive(key, _COOKIES) for key in self._keys()]

    def add_key(self) -> None:
        """Put a new key in front of those in the file; from now on it seals."""
        _replace(self.file, [secrets.token_urlsafe(32).encode(), *self._keys()])

    def drop_old_keys(self, now: int) -> Path | None:
        """Take all keys but the present one out of the file, and put them beside it.

        Only a restore looks there: backups of that time can be opened with these alone.
        Returns where they are; None where there was none to take out.
        """
        present, *old = self._keys()
        if not old or not self.is_from_file:
            return None
        aside = filesystem.free_name(self.file.with_name(f"{_KEPT}{times.compact(now)}"))
        _replace(aside, old)
        _replace(self.file, [present])
        return aside

    def with_kept_keys(self, only_bound: bool) -> "TokenCipher":
        """One that opens also what was sealed with keys from before a change, kept beside."""
        wide = TokenCipher(self._instance_dir, self._given, self._older, kept=True)
        wide.only_bound = only_bound
        return wide

    @property
    def is_missing(self) -> bool:
        """Whether there is no key yet, or no more; the first use would make one."""
        return self._given is None and not self.file.exists()

    def require_key(self) -> None:
        """Refuse to go on when tokens were sealed here before and their key is gone, rather than
        make a new one.
        """
        if self.is_missing:
            raise KeyMissing(
                f"{self.file} is missing, and the database holds tokens sealed with it; put it "
                f"back, or set QUOTA_SECRET_KEY if that was used before"
            )

    @property
    def file(self) -> Path:
        """Where the key is, unless it is given."""
        return self._instance_dir / KEY_FILE

    def _keys(self) -> list[bytes]:
        with self._lock:
            stamp = _stamp(self.file)
            if self._masters is None or stamp != self._read_at:
                self._masters = self._read()
                self._read_at = _stamp(self.file)
                self._known = [*self._boxes, *self._known]
                self._boxes = [_Box(key) for key in self._masters]
            return self._masters

    def _read(self) -> list[bytes]:
        """The present key, then older ones: what was given with it, and what the file held before
        one was given.
        """
        return self._present_and_older() + (_kept(self._instance_dir) if self._with_kept else [])

    def _present_and_older(self) -> list[bytes]:
        if self._given is None:
            return _read_or_make(self.file)
        given = [key.reveal().encode() for key in (self._given, self._older) if key is not None]
        try:
            return given + (_lines(self.file) if self.file.exists() else [])
        except OSError:
            return given


def _key_id(master: bytes, purpose: bytes = _SEALING) -> str:
    return hashlib.sha256(_derive(master, purpose)).hexdigest()[:16]


class _Box:
    """What one key opens."""

    def __init__(self, master: bytes) -> None:
        # Imported where it is used: it is slow to load, and most commands seal nothing.
        from cryptography.fernet import Fernet

        self._bound, self._alone = (
            Fernet(base64.urlsafe_b64encode(_derive(master, purpose)))
            for purpose in (_SEALING, _SEALING_ALONE)
        )

    def seal(self, token: Secret, owner: int, kind: str) -> bytes:
        return self._bound.encrypt(_place(owner, kind) + token.reveal().encode("ascii"))

    def open(self, sealed: bytes, owner: int, kind: str) -> Secret | None:
        """None where this key did not seal it; raises DecryptionFailed where it did, for another
        place.
        """
        content = _decrypted(self._bound, sealed)
        if content is None:
            return None
        place = _place(owner, kind)
        if not content.startswith(place):
            raise DecryptionFailed
        return Secret(content.removeprefix(place).decode("ascii"))

    def open_alone(self, sealed: bytes) -> Secret | None:
        content = _decrypted(self._alone, sealed)
        return None if content is None else Secret(content.decode("ascii"))


def _place(owner: int, kind: str) -> bytes:
    # No token holds a blank, and no kind, so one place is never the beginning of another.
    return f"{owner} {kind} ".encode("ascii")


def _decrypted(cipher: "Fernet", sealed: bytes) -> bytes | None:
    from cryptography.fernet import InvalidToken

    try:
        return cipher.decrypt(bytes(sealed))
    except InvalidToken:
        return None


def _opened(
    boxes: Sequence[_Box], sealed: bytes, owner: int, kind: str, only_bound: bool
) -> Secret:
    for box in boxes:
        if (found := box.open(sealed, owner, kind)) is not None:
            return found
    for box in () if only_bound else boxes:
        if (found := box.open_alone(sealed)) is not None:
            return found
    raise DecryptionFailed


def _stamp(file: Path) -> tuple[int, int, int] | None:
    """Tells whether a file is still the same one; None where there is none."""
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _derive(master: bytes, purpose: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(master)


def _read_or_make(file: Path) -> list[bytes]:
    try:
        if not file.exists():
            _make(file)
        lines = _lines(file)
    except OSError as error:
        raise BadSetting(
            f"{file}: {error.strerror}; the key of the stored tokens must be readable and its "
            f"folder writable"
        ) from None
    if not lines or any(len(line) < 16 for line in lines):
        raise BadSetting(
            f"{file}: holds no usable key (16 characters or more in each line); put the right "
            f"file back"
        )
    return lines


def _lines(file: Path) -> list[bytes]:
    return [line.strip() for line in file.read_bytes().splitlines() if line.strip()]


def _kept(folder: Path) -> list[bytes]:
    """Keys from before a change, the newest first."""
    found = sorted(folder.glob(f"{_KEPT}*"), reverse=True)
    return [line for file in found if file.is_file() for line in _lines(file)]


def _make(file: Path) -> None:
    """Make the key file so that of several processes that start at once, all end up with the same
    key.
    """
    filesystem.make_folder(file.parent)
    temporary = filesystem.staged(file, secrets.token_urlsafe(32).encode() + b"\n")
    try:
        with contextlib.suppress(FileExistsError):
            os.link(temporary, file)
    finally:
        temporary.unlink()
    filesystem.sync(file.parent)


def _replace(file: Path, keys: Sequence[bytes]) -> None:
    """Write the key file anew, so that a reader sees the keys from before or those from
    now.
    """
    try:
        filesystem.write_private(file, b"".join(key + b"\n" for key in keys))
    except OSError as error:
        raise BadSetting(
            f"{file}: cannot be written: {error.strerror}; nothing was changed"
        ) from None
