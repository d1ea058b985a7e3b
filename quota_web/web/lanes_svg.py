"""The lanes of all accounts in one picture, with their names and what is left now; pure.

A lane itself is drawn by lane_svg.py.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, tzinfo

from markupsafe import escape

from quota_web.core import labels
from quota_web.core.language import gettext as _
from quota_web.core.language import ngettext
from quota_web.core.series import Axis
from quota_web.reports.lanes import BAND_S, Lane
from quota_web.web import formats, lane_svg, svg, time_axis
from quota_web.web.text_width import shortened
from quota_web.web.text_width import width as text_width

#: More lanes than that are no picture any more; how many are left out is said.
MOST = 24
#: A row: its words, its lane, and the space to the next.
WORDS, HIGH, GAP = 18, 40, 12
SIDE, TOP, AXIS, NOTE_HIGH = 8, 4, 18, 15
SIZE = 12

#: A lane, and what is said of its account now.
Row = tuple[Lane, str]


def document(
    rows: Sequence[Row],
    axis: Axis,
    more: int,
    theme: str,
    zone: tzinfo | None,
    width: int,
) -> str:
    """An SVG document with a lane for each of *rows*; *more* accounts have none."""
    ink = lane_svg.PALETTES[theme]
    rows_high = len(rows) * (WORDS + HIGH + GAP)
    high = TOP + rows_high + AXIS + NOTE_HIGH * (3 if more else 2) + 6
    parts = [lane_svg.patterns([lane for lane, _said in rows], theme)]
    for i, (lane, said) in enumerate(rows):
        parts += _row(lane, said, TOP + i * (WORDS + HIGH + GAP), theme, width)
    parts += _axis(axis, TOP + rows_high - GAP, ink, zone, width)
    parts += _notes(axis, more, high, ink)
    title = _("Quota left of all accounts")
    gist = "; ".join(f"{lane.account}: {said}" for lane, said in rows)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {high}" width="{width}" '
        f'height="{high}" role="img" font-family="{svg.FONT}" font-size="{SIZE}">'
        f"<title>{escape(title)}</title><desc>{escape(gist)}</desc>"
        f'<rect width="{width}" height="{high}" rx="8" fill="{ink["sheet"]}"/>'
        f"{''.join(parts)}</svg>"
    )


def _row(lane: Lane, said: str, top: int, theme: str, width: int) -> Iterator[str]:
    ink, room = lane_svg.PALETTES[theme], width - 2 * SIDE
    name = shortened(lane.account, room - text_width(said, SIZE) - 12, SIZE)
    yield svg.text(SIDE, top + 13, name, ink["ink"], weight="600")
    yield svg.text(width - SIDE, top + 13, said, ink["soft"], "end")
    yield (
        f'<svg x="{SIDE}" y="{top + WORDS}" width="{room}" height="{HIGH}" font-size="10">'
        f"{lane_svg.drawing(lane, theme)}</svg>"
    )


def _axis(
    axis: Axis, base: int, ink: dict[str, str], zone: tzinfo | None, width: int
) -> Iterator[str]:
    """The marks of the time, every other one where there is no room for all, and the zone's
    name.
    """
    room = width - 2 * SIDE
    for mark in time_axis.ticks(axis, zone):
        x = SIDE + room * mark.place / 100
        if (mark.is_major or width > svg.NARROW) and x < width - SIDE - 50:
            yield f'<path d="M{x:.1f} {base}v4" stroke="{ink["soft"]}"/>'
            yield svg.text(x, base + 16, mark.words, ink["soft"], "middle")
    named = f"{datetime.fromtimestamp(axis.end, UTC).astimezone(zone):%Z}"
    yield svg.text(width - SIDE, base + 16, named, ink["soft"], "end")


def _notes(axis: Axis, more: int, high: int, ink: dict[str, str]) -> Iterator[str]:
    """What the lanes are, and how many accounts have none."""
    band = _(
        "band: lowest of the five-hour window over %(span)s; grey: used up",
        span=labels.span(max(axis.step, BAND_S)),
    )
    lines = [_("area: the weekly window, else the longest"), band]
    if more:
        number = formats.number(more)
        lines.append(
            ngettext("and %(num)s more account", "and %(num)s more accounts", more, num=number)
        )
    for i, line in enumerate(reversed(lines)):
        yield f'<g font-size="10">{svg.text(SIDE, high - 8 - i * NOTE_HIGH, line, ink["soft"])}</g>'
