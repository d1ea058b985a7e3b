"""The tests' stand-in for the upstream: a real HTTP server on a real socket, and builders of what
it answers and of what asks it.

with FakeCodex() as codex:
    codex.answers("acct-1", Scene(body=usage_body()))
    codex.url, codex.seen, codex.connections, codex.max_in_flight
"""

import base64
import json
import re
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType

NOW = 1_795_262_400  # 2026-11-21T12:00:00Z
#: When made-up tokens run out unless a test says otherwise: tests with real processes live in real
#: time.
FAR = 4_102_444_800  # 2100-01-01T00:00:00Z
USAGE_PATH = "/backend-api/wham/usage"

#: Where a connection can be dropped: before anything is read, after the request, and after so much
#: of the answer.
DROPS = ("accept", "request", "status", "headers", "body")


@dataclass(frozen=True)
class FakeResponse:
    """One answer, or the way in which there is none."""

    status: int = 200
    #: A JSON value; `raw` wins over it.
    body: object = None
    raw: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Seconds before the answer begins.
    delay: float = 0.0
    #: Seconds between the bytes of the header, and of the body.
    header_drip: float = 0.0
    body_drip: float = 0.0
    #: One of DROPS.
    drop: str | None = None
    #: Say that the body is this long, whatever it is.
    length: int | None = None
    #: Send the body in chunks, without a length.
    chunked: bool = False
    #: Repeat the body until the other side goes away.
    endless: bool = False
    #: Send the end of the connection after half of the body.
    half_close: bool = False


@dataclass(frozen=True)
class Seen:
    """One request as it arrived; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def account_id(self) -> str:
        return self.headers.get("chatgpt-account-id", "")


class FakeCodex:
    """Answers by the ChatGPT-Account-Id header; accounts without scenes get `default`.

    A list of scenes is played once, its last one repeats.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.default = FakeResponse(body=usage_body())
        self.seen: list[Seen] = []
        self.connections = 0
        self.max_in_flight = 0
        self._in_flight = 0
        self._scenes: dict[tuple[str, str | None], list[FakeResponse]] = {}
        self._tls = tls
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}{USAGE_PATH}"

    def answers(self, account_id: str, *scenes: FakeResponse, path: str | None = None) -> None:
        """Let requests of this account play these scenes from now on: those of *path*, or all that
        have none of their own.
        """
        with self._lock:
            self._scenes[account_id, path] = list(scenes)

    def requests_of(self, account_id: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.account_id == account_id]

    def __enter__(self) -> "FakeCodex":
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            still_open, threads = list(self._open), list(self._threads)
        for connection in still_open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(5)

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        with self._lock:
            self._threads = [t for t in self._threads if t.is_alive()] + [thread]
            thread.start()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self.connections += 1
                self._open.add(connection)
            self._start(self._serve, connection)

    def _serve(self, plain: socket.socket) -> None:
        connection = plain
        try:
            if self.default.drop == "accept":
                return
            if self._tls is not None:
                with self._lock:
                    self._open.discard(plain)
                connection = self._tls.wrap_socket(plain, server_side=True)
                with self._lock:
                    self._open.add(connection)
            with connection.makefile("rb") as incoming:
                while not self._stopping.is_set():
                    seen = _request(incoming)
                    if seen is None or not self._play(connection, seen):
                        return
        except (OSError, ValueError):
            return
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()
            plain.close()

    def _play(self, connection: socket.socket, seen: Seen) -> bool:
        """Answer one request; False ends the connection."""
        with self._lock:
            self.seen.append(seen)
            own = self._scenes.get((seen.account_id, seen.path))
            scenes = own or self._scenes.get((seen.account_id, None)) or [self.default]
            scene = scenes.pop(0) if len(scenes) > 1 else scenes[0]
            self._in_flight += 1
            self.max_in_flight = max(self.max_in_flight, self._in_flight)
        try:
            return not self._stopping.wait(scene.delay) and self._send(connection, scene)
        finally:
            with self._lock:
                self._in_flight -= 1

    def _send(self, connection: socket.socket, scene: FakeResponse) -> bool:
        body = scene.raw if scene.raw is not None else json.dumps(scene.body).encode()
        head = _head(scene, body)
        cut_at = {
            "request": 0,
            "status": 12,
            "headers": len(head) - 10,
            "body": len(head) + len(body) // 2,
        }.get(scene.drop or "")
        if cut_at is not None:
            connection.sendall((head + body)[:cut_at])
            return False
        if scene.half_close:
            connection.sendall(head + body[: len(body) // 2])
            connection.shutdown(socket.SHUT_WR)
            self._stopping.wait(10)
            return False
        if scene.header_drip or scene.body_drip:
            return self._drip(connection, head, scene.header_drip) and self._drip(
                connection, body, scene.body_drip
            )
        if scene.chunked:
            body = (
                b"".join(
                    b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:]) if part
                )
                + b"0\r\n\r\n"
            )
        connection.sendall(head + body)
        while scene.endless:
            connection.sendall(body)
        return True

    def _drip(self, connection: socket.socket, data: bytes, pause: float) -> bool:
        for place in range(len(data)) if pause else ():
            connection.sendall(data[place : place + 1])
            if self._stopping.wait(pause):
                return False
        if not pause:
            connection.sendall(data)
        return True


