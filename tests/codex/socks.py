"""A SOCKS5 proxy on loopback that lets everybody through."""

import socket
import threading
from contextlib import suppress
from types import TracebackType


class FakeSocks:
    """Knows CONNECT without a login, to IPv4 addresses and names; remembers where it was sent."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listener]

    @property
    def url(self) -> str:
        return f"socks5h://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> "FakeSocks":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for sock in self._sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client.makefile("rb") as incoming:
            incoming.read(incoming.read(2)[1])
            client.sendall(b"\x05\x00")
            kind = incoming.read(4)[3]
            if kind == 1:
                host = socket.inet_ntoa(incoming.read(4))
            else:
                host = incoming.read(incoming.read(1)[0]).decode()
            port = int.from_bytes(incoming.read(2), "big")
            self.asked.append((host, port))
            upstream = socket.create_connection((host, port), 5)
            self._sockets.append(upstream)
            client.sendall(b"\x05\x00\x00\x01" + bytes(6))
            threading.Thread(target=_pass_on, args=(upstream, client), daemon=True).start()
            _pass_on(client, upstream)


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while some := source.recv(65536):
            sink.sendall(some)
