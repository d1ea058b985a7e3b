"""Finished parts of pages, cached for as long as what they show has the same version.

A key says which part it is, beside the language and the zone that it is written in. A version says
in which state of the data it was made, and the next one takes its place: a tuple of what the
database and the clock say, such as the data's version and the minute, or, where that changes less
often, of all values that the part shows. Rights and script root, where it uses them, are in its
key.
"""

import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeVar, cast

from flask import Flask, current_app
from markupsafe import Markup

from quota_web.core.language import current_language
from quota_web.web import zone

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
Version = tuple[object, ...]
#: Language and zone.
Reader = tuple[str, str | None]

#: Some 30 for each language and zone: of the dashboard, of each of its views, of the frame around
#: pages. More of these at once are not worth the memory.
MOST_PARTS = 192
#: Each account has up to eight small parts: its line of the list, its entry, what it used, its row
#: of the ribbon, and on two pages its lane with its row.
MOST_PER_ACCOUNT = 8_000
_PARTS, _PER_ACCOUNT = "quota_cached_parts", "quota_cached_per_account"


class VersionedCache:
    """At most *most* parts, each in the version that was asked for last; the oldest go first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._parts: dict[Hashable, tuple[Version, Any]] = {}
        #: After each change of the data all threads want the same part: made side by side, each
        #: takes as long as all of them together.
        self._making = threading.RLock()

    def __len__(self) -> int:
        return len(self._parts)

    def get(self, key: Hashable, version: Version | None, make: Callable[[], T]) -> T:
        """The part *key* in that *version*, made now if it is not there.

        Without a version the state of the data is not known, and nothing is stored.
        """
        return self.get_many({key: version}, lambda _missing: {key: make()})[key]

    def get_many(
        self,
        versions: Mapping[K, Version | None],
        make: Callable[[Sequence[K]], Mapping[K, T]],
    ) -> dict[K, T]:
        """The parts in these versions, by key; *make* gets the keys of those that are missing."""
        # A part is words and times: each language and each zone has its own.
        reader = (current_language(), zone.viewer_zone())
        found = self._found(versions, reader)
        if len(found) < len(versions):
            with self._making:
                absent = {key: at for key, at in versions.items() if key not in found}
                found |= self._found(absent, reader)
                missing = [key for key in absent if key not in found]
                if missing:
                    made = make(missing)
                    self._store(versions, made, reader)
                    found |= made
        return found

    def _found(self, versions: Mapping[K, Version | None], reader: Reader) -> dict[K, Any]:
        parts, found = self._parts, dict[K, Any]()
        for key, version in versions.items():
            part = parts.get((reader, key))
            # None is the version of no part.
            if part is not None and part[0] == version:
                found[key] = part[1]
        return found

    def _store(
        self, versions: Mapping[K, Version | None], made: Mapping[K, Any], reader: Reader
    ) -> None:
        for key, part in made.items():
            version = versions[key]
            if version is not None:
                self._parts.pop((reader, key), None)
                self._parts[reader, key] = (version, part)
        while len(self._parts) > self._most:
            del self._parts[next(iter(self._parts))]


def init_app(app: Flask) -> None:
    app.extensions[_PARTS] = VersionedCache(MOST_PARTS)
    app.extensions[_PER_ACCOUNT] = VersionedCache(MOST_PER_ACCOUNT)
    app.jinja_env.globals.update(cached_part=_cached_part, cached_row=_cached_row)


def parts() -> VersionedCache:
    """This app's parts of pages."""
    return cast(VersionedCache, current_app.extensions[_PARTS])


def per_account() -> VersionedCache:
    """This app's parts that show one account each."""
    return cast(VersionedCache, current_app.extensions[_PER_ACCOUNT])


def _cached_part(key: Hashable, version: Version | None, caller: Callable[[], Markup]) -> Markup:
    """For `{% call cached_part(…) %}` in a template."""
    return parts().get(key, version, caller)


def _cached_row(key: Hashable, version: Version | None, caller: Callable[[], Markup]) -> Markup:
    """The same for one account's row of a table."""
    return per_account().get(key, version, caller)
