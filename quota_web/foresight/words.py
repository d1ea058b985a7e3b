"""A forecast in words: a code, the words for its gaps, and the sentence they make, all in the
current language.

What cannot be known is not said: chances in steps of five, a part of the day and no clock time,
and only days where the run-out may be anywhere within more than one. Each sentence is whole and
its gaps are named, so that it can be translated.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import NamedTuple

from quota_web.core.labels import window_title
from quota_web.core.language import ENGLISH, current_language, mark
from quota_web.core.language import gettext as _
from quota_web.foresight.forecast import Forecast, ForecastState
from quota_web.foresight.history import DAY, HOUR
from quota_web.language import formats

#: A chance between these two is called open.
LIKELY_TO_LAST, LIKELY_TO_RUN_OUT = 0.35, 0.65
#: Below this chance nothing is said about when it runs out.
LEAST_CHANCE_TOLD = 0.05
#: The band that holds four of five.
LOW, MIDDLE, HIGH = 0.1, 0.5, 0.9

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
#: The first hour of each part of the day; the night goes on to the morning.
MORNING = 5


class PartOfDay(NamedTuple):
    """A part of the day: its first hour, how a sentence names it, and how a table's cell does."""

    first_hour: int
    phrase: str
    cell: str


NIGHT = PartOfDay(22, mark("%(day)s night"), mark("if so %(date)s, night"))
PARTS = (
    PartOfDay(MORNING, mark("%(day)s morning"), mark("if so %(date)s, morning")),
    PartOfDay(12, mark("%(day)s afternoon"), mark("if so %(date)s, afternoon")),
    PartOfDay(18, mark("%(day)s evening"), mark("if so %(date)s, evening")),
    NIGHT,
)


class Code(StrEnum):
    """What is said."""

    LASTS = "lasts"
    #: The same for windows of up to a day.
    LASTS_SHORT = "lasts_short"
    RUNS_OUT = "runs_out"
    #: The same where its whole band is one part of a day.
    RUNS_OUT_THEN = "runs_out_then"
    #: The same where no path says when.
    RUNS_OUT_BEFORE = "runs_out_before"
    #: The same for windows of up to a day.
    RUNS_OUT_SHORT = "runs_out_short"
    EITHER_WAY = "either_way"
    FEW_DATA_LASTS = "few_data_lasts"
    FEW_DATA_RUNS_OUT = "few_data_runs_out"
    NOT_STARTED = "not_started"
    EXHAUSTED = "exhausted"
    EXHAUSTED_SHORT = "exhausted_short"
    STALE = "stale"
    FLAPPING = "flapping"
    NO_RESET = "no_reset"
    BLOCKED_BY = "blocked_by"


# fmt: off
SENTENCES: Mapping[Code, str] = {
    Code.LASTS:
        mark("Will probably last: about %(left)s %% left on %(day)s"
        " (between %(low)s and %(high)s)."),
    Code.LASTS_SHORT:
        mark("Will probably last: about %(left)s %% left at %(time)s"
        " (between %(low)s and %(high)s)."),
    Code.RUNS_OUT:
        mark("Will probably run out (%(chance)s): if so most likely %(when)s,"
        " between %(first)s and %(last)s (4 of 5)."),
    Code.RUNS_OUT_THEN:
        mark("Will probably run out (%(chance)s): if so most likely %(when)s (4 of 5)."),
    Code.RUNS_OUT_BEFORE:
        mark("Will probably run out before %(day)s (%(chance)s)."),
    Code.RUNS_OUT_SHORT:
        mark("May run out before %(time)s (%(chance)s)."),
    Code.EITHER_WAY:
        mark("Could go either way (%(chance)s)."),
    Code.FEW_DATA_LASTS:
        mark("%(hours)s h of history: at this pace it would last;"
        " too little to say how sure that is."),
    Code.FEW_DATA_RUNS_OUT:
        mark("%(hours)s h of history: at this pace it would run out;"
        " too little to say how sure that is."),
    Code.NOT_STARTED:
        mark("Not started: its time begins with the first use."),
    Code.EXHAUSTED:
        mark("Used up until %(day)s, %(time)s."),
    Code.EXHAUSTED_SHORT:
        mark("Used up until %(time)s."),
    Code.STALE:
        mark("The last reading is too old to say what comes."),
    Code.FLAPPING:
        mark("The last answer contradicts those before; the next one decides."),
    Code.NO_RESET:
        mark("No reset is known, so nothing can be said."),
    Code.BLOCKED_BY:
        mark("Lasts: %(window)s is used up until after its reset."),
}
# fmt: on
UNLESS_EARLY_RESET = mark("Unless OpenAI resets early.")
#: What an early reset would turn into nothing.
MAY_RUN_OUT = {
    Code.RUNS_OUT,
    Code.RUNS_OUT_THEN,
    Code.RUNS_OUT_BEFORE,
    Code.RUNS_OUT_SHORT,
    Code.EITHER_WAY,
}

