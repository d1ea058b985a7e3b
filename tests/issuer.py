"""The tests' stand-in for the sign-in's side: a real server on loopback that rotates refresh tokens
on use, knows a used one again and ends its whole family.

with FakeIssuer() as issuer:
    tokens = issuer.sign_in("acct-1", "user-1")
    issuer.plays(Turn(after="drop"))
    issuer.url, issuer.calls, issuer.ok, issuer.reuse, issuer.revoked, issuer.paths

`python -m tests.issuer` serves one in a process of its own; `GET /__log` says its counters.
"""

import json
import random
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.fakes import NOW, make_jwt

CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann"
DAY = 86_400
#: In every token that is made here: none may be seen anywhere.
CANARY = "CANARY-7f3a91"
CHALLENGE = (
    b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Enable JavaScript "
    b"and cookies to continue</body></html>"
)


@dataclass(frozen=True)
class Turn:
    """How one call of the token endpoint goes. With `status` the token is not looked at."""

    status: int | None = None
    body: object = None
    raw: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    #: What comes instead of the answer once the token was rotated: `drop`, `cut`, or a status.
    after: str | int | None = None
    #: Close the connection without looking at the token.
    drop: bool = False
    #: Seconds before and after the token is looked at.
    wait_before: float = 0.0
    wait_after: float = 0.0
    #: Waited for before the answer goes out, at most 20 s.
    hold: threading.Event | None = None
    #: Fields of the answer that are left out or changed.
    changes: dict[str, Any] = field(default_factory=dict)


@dataclass
class Family:
    """All tokens that come of one sign-in."""

    account_id: str
    user_id: str
    current: str = ""
    used: dict[str, float] = field(default_factory=dict)
    is_revoked: bool = False


