"""The present cycle of a window as a drawing: what was left so far, and the fan of what is likely
up to the reset. Pure; the style sheet has the colours.

Positions are shares of the width and only curves are stretched, so it fits a phone as well.
"""

from collections.abc import Iterator, Sequence
from datetime import tzinfo

from markupsafe import Markup

from quota_web.core import labels
from quota_web.core.language import gettext as _
from quota_web.core.series import Axis
from quota_web.reports import outlook_words
from quota_web.reports.present_cycle import PresentCycle
from quota_web.web import formats, svg, time_axis

#: The plot's own units: the width is the cycle, the height is percent.
WIDTH, HEIGHT = 1000, 100
#: The words of a run-out stand in the middle of what is to come; with now further right than that,
#: in percent of the width, they end at the right edge. Further left than that, "now" stands where
#: the highest percent would.
TURNS_AT, NEAR_LEFT = 70, 16

DRAWING = Markup(
    '<svg class="fan" role="img" aria-label="{gist}">'
    '<svg y="18" width="100%" height="190" viewBox="0 0 1000 100" preserveAspectRatio="none">'
    "{curves}</svg>{words}</svg>"
)
GRID = Markup(
    '<path class="fan-grid" d="M0 0H1000M0 25H1000M0 50H1000M0 75H1000M0 100H1000"/>'
    '<path class="fan-even" d="M0 0L1000 100"/>'
)
PATH = Markup('<path class="{name}" d="{d}"/>')
WORDS = Markup('<text class="{name}" x="{x:.2f}%" y="{y}" text-anchor="{anchor}">{words}</text>')
MARK = Markup('<line class="{name}" x1="{x:.2f}%" x2="{x:.2f}%" y1="{top}" y2="{bottom}"/>')
#: Pixels: the plot, and the rows of words below it.
TOP, PLOT, AXIS_Y, HIGH = 18, 190, 226, 234


def drawing(cycle: PresentCycle, zone: tzinfo | None, now: int) -> Markup:
    """The drawing of *cycle*, with its fan where its forecast has one."""
    curves = [GRID, *_so_far(cycle), *_bands(cycle)]
    here = _percent(cycle, now)
    words = [*_scale(here), *_days(cycle, zone), *_now(here), *_run_out(cycle, zone, here)]
    return DRAWING.format(
        gist=gist(cycle), curves=Markup("").join(curves), words=Markup("").join(words)
    )


def gist(cycle: PresentCycle) -> str:
    """What it shows, in words."""
    title = labels.window_title(cycle.window.key)
    left = formats.percent(cycle.window.remaining_percent)
    if cycle.fan is None or cycle.fan.rest is None:
        return _("%(window)s: %(left)s left.", window=title, left=left)
    return _(
        "%(window)s: %(left)s left; likely %(low)s to %(high)s left at the reset.",
        window=title,
        left=left,
        low=formats.percent(round(cycle.fan.rest[0])),
        high=formats.percent(round(cycle.fan.rest[2])),
    )


def _place(cycle: PresentCycle, at: float) -> float:
    """A moment's place in the plot's units."""
    return (at - cycle.start) / (cycle.ends_at - cycle.start) * WIDTH


def _percent(cycle: PresentCycle, at: float) -> float:
    return min(100.0, max(0.0, _place(cycle, at) / WIDTH * 100))


def _so_far(cycle: PresentCycle) -> Iterator[Markup]:
    times = [*cycle.axis.times(), cycle.axis.end]
    column = [*cycle.remaining, cycle.remaining[-1] if cycle.remaining else None]
    line = svg.steps(
        times, column, lambda at: max(0.0, _place(cycle, at)), lambda v: HEIGHT - v, svg.NEVER
    )
    yield PATH.format(name="fan-line", d=line)
    gaps = "".join(_gaps(cycle, times))
    if gaps:
        yield PATH.format(name="fan-gap", d=gaps)


