"""The parts of the history page beside its lanes: states, comparison, hours of the week, cycles.

What reads much is kept as long as it is the same.
"""

from collections.abc import Mapping
from typing import Any

from flask import request, url_for

from quota_web.core import labels
from quota_web.core.display_order import window_order
from quota_web.core.quota import is_own
from quota_web.core.series import Axis
from quota_web.core.times import iso
from quota_web.reports import cycles_of_all, hours_of_week, state_timeline
from quota_web.reports.account_detail import WindowCycles
from quota_web.reports.overview import AccountView, Overview
from quota_web.reports.state_timeline import ShownState
from quota_web.services import services
from quota_web.web import cycle_bars, hours_table, state_strip, versioned_cache, zone
from quota_web.web.compare_svg import MOST

HOUR = 3_600
#: So many accounts' states and cycles are shown at once; the others are folded.
OPEN = 12


def strips(seen: Overview, axis: Axis, etag: str, now: int) -> dict[str, Any]:
    """The state strip of each account, by its name, and what the states are called."""
    present = services()
    carry_s = 2 * present.settings.refresh_interval

    def make() -> dict[str, Any]:
        found = state_timeline.load_all(present.scope, axis, carry_s, now)
        return {name: state_strip.row(one, axis) for name, one in found.items()}

    made = versioned_cache.parts().get(("strips",), (etag, axis), make)
    names = [view.account.name for view in seen.accounts]
    rows = [(name, made[name]) for name in names if made.get(name)]
    return {
        "rows": rows[:OPEN],
        "more": rows[OPEN:],
        "words": {str(state): state_strip.word(state) for state in ShownState},
    }


def compare(seen: Overview, axis: Axis) -> dict[str, Any]:
    """The accounts that are ticked, at most MOST of them, in their order."""
    asked = set(request.args.getlist("line"))
    views = [view for view in seen.accounts if view.account.name in asked][:MOST]
    names = [view.account.name for view in views]
    over: Mapping[str, Any] = {"from": axis.start, "to": axis.end}
    return {
        "names": names,
        "most": MOST,
        "panels": [(key, labels.window_title(key)) for key in _own_keys(views)],
        "csv": url_for("event_log.history_csv", account=names, **over) if names else "",
        "picture": url_for("history.compare_svg", line=names, **over) if names else "",
    }


def _own_keys(views: list[AccountView]) -> list[str]:
    keys = {w.key for view in views for w in view.windows if is_own(w.key)}
    return sorted(keys, key=lambda key: (window_order(key), key))


def hours(seen: Overview, now: int) -> dict[str, Any]:
    """The hours of the week of the account that is named as `account`, or of all together."""
    name = request.args.get("account", "")
    chosen = [v for v in seen.counted if v.account.name == name] or list(seen.counted)
    one = name if len(chosen) == 1 and chosen[0].account.name == name else None
    settings = services().settings
    ids = tuple(v.account.id for v in chosen)
    # A mean of weeks is the same within an hour.
    found = versioned_cache.parts().get(
        ("hours", one),
        (seen.site.nonce, ids, now // HOUR),
        lambda: hours_of_week.load(ids, 2 * settings.refresh_interval, now, zone.shown()),
    )
    return {
        "hours": hours_table.table(
            found, now, zone.shown(), account=one, line=request.args.getlist("line")
        ),
        "hours_of": one,
        "hours_csv": url_for("history.hours_csv", account=one),
    }


def cycles(seen: Overview, etag: str, now: int) -> dict[str, Any]:
    """A line for each account of which a cycle has ended, in the order of all."""
    found = versioned_cache.parts().get(
        ("cycles",), (etag,), lambda: cycles_of_all.load(services().scope, now)
    )
    rows = [
        _cycles_of(view.account.name, found[view.account.name])
        for view in seen.accounts
        if view.account.name in found and found[view.account.name].cycles
    ]
    return {"cycles": rows[:OPEN], "more_cycles": rows[OPEN:]}


def _cycles_of(name: str, one: WindowCycles) -> dict[str, Any]:
    return {
        "account": name,
        "label": labels.window_title(one.key),
        "drawing": cycle_bars.small(one.cycles),
        "sentence": cycle_bars.sentence(one.cycles),
        "ends_at": iso(one.ends_at),
    }