class FakeIssuer:
    """See the module. *revoke_family*: a reused token ends its family; *grace_s*: for so long a
    used one is answered as if it had not been; *aas*: every renewal is a 401; *drop_rate* and
    *forbid_rate*: so many answers are lost once the token was rotated; *wait_s*: after that.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        revoke_family: bool = True,
        grace_s: float = 0.0,
        aas: bool = False,
        life_s: int = 10 * DAY,
        now: Callable[[], int] = lambda: NOW,
        drop_rate: float = 0.0,
        forbid_rate: float = 0.0,
        wait_s: float = 0.0,
    ) -> None:
        self.revoke_family, self.grace_s, self.aas, self.life_s = (
            revoke_family,
            grace_s,
            aas,
            life_s,
        )
        self.now, self.drop_rate, self.forbid_rate = now, drop_rate, forbid_rate
        self.wait_s = wait_s
        self.calls = self.ok = self.reuse = self.revoked = 0
        self.paths: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        #: The families by any of their tokens.
        self.families: dict[str, Family] = {}
        #: All tokens and codes that were ever given away, but those that a person types.
        self.secrets: set[str] = set()
        self._turns: list[Turn] = []
        self._device: dict[str, Any] = {}
        self._number = 0
        self._random = random.Random(7)
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._scheme = "https" if tls else "http"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    def sign_in(
        self, account_id: str = "acct-1", user_id: str = "user-1", **claims: Any
    ) -> dict[str, str]:
        """A new family; its first tokens."""
        with self._lock:
            return self._rotate(Family(account_id, user_id), claims)

    def plays(self, *turns: Turn) -> None:
        """Let the next calls go like this, one each; then as usual."""
        with self._lock:
            self._turns = list(turns)

    def is_current(self, refresh_token: str) -> bool:
        """Whether a renewal with it would work."""
        family = self.families.get(refresh_token)
        return family is not None and not family.is_revoked and family.current == refresh_token

    def assert_gentle(self) -> None:
        """No token was sent twice, and nothing was asked for that cannot be undone."""
        assert self.reuse == 0
        assert [p for p in self.paths if "revoke" in p or "consume" in p] == []

    @property
    def log(self) -> dict[str, Any]:
        return {
            "calls": self.calls,
            "ok": self.ok,
            "reuse": self.reuse,
            "revoked": self.revoked,
            "ungentle": len([p for p in self.paths if "revoke" in p or "consume" in p]),
        }

    def __enter__(self) -> "FakeIssuer":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Be reached no more."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(5)

    def token(self, asked: dict[str, Any]) -> tuple[Turn, int, object]:
        """What a call of the token endpoint gets: its turn, and the answer where that names
        none.
        """
        with self._lock:
            self.calls += 1
            turn = self._turns.pop(0) if self._turns else self._by_chance()
        if turn.drop or turn.status is not None:
            return turn, turn.status or 0, turn.body
        time.sleep(turn.wait_before)
        with self._lock:
            status, body = self._exchanged(asked)
        if status == 200 and isinstance(body, dict):
            body = {k: v for k, v in (body | turn.changes).items() if v != "left out"}
        if turn.hold is not None:
            turn.hold.wait(20)
        time.sleep(turn.wait_after)
        return turn, status, body

    def _by_chance(self) -> Turn:
        drawn, wait_s = self._random.random(), self.wait_s
        if drawn < self.drop_rate:
            return Turn(after="drop", wait_after=wait_s)
        is_forbidden = drawn < self.drop_rate + self.forbid_rate
        return Turn(after=403 if is_forbidden else None, wait_after=wait_s)

    def _exchanged(self, asked: dict[str, Any]) -> tuple[int, object]:
        if asked.get("client_id") != CLIENT_ID:
            return 400, {"error": "invalid_client"}
        if asked.get("grant_type") == "authorization_code":
            return self._first(asked)
        if self.aas:
            return 401, _error("app_session_terminated")
        token = str(asked.get("refresh_token"))
        family = self.families.get(token)
        if family is None:
            return 401, _error("invalid_refresh_token")
        if family.is_revoked:
            return 401, _error("refresh_token_invalidated")
        if family.current != token:
            used_at = family.used[token]
            if time.monotonic() - used_at < self.grace_s:
                self.ok += 1
                return 200, self._rotate(family, {})
            self.reuse += 1
            if self.revoke_family:
                family.is_revoked = True
                self.revoked += 1
            return 401, _error("refresh_token_reused")
        self.ok += 1
        return 200, self._rotate(family, {})

    def _rotate(self, family: Family, claims: dict[str, Any]) -> dict[str, str]:
        self._number += 1
        if family.current:
            family.used[family.current] = time.monotonic()
        family.current = f"rt_{CANARY}_{self._number}"
        self.families[family.current] = family
        now = self.now()
        said = {
            "user_id": family.user_id,
            "iat": now,
            "exp": now + self.life_s,
            "jti": f"{CANARY}-{self._number}",
            **claims,
        }
        made = {
            "access_token": make_jwt(family.account_id, **said),
            "refresh_token": family.current,
            "id_token": make_jwt(family.account_id, **said, email="alice@example.com"),
        }
        self.secrets |= set(made.values())
        return made

    def device_code(self) -> tuple[int, object]:
        with self._lock:
            self._number += 1
            device_id, code = f"deviceauth_{self._number}", f"ABCD-{self._number:04d}"
            self._device[device_id] = {"user_code": code, "state": "pending"}
            self.secrets.add(device_id)
        return 200, {"device_auth_id": device_id, "user_code": code, "interval": "1"}

    def device_poll(self, asked: dict[str, Any]) -> tuple[int, object]:
        found = self._device.get(asked.get("device_auth_id", ""))
        if found is None or found["user_code"] != asked.get("user_code"):
            return 404, {"detail": "Not Found"}
        if found["state"] == "denied":
            return 400, {"error": "access_denied"}
        if found["state"] == "pending":
            return 403, {"error": "authorization_pending"}
        return 200, {
            "authorization_code": found["code"],
            "code_challenge": "made-up-challenge",
            "code_verifier": "made-up-verifier",
        }

    def decide(
        self, user_code: str, state: str, account_id: str = "acct-1", user_id: str = "user-1"
    ) -> None:
        """Approve or deny the sign-in that shows *user_code*."""
        for found in self._device.values():
            if found["user_code"] == user_code:
                code = f"ac_{CANARY}_{user_code}"
                found |= {"state": state, "code": code, "login": (account_id, user_id)}

    def grant(self, code: str, account_id: str = "acct-1", user_id: str = "user-1") -> None:
        """Let *code* be exchanged once, as after a sign-in by a link."""
        login = (account_id, user_id)
        self._device[code] = {"user_code": "", "state": "approved", "code": code, "login": login}

    def _first(self, asked: dict[str, Any]) -> tuple[int, object]:
        for found in self._device.values():
            if found.get("code") == asked.get("code") and found["state"] == "approved":
                found["state"] = "used"
                return 200, self._rotate(Family(*found["login"]), {})
        return 400, {"error": "invalid_grant"}


def _error(code: str) -> dict[str, Any]:
    kind = "invalid_request_error"
    return {"error": {"message": "made up", "type": kind, "param": None, "code": code}}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks off is no trouble."""


