"""The closed cycles of a window on its account's page: a sentence and a bar for each. Pure.

Cycles are as `/api/cycles` answers them, oldest first.
"""

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from math import ceil, floor
from statistics import mean, median
from typing import Any

from markupsafe import Markup

from quota_web.core.language import gettext as _
from quota_web.core.language import mark
from quota_web.web import formats

Cycle = Mapping[str, Any]

#: How a cycle ended; said by `how`.
HOW = {
    "scheduled": mark("on time"),
    "early": mark("early"),
    "banked": mark("banked reset"),
    "provider": mark("provider-wide"),
    "plan": mark("plan change"),
}
#: The marks under bars, around the point 0 0.
MARKS = {
    "early": "M-5 -4L5 0L-5 4Z",
    "banked": "M0 -5L5 0L0 5L-5 0Z",
    # As in the lanes.
    "provider": "M0 -5L1.5 -1.7 5 -1.4 2.4 .9 3.2 4.5 0 2.7 -3.2 4.5 -2.4 .9 -5 -1.4 -1.5 -1.7Z",
}
STEP, BAR_WIDTH, TOP, HEIGHT, FOOT = 28, 18, 8, 100, 18

DRAWING = Markup(
    '<svg class="cycles" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
    'role="img" aria-label="{gist}">{bars}</svg>'
)
BAR = Markup(
    "<g><title>{words}</title>"
    '<rect class="wasted" x="{x}.5" y="{top}.5" width="{inner}" height="{inner_height}"/>'
    '<rect class="used" x="{x}" y="{y:g}" width="{width}" height="{used:g}"/>{cap}{mark}</g>'
)
CAP = Markup('<rect class="dry" x="{x}" y="{y:g}" width="{width}" height="{high:g}"/>')
#: A cap grows by a pixel with so many hours at zero, from the lowest to the highest.
HOURS_A_PIXEL, LOWEST_CAP, HIGHEST_CAP = 8, 2, 7
MARK = Markup('<path class="mark-how" transform="translate({x} {y})" d="{d}"/>')
KEY = Markup(
    '<svg class="key" viewBox="-6 -6 12 12" width="12" height="12" aria-hidden="true">'
    '<path class="mark-how" d="{d}"/></svg>'
)


def sentence(cycles: Sequence[Cycle]) -> str:
    """`Last 12 cycles: median used 71 %, 29 % lost at resets, twice run dry.`

    Where one of them is a lower bound, so is the median, and what was lost is at most so much.
    """
    is_bound = any(one["is_lower_bound"] for one in cycles)
    dry = sum(one["ran_out_at"] is not None for one in cycles)
    # Whole percents, rounded so that a bound stays one.
    whole_used, whole_lost = (floor, ceil) if is_bound else (round, round)
    told = {
        "used": used(whole_used(median(one["used_at_reset_percent"] for one in cycles)), is_bound),
        "lost": lost(whole_lost(mean(one["wasted_percent"] for one in cycles)), is_bound),
        "dry": run_dry(dry),
    }
    if len(cycles) == 1:
        return _("Last cycle: used %(used)s, %(lost)s lost at resets, %(dry)s.", **told)
    return _(
        "Last %(count)s cycles: median used %(used)s, %(lost)s lost at resets, %(dry)s.",
        count=len(cycles),
        **told,
    )


def how(word: str) -> str:
    """How a cycle ended, in words."""
    return _(HOW[word]) if word in HOW else word


def used(percent: float, is_bound: bool) -> str:
    """`71 %`, or `at least 71 %` where it may have been more."""
    shown = formats.percent(percent)
    return _("at least %(percent)s", percent=shown) if is_bound and percent < 100 else shown


def lost(percent: float, is_bound: bool) -> str:
    """`29 %`, or `at most 29 %` where it may have been less."""
    shown = formats.percent(percent)
    return _("at most %(percent)s", percent=shown) if is_bound and percent > 0 else shown


def run_dry(count: int) -> str:
    """`never run dry`, `once run dry`, `twice run dry`, `3 times run dry`."""
    if count < 3:
        return (_("never run dry"), _("once run dry"), _("twice run dry"))[count]
    return _("%(count)s times run dry", count=count)


