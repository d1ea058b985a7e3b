"""Waitress as the classic service runs it: slow clients do not block it, and no
request is read in two ways.

A connection that is not being answered waits: for a request, for the rest of one, or until its
answer is read. Where an address has too many, or all have, those that have waited longest are
closed to let a new one in. What has begun must also end: a request's header and its body
have deadlines, which sending a byte now and then does not put off.
"""

import errno
import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from socket import socket
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import MultiSocketServer, TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from quota_web.auth import throttle
from quota_web.core.setting_values import Network
from quota_web.web import proxy

logger = logging.getLogger(__name__)
#: Connections at once, of all addresses.
MOST = 900
#: How often the log says that connections are closed to make room, and how long none is accepted
#: where no file can be opened.
SAY_EVERY_S, PAUSE_S = 60.0, 0.5
#: How often deadlines are looked at, and how long the service waits for a connection where there is
#: none: each look in vain costs.
LOOK_S, QUIET_S = 1.0, 60.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How many connections at once, and how many seconds a request may take to arrive."""

    all: int = MOST
    #: Of one IPv4 address or one /64 of IPv6; more than a home or an office opens.
    address: int = 100
    header_s: float = 15.0
    body_s: float = 60.0
    #: These may have as many as there are: behind each connection is another client.
    proxies: tuple[Network, ...] = ()


class Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types; here and below
    """Refuses what two servers could cut into requests in two ways."""

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        # Of HTTP/1.1 the transfer coding is taken out of the headers once it is understood.
        if "TRANSFER_ENCODING" in self.headers:
            raise ParsingError("Transfer-Encoding needs HTTP/1.1")
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("Content-Length and Transfer-Encoding exclude each other")


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection that knows its address and since when it waits."""

    parser_class = Parser

    def __init__(
        self,
        server: "Server",
        sock: socket,
        addr: tuple[str, int],
        adj: Adjustments,
        map: dict[int, Any],
    ) -> None:
        self.waits_since = time.monotonic()
        self.address = throttle.address_key(addr[0])
        self._begun: tuple[HTTPRequestParser | None, float] = (None, 0.0)
        super().__init__(server, sock, addr, adj, map=map)

    def received(self, data: bytes) -> bool:
        there = bool(super().received(data))
        now = time.monotonic()
        if self.request is None:
            # A whole request is here.
            self.waits_since = now
        if self.request is not self._begun[0]:
            self._begun = (self.request, now)
        return there

    def is_waiting(self) -> bool:
        """Whether it can be closed without losing an answer."""
        return not self.requests and not self.will_close

    def is_overdue(self, limits: Limits) -> bool:
        """Whether the request that has begun to arrive has not done so in time."""
        request, at = self._begun
        if request is None or request is not self.request:
            return False
        return time.monotonic() - at > (
            limits.body_s if request.headers_finished else limits.header_s
        )


class Server(TcpWSGIServer):  # type: ignore[misc]
    """One listening socket. All of a service share their map of connections."""

    channel_class = Channel
    limits = Limits()
    _let_in_from = _said_at = 0.0

    @property
    def is_paused(self) -> bool:
        """Whether no connection is accepted at this moment."""
        return time.monotonic() < self._let_in_from

    def readable(self) -> bool:
        return bool(super().readable()) and not self.is_paused

    def handle_accept(self) -> None:
        try:
            accepted = self.accept()
            if accepted is None:
                return
            sock, address = accepted
            self.set_socket_options(sock)
        except OSError as error:
            # Other errors mean that the client is gone already.
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._without_files(error)
            return
        self._make_room(
            self.channel_class(self, sock, self.fix_addr(address), self.adj, map=self._map)
        )

    def maintenance(self, now: float) -> None:
        super().maintenance(now)
        for channel in self._channels():
            if channel.is_waiting() and channel.is_overdue(self.limits):
                channel.will_close = True

    def _channels(self) -> Iterator[Channel]:
        return (
            found
            for found in self._map.values()
            if isinstance(found, Channel) and not found.will_close
        )

    def _make_room(self, new: Channel) -> None:
        """Close the connection that has waited longest where the new one is one too many: of its
        address, or of the address that has most.
        """
        if len(self._map) <= min(self.limits.address, self.limits.all):
            return
        others = [found for found in self._channels() if found is not new]
        held = Counter(found.address for found in others)
        if held[new.address] >= self.limits.address and not proxy.is_trusted(
            new.addr[0], self.limits.proxies
        ):
            self._close(others, new.address, new)
        elif len(others) >= self.limits.all:
            self._close(others, held.most_common(1)[0][0], new)

    def _close(self, channels: Iterable[Channel], address: str, new: Channel) -> None:
        waiting = [found for found in channels if found.address == address and found.is_waiting()]
        min(waiting, key=lambda found: found.waits_since, default=new).will_close = True
        self._say(
            "%s has many connections open; those that have waited longest are closed", address
        )

    def _without_files(self, error: OSError) -> None:
        """No more files may be opened: a connection must close before another is accepted."""
        self._let_in_from = time.monotonic() + PAUSE_S
        waiting = sorted(
            (found for found in self._channels() if found.is_waiting()),
            key=lambda found: found.waits_since,
        )
        for found in waiting[: len(waiting) // 2 + 1]:
            found.will_close = True
        self._say(
            "no more files can be opened (%s); connections that have waited longest are closed",
            error.strerror,
        )

    def _say(self, words: str, *args: object) -> None:
        now = time.monotonic()
        if now - self._said_at >= SAY_EVERY_S or not self._said_at:
            Server._said_at = now
            logger.warning(words, *args)


def create_server(
    app: object, sockets: Sequence[socket], limits: Limits, **adjustments: Any
) -> "Server | MultiSocketServer":
    """A waitress on these bound sockets, with our limits."""
    # The limits here close old connections; waitress would accept none.
    adj = Adjustments(sockets=list(sockets), connection_limit=1_000_000, **adjustments)
    dispatcher, channels = ThreadedTaskDispatcher(), dict[int, Any]()
    dispatcher.set_thread_count(adj.threads)
    servers = [_listen(app, sock, limits, channels, dispatcher, adj) for sock in sockets]
    if len(servers) == 1:
        return servers[0]
    addresses = [(server.effective_host, server.effective_port) for server in servers]
    return MultiSocketServer(channels, adj, addresses, dispatcher, servers[0].log_info)


def run(server: "Server | MultiSocketServer") -> None:
    """Serve until SystemExit, which a signal raises, and let running requests finish for some
    seconds.
    """
    has_many = isinstance(server, MultiSocketServer)
    channels: dict[int, Any] = server.map if has_many else server._map
    try:
        while channels:
            # select() would end the service above its limit of files.
            wasyncore.poll2(QUIET_S if _is_quiet(channels.values()) else LOOK_S, channels)
    except SystemExit:
        if has_many:
            server.close()
        else:
            server.task_dispatcher.shutdown()


def _is_quiet(waiting: Iterable[Any]) -> bool:
    """Whether nothing is to be done before a new connection comes."""
    return not any(
        isinstance(w, Channel) or (isinstance(w, Server) and w.is_paused) for w in waiting
    )


def _listen(
    app: object,
    sock: socket,
    limits: Limits,
    channels: dict[int, Any],
    dispatcher: ThreadedTaskDispatcher,
    adj: Adjustments,
) -> Server:
    where = (sock.family, sock.type, sock.proto, sock.getsockname())
    server = Server(
        app, channels, True, sock, dispatcher=dispatcher, adj=adj, bind_socket=False, sockinfo=where
    )
    server.limits = limits
    return server
