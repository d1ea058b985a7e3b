"""Passwords: what one must be, how it is hashed (Argon2id) and compared. No database here.

Each hash takes tens of megabytes and a good part of a second on purpose, so only a few are made at
once in a process, and each in a turn that its caller has taken.
"""

import hashlib
import hmac
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quota_web.core.errors import BadInput, TooManyTries
from quota_web.core.language import mark
from quota_web.core.limits import MAX_PASSWORD

if TYPE_CHECKING:
    from argon2 import PasswordHasher

MIN_LENGTH = 12
MAX_LENGTH = MAX_PASSWORD
AT_ONCE = 2
#: The other turn is for known browsers, so that they wait for no unknown one.
STRANGERS_AT_ONCE = 1
#: How long one waits for a turn, in seconds.
PATIENCE_S = 10.0
#: How many unknown callers wait at once: fewer than a server has threads.
MOST_WAITING = 3


@dataclass(frozen=True, slots=True)
class Cost:
    """What one hash costs: passes, memory in KiB, lanes."""

    passes: int = 3
    memory_kib: int = 64 * 1024
    lanes: int = 4


COST = Cost()


def validate(new: str, again: str | None = None) -> str:
    """The new password, if it can be one. Raises BadInput."""
    if len(new) < MIN_LENGTH:
        raise BadInput(
            "password",
            mark("At least %(least)s characters; this has %(count)s."),
            least=MIN_LENGTH,
            count=len(new),
        )
    if len(new) > MAX_LENGTH:
        raise BadInput("password", mark("At most %(most)s characters."), most=MAX_LENGTH)
    if again is not None and again != new:
        raise BadInput("password_again", mark("The two are not the same."))
    return new


def hash_password(password: str, cost: Cost) -> str:
    """The hash to store; it says by itself how it was made. The caller has a turn."""
    return _hasher(cost).hash(_bytes(password))


def verify(stored: str | None, guess: str, cost: Cost) -> bool:
    """Whether *guess* is the password behind a stored hash.

    Without one it takes as long and is never right. The caller has a turn.
    """
    from argon2.exceptions import InvalidHashError, VerificationError

    hasher = _hasher(cost)
    if stored is None or not _is_typed(guess):
        hasher.hash(b"a guess")
        return False
    try:
        return hasher.verify(stored, _bytes(guess))
    except (VerificationError, InvalidHashError):
        return False


def same(known: str, guess: str) -> bool:
    """Whether *guess* is the *known* password, in a time that says nothing about where they
    differ.
    """
    return _is_typed(guess) and hmac.compare_digest(_digest(known), _digest(guess))


def _is_typed(guess: str) -> bool:
    """Whether a person could have typed it.

    The one measure of both kinds of password, before anything else is done with them.
    """
    return len(guess) <= MAX_LENGTH


def _digest(password: str) -> bytes:
    return hashlib.sha256(_bytes(password)).digest()


def _bytes(password: str) -> bytes:
    # One keyboard composes é, another sends e and an accent: the same password to its owner. Takes
    # the square of the length.
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


def _hasher(cost: Cost) -> "PasswordHasher":
    # Imported where it is used: most commands check no password.
    from argon2 import PasswordHasher

    return PasswordHasher(
        time_cost=cost.passes, memory_cost=cost.memory_kib, parallelism=cost.lanes
    )


class _Turns:
    """So many at once, of which unknown callers never have all; only a few of them may wait: more
    would hold the server's threads.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken = self._taken_by_strangers = self._waiting = self._strangers_waiting = 0

    def take(self, first: bool) -> bool:
        """Wait for a turn and take it; False where there is none within reason."""
        with self._changed:
            if not first and self._strangers_waiting >= MOST_WAITING:
                return False
            self._waiting, self._strangers_waiting = (
                self._waiting + 1,
                self._strangers_waiting + (not first),
            )
            got = self._changed.wait_for(lambda: self._is_free(first), PATIENCE_S)
            self._waiting, self._strangers_waiting = (
                self._waiting - 1,
                self._strangers_waiting - (not first),
            )
            self._taken, self._taken_by_strangers = (
                self._taken + got,
                self._taken_by_strangers + (got and not first),
            )
            return got

    def _is_free(self, first: bool) -> bool:
        return self._taken < AT_ONCE and (first or self._taken_by_strangers < STRANGERS_AT_ONCE)

    def give_back(self, first: bool) -> None:
        with self._changed:
            self._taken, self._taken_by_strangers = (
                self._taken - 1,
                self._taken_by_strangers - (not first),
            )
            self._changed.notify_all()

    def waiting(self) -> int:
        return self._waiting


_turns = _Turns()


def waiting() -> int:
    """How many wait for a turn at this moment."""
    return _turns.waiting()


@contextmanager
def turn(first: bool = False) -> Iterator[None]:
    """A turn to hash or compare one password; *first* for a known browser.

    Raises TooManyTries where too many wait.
    """
    if not _turns.take(first):
        raise TooManyTries(retry_after=5)
    try:
        yield
    finally:
        _turns.give_back(first)
