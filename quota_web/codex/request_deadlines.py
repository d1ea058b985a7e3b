"""Ends requests that take too long, whatever they are waiting for, by shutting their socket down.

A socket's own timeout starts anew with every byte, so a header that drips would last for ever.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from quota_web.core import clock, deadlines

#: Linux alone has it.
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)


class NotSent(Exception):
    """The request was held back although there is a connection: nothing of it was sent."""


class SendGate:
    """Stands between the connection, TLS and a proxy's tunnel included, and the request: what is
    sent once only is claimed there.
    """

    __slots__ = ("_claim", "is_entered", "is_passed", "is_refused")

    def __init__(self, claim: Callable[[], bool]) -> None:
        """*claim* says whether the request may be sent; what it raises ends the request unsent."""
        self._claim = claim
        self.is_entered = False
        #: Whether the claim said no.
        self.is_refused = False
        #: Whether anything of the request may have been sent.
        self.is_passed = False

    def enter(self, deadline: "RequestDeadline") -> None:
        """Raises NotSent, also for a second connection of the same request."""
        if self.is_entered or deadline.fired:
            raise NotSent
        self.is_entered = True
        self.is_refused = not self._claim()
        if self.is_refused or deadline.fired:
            raise NotSent
        self.is_passed = True


class RequestDeadline:
    """One request's deadline.

    Look at `fired` before believing what the request brought: a cut answer can look like an empty
    one.
    """

    __slots__ = ("at", "connection", "fired", "gate")

    def __init__(self, at: float, gate: SendGate | None = None) -> None:
        self.at = at
        self.fired = False
        self.gate = gate
        self.connection: CuttableConnection | None = None

    def fire(self) -> None:
        self.fired = True
        # A connection that went back to the pool serves someone else by now.
        if self.connection is not None and self.connection.serves is self:
            self.connection.shut_down()


class RequestWatcher(deadlines.DeadlineWatcher):
    """All requests under way, and the thread that cuts those that are past their deadline."""

    def __init__(self) -> None:
        super().__init__("codex-deadlines")

    @contextmanager
    def limit(self, seconds: float, gate: SendGate | None = None) -> Iterator[RequestDeadline]:
        """Cut what the calling thread sends inside the block once *seconds* have passed; *gate* is
        entered when there is a connection.
        """
        cut = RequestDeadline(clock.monotonic() + seconds, gate)
        self.begin(cut)
        _here.cut = cut
        try:
            yield cut
        finally:
            _here.cut = None
            self.end(cut)


class _Here(threading.local):
    """The deadline of the request that the current thread is making."""

    cut: RequestDeadline | None = None


_here = _Here()


class CuttableConnection:
    """Mixed into urllib3's connection classes: lets another thread shut the socket down at any
    point, TLS handshake included.

    It keeps a descriptor of its own: wrapping a socket for TLS takes the first one away, and a
    closed one may be reused by others.
    """

    serves: RequestDeadline | None = None
    _handle: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        self._serve()
        sock: socket.socket = super()._new_conn()  # type: ignore[misc]
        self._handle = sock.dup()
        if self.serves is not None and self.serves.fired:
            self.shut_down()
        return sock

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        if self.serves is not None and self.serves.gate is not None:
            self.serves.gate.enter(self.serves)

    def request(self, *args: Any, **kwargs: Any) -> None:
        self._serve()
        super().request(*args, **kwargs)  # type: ignore[misc]
        self._acknowledge_at_once()

    def _acknowledge_at_once(self) -> None:
        """Keep the answer from waiting for us on a kept connection.

        A server that writes header and body apart holds the body back until the header is
        acknowledged, and Linux delays that by 40 ms unless told otherwise; it forgets what it was
        told, so it is told with every request.
        """
        if _QUICKACK is not None and self._handle is not None:
            with suppress(OSError):
                self._handle.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    def close(self) -> None:
        super().close()  # type: ignore[misc]
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()

    def shut_down(self) -> None:
        """End whatever is waiting on this connection's socket."""
        handle = self._handle
        if handle is not None:
            # The other side, or close() in another thread, may have been faster.
            with suppress(OSError):
                handle.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        self.serves = _here.cut
        if self.serves is not None:
            self.serves.connection = self
