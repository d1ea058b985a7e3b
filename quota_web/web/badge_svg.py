"""A badge as a picture: what it is of on the left, what is said of it on the right; pure.

Everything is said with attributes: the picture needs no style sheet, no script and no font.
"""

import unicodedata

from markupsafe import escape

from quota_web.web import svg
from quota_web.web.badge import Badge

#: Size → how much larger than the small one.
SCALES = {"small": 1.0, "large": 1.6}
HEIGHT, FONT_SIZE, PAD = 20, 11, 7
#: White is read on each of these (4.5 to 1 and more).
TONES = {
    "fine": "#0b6b5b",
    "low": "#8a5300",
    "empty": "#59635f",
    "none": "#59635f",
    "bad": "#b3271d",
}
#: What the left part is drawn on.
GROUNDS = {"light": "#333c39", "dark": "#29322f"}
EDGES = {"light": "#333c39", "dark": "#4a5652"}
#: Widths of letters in pixels at FONT_SIZE; the text is then fitted to their sum.
NARROW, USUAL, CAPITAL, BROAD, FULL = 3.4, 6.2, 7.6, 9.2, 11.0
NARROW_ONES, BROAD_ONES = frozenset("ijltfI.,:;'|!·()[] \u202f\u00a0"), frozenset("mwMW@%…")


def document(badge: Badge, theme: str, size: str, zone_name: str) -> str:
    """The badge as an SVG document; its title says everything, with the zone of its times."""
    left, right = (width(text) + 2 * PAD for text in (badge.subject, badge.message))
    whole, scale = left + right, SCALES[size]
    title = escape(f"{badge.text} ({zone_name})" if zone_name else badge.text)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole * scale:g}" '
        f'height="{HEIGHT * scale:g}" viewBox="0 0 {whole:g} {HEIGHT}" role="img" '
        f'aria-label="{title}" font-family="{svg.FONT}" font-size="{FONT_SIZE}">'
        f"<title>{title}</title>"
        f'<clipPath id="r"><rect width="{whole:g}" height="{HEIGHT}" rx="4"/></clipPath>'
        f'<g clip-path="url(#r)">'
        f'<rect width="{left:g}" height="{HEIGHT}" fill="{GROUNDS[theme]}"/>'
        f'<rect x="{left:g}" width="{right:g}" height="{HEIGHT}" fill="{TONES[badge.tone]}"/></g>'
        f'<rect x=".5" y=".5" width="{whole - 1:g}" height="{HEIGHT - 1}" rx="3.5" fill="none" '
        f'stroke="{EDGES[theme]}"/>'
        f"{_words(badge.subject, PAD)}{_words(badge.message, left + PAD)}</svg>"
    )


def width(text: str) -> float:
    """How wide a text is about, in pixels at FONT_SIZE."""
    return round(sum(_width(letter) for letter in text), 1)


def _width(letter: str) -> float:
    if unicodedata.east_asian_width(letter) in "WF":
        return FULL
    if letter in NARROW_ONES:
        return NARROW
    if letter in BROAD_ONES:
        return BROAD
    return CAPITAL if letter.isupper() else USUAL


def _words(text: str, x: float) -> str:
    return (
        f'<text x="{x:g}" y="14" fill="#fff" textLength="{width(text):g}" '
        f'lengthAdjust="spacingAndGlyphs">{escape(text)}</text>'
    )
