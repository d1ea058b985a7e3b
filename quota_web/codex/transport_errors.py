"""Connection errors in a few words for people.

The errors' own texts are not used: they hold addresses, headers and parts of answers.
"""

import http.client
import os
import re
import socket
import ssl
from collections.abc import Iterator

import urllib3.exceptions as u3


def in_words(error: BaseException, connect_s: float, timeout_s: float) -> str:
    """What went wrong with a connection, such as `connection refused` or `TLS: certificate has
    expired`.
    """
    causes = list(_causes(error))
    proxied = any(
        isinstance(cause, u3.ProxyError) or type(cause).__module__ == "socks" for cause in causes
    )
    found = (_words(cause, connect_s, timeout_s) for cause in reversed(causes))
    return ("proxy: " if proxied else "") + next(
        (words for words in found if words), "connection failed"
    )


def is_unreached(error: BaseException) -> bool:
    """Whether no connection was made, so that nothing of the request was sent."""
    unreached = (u3.NewConnectionError, u3.ConnectTimeoutError)
    return any(isinstance(cause, unreached) for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it, outermost first."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        inner = [
            current.__cause__,
            current.__context__,
            getattr(current, "reason", None),
            *current.args,
        ]
        waiting.extend(cause for cause in inner if isinstance(cause, BaseException))


def _words(error: BaseException, connect_s: float, timeout_s: float) -> str | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: {_certificate_words(error)}"
    if isinstance(error, ssl.SSLError) and not isinstance(
        error, ssl.SSLEOFError | ssl.SSLZeroReturnError
    ):
        return f"TLS: {(error.reason or 'handshake failed').replace('_', ' ').lower()[:80]}"
    if isinstance(error, socket.gaierror | u3.NameResolutionError):
        return "name not found"
    if isinstance(error, u3.ConnectTimeoutError):
        return f"no connection within {connect_s:g} s"
    if isinstance(error, u3.ReadTimeoutError | TimeoutError):
        return f"timed out after {timeout_s:g} s"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, u3.LocationParseError | u3.LocationValueError):
        return "not a valid host name"
    return _closed_words(error)


def _closed_words(error: BaseException) -> str | None:
    if isinstance(
        error,
        ConnectionResetError
        | BrokenPipeError
        | ConnectionAbortedError
        | ssl.SSLEOFError
        | ssl.SSLZeroReturnError,
    ):
        return "connection closed by the other side"
    if isinstance(error, http.client.IncompleteRead | u3.IncompleteRead):
        return "the answer was cut short"
    if isinstance(error, http.client.HTTPException):
        return "the answer is not valid HTTP"
    if isinstance(error, OSError):
        tunnel = re.match(r"Tunnel connection failed: (\d{3})\b", str(error))
        if tunnel:
            return f"it answered HTTP {tunnel[1]}"
        return os.strerror(error.errno).lower() if error.errno else None
    return None


def _certificate_words(error: ssl.SSLCertVerificationError) -> str:
    """OpenSSL's own verdict, which names no host: `certificate has expired`; a wrong host's says
    which, so it is put in other words.
    """
    message = error.verify_message or "certificate cannot be verified"
    words = "certificate is for another host" if "mismatch" in message.lower() else message
    return words if "certificate" in words else f"certificate: {words}"
