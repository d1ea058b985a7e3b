"""How numbers and times read on a page: percents, amounts, counts, durations, countdowns; pure.

They take what `/api/results` holds (remaining percents, ISO times ending in Z) and a `now` in epoch
seconds.
"""

from datetime import UTC, datetime, tzinfo
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from quota_web.core import labels
from quota_web.core.language import ENGLISH, current_language
from quota_web.core.language import gettext as _
from quota_web.core.times import iso_text
from quota_web.language.formats import Unit
from quota_web.language.formats import date as local_date
from quota_web.language.formats import length as local_length
from quota_web.language.formats import number as local_number
from quota_web.language.formats import weekday as local_weekday

#: Below this a window counts as low, in percent remaining.
LOW_PERCENT = 15
#: Moments that lie further ahead are from another clock than ours.
AHEAD_S = 120
NO_VALUE = "–"


def plan_label(plan: str | None) -> str:
    """A plan as people call it; a dash where none is known."""
    return labels.plan(plan) or NO_VALUE


def percent(value: float | None) -> str:
    """A percentage with at most one decimal; never rounded to a 0 or 100 that it is not."""
    if value is None:
        return NO_VALUE
    shown = round(value, 1)
    if shown == 0 < value:
        return f"<0.1{_percent_sign()}"
    return f"{99.9 if shown == 100 > value else shown:g}{_percent_sign()}"


def _percent_sign() -> str:
    """With the space before it that English has here."""
    return "\u202f%" if current_language() == ENGLISH else "%"


def points(value: float) -> str:
    """Percent points: whole ones from ten on, else one decimal; never rounded to nothing."""
    shown = f"{value:.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0")
    return "<0.1" if shown == "0" and value > 0 else shown


def capital(words: str) -> str:
    """Words as the beginning of a sentence."""
    return words[:1].upper() + words[1:]


def level(value: float | None) -> str:
    """How full a window is, in a word for the style sheet: `none`, `empty`, `low` or `fine`."""
    if value is None:
        return "none"
    return "empty" if value <= 0 else "low" if value < LOW_PERCENT else "fine"


def amount(value: str | None) -> str:
    """A decimal string for people: `1348.7450000000` → `1,348.75`; what is no number stays as it
    came.
    """
    try:
        number = Decimal(value) if value else None
    except InvalidOperation:
        return labels.tidy(str(value))
    if number is None or not number.is_finite():
        return NO_VALUE
    if abs(number) >= 10**15:
        return f"{number:.3g}"
    # Half a cent goes up, as people expect; left to itself it would go to the even side.
    return f"{number.quantize(Decimal('0.01'), ROUND_HALF_UP):,}".removesuffix(".00")


def span(seconds: float) -> str:
    """A length of time in its two largest units: `3 d 7 h`, `1 h 12 m`, `12 m`, `<1 m`."""
    minutes = int(abs(seconds)) // 60
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return _lengths((days, "day"), (hours if days < 30 else 0, "hour"))
    if hours:
        return _lengths((hours, "hour"), (minutes, "minute"))
    return _lengths((minutes, "minute")) if minutes else f"<{_lengths((1, 'minute'))}"


def _lengths(*parts: tuple[int, Unit]) -> str:
    """Lengths in their units; a second one of 0 is left out."""
    code, said = current_language(), [part for part in parts if part[0]]
    if code == ENGLISH:
        return " ".join(f"{count} {unit[0]}" for count, unit in said)
    longer, *rest = [local_length(count, unit, code) for count, unit in said]
    return _("%(longer)s %(shorter)s", longer=longer, shorter=rest[0]) if rest else longer


def countdown(at: str | int | None, now: int) -> str:
    """How long until a moment, such as `in 1 h 12 m`; `due` once it has passed."""
    if at is None:
        return NO_VALUE
    left = epoch(at) - now
    return _("in %(span)s", span=span(left)) if left > 0 else _("due")


