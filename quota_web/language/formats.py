"""How numbers, dates and lengths of time are written in the languages beside English, by Babel.

English has its own forms where it is written (`web/formats.py`); each of these takes the code of
the language. Words around them, such as "in …", are messages.
"""

import datetime
from functools import lru_cache
from typing import Literal

from quota_web.core import times
from quota_web.core.language import ENGLISH, current_language

Unit = Literal["day", "hour", "minute", "second"]


def number(value: int | float, code: str) -> str:
    """A number with its thousands apart: `1,204`."""
    from babel.numbers import format_decimal

    return format_decimal(value, locale=code)


def date(moment: datetime.datetime, code: str, *, year: bool = False, weekday: bool = True) -> str:
    """A day: `11月24日周二`; with *year* `2026年11月24日周二`."""
    return _date(moment.date(), code, f"{'y' if year else ''}MMMd{'E' if weekday else ''}")


@lru_cache(maxsize=512)
def _date(day: datetime.date, code: str, skeleton: str) -> str:
    # Cached: a page with many accounts names the same few days hundreds of times.
    from babel.dates import format_skeleton

    return format_skeleton(skeleton, day, locale=code)


def weekday(moment: datetime.datetime, code: str) -> str:
    """A day of the week: `周二`."""
    return _date(moment.date(), code, "E")


def day_and_minute(at: int, now: int, zone: datetime.tzinfo | None) -> str:
    """`16:40` today, else `Tue 24 Nov 20:54`, in the current language."""
    code = current_language()
    if code == ENGLISH:
        return times.day_and_minute(at, now, zone)
    moment, today = times.in_zone(at, zone), times.in_zone(now, zone)
    minute = moment.strftime("%H:%M")
    return minute if moment.date() == today.date() else f"{date(moment, code)} {minute}"


def clock(moment: datetime.datetime, code: str) -> str:
    """A time of day: `19:54`."""
    from babel.dates import format_skeleton

    return format_skeleton("Hm", moment, tzinfo=moment.tzinfo, locale=code)


def length(count: int, unit: Unit, code: str) -> str:
    """A length of time in one unit: `3天`, `7小时`."""
    from babel.units import format_unit

    return format_unit(count, f"duration-{unit}", length="short", locale=code)