def row(one: Cycle) -> dict[str, Any]:
    """A cycle as the table shows it."""
    is_bound = one["is_lower_bound"]
    return {
        "started_at": one["started_at"],
        "ended_at": one["ended_at"],
        "how": how(one["how"]),
        "used": used(one["used_at_reset_percent"], is_bound),
        "peak": used(one["peak_percent"], is_bound),
        "lost": lost(one["wasted_percent"], is_bound),
        "zero": f"{one['hours_at_zero']:.1f}" if one["hours_at_zero"] else "0",
    }


def drawing(cycles: Sequence[Cycle], now: int, zone: tzinfo | None) -> Markup:
    """One bar a cycle, the oldest on the left."""
    bars = Markup("").join(_bar(i, one, now, zone) for i, one in enumerate(cycles))
    return DRAWING.format(
        width=len(cycles) * STEP, height=TOP + HEIGHT + FOOT, gist=sentence(cycles), bars=bars
    )


SMALL_STEP, SMALL_BAR, SMALL_HEIGHT, SMALL_TOP = 14, 9, 32, 6
SMALL = Markup(
    '<svg class="cycles" width="{width}" height="38" role="img" aria-label="{gist}">'
    '<path class="wasted" d="{wasted}"/><path class="used" d="{used}"/>'
    '<path class="dry" d="{dry}"/></svg>'
)


def small(cycles: Sequence[Cycle]) -> Markup:
    """The same in the size of a line: three paths, however many cycles there are."""
    used, wasted, dry = [], [], []
    ground = SMALL_TOP + SMALL_HEIGHT
    for place, one in enumerate(cycles):
        x = place * SMALL_STEP + 2
        high = min(100.0, max(0.0, one["used_at_reset_percent"])) * SMALL_HEIGHT / 100
        used.append(f"M{x} {ground}V{ground - high:.3g}H{x + SMALL_BAR}V{ground}Z")
        wasted.append(f"M{x}.5 {ground - 0.5}V{SMALL_TOP}.5H{x + SMALL_BAR - 0.5}V{ground - 0.5}Z")
        if one["ran_out_at"] is not None:
            cap = min(5.0, LOWEST_CAP + one["hours_at_zero"] / HOURS_A_PIXEL / 2)
            dry.append(
                f"M{x - 1} {SMALL_TOP}V{SMALL_TOP - cap:.3g}H{x + SMALL_BAR + 1}V{SMALL_TOP}Z"
            )
    return SMALL.format(
        width=len(cycles) * SMALL_STEP,
        gist=sentence(cycles),
        used="".join(used),
        wasted="".join(wasted),
        dry="".join(dry),
    )


def keys(cycles: Sequence[Cycle]) -> list[tuple[Markup, str]]:
    """The marks that stand under these bars, each with its words."""
    there = {one["how"] for one in cycles}
    return [(KEY.format(d=d), how(word)) for word, d in MARKS.items() if word in there]


def _bar(place: int, one: Cycle, now: int, zone: tzinfo | None) -> Markup:
    x = place * STEP + (STEP - BAR_WIDTH) // 2
    high = round(min(100.0, max(0.0, one["used_at_reset_percent"])) * HEIGHT / 100, 1)
    told, d = row(one), MARKS.get(one["how"])
    ended = formats.clock_time(one["ended_at"], now, zone)
    return BAR.format(
        words=_words(ended, told),
        x=x,
        top=TOP,
        inner=BAR_WIDTH - 1,
        inner_height=HEIGHT - 1,
        y=TOP + HEIGHT - high,
        width=BAR_WIDTH,
        used=high,
        cap=_cap(one, x) if one["ran_out_at"] is not None else "",
        mark=MARK.format(x=place * STEP + STEP // 2, y=TOP + HEIGHT + 11, d=d) if d else "",
    )


def _cap(one: Cycle, x: int) -> Markup:
    high = min(HIGHEST_CAP, LOWEST_CAP + one["hours_at_zero"] / HOURS_A_PIXEL)
    return CAP.format(x=x - 2, y=TOP - high, width=BAR_WIDTH + 4, high=round(high, 1))


def _words(ended: str, told: Mapping[str, Any]) -> str:
    return _(
        "Ended %(time)s, %(how)s: %(used)s used, %(lost)s lost, %(hours)s h at zero",
        time=ended,
        how=told["how"],
        used=told["used"],
        lost=told["lost"],
        hours=told["zero"],
    )