def _gaps(cycle: PresentCycle, times: Sequence[int]) -> Iterator[str]:
    """From where a value was last known to where the next one is: within a cycle it only falls."""
    before: int | None = None
    for i, value in enumerate(cycle.remaining):
        if value is None:
            continue
        if before is not None and i > before + 1:
            last = cycle.remaining[before] or 0.0
            yield (
                f"M{_place(cycle, times[before + 1]):.4g} {HEIGHT - last:.3g}"
                f"L{_place(cycle, times[i]):.4g} {HEIGHT - value:.3g}"
            )
        before = i


def _bands(cycle: PresentCycle) -> Iterator[Markup]:
    """The band of 80 %, that of 50 % upon it, and the middle."""
    said = cycle.fan
    if said is None:
        return
    left = 100 - said.used_percent
    moments = [(0.0, *[left] * 5), *(said.fan or ())]
    xs = [_place(cycle, said.made_at + moment[0]) for moment in moments]
    edges = [[HEIGHT - moment[k] for moment in moments] for k in range(1, 6)]
    yield PATH.format(name="fan-80", d=_between(xs, edges[4], edges[0]))
    yield PATH.format(name="fan-50", d=_between(xs, edges[3], edges[1]))
    yield PATH.format(name="fan-middle", d=_along(xs, edges[2]))


def _along(xs: Sequence[float], ys: Sequence[float]) -> str:
    points = " ".join(f"{x:.4g} {y:.3g}" for x, y in zip(xs, ys, strict=True))
    return f"M{points}"


def _between(xs: Sequence[float], upper: Sequence[float], lower: Sequence[float]) -> str:
    return f"{_along([*xs, *reversed(xs)], [*upper, *reversed(lower)])}Z"


def _scale(here: float) -> Iterator[Markup]:
    for percent in (100, 50, 0):
        if percent == 100 and here < NEAR_LEFT:
            continue
        y = TOP + PLOT * (100 - percent) / 100 - 3
        words = formats.percent(percent) if percent == 100 else str(percent)
        yield WORDS.format(name="fan-scale", x=0, y=f"{y:g}", anchor="start", words=words)


def _days(cycle: PresentCycle, zone: tzinfo | None) -> Iterator[Markup]:
    whole = Axis(cycle.start, cycle.ends_at, cycle.axis.step)
    for mark in time_axis.ticks(whole, zone):
        name = "fan-tick" if mark.is_major else "fan-tick minor"
        yield MARK.format(name=name, x=mark.place, top=TOP + PLOT, bottom=TOP + PLOT + 5)
        yield WORDS.format(name=name, x=mark.place, y=AXIS_Y, anchor="middle", words=mark.words)


def _now(x: float) -> Iterator[Markup]:
    yield MARK.format(name="fan-now", x=x, top=TOP - 4, bottom=TOP + PLOT)
    anchor = "end" if x > 90 else "start" if x < 10 else "middle"
    yield WORDS.format(name="fan-now", x=x, y=TOP - 7, anchor=anchor, words=_("now"))


def _run_out(cycle: PresentCycle, zone: tzinfo | None, here: float) -> Iterator[Markup]:
    """When it runs out, if it does: the time that holds four of five, and the day in words, above
    the fan.
    """
    said = cycle.fan
    told = outlook_words.run_out(cycle.window.key, said, zone) if said else None
    if said is None or told is None:
        return
    first, middle, last = (_percent(cycle, said.made_at + s) for s in said.run_out_in or ())
    ground = TOP + PLOT
    yield Markup(
        '<rect class="fan-out" x="{x:.2f}%" width="{width:.2f}%" y="{y}" height="5"/>'
    ).format(x=first, width=max(0.4, last - first), y=ground - 5)
    yield MARK.format(name="fan-out", x=middle, top=ground - 12, bottom=ground)
    when, chance = told
    words = (
        _("may run out: %(when)s (%(chance)s)", when=when, chance=chance)
        if when
        else _("may run out (%(chance)s)", chance=chance)
    )
    name = "fan-words" if (said.run_out_probability or 0) >= outlook_words.OPEN_FROM else "fan-if"
    x, anchor = (100.0, "end") if here > TURNS_AT else ((here + 100) / 2, "middle")
    y = min(max(TOP + PLOT * said.used_percent / 100 - 9, TOP + 13), ground - 17)
    yield WORDS.format(name=name, x=x, y=f"{y:.0f}", anchor=anchor, words=words)
