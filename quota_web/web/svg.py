"""Charts drawn on the server, for pages without JavaScript: bars, hourly use and the chart.svg of
one account.

Pure functions over columns. A value holds until the next one, so lines are steps; a gap or a reset
breaks them. Everything is said with attributes and classes, since the content security policy
forbids inline styles.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from markupsafe import Markup, escape

from quota_web.core import labels
from quota_web.core.language import gettext as _
from quota_web.core.quota import MONTHLY, NAMED_LENGTHS, WEEKLY
from quota_web.reports.hourly_use import HourlyUse
from quota_web.web import formats

Column = Sequence[float | None]

#: A rise of this many points within one step is a reset, not a correction.
RESET_RISE = 3
NEVER = 101

PANEL_HEIGHT, LEFT, RIGHT, TOP, GAP, BOTTOM = 116, 40, 56, 14, 30, 26
#: As wide as on a page, and as on a phone: scaled down from there its words could not be read.
WIDTH, NARROW = 720, 360
SIZE = 12
#: Room for a time mark.
TICK_ROOM = 78
#: The same as in the style sheet: Debian’s "system-ui" is wider.
FONT = (
    "-apple-system, Segoe UI, Roboto, Noto Sans, Helvetica Neue, Liberation Sans, Arial, sans-serif"
)
#: Spans between time marks, in seconds; the first that leaves room enough is taken.
TICK_STEPS = (
    3_600,
    10_800,
    21_600,
    43_200,
    *(days * 86_400 for days in (1, 2, 7, 14, 30, 61, 365, 1825)),
)
PALETTES = {
    "light": {
        "ink": "#1d2523",
        "soft": "#5c6663",
        "grid": "#d9dedb",
        "line": "#0d7362",
        "band": "#0d7362",
    },
    "dark": {
        "ink": "#e4eae7",
        "soft": "#98a5a0",
        "grid": "#2f3937",
        "line": "#4fc7ae",
        "band": "#4fc7ae",
    },
}


BAR = (
    '<svg class="bar bar-{}" viewBox="0 0 100 6" preserveAspectRatio="none" '
    'aria-hidden="true"><rect width="{:g}" height="6"/>{}</svg>'
)
#: Where an even use would stand now.
NOTCH = '<path class="notch" d="M{:g} 0V6"/>'
BARS = Markup(
    '<svg class="use" viewBox="0 0 {} {}" role="img" aria-label="{}"><path d="{}"/></svg>'
)
BARS_HEIGHT = 20
#: Points used in an hour that make a bar of full height: those of a long window are worth more.
FULL = {WEEKLY: 6.4, MONTHLY: 1.6}
MOST_FULL = 40.0


def bar(remaining: float, level: str, even: float | None = None) -> Markup:
    """A bar as wide as what is left, with a notch at *even*; the number beside it says the same, so
    it is hidden from screen readers.
    """
    notch = "" if even is None else NOTCH.format(round(float(even), 1))
    return Markup(BAR.format(level, round(float(remaining), 1), notch))  # noqa: S704 - numbers and a word of ours


def hourly_bars(use: HourlyUse | None) -> Markup:
    """What was used in each of the last 24 hours, in the size of a word: one bar an hour, and none
    where nothing was read.
    """
    if use is None:
        return Markup(
            '<span class="none"><span aria-hidden="true">–</span><span class="sr">{}</span></span>'
        ).format(_("no readings"))
    drawn = "".join(
        f"M{4 * hour} {BARS_HEIGHT}v-{_bar_height(points, use.key):g}h3V{BARS_HEIGHT}"
        for hour, points in enumerate(use.points)
        if points is not None
    )
    return BARS.format(4 * len(use.points), BARS_HEIGHT, hourly_gist(use), drawn)


def _bar_height(points: float, key: str) -> float:
    """Hours without use keep a line, so that they are not taken for hours without readings."""
    return round(max(1.0, min(1.0, points / FULL.get(key, MOST_FULL)) * (BARS_HEIGHT - 1)), 1)


def hourly_gist(use: HourlyUse) -> str:
    """What the bars show, in words: `24 hours: 38 points of the five-hour window used`."""
    used = sum(p for p in use.points if p is not None)
    return _(
        "24 hours: %(points)s points of the %(window)s window used",
        points=format(used, "g"),
        window=labels.window_title(use.key).lower(),
    )


def height(panels: int) -> int:
    """How high a chart with so many panels is; one without any is as high as its words need."""
    return TOP + max(1, panels) * (PANEL_HEIGHT + GAP) + BOTTOM - GAP + 16


def chart(
    history: Mapping[str, Any],
    title: str,
    theme: str = "light",
    zone: tzinfo | None = None,
    width: int = WIDTH,
    nothing: str = "",
    ground: str = "none",
    name: str = "",
) -> str:
    """An SVG document with a panel for each series of an `/api/history` answer about one account.

    *nothing* is what stands there where there is none, unless that there are no readings; *ground*
    is the colour below all of it and *name* is written above, where it does not stand on a page of
    ours.
    """
    ink = PALETTES.get(theme, PALETTES["light"])
    nothing = nothing or _("No readings in this time.")
    series = history["series"]
    start, end = (int(datetime.fromisoformat(history[k]).timestamp()) for k in ("from", "to"))
    high = height(len(series))
    parts = [text(width - 12, TOP + 9, name, ink["soft"], "end", "600")] if name else []
    for i, one in enumerate(as_drawn(s, history["step_seconds"]) for s in series):
        parts += _panel(
            one, history["t"], (start, end), TOP + 16 + i * (PANEL_HEIGHT + GAP), ink, width
        )
    parts += marks_below(start, end, len(series), ink, zone, width)
    if not series:
        parts.append(text(width / 2, TOP + 70, nothing, ink["soft"], "middle"))
    gist = "; ".join(panel_gist(s) for s in series) or nothing
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {high}" width="{width}" '
        f'height="{high}" role="img" '
        f'font-family="{FONT}" '
        f'font-size="{SIZE}"><title>{escape(title)}</title><desc>{escape(gist)}</desc>'
        f"{_ground(ground, width, high)}{''.join(parts)}</svg>"
    )


def _ground(colour: str, width: int, high: int) -> str:
    if colour == "none":
        return ""
    return f'<rect width="{width}" height="{high}" rx="8" fill="{colour}"/>'


def panel_gist(one: Mapping[str, Any]) -> str:
    """What one panel shows, in words: `Five-hour: lowest 12 %, now 88 %`."""
    lows = [v for v in one.get("min") or one["remaining"] if v is not None]
    now = next((v for v in reversed(one["remaining"]) if v is not None), None)
    name = labels.window_title(one["window"])
    if not lows or now is None:
        return _("%(window)s: no readings", window=name)
    said = {"window": name, "low": f"{min(lows):g}", "last": f"{now:g}"}
    return _("%(window)s: lowest %(low)s %%, last %(last)s %%", **said)


def steps(
    times: Sequence[int],
    values: Column,
    x: Callable[[float], float],
    y: Callable[[float], float],
    rise: float = RESET_RISE,
) -> str:
    """A path that holds each value until the next, lifts the pen at gaps and breaks at a *rise*,
    where a reset filled the window.
    """
    path: list[str] = []
    before: float | None = None
    for t, value in zip(times, values, strict=True):
        if value == before:
            continue
        if value is None:
            path.append(f"H{x(t):.4g}")
        elif before is None:
            path.append(f"M{x(t):.4g} {y(value):.4g}")
        elif value - before >= rise:
            path.append(f"H{x(t):.4g}M{x(t):.4g} {y(value):.4g}")
        else:
            path.append(f"H{x(t):.4g}V{y(value):.4g}")
        before = value
    return "".join([*path, f"H{x(times[-1]):.4g}" if before is not None else ""])


def scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """A line through (low, start) and (high, end)."""
    size = (high - low) or 1
    return lambda value: start + (value - low) / size * (end - start)


def as_drawn(one: Mapping[str, Any], step: int) -> dict[str, Any]:
    """A series as it is drawn: where a slot holds whole cycles of the window, its lowest value
    tells more than its last.
    """
    title = labels.window_title(one["window"])
    length = NAMED_LENGTHS.get(one["window"].rpartition(":")[2])
    if length is None or step * 5 <= length:
        return {**one, "title": title, "line": one["remaining"], "rise": RESET_RISE}
    return {
        **one,
        "title": _("%(window)s, lowest of each %(span)s", window=title, span=labels.span(step)),
        "line": one["min"],
        "min": (),
        "max": (),
        "rise": NEVER,
    }


def _panel(
    one: Mapping[str, Any],
    times: Sequence[int],
    over: tuple[int, int],
    top: int,
    ink: Mapping[str, str],
    width: int,
) -> Iterator[str]:
    x, y = scale(*over, LEFT, width - RIGHT), scale(0, 100, top + PANEL_HEIGHT, top)
    yield text(LEFT, top - 7, one["title"], ink["ink"], weight="600")
    for mark in (0, 50, 100):
        yield f'<path d="M{LEFT} {y(mark):g}H{width - RIGHT}" stroke="{ink["grid"]}"/>'
        yield text(LEFT - 6, y(mark) + 4, f"{mark}", ink["soft"], "end")
    for low_t, high_t, low, high in _bands(times, one):
        yield (
            f'<rect x="{x(low_t):.1f}" y="{y(high):.1f}" width="{x(high_t) - x(low_t):.1f}" '
            f'height="{y(low) - y(high):.1f}" '
            f'fill="{ink["band"]}" fill-opacity="0.18"/>'
        )
    if times:
        yield (
            f'<path d="{steps(times, one["line"], x, y, one["rise"])}" fill="none" '
            f'stroke="{ink["line"]}" stroke-width="1.5"/>'
        )
    last = next((v for v in reversed(one["remaining"]) if v is not None), None)
    if last is not None:
        yield text(width - RIGHT + 8, y(last) + 4, f"{last:.3g} %", ink["ink"], weight="600")


def _bands(times: Sequence[int], one: Mapping[str, Any]) -> Iterator[tuple[int, int, float, float]]:
    """From, to, lowest and highest of each slot in which the value moved."""
    for i, (low, high) in enumerate(zip(one.get("min") or (), one.get("max") or (), strict=True)):
        if low is not None and high is not None and high - low >= 1 and i + 1 < len(times):
            yield times[i], times[i + 1], low, high


def marks_below(
    start: int,
    end: int,
    panels: int,
    ink: Mapping[str, str],
    zone: tzinfo | None,
    width: int,
) -> Iterator[str]:
    """The time axis below so many panels, and the name of its zone."""
    x = scale(start, end, LEFT, width - RIGHT)
    base = TOP + 16 + max(1, panels) * (PANEL_HEIGHT + GAP) - GAP
    ticks, step = time_ticks(start, end, zone, (width - LEFT - RIGHT) // TICK_ROOM)
    for at in ticks:
        words = formats.tick(at, step, zone)
        yield f'<path d="M{x(at):.1f} {base}v4" stroke="{ink["soft"]}"/>'
        yield text(x(at), base + 16, words, ink["soft"], "middle")
    yield text(
        width - 4,
        base + 16,
        f"{datetime.fromtimestamp(end, UTC).astimezone(zone):%Z}",
        ink["soft"],
        "end",
    )


def time_ticks(
    start: int, end: int, zone: tzinfo | None = None, most: int = 8
) -> tuple[list[int], int]:
    """Round moments between two times in a zone, at most one more than *most*, and the span between
    them.
    """
    step = next((s for s in TICK_STEPS if (end - start) / s <= most), TICK_STEPS[-1])
    offset = datetime.fromtimestamp(start, UTC).astimezone(zone).utcoffset()
    shift = int(offset.total_seconds()) if offset is not None else 0
    first = -(-(start + shift) // step) * step - shift
    return list(range(first, end + 1, step)), step


def text(
    x: float, y: float, words: str, fill: str, anchor: str = "start", weight: str = "400"
) -> str:
    """Words at a place."""
    return (
        f'<text x="{x:g}" y="{y:g}" fill="{fill}" text-anchor="{anchor}" '
        f'font-weight="{weight}">{escape(words)}</text>'
    )
