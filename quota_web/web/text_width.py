"""About how wide a text is in a picture, which no one has measured when it is drawn; pure."""

import unicodedata

#: Widths of letters as shares of the font's size, as common fonts have them.
NARROW, USUAL, CAPITAL, BROAD, FULL = 0.31, 0.56, 0.69, 0.84, 1.0
NARROW_ONES, BROAD_ONES = frozenset("ijltfI.,:;'|!·()[] \u202f\u00a0"), frozenset("mwMW@%…")


def width(text: str, size: float) -> float:
    """The width of *text* in a font of *size*, in its unit."""
    return round(sum(map(_share, text)) * size, 1)


def shortened(text: str, most: float, size: float) -> str:
    """*text*, cut where it is wider than *most*."""
    if width(text, size) <= most:
        return text
    while text and width(f"{text}…", size) > most:
        text = text[:-1]
    return f"{text}…"


def _share(letter: str) -> float:
    if unicodedata.east_asian_width(letter) in "WF":
        return FULL
    if letter in NARROW_ONES:
        return NARROW
    if letter in BROAD_ONES:
        return BROAD
    return CAPITAL if letter.isupper() else USUAL
