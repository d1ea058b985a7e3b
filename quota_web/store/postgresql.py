"""Connections to PostgreSQL of which none waits for ever.

A failover, a router that forgets a connection or a frozen pooler leaves it open and silent: nothing
comes any more and no error says so. Against that stand, from the cheapest to the surest:

1. TCP's own means: the peer is asked whether it is there, and must acknowledge what was sent.
2. The server ends a statement that takes too long, and lets go of what a client that went silent
   had locked.
3. A deadline on our side for every wait, because something in between may acknowledge each byte and
   pass none on.

SQLAlchemy drops all connections of a pool that are as old as one that was cut.
"""

import os
import socket
from contextlib import suppress
from typing import Any

import psycopg
from sqlalchemy import Engine, event

from quota_web.core import clock, deadlines

#: How long one statement may take.
STATEMENT_S = 15.0
#: A connection that lay idle must answer this soon before it is used.
PING_S = 3.0
#: One statement of a migration or a copy: the table may be large, or another process migrates
#: first.
UNHURRIED_S = 1_800.0
#: What the server is told, in milliseconds. A statement ends there before we cut the connection.
SERVER_STATEMENT_MS, SERVER_IDLE_MS = 12_000, 60_000
#: The driver's arguments: seconds until it gives up to connect, and what TCP does. A URL's own
#: words win.
CONNECT = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}

_watch = deadlines.DeadlineWatcher("database-deadlines")
os.register_at_fork(after_in_child=_watch.renew)


def configure(engine: Engine, *, hurried: bool = True) -> None:
    """Give every connection of *engine* its deadlines; only the generous one unless *hurried*."""
    statement_s = STATEMENT_S if hurried else UNHURRIED_S

    def connect(_dialect: Any, _record: Any, arguments: Any, named: Any) -> WatchedConnection:
        return WatchedConnection.connect(*arguments, **named)

    def check_out(connection: Any, *_: Any) -> None:
        connection.wait_s = statement_s

    def check_in(connection: Any, _record: Any) -> None:
        if connection is not None:
            # The next that is sent over it is the pool's question whether it still works.
            connection.wait_s = PING_S

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "checkout", check_out)
    event.listen(engine, "checkin", check_in)
    if hurried:
        event.listen(engine, "connect", _limit_server)


def _limit_server(connection: Any, _record: Any) -> None:
    """Said in a statement: poolers such as PgBouncer refuse it among the words of the start."""
    connection.autocommit = True
    words = (
        f"SET statement_timeout = {SERVER_STATEMENT_MS}; SET "
        f"idle_in_transaction_session_timeout = {SERVER_IDLE_MS}"
    )
    connection.execute(words)
    connection.autocommit = False


def rest() -> None:
    """End the thread that watches the connections; the next wait starts it again."""
    _watch.rest()


class SilentDatabase(psycopg.OperationalError):
    """The server did not answer in time, so the connection was cut."""


class WatchedConnection(psycopg.Connection[Any]):
    """A connection whose socket is shut down when one wait for the server takes longer than
    *wait_s* seconds.
    """

    wait_s = STATEMENT_S

    def wait(self, *args: Any, **kwargs: Any) -> Any:
        """Everything that is sent once the connection stands comes through here."""
        cut = _Cut(self.pgconn.socket, self.wait_s)
        _watch.begin(cut)
        try:
            return super().wait(*args, **kwargs)
        except psycopg.Error as error:
            if not cut.fired:
                raise
            raise SilentDatabase(f"no answer for {self.wait_s:g} s") from error
        finally:
            _watch.end(cut)
            cut.close()


class _Cut:
    """The deadline of one wait.

    It keeps a descriptor of its own: the driver closes the other one at an error, and it may be
    reused.
    """

    __slots__ = ("_descriptor", "at", "fired")

    def __init__(self, descriptor: int, seconds: float) -> None:
        self.at = clock.monotonic() + seconds
        self.fired = False
        self._descriptor = os.dup(descriptor)

    def fire(self) -> None:
        self.fired = True
        shut = socket.socket(fileno=self._descriptor)
        # The other side may have been faster.
        with suppress(OSError):
            shut.shutdown(socket.SHUT_RDWR)
        shut.detach()

    def close(self) -> None:
        os.close(self._descriptor)
