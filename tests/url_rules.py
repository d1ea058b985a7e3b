"""Addresses that are read once a run instead of once an app.

Werkzeug takes each of our routes apart, and writes and compiles two small functions that build its
address, which takes longer than all else an app needs. Both depend on nothing but the route, so all
apps of a run can share them.
"""

from typing import Any, ClassVar

from flask import Flask
from werkzeug.routing import Rule

#: What a route is taken apart into, and the two functions.
_READ = ("_parts", "_trace", "_converters", "arguments")
_BUILDERS = ("_build", "_build_unknown")


class SharedRule(Rule):
    """A route that takes all this from an equal one, where an app had that before."""

    kept: ClassVar[dict[tuple[object, ...], dict[str, Any]]] = {}

    def compile(self) -> None:
        defaults = repr(sorted((self.defaults or {}).items()))
        key = (self.rule, self.subdomain, self.host, self.merge_slashes, defaults)
        if key not in self.kept:
            super().compile()
            self.kept[key] = {name: getattr(self, name) for name in _READ} | {
                name: getattr(self, name).__func__ for name in _BUILDERS
            }
        kept = self.kept[key]
        for name in _READ:
            setattr(self, name, kept[name])
        for name in _BUILDERS:
            setattr(self, name, kept[name].__get__(self))


def share() -> None:
    """Let all apps made from now on share them."""
    made: Any = Flask
    made.url_rule_class = SharedRule
