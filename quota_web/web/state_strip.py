"""An account's states over time as a strip of ten pixels; pure, the style sheet has the colours.

Runs of one state are one path, so a strip costs a few elements however often it changes.
"""

from collections.abc import Iterator
from typing import Any

from markupsafe import Markup

from quota_web.core.language import gettext as _
from quota_web.core.language import mark
from quota_web.core.series import Axis
from quota_web.reports.state_timeline import ShownState, StateTimeline
from quota_web.web import formats

HEIGHT = 10
#: What the states are called; said by `word`.
WORDS = {
    ShownState.USABLE: mark("can be used"),
    ShownState.LOW: mark("low"),
    ShownState.USED_UP: mark("used up"),
    ShownState.UNKNOWN: mark("not known"),
    ShownState.PAUSED: mark("paused"),
}
#: These are patterns, which must not be stretched.
PATTERNS = (ShownState.UNKNOWN, ShownState.PAUSED)

DRAWING = Markup(
    '<svg class="strip" role="img" aria-label="{gist}"><svg width="100%" height="10" '
    'viewBox="0 0 {slots} 10" preserveAspectRatio="none">{paths}</svg>{patterns}</svg>'
)
PATH = Markup('<path class="s-{state}" d="{d}"/>')
PATTERN = Markup('<rect x="{x:.2f}%" width="{width:.2f}%" height="10" fill="url(#s-{state})"/>')


def word(state: ShownState) -> str:
    """A state in words."""
    return _(WORDS[state])


def row(timeline: StateTimeline | None, axis: Axis) -> dict[str, Any] | None:
    """What a strip's row is told; None where nothing was known over the whole axis."""
    if timeline is None or not timeline.runs:
        return None
    usable = sum(timeline.share(state) or 0.0 for state in (ShownState.USABLE, ShownState.LOW))
    return {
        "drawing": _drawing(timeline, axis),
        "usable": formats.percent(round(usable * 100)),
        # For the cursor: where each run ends, and its state.
        "runs": " ".join(f"{run.end}:{run.state}" for run in timeline.runs),
    }


def gist(timeline: StateTimeline) -> str:
    """`alice: can be used 82 %, used up 18 % of the time`"""
    shares = [(state, timeline.share(state) or 0.0) for state in ShownState]
    parts = [f"{word(s)} {formats.percent(round(share * 100))}" for s, share in shares if share]
    return _(
        "%(account)s: %(states)s of the time", account=timeline.account, states=", ".join(parts)
    )


def _drawing(timeline: StateTimeline, axis: Axis) -> Markup:
    paths = [
        PATH.format(state=state, d="".join(_boxes(timeline, state)))
        for state in ShownState
        if state not in PATTERNS and any(run.state is state for run in timeline.runs)
    ]
    patterns = [
        PATTERN.format(
            x=run.start / len(axis) * 100,
            width=(run.end - run.start) / len(axis) * 100,
            state=run.state,
        )
        for run in timeline.runs
        if run.state in PATTERNS
    ]
    return DRAWING.format(
        gist=gist(timeline),
        slots=len(axis),
        paths=Markup("").join(paths),
        patterns=Markup("").join(patterns),
    )


def _boxes(timeline: StateTimeline, state: ShownState) -> Iterator[str]:
    return (
        f"M{run.start} 0H{run.end}V10H{run.start}Z" for run in timeline.runs if run.state is state
    )
