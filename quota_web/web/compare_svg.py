"""A few accounts in one chart, a panel for each window: what pages show of *Compare* without a
script. Pure.

Lines differ by colour and by dashes, as in the chart of the script (charts.js).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

from markupsafe import escape

from quota_web.core.language import gettext as _
from quota_web.web import svg

#: The most accounts in one chart: more lines cannot be told apart.
MOST = 4
COLOURS = {
    "light": ("#0b6b5b", "#c2540a", "#3158c9", "#a3307f"),
    "dark": ("#54c9b1", "#f2a35e", "#8caeff", "#ee92cf"),
}
DASHES = ("", "9 3", "4 3", "12 3 3 3")


def document(
    history: Mapping[str, Any],
    accounts: Sequence[str],
    theme: str = "light",
    zone: tzinfo | None = None,
    width: int = svg.WIDTH,
) -> str:
    """An SVG document of an `/api/history` answer: *accounts* in the order of their colours."""
    theme = theme if theme in COLOURS else "light"
    panels = _panels(history["series"])
    start, end = (int(datetime.fromisoformat(history[k]).timestamp()) for k in ("from", "to"))
    high, ink = svg.height(len(panels)), svg.PALETTES[theme]
    parts: list[str] = []
    for i, lines in enumerate(panels):
        top = svg.TOP + 16 + i * (svg.PANEL_HEIGHT + svg.GAP)
        parts += _panel(lines, history, accounts, (start, end), top, theme, width)
    parts += svg.marks_below(start, end, len(panels), ink, zone, width)
    if not panels:
        words = _("No readings in this time.")
        parts.append(svg.text(width / 2, svg.TOP + 70, words, ink["soft"], "middle"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {high}" width="{width}" '
        f'height="{high}" role="img" font-family="{svg.FONT}" font-size="12">'
        f"<title>{escape(', '.join(accounts))}</title>{''.join(parts)}</svg>"
    )


def _panels(series: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """The series by their window; those without any value are left out."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for one in series:
        if any(value is not None for value in one["remaining"]):
            found.setdefault(one["window"], []).append(one)
    return list(found.values())


def _panel(
    lines: Sequence[Mapping[str, Any]],
    history: Mapping[str, Any],
    accounts: Sequence[str],
    over: tuple[int, int],
    top: int,
    theme: str,
    width: int,
) -> Iterator[str]:
    ink = svg.PALETTES[theme]
    x = svg.scale(*over, svg.LEFT, width - svg.RIGHT)
    y = svg.scale(0, 100, top + svg.PANEL_HEIGHT, top)
    drawn = [svg.as_drawn(one, history["step_seconds"]) for one in lines]
    yield svg.text(svg.LEFT, top - 7, drawn[0]["title"], ink["ink"], weight="600")
    for mark in (0, 50, 100):
        yield f'<path d="M{svg.LEFT} {y(mark):g}H{width - svg.RIGHT}" stroke="{ink["grid"]}"/>'
        yield svg.text(svg.LEFT - 6, y(mark) + 4, f"{mark}", ink["soft"], "end")
    for one in drawn:
        slot = accounts.index(one["account"]) if one["account"] in accounts else 0
        d = svg.steps(history["t"], one["line"], x, y, one["rise"])
        yield (
            f'<path d="{d}" fill="none" stroke="{COLOURS[theme][slot % MOST]}" '
            f'stroke-dasharray="{DASHES[slot % MOST]}" stroke-width="1.5"/>'
        )
