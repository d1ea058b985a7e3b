"""A way to a real PostgreSQL that can go silent, as one does behind a router that has forgotten a
connection.

with Relay(server, url) as relay:
    engine = create_engine(relay.url)
    relay.silence()          # what is open now is swallowed, each byte acknowledged; new
    connections work relay.silence(new=True)  # these say nothing, either
"""

import socket
import threading
from contextlib import suppress

from sqlalchemy.engine import make_url

from tests.postgres import Server


class Relay:
    """Listens on loopback and passes on what comes, to and from the server's socket."""

    def __init__(self, server: Server, url: str) -> None:
        self._to = server.socket
        self._listener = socket.create_server(("127.0.0.1", 0))
        #: The way through here to the database of *url*.
        self.url = f"postgresql+psycopg://quota@127.0.0.1:{self._listener.getsockname()[1]}/{make_url(url).database}"
        self._lock = threading.Lock()
        self._silent: set[socket.socket] = set()
        self._open: set[socket.socket] = set()
        self._is_silent_to_new = False
        #: How many connections came in.
        self.connections = 0

    def __enter__(self) -> "Relay":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.end()

    def end(self) -> None:
        """End all connections, so that the other side learns of it."""
        with self._lock:
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def silence(self, *, new: bool = False) -> None:
        """Pass nothing on over what is open now, and with *new* over what comes."""
        with self._lock:
            self._silent |= self._open
            self._is_silent_to_new = new

    def hear_new(self) -> None:
        """Let connections that come from now on work."""
        with self._lock:
            self._is_silent_to_new = False

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._to)
                with self._lock:
                    self.connections += 1
                    self._open |= {near, far}
                    if self._is_silent_to_new:
                        self._silent |= {near, far}
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65_536):
                with self._lock:
                    is_silent = one in self._silent
                if not is_silent:
                    other.sendall(data)
        with self._lock:
            self._open.discard(one)
        with suppress(OSError):
            other.shutdown(socket.SHUT_RDWR)
        one.close()
