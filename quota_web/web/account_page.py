"""What an account's page says of its quota: cards, the present cycle with its fan, cycles and hours
of the week; pure but for the zone it is given.
"""

from datetime import tzinfo
from typing import Any

from quota_web.core import labels
from quota_web.core.banked_resets import EXPIRED, USED
from quota_web.core.display_order import window_order
from quota_web.core.language import gettext as _
from quota_web.core.language import ngettext
from quota_web.core.quota import FIVE_HOUR, WEEKLY, Reading, is_own
from quota_web.core.times import iso
from quota_web.reports import outlook, outlook_json, outlook_words
from quota_web.reports.account_detail import Details
from quota_web.reports.present_cycle import FORESEEN, NOT_STARTED, PresentCycle
from quota_web.web import cycle_bars, fan_svg, formats

#: So many hours of history make a forecast.
HOURS_NEEDED = 24


def cards(found: Details) -> list[dict[str, Any]]:
    """A card for each of the account's own windows, shortest first."""
    own = sorted(
        (w for w in found.report.windows if is_own(w.key)), key=lambda w: window_order(w.key)
    )
    return [_card(found, window) for window in own]


def _card(found: Details, window: Reading) -> dict[str, Any]:
    cycle, said = found.present.get(window.key), outlook.forecast_of(found.report, window.key)
    even = None if said is None or said.pace is None or cycle is None else 100 - said.pace[1]
    is_untouched = said is not None and said.state == NOT_STARTED
    return {
        "label": labels.window_title(window.key, window.upstream_name),
        "is_untouched": is_untouched,
        "remaining": window.remaining_percent,
        "even": even,
        "resets_at": iso(window.resets_at),
        "facts": [words for words in (_pace(window, cycle), _session(found, window)) if words],
    }


def _pace(window: Reading, cycle: PresentCycle | None) -> str | None:
    """What was used within the last hour, of the window that tells it."""
    points = cycle.points_an_hour if cycle is not None and window.key == FIVE_HOUR else None
    if points is None:
        return None
    if points == 0:
        return _("nothing used in the last hour")
    return ngettext(
        "%(points)s point in the last hour", "%(points)s points in the last hour",
        round(points) or 1, points=formats.points(points),
    )  # fmt: skip


def _session(found: Details, window: Reading) -> str | None:
    """What a full five-hour window costs of the week."""
    rate = outlook_json.exchange(found.report) if window.key == WEEKLY else None
    if rate is None:
        return None
    return _(
        "a full session costs about %(points)s points",
        points=formats.points(rate["weekly_percent_per_five_hour"]),
    )


def prospects(found: Details, zone: tzinfo | None) -> list[dict[str, str]]:
    """What is said of each own window's future, in words."""
    return [
        {
            "label": labels.window_title(key),
            "text": outlook_words.sentence(key, said, zone, found.early_reset_seen).text,
            "record": outlook_words.record(found.judged.get(key, ())),
        }
        for key, said in outlook.forecasts_of(found.report).items()
        if is_own(key)
    ]


def sessions_left(found: Details) -> str | None:
    """How many full sessions the week still has."""
    rate = None if found.report.stale else outlook_json.exchange(found.report)
    if rate is None or rate["five_hours_left_in_week"] <= 0:
        return None
    return _(
        "about %(count)s full sessions left this week",
        count=formats.points(rate["five_hours_left_in_week"]),
    )


def present_cycles(found: Details, zone: tzinfo | None, now: int) -> list[dict[str, Any]]:
    """The drawings of the present cycles, the longest first, each with why there is no fan."""
    ordered = sorted(found.present.values(), key=lambda one: -(one.ends_at - one.start))
    return [
        {
            "label": labels.window_title(one.window.key),
            "starts_at": iso(one.start),
            "ends_at": iso(one.ends_at),
            "drawing": fan_svg.drawing(one, zone, now),
            "has_fan": one.fan is not None,
            "no_fan": _no_fan(one, zone),
        }
        for one in ordered
    ]


def _no_fan(cycle: PresentCycle, zone: tzinfo | None) -> str | None:
    """Why a drawing does not go on beyond now; None where it does."""
    if cycle.fan is not None:
        return None
    said = cycle.said
    if said is not None and said.state == "few_data":
        hours = max(1, round(HOURS_NEEDED - said.days_of_history * HOURS_NEEDED))
        return ngettext(
            "%(num)s more hour until a forecast", "%(num)s more hours until a forecast", hours
        )
    if said is None or said.state == FORESEEN:
        return _("No forecast yet.")
    return outlook_words.sentence(cycle.window.key, said, zone, False).text


def cycles(found: Details, now: int, zone: tzinfo | None) -> list[dict[str, Any]]:
    """The last closed cycles of each long window: sentence, drawing and rows, newest first."""
    return [
        {"label": labels.window_title(one.key), "ends_at": iso(one.ends_at), "rows": []}
        | (
            {
                "sentence": cycle_bars.sentence(one.cycles),
                "drawing": cycle_bars.drawing(one.cycles, now, zone),
                "keys": cycle_bars.keys(one.cycles),
                "is_dry": any(c["ran_out_at"] is not None for c in one.cycles),
                "rows": [cycle_bars.row(c) for c in reversed(one.cycles)],
            }
            if one.cycles
            else {}
        )
        for one in found.cycles
    ]


def banked(found: Details) -> dict[str, Any]:
    """The banked resets that are listed, and those that went of late."""
    weekly = found.report.weekly
    resets_at = weekly.resets_at if weekly else None
    return {
        "rows": [
            {
                "title": reset.title,
                "expires_at": iso(reset.expires_at),
                "is_before_reset": reset.expires_at is not None
                and resets_at is not None
                and reset.expires_at < resets_at,
            }
            for reset in found.report.banked
        ],
        "gone": [
            {"title": one.title, "gone_at": iso(one.gone_at), "how": _how_gone(one.gone_how)}
            for one in found.gone_resets
        ],
    }


def _how_gone(how: str) -> str:
    words = {USED: _("used"), EXPIRED: _("ran out")}
    return words.get(how, _("not listed any more"))
