"""One lane as a picture: the server's drawing, which pages show until a chart takes over.

Positions are shares of the width and the height, and only the areas are stretched, so that one
picture fits any lane. A reset (▲), one that OpenAI gave to all (★), a time without readings and
one without answers look like four things.
"""

from collections.abc import Iterable, Iterator, Sequence

from markupsafe import escape

from quota_web.core import labels
from quota_web.core.language import gettext as _
from quota_web.reports.lanes import FAILING, PAUSED, SILENT, Hole, Lane, Reset
from quota_web.web import formats, svg

Column = Sequence[float | None]

#: Where things stand, as shares of a lane's height in percent.
BAND_TOP, BAND_HEIGHT, AREA_TOP, AREA_HEIGHT = 2, 14, 21, 63
FONT = "Segoe UI, Roboto, Noto Sans, Liberation Sans, Arial, sans-serif"
#: How high a used-up window is drawn, in percent of the area.
GROUND = 9
#: A time without readings is named where it has this share of the width, in percent.
NAMED_FROM = 20
PALETTES = {
    "light": {
        "ink": "#1c2422", "soft": "#586360", "sheet": "#ffffff", "hatch": "#b9c2be",
        "area": "#2a9480", "line": "#0b6b5b", "low": "#d08a1c", "spent": "#8b9692",
        "failing": "#b3271d",
    },
    "dark": {
        "ink": "#e3e9e6", "soft": "#9aa7a2", "sheet": "#171d1c", "hatch": "#46524e",
        "area": "#3fae98", "line": "#54c9b1", "low": "#d99a36", "spent": "#66736f",
        "failing": "#f2897f",
    },
}  # fmt: skip
TRIANGLE = "M0 0L4.5 8H-4.5Z"
STAR = "M0 -.5L1.5 2.7 5 3.1 2.4 5.4 3.2 9 0 7.1 -3.2 9 -2.4 5.4 -5 3.1 -1.5 2.7Z"


def document(lane: Lane, theme: str = "light") -> str:
    """The lane as an SVG document; `light` and `dark` are its themes."""
    parts = (patterns([lane], theme), drawing(lane, theme))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="100%" height="100%" role="img" '
        f'font-family="{FONT}" font-size="10"><title>{escape(lane.account)}</title>'
        f"<desc>{escape(gist(lane))}</desc>{''.join(parts)}</svg>"
    )


def drawing(lane: Lane, theme: str) -> str:
    """The lane without its frame, as wide and high as what it stands in; its holes are filled with
    `patterns`.
    """
    return "".join(_parts(lane, PALETTES.get(theme, PALETTES["light"])))


def patterns(lanes: Iterable[Lane], theme: str) -> str:
    """What the holes of these lanes are filled with, each once."""
    reasons = {hole.why for lane in lanes for hole in lane.holes}
    return _patterns(reasons, PALETTES.get(theme, PALETTES["light"]))


def gist(lane: Lane) -> str:
    """What the lane shows, in words: `Weekly: lowest 12 %, last 66 %. 1 reset.`"""
    known = [value for value in lane.area if value is not None]
    if lane.key is None or not known:
        return _("No readings in this time.")
    words = _(
        "%(window)s: lowest %(low)s, last %(last)s.",
        window=labels.window_title(lane.key),
        low=formats.percent(min(known)),
        last=formats.percent(known[-1]),
    )
    resets = [_("Resets: %(count)s.", count=len(lane.resets))] if lane.resets else []
    holes = [_("There are times without readings.")] if lane.holes else []
    return " ".join([words, *resets, *holes])


def _parts(lane: Lane, ink: dict[str, str]) -> Iterator[str]:
    if lane.key is None:
        nothing = escape(_("no readings"))
        yield f'<text x="0" y="58%" fill="{ink["soft"]}">{nothing}</text>'
        return
    slots = len(lane.axis)
    yield from _holes(lane, ink)
    yield _stretched(slots, AREA_TOP, AREA_HEIGHT, _area(lane, ink))
    if lane.band:
        yield _stretched(slots, BAND_TOP, BAND_HEIGHT, _band(lane.band, ink))
    for reset in lane.resets:
        yield from _reset(reset, lane, ink)


def _patterns(reasons: Iterable[str], ink: dict[str, str]) -> str:
    """Hatching: thin one way for no readings, bold the other way for no answers, dots for a
    pause.
    """
    shapes = {
        SILENT: (45, f'<path d="M3 0V6" stroke="{ink["hatch"]}"/>'),
        FAILING: (-45, f'<path d="M3 0V6" stroke="{ink["failing"]}" stroke-width="1.6"/>'),
        PAUSED: (0, f'<circle cx="3" cy="3" r=".9" fill="{ink["hatch"]}"/>'),
    }
    made = "".join(
        f'<pattern id="{why}" width="6" height="6" patternUnits="userSpaceOnUse" '
        f'patternTransform="rotate({shapes[why][0]})">{shapes[why][1]}</pattern>'
        for why in sorted(reasons)
    )
    return f"<defs>{made}</defs>" if made else ""


