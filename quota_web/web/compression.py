"""Answers in gzip for clients that accept it, so that the pages are as small without a proxy in
front as behind one.

What was compressed is stored by the hash of its content: style sheets, scripts and unchanged
results are compressed once a process.
"""

import gzip
import hashlib
from collections import OrderedDict

from flask import Flask, Response, request

COMPRESSED_TYPES = (
    "text/html",
    "text/css",
    "text/plain",
    "text/javascript",
    "application/javascript",
    "application/json",
    "image/svg+xml",
)
#: Below this, compressing saves nothing worth the work.
LEAST_BYTES = 700
MOST_BYTES = 8 * 1024 * 1024
#: Fast, and within a few percent of the smallest for text.
LEVEL = 5
#: Compressed bodies stored at once.
MOST_STORED = 48


def init_app(app: Flask) -> None:
    app.after_request(Compressor())


class Compressor:
    """Compresses one app's answers."""

    def __init__(self) -> None:
        self._stored: OrderedDict[bytes, bytes] = OrderedDict()

    def __call__(self, response: Response) -> Response:
        if response.mimetype in COMPRESSED_TYPES:
            response.vary.add("Accept-Encoding")
            if self._is_accepted(response):
                self._compress(response)
        return response

    def _is_accepted(self, response: Response) -> bool:
        is_whole = response.direct_passthrough or not response.is_streamed
        if not is_whole or request.method != "GET" or response.status_code != 200:
            return False
        if "Content-Encoding" in response.headers or "Content-Range" in response.headers:
            return False
        length = response.headers.get("Content-Length", type=int)
        return request.accept_encodings["gzip"] > 0 and (
            length is None or LEAST_BYTES <= length <= MOST_BYTES
        )

    def _compress(self, response: Response) -> None:
        response.direct_passthrough = False
        body = response.get_data()
        compressed = self._compressed(body) if len(body) >= LEAST_BYTES else body
        if len(compressed) < len(body):
            response.set_data(compressed)
            response.headers["Content-Encoding"] = "gzip"
            etag, _ = response.get_etag()
            if etag:
                # The same document in other bytes: what the tag still promises is the meaning.
                response.set_etag(etag, weak=True)

    def _compressed(self, body: bytes) -> bytes:
        """The body in gzip; the last few are stored."""
        key = hashlib.blake2b(body, digest_size=16).digest()
        compressed = self._stored.get(key)
        if compressed is None:
            compressed = self._stored[key] = gzip.compress(body, LEVEL, mtime=0)
            while len(self._stored) > MOST_STORED:
                self._stored.popitem(last=False)
        return compressed
