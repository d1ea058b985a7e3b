"""The closed cycles of a window on its account's page: a sentence and a bar for each. Pure.

Cycles are as `/api/cycles` answers them, oldest first.
"""

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from statistics import mean, median
from typing import Any

from markupsafe import Markup

from quota_web.web import formats

Cycle = Mapping[str, Any]

#: How a cycle ended, in words.
HOW = {
    "scheduled": "on time",
    "early": "early",
    "banked": "banked reset",
    "provider": "provider-wide",
    "plan": "plan change",
}
#: The marks under bars, around the point 0 0.
MARKS = {
    "early": "M-5 -4L5 0L-5 4Z",
    "banked": "M0 -5L5 0L0 5L-5 0Z",
    "provider": "M-4 -4H4V4H-4Z",
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
CAP = Markup('<rect class="dry" x="{x}" y="{y}" width="{width}" height="4"/>')
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
    middle = median(one["used_at_reset_percent"] for one in cycles)
    wasted = mean(one["wasted_percent"] for one in cycles)
    head = "Last cycle: " if len(cycles) == 1 else f"Last {len(cycles)} cycles: median "
    dry = sum(one["ran_out_at"] is not None for one in cycles)
    return (
        f"{head}used {used(middle, is_bound)}, "
        f"{lost(wasted, is_bound)} lost at resets, {times(dry)} run dry."
    )


def used(percent: float, is_bound: bool) -> str:
    """`71 %`, or `at least 71 %` where it may have been more."""
    return f"{'at least ' if is_bound and percent < 100 else ''}{formats.percent(percent)}"


def lost(percent: float, is_bound: bool) -> str:
    """`29 %`, or `at most 29 %` where it may have been less."""
    return f"{'at most ' if is_bound and percent > 0 else ''}{formats.percent(percent)}"


def times(count: int) -> str:
    """`never`, `once`, `twice`, `3 times`."""
    return ("never", "once", "twice")[count] if count < 3 else f"{count} times"


def row(one: Cycle) -> dict[str, Any]:
    """A cycle as the table shows it."""
    is_bound = one["is_lower_bound"]
    return {
        "started_at": one["started_at"],
        "ended_at": one["ended_at"],
        "how": HOW.get(one["how"], one["how"]),
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


def keys(cycles: Sequence[Cycle]) -> list[tuple[Markup, str]]:
    """The marks that stand under these bars, each with its words."""
    there = {one["how"] for one in cycles}
    return [(KEY.format(d=d), HOW[how]) for how, d in MARKS.items() if how in there]


def _bar(place: int, one: Cycle, now: int, zone: tzinfo | None) -> Markup:
    x = place * STEP + (STEP - BAR_WIDTH) // 2
    high = round(min(100.0, max(0.0, one["used_at_reset_percent"])) * HEIGHT / 100, 1)
    told, d = row(one), MARKS.get(one["how"])
    ended = formats.clock_time(one["ended_at"], now, zone)
    return BAR.format(
        words=f"Ended {ended}, {told['how']}: {told['used']} used, {told['lost']} lost",
        x=x,
        top=TOP,
        inner=BAR_WIDTH - 1,
        inner_height=HEIGHT - 1,
        y=TOP + HEIGHT - high,
        width=BAR_WIDTH,
        used=high,
        cap=CAP.format(x=x - 2, y=TOP - 5, width=BAR_WIDTH + 4)
        if one["ran_out_at"] is not None
        else "",
        mark=MARK.format(x=place * STEP + STEP // 2, y=TOP + HEIGHT + 11, d=d) if d else "",
    )
