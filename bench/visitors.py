"""Visitors for the load figures, all in one thread: a stream of requests that waits for no answer,
and clients that are slow on purpose.

Arrivals are constant, and a request's time counts from the moment at which it was meant to be sent:
a server that falls behind shows it, instead of slowing down whoever measures.
"""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

#: An answer that takes longer is an error.
PATIENCE_S = 10.0
#: The receive buffer of a slow client: whatever is larger has to wait at the server's.
SMALL = 4096

Link = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@cache
def tls_to_anybody() -> ssl.SSLContext:
    """The certificate was made a moment ago and is in no list."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


#: Where slow clients come from.
SLOW_ADDRESS = "127.0.0.2"


@dataclass(frozen=True)
class Address:
    """Where a service answers, and under which name."""

    port: int
    host: str
    is_tls: bool = False

    async def connect(self, is_small: bool = False) -> Link:
        sock = socket.socket()
        try:
            if is_small:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
                # Of another address than the monitor: connections are limited an address.
                sock.bind((SLOW_ADDRESS, 0))
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
        except BaseException:
            sock.close()
            raise
        tls = tls_to_anybody() if self.is_tls else None
        reader, writer = await asyncio.open_connection(
            sock=sock,
            ssl=tls,
            server_hostname=self.host if tls else None,
            limit=SMALL if is_small else 2**16,
        )
        if tls and is_small:
            # What the TLS layer reads ahead; otherwise it takes whole pages off the server's hands.
            writer.transport.set_read_buffer_limits(SMALL)  # type: ignore[attr-defined]  # of TLS transports only
        return reader, writer

    def request(self, path: str, *lines: str) -> bytes:
        return "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {self.host}", *lines, "", ""]).encode()


@dataclass
class Seen:
    """What the visitors met."""

    #: Of each good answer, from when it was meant to be asked for to its last byte.
    latencies_s: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    #: From the first request meant to the last answer.
    took_s: float = 0.0

    def milliseconds(self, share: float) -> float:
        """The time that this share of the answers did not exceed; that of an error, where there was
        no answer.
        """
        ordered = sorted(self.latencies_s) or [PATIENCE_S]
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Stream:
    """Requests at a constant rate, over connections that are kept (as browsers do) or over a new
    one each (as monitors do).
    """

    def __init__(self, address: Address, requests: Sequence[bytes], keeps: bool) -> None:
        self._address, self._requests, self._keeps = address, requests, keeps
        self._idle: list[Link] = []
        self._seen = Seen()

    async def run(self, rate: int, seconds: float) -> Seen:
        loop = asyncio.get_running_loop()
        start = loop.time() + 0.1
        async with asyncio.TaskGroup() as group:
            for number in range(round(rate * seconds)):
                due = start + number / rate
                await asyncio.sleep(max(0.0, due - loop.time()))
                group.create_task(self._ask(self._requests[number % len(self._requests)], due))
        self._seen.took_s = loop.time() - start
        for _, writer in self._idle:
            writer.transport.abort()
        return self._seen

    async def _ask(self, request: bytes, due: float) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(due + PATIENCE_S):
                status = await self._exchange(request)
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            self._seen.errors[type(error).__name__] += 1
            return
        if status == 200:
            self._seen.latencies_s.append(loop.time() - due)
        else:
            self._seen.errors[str(status)] += 1

    async def _exchange(self, request: bytes) -> int:
        while self._idle:
            link = self._idle.pop()
            try:
                return await self._over(link, request)
            except _Silent:
                # The server had enough of an idle connection; browsers take another one, too.
                continue
        return await self._over(await self._address.connect(), request)

    async def _over(self, link: Link, request: bytes) -> int:
        reader, writer = link
        is_whole = False
        try:
            try:
                writer.write(request)
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
            except (ConnectionError, asyncio.IncompleteReadError) as error:
                raise _Silent from error
            await reader.readexactly(
                int(head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
            )
            is_whole = True
        finally:
            if is_whole and self._keeps and b"\r\nconnection: close" not in head:
                self._idle.append(link)
            else:
                writer.transport.abort()
        return int(head.split(b" ", 2)[1])


class _Silent(ConnectionError):
    """The connection ended before an answer began."""


Slow = Callable[[Address, Link], Awaitable[None]]


async def half_a_request(address: Address, link: Link) -> None:
    reader, writer = link
    writer.write(f"GET / HTTP/1.1\r\nHost: {address.host[:3]}".encode())
    await reader.read()


async def slow_body(address: Address, link: Link) -> None:
    _, writer = link
    writer.write(
        f"POST /login HTTP/1.1\r\nHost: {address.host}\r\nContent-Length: 1000\r\n\r\n".encode()
    )
    while not writer.transport.is_closing():
        writer.write(b"x")
        await asyncio.sleep(1)


async def slow_reader(address: Address, link: Link) -> None:
    """Ask for ten files at once, and read a little now and then.

    The first megabytes of what waits lie in the kernel, the rest in the server.
    """
    reader, writer = link
    writer.write(address.request("/static/css/app.css") * 10)
    while await reader.read(64):
        await asyncio.sleep(1)


class Crowd:
    """Clients that hold a connection each while the block lasts; one that the server gets rid of
    comes back.
    """

    def __init__(self, address: Address, slow: Sequence[Slow]) -> None:
        self._address, self._slow = address, slow
        self._clients: list[asyncio.Task[None]] = []
        #: How many are connected, and how often the server got rid of one.
        self.connected = self.ended = 0

    async def __aenter__(self) -> "Crowd":
        self._clients = [
            asyncio.create_task(self._hold(slow, number / len(self._slow)))
            for number, slow in enumerate(self._slow)
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    async def _hold(self, slow: Slow, after_s: float) -> None:
        # Not all in one moment: they would make the same moment slow in each second.
        await asyncio.sleep(after_s)
        while True:
            try:
                link = await self._address.connect(is_small=True)
            except OSError:
                await asyncio.sleep(0.5)
                continue
            self.connected += 1
            try:
                await slow(self._address, link)
            except OSError:
                pass
            finally:
                self.connected -= 1
                link[1].transport.abort()
            self.ended += 1
