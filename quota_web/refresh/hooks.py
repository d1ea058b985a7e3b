"""Points at which other rooms take part in a refresh; the factory fills them.

A hook that fails is logged and left out: the readings are stored all the same.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from flask import Flask, current_app
from sqlalchemy import Connection

from quota_web.store.accounts import Account
from quota_web.store.credentials import EncryptedCredential
from quota_web.store.db_errors import is_bad_database
from quota_web.store.recording import Recorded

logger = logging.getLogger(__name__)

__all__ = ["AfterRefusal", "Hooks", "Recorded", "hooks", "init_app"]

EXTENSION = "quota_hooks"


SentHook = Callable[[], None]
RecordingHook = Callable[[Connection, Sequence[Recorded]], None]
RecordedHook = Callable[[Sequence[Recorded]], None]
FinishedHook = Callable[[], None]


@dataclass(frozen=True, slots=True)
class AfterRefusal:
    """What follows a refused token."""

    #: New credentials, with which the request is sent once more.
    credential: EncryptedCredential | None = None
    #: Whether new ones are still to come, so that the refusal says nothing of the account yet.
    is_awaited: bool = False


RefusedHook = Callable[[Account], AfterRefusal]


@dataclass(slots=True)
class Hooks:
    """What is called, in the order in which it was added."""

    #: Once a refresh, while its first requests are under way: the time to load what the others of
    #: these need, in the thread that waits for results.
    on_sent: list[SentHook] = field(default_factory=list)
    #: In the transaction that stores the outcomes, right after they were stored.
    on_recording: list[RecordingHook] = field(default_factory=list)
    #: After that transaction was committed, in the thread that waits for results.
    on_recorded: list[RecordedHook] = field(default_factory=list)
    #: After a whole refresh by the schedule or a command, and once a minute; never in a request.
    on_finished: list[FinishedHook] = field(default_factory=list)
    #: Where the upstream refused a token. In a thread of the pool that has neither a transaction
    #: nor an app context; several threads call it at the same time.
    on_refused: RefusedHook | None = None

    def sent(self) -> None:
        """Call the hooks that have the time of the first requests."""
        for hook in self.on_sent:
            try:
                hook()
            except Exception:
                logger.exception("a hook beside the first requests failed")

    def record(self, conn: Connection, recorded: Sequence[Recorded]) -> None:
        """Call the hooks of the transaction, each behind a savepoint.

        What is wrong with the database itself is raised: the whole transaction is tried again.
        """
        for hook in self.on_recording if recorded else ():
            try:
                with conn.begin_nested():
                    hook(conn, recorded)
            except Exception as error:
                if is_bad_database(error):
                    raise
                logger.exception("a hook of the recording failed")

    def after(self, recorded: Sequence[Recorded]) -> None:
        """Call the hooks that follow the commit."""
        for hook in self.on_recorded if recorded else ():
            try:
                hook(recorded)
            except Exception:
                logger.exception("a hook after the recording failed")

    def finished(self) -> None:
        """Call the hooks that follow a whole refresh."""
        for hook in self.on_finished:
            try:
                hook()
            except Exception:
                logger.exception("a hook after the refresh failed")

    def refused(self, account: Account) -> AfterRefusal:
        """What follows the refusal of an account's token."""
        if self.on_refused is None:
            return AfterRefusal()
        try:
            return self.on_refused(account)
        except Exception:
            logger.exception("%s: new credentials could not be had", account.name)
            return AfterRefusal()


def init_app(app: Flask) -> None:
    app.extensions[EXTENSION] = Hooks()


def hooks() -> Hooks:
    """The present app's hooks."""
    present: Hooks = current_app.extensions[EXTENSION]
    return present
