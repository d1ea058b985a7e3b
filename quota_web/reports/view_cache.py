"""What an app keeps of its accounts from one look to the next, so that each look costs as much as
what has changed: their views, and their entries in the results document.
"""

from collections.abc import Mapping

import orjson

from quota_web.core.language import ENGLISH, use_language
from quota_web.reports import overview, results_json
from quota_web.reports.overview import Overview, TimedView
from quota_web.store.accounts import Scope

Versions = Mapping[int, tuple[str, int, int]]


class ViewCache:
    """One app's; its pages, its schedule and its state file share it."""

    def __init__(self) -> None:
        self._views: dict[int, TimedView] = {}
        #: By account id: what an entry was made of, and the entry.
        self._entries: dict[int, tuple[tuple[object, ...], orjson.Fragment]] = {}

    def overview(self, scope: Scope, now: int, interval_s: int) -> Overview:
        """The latest results of *scope*; only accounts that have changed are read."""
        return overview.load_overview(scope, now, interval_s, self)

    def holding(self, versions: Versions, now: int) -> dict[int, TimedView]:
        """The views that hold at *now*, by account id."""
        there = ((i, self._views.get(i), version) for i, version in versions.items())
        return {i: found for i, found, version in there if found and found.holds(version, now)}

    def store(self, views: Mapping[int, TimedView], *, is_all: bool) -> None:
        """Keep these; and, where they are those of all accounts, no others."""
        self._views = dict(views) if is_all else {**self._views, **views}

    def results(self, seen: Overview) -> bytes:
        """The results document; each entry is made anew where it has changed."""
        there, entries = self._entries, {}
        # For programs, whoever lets it be made.
        with use_language(ENGLISH):
            for view in seen.accounts:
                one = view.account.id
                version = (seen.stamps[one], seen.ranks[one], view.same_login_as)
                found = there.get(one)
                if found is None or found[0] != version:
                    made = orjson.dumps(results_json.entry(seen, view))
                    found = version, orjson.Fragment(made)
                entries[one] = found
        self._entries = entries
        return orjson.dumps(results_json.document(seen, [entry for _, entry in entries.values()]))
