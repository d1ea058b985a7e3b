"""A badge as a picture: what it is of on the left, what is said of it on the right; pure.

Everything is said with attributes: the picture needs no style sheet, no script and no font.
"""

from markupsafe import escape

from quota_web.web import svg, text_width
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


def document(badge: Badge, theme: str, size: str, zone_name: str) -> str:
    """The badge as an SVG document; its title says everything, with the zone of its times."""
    left, right = (
        text_width.width(text, FONT_SIZE) + 2 * PAD for text in (badge.subject, badge.message)
    )
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


def _width(text: str) -> float:
    return text_width.width(text, FONT_SIZE)


def _words(text: str, x: float) -> str:
    return (
        f'<text x="{x:g}" y="14" fill="#fff" textLength="{_width(text):g}" '
        f'lengthAdjust="spacingAndGlyphs">{escape(text)}</text>'
    )
