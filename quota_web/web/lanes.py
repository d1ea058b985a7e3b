"""What a page with lanes is told: its accounts, the time they share, and the addresses of their
pictures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import request, url_for

from quota_web.core import labels
from quota_web.core.errors import BadQuery
from quota_web.core.language import current_language
from quota_web.core.quota import FIVE_HOUR, WEEKLY, Status, is_own
from quota_web.core.series import Axis
from quota_web.reports import history, lanes
from quota_web.reports.history import RANGES
from quota_web.reports.overview import AccountView, Overview
from quota_web.web import time_axis, versioned_cache, zone

#: A weekly window over a day is a flat line.
DEFAULT_RANGE = "7d"
HOUR = 3_600
#: Nothing shorter is worth an axis.
LEAST_S = 6 * HOUR
#: The accounts whose lanes stand below the list of all.
FIRST = 8


@dataclass(frozen=True, slots=True)
class Stretch:
    """The time that is shown: the name of its range, None where it was chosen by hand."""

    range: str | None
    axis: Axis
    #: The ranges that there is something for.
    offered: tuple[str, ...]


def stretch(args: Mapping[str, str], first_at: int | None, now: int) -> Stretch:
    """What an address asks for, cut to what there is; nonsense in it counts as not said."""
    first_at = now if first_at is None else first_at
    offered = ranges_of(now - first_at)
    if args.get("from") or args.get("to"):
        try:
            named = {name: args[name] for name in ("from", "to") if args.get(name)}
            asked = history.parse_query(named, (), (), now)
            return Stretch(None, lanes.axis_over(asked.start, min(asked.end, now + 1)), offered)
        except (BadQuery, ValueError):
            pass
    name = args.get("range", "")
    name = name if name in RANGES else DEFAULT_RANGE
    name = name if name in offered else offered[-1]
    start = max(now - RANGES[name], min(first_at, now - LEAST_S))
    return Stretch(name, lanes.axis_over(start, now + 1), offered)


def ranges_of(age_s: int) -> tuple[str, ...]:
    """The ranges that a history of that age fills, and the first that it does not."""
    lengths = list(RANGES.items())
    filled = sum(length < age_s for _, length in lengths)
    return tuple(name for name, _ in lengths[: filled + 1])


def context(
    seen: Overview, views: Sequence[AccountView], now: int, most: int | None = FIRST
) -> dict[str, Any]:
    """What `history/_lanes.html` is told as `lanes`: the first *most* of *views*."""
    shown = views[:most]
    over = stretch(request.args, _first_at(seen, shown, now), now)
    same = versioned_cache.parts().get(
        ("time of lanes", request.script_root, request.path, request.query_string),
        (over,),
        lambda: _time(over),
    )
    return same | {
        "rows": _rows(seen, shown, over.axis),
        "more": len(views) - len(shown),
        "is_whole": most is None,
    }


def _time(over: Stretch) -> dict[str, Any]:
    """The time that all lanes share, and the addresses of this page with other ones."""
    axis = over.axis
    return {
        "range": over.range,
        "ranges": [(name, _address(name)) for name in over.offered],
        "whole": _address(DEFAULT_RANGE),
        "axis": axis,
        "from": axis.start,
        "to": axis.end,
        "step": axis.step,
        "ticks": time_axis.ticks(axis, zone.shown()),
        "data": url_for("history.lanes_json"),
        "band_span": max(axis.step, lanes.BAND_S),
    }


def _first_at(seen: Overview, shown: Sequence[AccountView], now: int) -> int | None:
    """When these accounts were first read. That never becomes earlier, so an hour old is enough;
    but the first reading of all shows at once.
    """
    ids = tuple(sorted(view.account.id for view in shown))
    is_read = any(is_own(window.key) for view in shown for window in view.windows)
    return versioned_cache.parts().get(
        ("first reading", ids),
        (seen.site.nonce, is_read, now // HOUR),
        lambda: lanes.first_at(ids),
    )


def _address(range_name: str) -> str:
    """This page with another range; its other arguments stay."""
    kept = {k: v for k, v in request.args.to_dict(flat=False).items() if k not in TIME_ARGS}
    named = {} if range_name == DEFAULT_RANGE else {"range": range_name}
    return url_for(str(request.endpoint), **(request.view_args or {}), **kept, **named)  # type: ignore[arg-type]


TIME_ARGS = ("range", "from", "to")


def _rows(seen: Overview, shown: Sequence[AccountView], axis: Axis) -> list[dict[str, Any]]:
    """The rows of these accounts, each made once for as long as nothing of it changes."""
    # Another page shows another stretch of time.
    page = request.endpoint, request.script_root
    views = {("row of lanes", view.account.id, *page): view for view in shown}
    versions = {key: (seen.stamps[view.account.id], axis) for key, view in views.items()}
    made = versioned_cache.per_account().get_many(
        versions, lambda missing: {key: _row(seen, views[key], axis) for key in missing}
    )
    return [made[key] for key in views]


def _row(seen: Overview, view: AccountView, axis: Axis) -> dict[str, Any]:
    own = [w for w in view.windows if is_own(w.key)]
    long = view.weekly or max(own, key=lambda w: lanes.length_of(w.key), default=None)
    short = view.five_hour if long is not view.five_hour else None
    return {
        "account": view.account.name,
        "group": view.group,
        "never_read": view.account.taken_at is None,
        "status": labels.status(Status.PENDING if view.status is Status.OK else view.status),
        "is_unlimited": bool(
            view.facts and view.facts.credits and view.facts.credits.unlimited and not own
        ),
        "long": long.remaining_percent if long else None,
        "long_title": None if long is None else labels.window_title(long.key),
        # The weekly window is what lanes show; another one is named.
        "other": None if long is None or long.key == WEEKLY else labels.window_short(long.key),
        "short": short.remaining_percent if short else None,
        "short_title": labels.window_title(FIVE_HOUR),
        "picture": picture(seen.site.nonce, view, axis),
        "version": version(seen.site.nonce, view.account.version),
    }


def version(nonce: str, account_version: int) -> str:
    """Names a picture's state: what the account's readings are, and the language of its words."""
    return f"{nonce[:6]}{account_version}{current_language()}"


def picture(nonce: str, view: AccountView, axis: Axis) -> str:
    """The address of an account's lane as it is now; other states have other ones."""
    return url_for(
        "history.lane_svg",
        name=view.account.name,
        **{"from": axis.start, "to": axis.end, "step": axis.step},  # type: ignore[arg-type]
        v=version(nonce, view.account.version),
    )