def _request(incoming: object) -> Seen | None:
    lines = []
    while (line := incoming.readline(100_000)) not in (b"\r\n", b""):  # type: ignore[attr-defined]
        lines.append(line)
    if not lines:
        return None
    method, path, _ = lines[0].decode("latin-1").split(" ", 2)
    pairs = (line.decode("latin-1").partition(":") for line in lines[1:])
    return Seen(
        method, path, {name.lower(): value.strip() for name, _, value in pairs}, b"".join(lines)
    )


def _head(scene: FakeResponse, body: bytes) -> bytes:
    headers = {"Content-Type": "application/json"} | dict(scene.headers)
    if scene.chunked:
        headers["Transfer-Encoding"] = "chunked"
    elif not scene.endless:
        headers["Content-Length"] = str(len(body) if scene.length is None else scene.length)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {scene.status} Whatever\r\n{lines}\r\n".encode("latin-1")


class FakeProxy:
    """An HTTP proxy that knows CONNECT alone and remembers what it was asked; *refuses* is a status
    to answer instead.
    """

    def __init__(self, *, refuses: int | None = None) -> None:
        self.asked: list[str] = []
        self.heads: list[bytes] = []
        self._refuses = refuses
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> "FakeProxy":
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for sock in [self._listener, *self._sockets]:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for sock in [self._listener, *self._sockets]:
            sock.close()

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                if not (more := client.recv(4096)):
                    return
                head += more
            self.heads.append(head)
            target = head.split(b" ")[1].decode()
            self.asked.append(target)
            if self._refuses:
                client.sendall(f"HTTP/1.1 {self._refuses} No\r\nContent-Length: 0\r\n\r\n".encode())
                client.shutdown(socket.SHUT_WR)
                return
            host, _, port = target.rpartition(":")
            upstream = socket.create_connection((host, int(port)), 5)
            self._sockets.append(upstream)
            client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            self._start(_pump, upstream, client)
            _pump(client, upstream)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def holds_jwt(text: str) -> bool:
    """Whether a token like those of `make_jwt` stands in *text*, whole or cut off.

    Its first letters alone say nothing: a form's own token and sealed values are random letters.
    """
    return re.search(r"eyJhbGciOi|eyJ[\w-]{8,}\.[\w-]{8,}", text) is not None


def make_jwt(
    account_id: str | None = "acct-1",
    *,
    user_id: str | None = None,
    exp: int | None = FAR,
    **claims: object,
) -> str:
    """A token with the claims that the real ones have; *claims* go to the top level, those of
    `auth` into the namespaced part.
    """
    said = claims.pop("auth", {})
    auth = {
        "chatgpt_account_id": account_id,
        "chatgpt_user_id": user_id,
        **(said if isinstance(said, dict) else {}),
    }
    payload = {
        "exp": exp,
        **claims,
        "https://api.openai.com/auth": {k: v for k, v in auth.items() if v is not None},
    }
    parts = ({"alg": "none", "typ": "JWT"}, {k: v for k, v in payload.items() if v is not None})
    return (
        ".".join(
            base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
            for part in parts
        )
        + ".c2lnbmF0dXJl"
    )


def auth_document(
    account_id: str = "acct-1", *, access_token: str | None = None, **tokens: object
) -> dict[str, object]:
    """An auth.json as the Codex CLI writes it."""
    held = {
        "id_token": make_jwt(account_id, email="alice@example.com"),
        "access_token": access_token or make_jwt(account_id),
    }
    return {
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": None,
        "tokens": {
            **held,
            "refresh_token": "rt_made-up-refresh-token",
            "account_id": account_id,
            **tokens,
        },
        "last_refresh": "2026-11-20T12:00:00.000000Z",
    }


def usage_body(
    five_hour: float | None = 12,
    weekly: float | None = 40,
    *,
    at: int = NOW,
    plan: str = "plus",
    **more: object,
) -> dict[str, object]:
    """A usage answer at *at* with these used percents; None leaves a window out.

    *more* are further top-level fields.
    """
    windows = [(five_hour, 18_000, at + 7_200), (weekly, 604_800, at + 300_000)]
    there = [{"used_percent": used, "limit_window_seconds": length,
              "reset_after_seconds": reset - at, "reset_at": reset}
             for used, length, reset in windows if used is not None]  # fmt: skip
    return {
        "user_id": None,
        "plan_type": plan,
        "rate_limit": {
            "allowed": all(window["used_percent"] < 100 for window in there),
            "limit_reached": any(window["used_percent"] >= 100 for window in there),
            "primary_window": there[0] if there else None,
            "secondary_window": there[1] if len(there) > 1 else None,
        },
        "additional_rate_limits": None,
        "credits": {"has_credits": False, "unlimited": False, "balance": "0"},
        **more,
    }
