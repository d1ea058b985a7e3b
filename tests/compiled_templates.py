"""Templates, compiled once a run instead of once an app.

Jinja keeps what it compiles by app. It depends on nothing but the template, so all apps of a run
can share it.
"""

from typing import ClassVar

from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache


class Compiled(BytecodeCache):
    """What is kept, by template and its text."""

    kept: ClassVar[dict[str, bytes]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key + bucket.checksum in self.kept:
            bucket.bytecode_from_string(self.kept[bucket.key + bucket.checksum])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.kept[bucket.key + bucket.checksum] = bucket.bytecode_to_string()


def share() -> None:
    """Let all apps made from now on share them."""
    Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": Compiled()}
