"""Answers in gzip for clients that take it, so that the pages are as small without a proxy in front
as behind one.

What was packed once is kept by its content: style sheets, scripts and unchanged results are packed
once a process.
"""

import gzip
import hashlib
from collections import OrderedDict

from flask import Flask, Response, request

PACKED_TYPES = (
    "text/html",
    "text/css",
    "text/plain",
    "text/javascript",
    "application/javascript",
    "application/json",
    "image/svg+xml",
)
#: Below this, packing saves nothing worth the work.
LEAST_BYTES = 700
MOST_BYTES = 8 * 1024 * 1024
#: Fast, and within a few percent of the smallest for text.
LEVEL = 5
KEPT = 48


def init_app(app: Flask) -> None:
    packer = Packer()
    app.after_request(packer)


class Packer:
    """Packs one app's answers."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()

    def __call__(self, response: Response) -> Response:
        if response.mimetype in PACKED_TYPES:
            response.vary.add("Accept-Encoding")
            if self._is_wanted(response):
                self._pack(response)
        return response

    def _is_wanted(self, response: Response) -> bool:
        is_whole = response.direct_passthrough or not response.is_streamed
        if not is_whole or request.method != "GET" or response.status_code != 200:
            return False
        if "Content-Encoding" in response.headers or "Content-Range" in response.headers:
            return False
        length = response.headers.get("Content-Length", type=int)
        return request.accept_encodings["gzip"] > 0 and (
            length is None or LEAST_BYTES <= length <= MOST_BYTES
        )

    def _pack(self, response: Response) -> None:
        response.direct_passthrough = False
        body = response.get_data()
        packed = self._packed(body) if len(body) >= LEAST_BYTES else body
        if len(packed) < len(body):
            response.set_data(packed)
            response.headers["Content-Encoding"] = "gzip"
            etag, _ = response.get_etag()
            if etag:
                # The same document in other bytes: what the tag still promises is the meaning.
                response.set_etag(etag, weak=True)

    def _packed(self, body: bytes) -> bytes:
        key = hashlib.blake2b(body, digest_size=16).digest()
        packed = self._kept.get(key)
        if packed is None:
            packed = self._kept[key] = gzip.compress(body, LEVEL, mtime=0)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return packed
