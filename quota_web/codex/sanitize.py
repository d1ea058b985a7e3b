"""Strings that others wrote, made fit to store, show and log."""

import re
from collections.abc import Iterable

MAX_TEXT = 200
MAX_SNIPPET = 120

_TOKEN = re.compile(r"(?:eyJ|\bsk-|\bsess-|\bat-|\boaistb_rt_|\brt[_.])[A-Za-z0-9_.+/=~-]{4,}")
#: Each stands for something that must not be shown, with what is shown instead. The order matters:
#: whole links go before what is in them.
_HIDDEN: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b[a-z][a-z0-9+.-]{1,10}://\S+", re.IGNORECASE), "[link]"),
    (re.compile(r"[^\s@<>\"'(),;:]{1,64}@[^\s@<>\"'(),;:]{1,255}"), "[e-mail]"),
    (re.compile(r"\bBearer\s+\S+", re.IGNORECASE), "[token]"),
    (_TOKEN, "[token]"),
)
_LONG = re.compile(r"[A-Za-z0-9_+/=.~-]{24,}")
#: Long codes such as `unsupported_country_region_territory` are words, and what people look for.
_WORDS = re.compile(r"[a-z]{1,20}(?:[_.-][a-z]{1,20})+[.]?")


def clean(value: object, limit: int = MAX_TEXT) -> str | None:
    """*value* without control, bidirectional and broken characters, at most *limit* long; None
    unless that leaves some text.
    """
    if not isinstance(value, str):
        return None
    value = value[: limit * 4]
    if not value.isprintable():
        value = "".join(c if c.isprintable() else " " if c.isspace() else "" for c in value)
    return value.strip()[:limit].rstrip() or None


def holds_token(text: str, hide: Iterable[str] = ()) -> bool:
    """Whether anything like a token is in *text*, or one of the strings of *hide*, in any case."""
    lower = text.lower()
    return _TOKEN.search(text) is not None or any(one.lower() in lower for one in hide if one)


def scrub(text: str, hide: tuple[str, ...] = ()) -> str:
    """A snippet of an error for people: e-mail addresses, links, anything like a token and the
    strings of *hide* taken out, cut short.
    """
    text = text[: 16 * MAX_SNIPPET]
    for secret in hide:
        if secret:
            text = text.replace(secret, "[token]")
    text = " ".join((clean(text, 16 * MAX_SNIPPET) or "").split())
    for pattern, instead in _HIDDEN:
        text = pattern.sub(instead, text)
    text = _LONG.sub(lambda m: m.group() if _WORDS.fullmatch(m.group()) else "[…]", text)
    return text if len(text) <= MAX_SNIPPET else text[: MAX_SNIPPET - 1].rstrip() + "…"