#: What stands in a table's cell instead of a chance.
CELLS: Mapping[ForecastState, str] = {
    ForecastState.NOT_STARTED: mark("not started"),
    ForecastState.EXHAUSTED: mark("used up"),
    ForecastState.STALE: mark("last reading too old"),
    ForecastState.FLAPPING: mark("last reading unconfirmed"),
    ForecastState.NO_RESET: mark("no reset known"),
    ForecastState.BLOCKED_BY: mark("yes: %(window)s is used up"),
}


@dataclass(frozen=True, slots=True)
class Statement:
    """What is said of one window."""

    code: Code
    #: The words for the sentence's gaps.
    words: Mapping[str, str]
    #: Whether an early reset, as lately seen, would change it.
    unless_early_reset: bool = False

    @property
    def text(self) -> str:
        """The sentence."""
        sentence = _(SENTENCES[self.code], **self.words)
        if not self.unless_early_reset:
            return sentence
        return _("%(first)s %(then)s", first=sentence, then=_(UNLESS_EARLY_RESET))


@dataclass(frozen=True, slots=True)
class Cells:
    """The same for a table; empty where nothing is said."""

    lasts: str
    runs_out: str = ""
    at_reset: str = ""


def statement(
    forecast: Forecast,
    zone: tzinfo | None,
    early_reset_seen: bool = False,
) -> Statement:
    """What *forecast* says, in days and hours of *zone* (None: the machine's own).

    *early_reset_seen*: whether the provider reset windows early within the last 30 days.
    """
    code, words = _said(forecast, zone)
    return Statement(code, words, early_reset_seen and code in MAY_RUN_OUT)


def cells(forecast: Forecast, zone: tzinfo | None) -> Cells:
    """What a table says of *forecast*: whether it lasts, when it runs out, what is left then."""
    words, chance = verdict(forecast)
    if chance is None:
        return Cells(words)
    is_told = (forecast.run_out_probability or 0) >= LEAST_CHANCE_TOLD
    return Cells(
        _("%(verdict)s (%(chance)s runs out)", verdict=words, chance=chance),
        _run_out_cell(forecast, zone) if is_told else "",
        _("about %(left)s left (%(low)s–%(high)s)", **_left(forecast)),
    )


def verdict(forecast: Forecast) -> tuple[str, str | None]:
    """Whether it lasts, such as `probably`, and the chance that it does not; None where none is
    said.
    """
    if forecast.state is ForecastState.FEW_DATA:
        if _pace_lasts(forecast):
            return _("few data: at this pace it lasts"), None
        return _("few data: at this pace it runs out"), None
    chance = forecast.run_out_probability
    if forecast.state is not ForecastState.FORECAST or chance is None:
        return _(CELLS[forecast.state], window=window_title(forecast.blocked_by or "")), None
    words = _("either way") if chance <= LIKELY_TO_RUN_OUT else _("probably not")
    return _("probably") if chance < LIKELY_TO_LAST else words, chance_in_words(chance)


def chance_in_words(chance: float) -> str:
    """In steps of five percent, never 0 or 100."""
    if chance < LEAST_CHANCE_TOLD:
        return _("under 5 %%")
    if chance > 1 - LEAST_CHANCE_TOLD:
        return _("over 95 %%")
    return _("%(percent)s %%", percent=round(chance * 20) * 5)


def day_in_words(at: float, now: float, zone: tzinfo | None) -> str:
    """The weekday within the next six days, else the date: `Wednesday`, `24 November`."""
    moment, today = datetime.fromtimestamp(at, zone), datetime.fromtimestamp(now, zone)
    code, is_near = current_language(), (moment.date() - today.date()).days < len(WEEKDAYS)
    if code != ENGLISH:
        return (
            formats.weekday(moment, code) if is_near else formats.date(moment, code, weekday=False)
        )
    return WEEKDAYS[moment.weekday()] if is_near else f"{moment.day} {MONTHS[moment.month - 1]}"


def part_of_day(at: float, now: float, zone: tzinfo | None) -> str:
    """Such as `Wednesday afternoon`; the hours after midnight belong to the night before."""
    part, moment = _part_and_its_day(at, zone)
    return _(part.phrase, day=day_in_words(moment, now, zone))


def _part_and_its_day(at: float, zone: tzinfo | None) -> tuple[PartOfDay, float]:
    """The part of the day, and a moment of the day that it belongs to."""
    hour = datetime.fromtimestamp(at, zone).hour
    if hour < MORNING:
        return NIGHT, at - MORNING * HOUR
    return [part for part in PARTS if hour >= part.first_hour][-1], at


