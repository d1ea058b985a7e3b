"""What an event says in the reader's language, without its account and its moments."""

from collections.abc import Mapping
from typing import Any

from quota_web.core import labels
from quota_web.core.event_visibility import ALERTS, AUDIT
from quota_web.core.language import gettext as _
from quota_web.core.language import mark, ngettext
from quota_web.web import formats
from quota_web.web.event_rows import BEGINNINGS, EventRow

#: What the app did by itself is told without naming an actor.
OWN_ACTORS = frozenset({"readings", "alerts", "service", "schedule", "retention", "stranger"})

#: Actors that have no name of their own.
ACTORS = {"command line": mark("command line"), "password session": mark("password session")}


def facts(row: EventRow, upstream_names: Mapping[str, str]) -> str:
    """`Reset early · Weekly: 41 % used before, 0 % after`; an alert's own sentence."""
    # Of what has a kind of its own a list tells more than the alert does.
    if row.kind in ALERTS and row.event["text"]:
        return str(row.event["text"])
    data = row.event["data"]
    if row.kind in AUDIT:
        return _audited(row.kind, data)
    windows = [row.event["window"], *row.windows] if row.event["window"] else []
    what = _edited(data) if row.kind == "account_edited" else labels.event(row.kind)
    if windows:
        named = (labels.window_title(key, upstream_names.get(key)) for key in windows)
        what = _("%(what)s · %(windows)s", what=what, windows=_(", ").join(named))
    return _with_data(row, what, data)


def _edited(data: Mapping[str, Any]) -> str:
    old, new = data.get("renamed_from"), data.get("name")
    if old and old != new:
        return _("Renamed from %(name)s", name=old)
    return _("New credentials") if data.get("new_credentials") else labels.event("account_edited")


def _with_data(row: EventRow, what: str, data: Mapping[str, Any]) -> str:
    if "used_before" in data:
        before, after = formats.percent(data["used_before"]), formats.percent(data["used_after"])
        return _(
            "%(what)s: %(before)s used before, %(after)s after",
            what=what,
            before=before,
            after=after,
        )
    if row.kind in BEGINNINGS and "status" in data:
        status = labels.status(data["status"])
        return status if row.is_span else _("%(what)s: %(status)s", what=what, status=status)
    if "before" in data and "after" in data:
        before, after = data["before"], data["after"]
        if row.kind == "plan_changed":
            before, after = formats.plan_label(before), formats.plan_label(after)
        return _(
            "%(what)s: %(before)s before, %(after)s after", what=what, before=before, after=after
        )
    return what


def _audited(kind: str, data: Mapping[str, Any]) -> str:
    what = labels.event(kind)
    if "name" in data:
        return _("%(what)s: %(name)s", what=what, name=data["name"])
    if "address" in data:
        return _("%(what)s from %(address)s", what=what, address=data["address"])
    if "readings" in data:
        readings = ngettext("%(num)s reading", "%(num)s readings", int(data["readings"]))
        return _("%(what)s: %(readings)s", what=what, readings=readings)
    return what


def actor(name: str | None) -> str | None:
    """Which actor did it; None for what the app did by itself."""
    if name is None or name in OWN_ACTORS:
        return None
    return _(ACTORS[name]) if name in ACTORS else name
