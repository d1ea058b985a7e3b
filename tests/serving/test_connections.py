"""Slow clients of the classic service: whoever comes anew gets in, and what has begun must end."""

import ipaddress
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest
from waitress import wasyncore

from quota_web.serving import connections
from quota_web.serving.connections import Limits
from tests.servers import Server
from tests.web.test_servers import ask

PATIENCE_S = 30.0
HALF, REST = b"GET /half HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", b"x\r\n\r\n"


class Visitor:
    """One connection, from an address of 127/8."""

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        self.sock = socket.create_connection(
            ("127.0.0.1", port), PATIENCE_S, source_address=(address, 0)
        )

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def heard(self) -> bytes:
        """What comes next; nothing where the connection was closed."""
        try:
            return self.sock.recv(65536)
        except ConnectionResetError:
            return b""

    def asks(self) -> bytes:
        self.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return self.heard()


@contextmanager
def serving(
    limits: Limits, app: Callable[..., list[bytes]] | None = None
) -> Iterator[Callable[..., Visitor]]:
    """A server with these limits on a small app; opens visitors of it, who go when the block
    ends.
    """

    def hello(_environ: object, start: Callable[..., object]) -> list[bytes]:
        start("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    listener = socket.create_server(("127.0.0.1", 0))
    server = connections.create_server(
        app or hello,
        [listener],
        limits,
        threads=2,
        asyncore_loop_timeout=0.05,
        cleanup_interval=0,
    )
    end = threading.Event()
    thread = threading.Thread(target=run_until, args=(server, end), daemon=True)
    thread.start()
    with ExitStack() as open_visitors:

        def visitor(address: str = "127.0.0.1") -> Visitor:
            made = Visitor(listener.getsockname()[1], address)
            open_visitors.enter_context(closing(made.sock))
            return made

        yield visitor
    end.set()
    thread.join(PATIENCE_S)


def run_until(server, end: threading.Event) -> None:
    while not end.is_set():
        server.asyncore.loop(timeout=0.05, use_poll=True, map=server._map, count=1)
    server.task_dispatcher.shutdown()
    server.asyncore.close_all(server._map)


def half_a_request(visitor: Visitor) -> Visitor:
    visitor.send(HALF)
    return visitor


def test_it_looks_up_each_second_only_while_a_connection_is_there(monkeypatch):
    waits, wait = [], wasyncore.poll2

    def looks(seconds: float, channels: dict[int, object]) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise SystemExit
        wait(PATIENCE_S, channels)

    monkeypatch.setattr(wasyncore, "poll2", looks)
    listener = socket.create_server(("127.0.0.1", 0))
    server = connections.create_server(lambda *_: [], [listener], Limits(), threads=1)
    with closing(Visitor(listener.getsockname()[1]).sock) as visitor:
        visitor.sendall(HALF)
        connections.run(server)
    server.asyncore.close_all(server._map)
    assert waits[:2] == [connections.QUIET_S, connections.LOOK_S]


def test_an_address_with_too_many_loses_the_one_that_waited_longest():
    with serving(Limits(all=50, address=3)) as visitor:
        slow = [half_a_request(visitor()) for _ in range(3)]
        answered = visitor()

        assert answered.asks().startswith(b"HTTP/1.1 200")
        assert slow[0].heard() == b""
        for one in slow[1:]:
            one.send(REST)
            assert one.heard().startswith(b"HTTP/1.1 200")


def test_however_many_an_address_opens_it_and_others_get_in():
    with serving(Limits(all=20, address=5)) as visitor:
        neighbour = half_a_request(visitor("127.0.0.2"))
        for _ in range(60):
            half_a_request(visitor("127.0.0.9"))

        assert visitor("127.0.0.9").asks().startswith(b"HTTP/1.1 200")
        assert visitor("127.0.0.3").asks().startswith(b"HTTP/1.1 200")
        neighbour.send(REST)
        assert neighbour.heard().startswith(b"HTTP/1.1 200")


def test_many_addresses_make_room_for_one_that_has_few():
    with serving(Limits(all=12, address=5)) as visitor:
        neighbour = half_a_request(visitor("127.0.0.2"))
        for number in range(40):
            half_a_request(visitor(f"127.0.1.{number % 4 + 1}"))

        assert visitor("127.0.0.3").asks().startswith(b"HTTP/1.1 200")
        neighbour.send(REST)
        assert neighbour.heard().startswith(b"HTTP/1.1 200")


def test_a_proxy_may_have_as_many_as_all():
    with serving(
        Limits(all=50, address=2, proxies=(ipaddress.ip_network("127.0.0.0/8"),))
    ) as visitor:
        many = [half_a_request(visitor()) for _ in range(10)]

        assert visitor().asks().startswith(b"HTTP/1.1 200")
        for one in many:
            one.send(REST)
            assert one.heard().startswith(b"HTTP/1.1 200")


def test_who_is_being_answered_is_not_sent_away():
    asked, may_answer = threading.Semaphore(0), threading.Event()

    def app(environ: dict[str, str], start: Callable[..., object]) -> list[bytes]:
        if environ["PATH_INFO"] == "/half":
            asked.release()
            may_answer.wait(PATIENCE_S)
        start("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    with serving(Limits(all=50, address=2), app) as visitor:
        served = half_a_request(visitor())
        served.send(REST)
        asked.acquire()
        for _ in range(5):
            half_a_request(visitor())
        assert visitor().asks().startswith(b"HTTP/1.1 200")
        may_answer.set()

        assert served.heard().startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "began",
    [b"G", HALF, b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"],
    ids=["first byte", "header", "body"],
)
def test_a_byte_now_and_then_puts_no_deadline_off(began):
    with serving(Limits(header_s=0.3, body_s=0.3)) as visitor:
        slow = visitor()
        slow.send(began)
        stop = threading.Event()
        dripping = threading.Thread(target=drip, args=(slow, stop))
        dripping.start()

        assert slow.heard() == b""
        stop.set()
        dripping.join()
        assert visitor().asks().startswith(b"HTTP/1.1 200")


def drip(visitor: Visitor, stop: threading.Event) -> None:
    while not stop.wait(0.02):
        try:
            visitor.send(b"x")
        except OSError:
            return


def test_without_files_to_open_those_that_wait_make_room_and_the_log_stays_short(tmp_path, codex):
    with Server(tmp_path, codex).limited_to(64).classic() as server:
        port = int(server.url.rpartition(":")[2])
        with ExitStack() as visitors:
            for _ in range(80):
                visitor = Visitor(port)
                visitors.enter_context(closing(visitor.sock))
                half_a_request(visitor)
            assert server.get("/healthz") == (200, '{"status":"ok"}\n')
            assert server.get("/login")[0] == 200

        assert "Traceback" not in server.log()
        assert len(server.log()) < 10_000


TWO_WAYS = {
    "both lengths": ["POST /login HTTP/1.1", "Content-Length: 5", "Transfer-Encoding: chunked"],
    "both, the other way round": [
        "POST /login HTTP/1.1",
        "Transfer-Encoding: chunked",
        "Content-Length: 5",
    ],
    "chunked in HTTP/1.0": [
        "POST /login HTTP/1.0",
        "Transfer-Encoding: chunked",
        "Content-Length: 5",
    ],
    "two lengths": ["POST /login HTTP/1.1", "Content-Length: 5", "Content-Length: 6"],
}


@pytest.mark.parametrize("kind", ["classic", "gunicorn"])
def test_a_request_that_could_be_read_in_two_ways_is_refused(kind, tmp_path, codex):
    server = Server(tmp_path, codex, QUOTA_AUTH="off")
    with server.classic() if kind == "classic" else server.gunicorn():
        for what, (first, *lengths) in TWO_WAYS.items():
            smuggled = "0\r\n\r\nGET /api/results HTTP/1.1\r\nHost: localhost\r\n"
            status, _, body = ask(server, first, "Host: localhost", *lengths, "", smuggled)
            assert status in (400, 501), what
            assert "results" not in body, what