def _handler(issuer: FakeIssuer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Nothing is printed."""

        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(asked.query).items()}
            if asked.path == "/__log":
                self._answer(200, issuer.log)
            elif asked.path in ("/__approve", "/__deny"):
                state = "approved" if asked.path == "/__approve" else "denied"
                issuer.decide(query["code"], state)
                self._answer(200, {})
            else:
                self._answer(404, {})

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length", "0")))
            is_json = "json" in self.headers.get("content-type", "")
            asked = (
                json.loads(raw)
                if is_json
                else {name: values[0] for name, values in parse_qs(raw.decode()).items()}
            )
            issuer.paths.append(self.path)
            issuer.bodies.append(asked)
            issuer.headers.append({k.lower(): v for k, v in self.headers.items()})
            if self.path == "/oauth/token":
                self._token(asked)
            elif self.path == "/api/accounts/deviceauth/usercode":
                self._answer(*issuer.device_code())
            elif self.path == "/api/accounts/deviceauth/token":
                self._answer(*issuer.device_poll(asked))
            else:
                self._answer(404, {})

        def _token(self, asked: dict[str, Any]) -> None:
            turn, status, body = issuer.token(asked)
            if turn.drop or turn.after == "drop":
                self._hang_up()
            elif turn.after == "cut":
                whole = json.dumps(body).encode()
                self._send(200, whole[: len(whole) // 2], length=len(whole))
                self._hang_up()
            elif isinstance(turn.after, int):
                self._answer(turn.after, {"error": {"message": "made up"}})
            elif turn.raw is not None:
                self._send(status, turn.raw, turn.headers)
            else:
                self._answer(status, body, turn.headers)

        def _hang_up(self) -> None:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

        def _answer(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
            self._send(status, json.dumps(body).encode(), headers)

        def _send(
            self,
            status: int,
            body: bytes,
            headers: dict[str, str] | None = None,
            length: int | None = None,
        ) -> None:
            said = {"Content-Type": "application/json"} | (headers or {})
            with suppress(OSError):
                self.send_response(status)
                for name, value in said.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body) if length is None else length))
                self.end_headers()
                self.wfile.write(body)

    return Handler


def main() -> None:
    """Serve until standard input ends; prints the address, then the tokens of so many sign-ins."""
    options = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    sign_ins = options.pop("sign_ins", 1)
    with FakeIssuer(now=lambda: int(time.time()), **options) as issuer:
        print(issuer.url, flush=True)
        for number in range(sign_ins):
            made = issuer.sign_in(f"acct-{number}", f"user-{number}")
            print(json.dumps(made), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
