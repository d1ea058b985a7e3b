"""Numbers, amounts and moments from JSON of an undocumented source.

Nothing here raises; what cannot be true reads as None.
"""

import math
import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

DAY = 86_400
#: Beyond these an absolute reset is no reset of a quota window.
RESET_BEHIND = DAY
RESET_AHEAD = 400 * DAY
#: 2015-01-01 and 2100-01-01.
FIRST_INSTANT, LAST_INSTANT = 1_420_070_400, 4_102_444_800

#: Epoch values above this are milliseconds: as seconds they would lie in the year 5138.
_MILLISECONDS = 1e11
_LARGEST = 1e15
_NUMBER = re.compile(r"[+-]?(?:\d{1,15}(?:\.\d{0,20})?|\.\d{1,20})", re.ASCII)
_PLAIN_AMOUNT = re.compile(r"-?\d{1,30}(?:\.\d{1,30})?", re.ASCII)


def number(value: object) -> float | None:
    """A finite number from a number or a numeric string (`37.5`, `62.5%`); booleans are none."""
    if isinstance(value, str):
        text = value.strip().removesuffix("%").rstrip()
        return float(text) if len(text) <= 40 and _NUMBER.fullmatch(text) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if -_LARGEST < value < _LARGEST else None


def whole(value: object, largest: int) -> int | None:
    """A whole number between 0 and *largest*, rounded."""
    found = number(value)
    return round(found) if found is not None and 0 <= found <= largest else None


def flag(value: object) -> bool | None:
    """True or false, also as a word; None for anything else."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return value if isinstance(value, bool) else None


def amount(value: object) -> str | None:
    """An amount of money or credits as a plain decimal string: `$12.34` → `12.34`, `0E-10` → `0`;
    as it came where it is plain already.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, int | float):
        if not -_LARGEST < value < _LARGEST:
            return None
        value = repr(value)
    text = value.strip()[:64].replace("$", "").replace(",", "").strip()
    if _PLAIN_AMOUNT.fullmatch(text):
        return text
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    if not found.is_finite():
        return None
    if found == 0:
        return "0"
    return format(found, "f") if -30 <= found.adjusted() <= 30 else None


def moment(value: object, fetched_at: int) -> int | None:
    """Epoch seconds from seconds, milliseconds or ISO 8601, if that can be the reset of a window
    seen at *fetched_at*.
    """
    return _within(value, fetched_at - RESET_BEHIND, fetched_at + RESET_AHEAD)


def instant(value: object) -> int | None:
    """The same of any moment between 2015 and 2100."""
    return _within(value, FIRST_INSTANT, LAST_INSTANT)


def _within(value: object, earliest: int, latest: int) -> int | None:
    found = number(value)
    if found is None:
        found = _iso(value)
    elif abs(found) > _MILLISECONDS:
        found /= 1000
    if found is None or not earliest < found < latest:
        return None
    return math.floor(found)


def _iso(value: object) -> float | None:
    if not isinstance(value, str) or not 10 <= len(value) <= 40:
        return None
    try:
        parsed = datetime.fromisoformat(value.strip())
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
