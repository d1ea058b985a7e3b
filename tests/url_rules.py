"""Addresses whose builders are made once a run instead of once an app.

Werkzeug writes and compiles two small functions for each of our routes, which takes longer than all
else an app needs. They depend on nothing but the route, so all apps of a run can share them.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from flask import Flask
from werkzeug.routing import Rule

Builder = Callable[..., tuple[str, str]]


class SharedRule(Rule):
    """A route that takes its builders from an equal one, where an app had that before."""

    kept: ClassVar[dict[tuple[object, ...], Builder]] = {}

    def _compile_builder(self, append_unknown: bool = True) -> Builder:
        defaults = repr(sorted((self.defaults or {}).items()))
        key = (append_unknown, self.rule, self.subdomain, self.host, self.merge_slashes, defaults)
        if key not in self.kept:
            self.kept[key] = super()._compile_builder(append_unknown)
        return self.kept[key]


def share() -> None:
    """Let all apps made from now on share them."""
    made: Any = Flask
    made.url_rule_class = SharedRule