def hole_words(why: str) -> str:
    """Why nothing is known, in two words."""
    return {PAUSED: _("paused"), FAILING: _("no answer")}.get(why) or _("no readings")


def share(lane: Lane, at: float) -> float:
    """A moment's place on the axis, in percent of its width."""
    return (at - lane.axis.start) / (lane.axis.end - lane.axis.start) * 100


def _holes(lane: Lane, ink: dict[str, str]) -> Iterator[str]:
    for hole in lane.holes:
        left, width = share(lane, hole.start), share(lane, hole.end) - share(lane, hole.start)
        yield (
            f'<rect x="{left:.2f}%" width="{width:.2f}%" y="{BAND_TOP}%" '
            f'height="{AREA_TOP + AREA_HEIGHT - BAND_TOP}%" fill="url(#{hole.why})"/>'
        )
        if width >= NAMED_FROM:
            yield _name(hole, left + width / 2, ink)


def _name(hole: Hole, middle: float, ink: dict[str, str]) -> str:
    return (
        f'<text x="{middle:.2f}%" y="56%" text-anchor="middle" fill="{ink["soft"]}" '
        f'stroke="{ink["sheet"]}" stroke-width="4" paint-order="stroke">'
        f"{escape(hole_words(hole.why))}</text>"
    )


def _stretched(slots: int, top: int, height: int, inside: Iterable[str]) -> str:
    """A part whose width is the axis, a unit a slot, and whose height is 100."""
    return (
        f'<svg y="{top}%" width="100%" height="{height}%" viewBox="0 0 {slots} 100" '
        f'preserveAspectRatio="none">{"".join(inside)}</svg>'
    )


def _area(lane: Lane, ink: dict[str, str]) -> Iterator[str]:
    spans = list(_spans(lane.area))
    filled = "".join(_filled(spans))
    yield f'<path d="{filled}" fill="{ink["area"]}" fill-opacity=".22"/>'
    # Used up is something else than unknown: a ground to stand on.
    grounds = "".join(_filled((a, b, GROUND) for a, b, value in spans if value <= 0))
    if grounds:
        yield f'<path d="{grounds}" fill="{ink["spent"]}"/>'
    rise = svg.NEVER if lane.is_lowest else svg.RESET_RISE
    slots = range(len(lane.area) + 1)
    line = svg.steps(slots, [*lane.area, None], float, lambda value: 100 - round(value, 1), rise)
    yield (
        f'<path d="{line}" fill="none" stroke="{ink["line"]}" stroke-width="1.5" '
        'vector-effect="non-scaling-stroke"/>'
    )


def _band(column: Column, ink: dict[str, str]) -> Iterator[str]:
    """The lowest of the five-hour window: as high as what was left, grey through where nothing
    was.
    """
    by_colour: dict[str, list[tuple[int, int, float]]] = {}
    for start, end, value in _spans(column):
        level = formats.level(value)
        colour = {"empty": "spent", "low": "low"}.get(level, "area")
        by_colour.setdefault(colour, []).append((start, end, 100 if level == "empty" else value))
    for colour, spans in by_colour.items():
        yield f'<path d="{"".join(_filled(spans))}" fill="{ink[colour]}" fill-opacity=".75"/>'


def _spans(column: Column) -> Iterator[tuple[int, int, float]]:
    """From slot to slot and the value that held, without those of which nothing is known."""
    start = 0
    for slot in range(1, len(column) + 1):
        if slot == len(column) or column[slot] != column[start]:
            value = column[start]
            if value is not None:
                yield start, slot, value
            start = slot


def _filled(spans: Iterable[tuple[int, int, float]]) -> Iterator[str]:
    """A path along the values and back on the ground, a part for each stretch without a hole."""
    at = -1
    for start, end, value in spans:
        if start != at:
            yield f"M{start} 100" if at < 0 else f"V100ZM{start} 100"
        yield f"V{100 - value:.3g}H{end}"
        at = end
    if at >= 0:
        yield "V100Z"


def _reset(reset: Reset, lane: Lane, ink: dict[str, str]) -> Iterator[str]:
    left = share(lane, reset.at)
    is_for_all = reset.how == "provider"
    if is_for_all:
        yield (
            f'<line x1="{left:.2f}%" x2="{left:.2f}%" y1="{AREA_TOP}%" '
            f'y2="{AREA_TOP + AREA_HEIGHT}%" stroke="{ink["ink"]}" stroke-dasharray="1 2"/>'
        )
    mark, colour = (STAR, ink["ink"]) if is_for_all else (TRIANGLE, ink["soft"])
    yield (
        f'<svg x="{left:.2f}%" y="{AREA_TOP + AREA_HEIGHT}%" overflow="visible">'
        f'<path d="{mark}" fill="{colour}"/></svg>'
    )