def _said(forecast: Forecast, zone: tzinfo | None) -> tuple[Code, dict[str, str]]:
    match forecast.state:
        case ForecastState.FORECAST:
            return _chance_said(forecast, zone)
        case ForecastState.FEW_DATA:
            lasts = _pace_lasts(forecast)
            hours = {"hours": str(max(1, round(forecast.days_of_history * DAY / HOUR)))}
            return Code.FEW_DATA_LASTS if lasts else Code.FEW_DATA_RUNS_OUT, hours
        case ForecastState.EXHAUSTED:
            if _is_short(forecast):
                return Code.EXHAUSTED_SHORT, {"time": _clock(forecast, zone)}
            day = _reset_day(forecast, zone)
            return Code.EXHAUSTED, {"day": day, "time": _clock(forecast, zone)}
        case ForecastState.BLOCKED_BY:
            return Code.BLOCKED_BY, {"window": window_title(forecast.blocked_by or "")}
        case other:
            return Code(other.value), {}


def _chance_said(forecast: Forecast, zone: tzinfo | None) -> tuple[Code, dict[str, str]]:
    chance = forecast.run_out_probability or 0.0
    if chance < LIKELY_TO_LAST and _is_short(forecast):
        return Code.LASTS_SHORT, _left(forecast) | {"time": _clock(forecast, zone)}
    if chance < LIKELY_TO_LAST:
        return Code.LASTS, _left(forecast) | {"day": _reset_day(forecast, zone)}
    words = {"chance": chance_in_words(chance)}
    if chance <= LIKELY_TO_RUN_OUT:
        return Code.EITHER_WAY, words
    if _is_short(forecast):
        return Code.RUNS_OUT_SHORT, words | {"time": _clock(forecast, zone)}
    band = _band(forecast)
    if not band:
        return Code.RUNS_OUT_BEFORE, words | {"day": _reset_day(forecast, zone)}
    in_words = part_of_day if band[2] - band[0] <= DAY else day_in_words
    first, when, last = (in_words(at, forecast.at, zone) for at in band)
    if first == last:
        return Code.RUNS_OUT_THEN, words | {"when": when}
    return Code.RUNS_OUT, words | {"when": when, "first": first, "last": last}


def _run_out_cell(forecast: Forecast, zone: tzinfo | None) -> str:
    """Such as `if so Mon 23 Nov, evening`."""
    band = _band(forecast)
    if _is_short(forecast) or not band:
        return _("if so before %(time)s", time=_clock(forecast, zone))
    first, when, last = band
    if last - first > DAY:
        return _("if so %(date)s", date=_date(when, zone))
    part, moment = _part_and_its_day(when, zone)
    return _(part.cell, date=_date(moment, zone))


def _date(at: float, zone: tzinfo | None) -> str:
    """Such as `Mon 23 Nov`."""
    moment, code = datetime.fromtimestamp(at, zone), current_language()
    if code != ENGLISH:
        return formats.date(moment, code)
    return f"{WEEKDAYS[moment.weekday()][:3]} {moment.day} {MONTHS[moment.month - 1][:3]}"


def run_out_in_words(forecast: Forecast, zone: tzinfo | None) -> str | None:
    """The moment in which it most likely runs out, if it does: `Wednesday afternoon`, a day where
    it may be anywhere within more than one; None for windows of up to a day, and where no path
    says when.
    """
    band = _band(forecast)
    if _is_short(forecast) or not band:
        return None
    in_words = part_of_day if band[2] - band[0] <= DAY else day_in_words
    return in_words(band[1], forecast.at, zone)


def _band(forecast: Forecast) -> tuple[float, float, float] | None:
    """The moments between which four of five run-outs lie, and the middle one between them."""
    first, when, last = (forecast.if_runs_out(q) for q in (LOW, MIDDLE, HIGH))
    if first is None or when is None or last is None:
        return None
    return forecast.at + first, forecast.at + when, forecast.at + last


def _left(forecast: Forecast) -> dict[str, str]:
    quantiles = {"low": LOW, "left": MIDDLE, "high": HIGH}
    return {k: str(round(forecast.remaining_at_reset(q) or 0.0)) for k, q in quantiles.items()}


def _pace_lasts(forecast: Forecast) -> bool:
    return not forecast.pace or forecast.pace.used_percent <= forecast.pace.even_percent


def _is_short(forecast: Forecast) -> bool:
    return forecast.length_s <= DAY


def _reset_day(forecast: Forecast, zone: tzinfo | None) -> str:
    return day_in_words(forecast.resets_at or forecast.at, forecast.at, zone)


def _clock(forecast: Forecast, zone: tzinfo | None) -> str:
    """The time of day of the reset, as in `16:40`."""
    return datetime.fromtimestamp(forecast.resets_at or forecast.at, zone).strftime("%H:%M")
