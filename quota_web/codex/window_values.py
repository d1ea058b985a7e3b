"""Used percent, length and reset of one window object, in all the spellings that were met."""

from quota_web.codex import values
from quota_web.codex.fields import Fields

#: More than this is no percentage of anything; spend limits have been seen at 107.
MOST_PERCENT = 1_000_000.0
_LONGEST_WINDOW = 10 * 366 * values.DAY
LONGEST_UNSAID_WEEK = 8 * values.DAY

_USED = ("used_percent",)
_LEFT = ("percent_left", "remaining_percent")
LENGTH_SECONDS = ("limit_window_seconds", "window_seconds")
LENGTH_MINUTES = ("window_duration_mins", "window_minutes")
_RESET_AT = ("reset_at", "resets_at", "reset_time_ms", "reset_time")
_RESET_AFTER = ("reset_after_seconds", "resets_in_seconds")


def used_percent(window: Fields) -> float | None:
    """The used percent as measured, above 100 too.

    One below 0 cannot have been measured; to call it 0 would invent a full window.
    """
    for name in _USED + _LEFT:
        value = values.number(window[name]) if name in window else None
        used = value if value is None or name in _USED else 100 - value
        if used is not None and 0 <= used <= MOST_PERCENT:
            return used + 0.0  # so that no -0.0 is shown
    return None


def length(window: Fields) -> int | None:
    """A window's length in seconds; 0 for one that is given and not positive, None without any.

    A window of length 0 is one that is switched off, whatever its reset says.
    """
    found = None
    for names, factor in ((LENGTH_SECONDS, 1), (LENGTH_MINUTES, 60)):
        for name in names:
            value = values.number(window.get(name))
            if value is not None and 1 <= value * factor <= _LONGEST_WINDOW:
                return round(value * factor)
            if value is not None and value * factor < 1:
                found = 0
    return found


def resets_at(window: Fields, fetched_at: int) -> int | None:
    """The absolute reset if it can be true, else the relative one, which drifts by the time the
    answer took.
    """
    for name in _RESET_AT:
        found = values.moment(window.get(name), fetched_at)
        if found is not None:
            return found
    for name in _RESET_AFTER:
        after = values.whole(window.get(name), values.RESET_AHEAD)
        if after:
            return fetched_at + after
    return None
