"""A forecast in words: a code, the words for its gaps, and the English sentence they make.

What cannot be known is not said: chances in steps of five, a part of the day and no clock time,
and only days where the run-out may be anywhere within more than one. Each sentence is whole and
its gaps are named, so that it can be translated.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum

from quota_web.core.labels import window_title
from quota_web.foresight.forecast import Forecast, ForecastState
from quota_web.foresight.history import DAY, HOUR

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
MORNING, NIGHT = 5, "{day} night"
PARTS = ((MORNING, "{day} morning"), (12, "{day} afternoon"), (18, "{day} evening"), (22, NIGHT))


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
        "Will probably last: about {left} % left on {day} (between {low} and {high}).",
    Code.LASTS_SHORT:
        "Will probably last: about {left} % left at {time} (between {low} and {high}).",
    Code.RUNS_OUT:
        "Will probably run out ({chance}): if so most likely {when},"
        " between {first} and {last} (4 of 5).",
    Code.RUNS_OUT_THEN: "Will probably run out ({chance}): if so most likely {when} (4 of 5).",
    Code.RUNS_OUT_BEFORE: "Will probably run out before {day} ({chance}).",
    Code.RUNS_OUT_SHORT: "May run out before {time} ({chance}).",
    Code.EITHER_WAY: "Could go either way ({chance}).",
    Code.FEW_DATA_LASTS:
        "{hours} h of history: at this pace it would last;"
        " too little to say how sure that is.",
    Code.FEW_DATA_RUNS_OUT:
        "{hours} h of history: at this pace it would run out;"
        " too little to say how sure that is.",
    Code.NOT_STARTED: "Not started: its time begins with the first use.",
    Code.EXHAUSTED: "Used up until {day}, {time}.",
    Code.EXHAUSTED_SHORT: "Used up until {time}.",
    Code.STALE: "The last reading is too old to say what comes.",
    Code.FLAPPING: "The last answer contradicts those before; the next one decides.",
    Code.NO_RESET: "No reset is known, so nothing can be said.",
    Code.BLOCKED_BY: "Lasts: {window} is used up until after its reset.",
}
# fmt: on
UNLESS_EARLY_RESET = "Unless OpenAI resets early."
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
    ForecastState.NOT_STARTED: "not started",
    ForecastState.EXHAUSTED: "used up",
    ForecastState.STALE: "last reading too old",
    ForecastState.FLAPPING: "last reading unconfirmed",
    ForecastState.NO_RESET: "no reset known",
    ForecastState.BLOCKED_BY: "yes: {window} is used up",
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
        """The English sentence."""
        sentence = SENTENCES[self.code].format(**self.words)
        return f"{sentence} {UNLESS_EARLY_RESET}" if self.unless_early_reset else sentence


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
    if forecast.state is ForecastState.FEW_DATA:
        lasts = "lasts" if _pace_lasts(forecast) else "runs out"
        return Cells(f"few data: at this pace it {lasts}")
    chance = forecast.run_out_probability
    if forecast.state is not ForecastState.FORECAST or chance is None:
        return Cells(CELLS[forecast.state].format(window=window_title(forecast.blocked_by or "")))
    verdict = "either way" if chance <= LIKELY_TO_RUN_OUT else "probably not"
    if chance < LIKELY_TO_LAST:
        verdict = "probably"
    left = _left(forecast)
    return Cells(
        f"{verdict} ({chance_in_words(chance)} runs out)",
        _run_out_cell(forecast, zone) if chance >= LEAST_CHANCE_TOLD else "",
        f"about {left['left']} left ({left['low']}–{left['high']})",
    )


def chance_in_words(chance: float) -> str:
    """In steps of five percent, never 0 or 100."""
    if chance < LEAST_CHANCE_TOLD:
        return "under 5 %"
    if chance > 1 - LEAST_CHANCE_TOLD:
        return "over 95 %"
    return f"{round(chance * 20) * 5} %"


def day_in_words(at: float, now: float, zone: tzinfo | None) -> str:
    """The weekday within the next six days, else the date: `Wednesday`, `24 November`."""
    moment, today = datetime.fromtimestamp(at, zone), datetime.fromtimestamp(now, zone)
    if (moment.date() - today.date()).days < len(WEEKDAYS):
        return WEEKDAYS[moment.weekday()]
    return f"{moment.day} {MONTHS[moment.month - 1]}"


def part_of_day(at: float, now: float, zone: tzinfo | None) -> str:
    """Such as `Wednesday afternoon`; the hours after midnight belong to the night before."""
    day, phrase = _day_and_part(at, now, zone)
    return phrase.format(day=day)


def _day_and_part(at: float, now: float, zone: tzinfo | None) -> tuple[str, str]:
    hour = datetime.fromtimestamp(at, zone).hour
    if hour < MORNING:
        return day_in_words(at - MORNING * HOUR, now, zone), NIGHT
    part = [phrase for first, phrase in PARTS if hour >= first][-1]
    return day_in_words(at, now, zone), part


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
        return f"if so before {_clock(forecast, zone)}"
    first, when, last = band
    part = ""
    if last - first <= DAY:
        _, phrase = _day_and_part(when, forecast.at, zone)
        part = phrase.format(day="").replace(" ", ", ")
        # The hours after midnight belong to the night before.
        when -= MORNING * HOUR if phrase == NIGHT else 0
    moment = datetime.fromtimestamp(when, zone)
    day, month = WEEKDAYS[moment.weekday()][:3], MONTHS[moment.month - 1][:3]
    return f"if so {day} {moment.day} {month}{part}"


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