def ago(at: str | int | None, now: int) -> str:
    """How long since a moment."""
    if at is None:
        return _("never")
    passed = now - epoch(at)
    if passed < -AHEAD_S:
        return _("ahead of the clock")
    return _("just now") if passed < 60 else _("%(span)s ago", span=span(passed))


def clock_time(at: str | int, now: int, zone: tzinfo | None = None, *, named: bool = True) -> str:
    """The time of day, and the date whenever it is not today; with the zone's name where *named*:
    `Tue 24 Nov, 03:54 CST`.
    """
    local, today, code = in_zone(epoch(at), zone), in_zone(now, zone), current_language()
    time = f"{local:%H:%M %Z}" if named else f"{local:%H:%M}"
    if local.date() == today.date():
        return time
    if code != ENGLISH:
        return f"{local_date(local, code, year=local.year != today.year)} {time}"
    year = "" if local.year == today.year else f" {local.year}"
    return f"{local:%a} {local.day} {local:%b}{year}, {time}"


def short_time(at: str | int, now: int, zone: tzinfo | None = None) -> str:
    """As little as tells the moment: `19:49` today, `Mon 10:20` within six days, else `24 Dec`."""
    local, today = in_zone(epoch(at), zone), in_zone(now, zone)
    days = (local.date() - today.date()).days
    if days == 0:
        return f"{local:%H:%M}"
    if -7 < days < 7:
        return f"{weekday(local)} {local:%H:%M}"
    return day(local)


def short_day(at: str | int, now: int, zone: tzinfo | None = None) -> str:
    """The day of a moment: `today`, `Thu` within six days, else `24 Dec`."""
    local, today = in_zone(epoch(at), zone), in_zone(now, zone)
    days = (local.date() - today.date()).days
    if days == 0:
        return _("today")
    return weekday(local) if -7 < days < 7 else day(local)


def weekday(local: datetime) -> str:
    """The day of the week in short: `Mon`."""
    code = current_language()
    return f"{local:%a}" if code == ENGLISH else local_weekday(local, code)


def day(local: datetime) -> str:
    """The day of the year in short: `24 Dec`."""
    code = current_language()
    if code == ENGLISH:
        return f"{local.day} {local:%b}"
    return local_date(local, code, weekday=False)


def tick(at: int, step: int, zone: tzinfo | None) -> str:
    """A mark of a time axis whose marks are *step* seconds apart: `18:00`, or `24 Nov` at the start
    of a day.
    """
    local = in_zone(at, zone)
    if step < 86_400 and (local.hour or local.minute):
        return f"{local:%H:%M}"
    return day(local)


def whole_day(text: str) -> str:
    """A day of a heading, given as `2026-11-24`: `Tue 24 Nov 2026`."""
    code, day = current_language(), datetime.fromisoformat(text)
    return (
        f"{day:%a} {day.day} {day:%b %Y}" if code == ENGLISH else local_date(day, code, year=True)
    )


def in_zone(at: int, zone: tzinfo | None) -> datetime:
    """A moment in a zone; at the end of the calendar, which tokens do name, in UTC."""
    moment = datetime.fromtimestamp(at, UTC)
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment


def epoch(at: str | int) -> int:
    """Epoch seconds of an ISO time, or of what is epoch seconds already."""
    return at if isinstance(at, int) else int(datetime.fromisoformat(at).timestamp())


def iso(at: str | int) -> str:
    """A moment as ISO 8601 in UTC, ending in Z."""
    return at if isinstance(at, str) else iso_text(at)


def number(count: int) -> str:
    """A count with its thousands apart: `1,204`."""
    code = current_language()
    return f"{count:,}" if code == ENGLISH else local_number(count, code)


def milliseconds(value: float | None) -> str:
    """A duration of a request: `812 ms`, `2.4 s`."""
    if value is None:
        return NO_VALUE
    return f"{value:.0f}\u202fms" if value < 1000 else f"{value / 1000:.1f}\u202fs"
