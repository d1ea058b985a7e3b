"""A fast upstream for measurements, run as a process of its own: `python -m bench.upstream` prints
its port.

It answers every account with a usage document after a set latency, keeps connections alive, and
counts both. `/latency?0.2` sets the latency, `/counts` answers what was counted since the last
time; `/in_use?20` lets only accounts 0 to 19 be in use, each using up its windows evenly.
"""

import asyncio
import json
import time
import zlib
from contextlib import suppress
from urllib.parse import unquote

LENGTHS = ((18_000, "primary_window"), (604_800, "secondary_window"))


class State:
    """What all connections share."""

    def __init__(self) -> None:
        self.latency = 0.0
        self.in_use: int | None = None
        self.connections = self.requests = self.open = self.most_open = 0

    def counts(self) -> dict[str, int]:
        found = {
            "connections": self.connections,
            "requests": self.requests,
            "most_open": self.most_open,
        }
        self.connections = self.requests = 0
        self.most_open = self.open
        return found


class Connection(asyncio.Protocol):
    """One client's connection: HTTP/1.1 with keep-alive, one request after the other, no bodies."""

    def __init__(self, state: State, loop: asyncio.AbstractEventLoop) -> None:
        self._state, self._loop = state, loop
        self._seen = b""
        self._is_counted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self._state.open -= self._is_counted

    def data_received(self, data: bytes) -> None:
        self._seen += data
        while b"\r\n\r\n" in self._seen:
            head, _, self._seen = self._seen.partition(b"\r\n\r\n")
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        path = head.split(b" ", 2)[1].decode("latin-1")
        if path == "/counts":
            self._send(json.dumps(self._state.counts()).encode())
        elif path.startswith("/latency?"):
            self._state.latency = float(unquote(path.removeprefix("/latency?")))
            self._send(b"{}")
        elif path.startswith("/in_use?"):
            self._state.in_use = int(path.removeprefix("/in_use?"))
            self._send(b"{}")
        else:
            self._count()
            body = usage(_header(head, b"chatgpt-account-id"), self._state.in_use)
            if self._state.latency:
                self._loop.call_later(self._state.latency, self._send, body)
            else:
                self._send(body)

    def _count(self) -> None:
        state = self._state
        state.requests += 1
        if not self._is_counted:
            self._is_counted = True
            state.connections += 1
            state.open += 1
            state.most_open = max(state.most_open, state.open)

    def _send(self, body: bytes) -> None:
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (len(body), body)
        )


def _header(head: bytes, name: bytes) -> bytes:
    found = head.lower().find(b"\r\n" + name + b":")
    return head[found + len(name) + 3 :].split(b"\r\n", 1)[0].strip() if found >= 0 else b""


def usage(account: bytes, in_use: int | None = None) -> bytes:
    """A usage document; percentages move with the time, each account's differently, and are never
    exhausted.
    """
    now = int(time.time())
    shift = zlib.crc32(account)
    if in_use is None:
        used = {length: ((now + shift) // (length // 300)) % 95 for length, _ in LENGTHS}
    else:
        used = {length: 95 * ((now + shift) % length) // length for length, _ in LENGTHS}
    resets = {length: now + length - (now + shift) % length for length, _ in LENGTHS}
    if in_use is not None and int(account[-4:]) >= in_use:
        # At rest: the short window slides along untouched, the long one stands still.
        used, resets[LENGTHS[0][0]] = {LENGTHS[0][0]: 0, LENGTHS[1][0]: 40}, now + LENGTHS[0][0]
    windows = {
        name: {
            "used_percent": used[length],
            "limit_window_seconds": length,
            "reset_after_seconds": resets[length] - now,
            "reset_at": resets[length],
        }
        for length, name in LENGTHS
    }
    document = {
        "user_id": None,
        "plan_type": "plus",
        "rate_limit": {"allowed": True, "limit_reached": False, **windows},
        "code_review_rate_limit": None,
        "additional_rate_limits": None,
        "credits": {
            "has_credits": False,
            "unlimited": False,
            "balance": "0",
            "approx_local_messages": [0, 0],
            "approx_cloud_messages": [0, 0],
        },
        "spend_control": {"reached": False, "individual_limit": None},
        "rate_limit_reached_type": None,
    }
    return json.dumps(document).encode()


async def serve() -> None:
    loop, state = asyncio.get_running_loop(), State()
    server = await loop.create_server(lambda: Connection(state, loop), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(serve())
