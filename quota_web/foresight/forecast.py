"""The forecast of one window: whether it lasts until its reset, when it runs out, what is left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from enum import StrEnum

from quota_web.foresight.chance import LEAST, run_out_chance
from quota_web.foresight.distribution import Distribution
from quota_web.foresight.fan import FanMoment, fan, moments
from quota_web.foresight.history import (
    DAY,
    HOUR,
    UNTOUCHED_S,
    Past,
    State,
    WindowHistory,
    length_of,
    settle,
    was_exhausted,
)
from quota_web.foresight.model_parameters import tuning_for
from quota_web.foresight.paths import Ahead, past_paths
from quota_web.foresight.slots import make_demand, make_grid
from quota_web.foresight.straight import straight_paths

#: Older readings say nothing of now, unless the caller has another limit.
STALE_AFTER_S = 12 * HOUR
#: Before that much history no chance is said.
LEAST_HISTORY_S = DAY
#: Readings from so long before the first slot tell what rose into it.
LEAD_S = 2 * DAY

NONE = Distribution()
AT_ZERO = Distribution.of([(0.0, 1.0)])


class ForecastState(StrEnum):
    """What can be said of a window; the words are part of the outside contract."""

    FORECAST = "forecast"
    FEW_DATA = "few_data"
    NOT_STARTED = "not_started"
    EXHAUSTED = "exhausted"
    #: The last reading is too old, or its reset has passed.
    STALE = "stale"
    #: The last reading contradicts those before, and none confirms it yet.
    FLAPPING = "flapping"
    NO_RESET = "no_reset"
    #: Another window is exhausted beyond this one's reset.
    BLOCKED_BY = "blocked_by"


@dataclass(frozen=True, slots=True)
class Pace:
    """What is used, beside what an even use up to the reset would have taken by now."""

    used_percent: float
    even_percent: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """What comes of one window. Quantiles take q between 0 and 1."""

    key: str
    state: ForecastState
    #: The moment that is *now*, in epoch seconds.
    at: int
    length_s: int
    resets_at: int | None = None
    days_of_history: float = 0.0
    pace: Pace | None = None
    #: The key of the exhausted window.
    blocked_by: str | None = None
    #: Before the reset; None where the state says why there is none.
    run_out_probability: float | None = None
    #: Seconds until the run-out, among the paths that run out.
    crossings: Distribution = NONE
    #: Percent left at the reset, over all paths.
    rest: Distribution = NONE
    #: Percent left at moments up to the reset; empty where no chance is said.
    fan: tuple[FanMoment, ...] = ()

    def run_out_in(self, q: float) -> float | None:
        """Seconds from now over all paths; None where that quantile is not before the reset."""
        if self.run_out_probability is None or q > self.run_out_probability:
            return None
        return self.crossings.quantile(q / self.run_out_probability)

    def if_runs_out(self, q: float) -> float | None:
        """Seconds from now among the paths that run out; None without any."""
        return self.crossings.quantile(q)

    def remaining_at_reset(self, q: float) -> float | None:
        """Percent that will be left at the reset."""
        return self.rest.quantile(q)


def forecast(
    window: WindowHistory,
    siblings: Sequence[WindowHistory],
    now: int,
    zone: tzinfo | None,
    stale_after_s: int = STALE_AFTER_S,
) -> Forecast:
    """What comes of *window*; *siblings* are the account's other windows.

    Days and hours are those of *zone*; None is the machine's own.
    """
    length = length_of(window)
    since = now - tuning_for(length).days_back * DAY - LEAD_S
    past = settle(window, length, since)
    said = _settled(window, past, now, length, stale_after_s)
    if past is None:
        return said
    if said.state is ForecastState.EXHAUSTED:
        return replace(said, run_out_probability=1.0, crossings=AT_ZERO, rest=AT_ZERO)
    if said.state is not ForecastState.FORECAST:
        return said
    others = _exhausted_ones(siblings, since)
    blocker, free_at = _blocked_until(others, now)
    if free_at >= past.last.resets_at:
        return _blocked(said, blocker, past.last.used)
    if now - past.first_at < LEAST_HISTORY_S:
        return replace(said, state=ForecastState.FEW_DATA)
    return _with_chance(said, past, tuple(others.values()), free_at, zone)


def settled(window: WindowHistory, now: int, stale_after_s: int = STALE_AFTER_S) -> Forecast:
    """What is known of *window* without a look ahead: its state, its reset and its pace. Its last
    few readings do.
    """
    length = length_of(window)
    return _settled(window, settle(window, length, 0), now, length, stale_after_s)


def _settled(
    window: WindowHistory, past: Past | None, now: int, length: int, stale_after_s: int
) -> Forecast:
    if not past or past.last.resets_at - now > length + UNTOUCHED_S:
        return Forecast(window.key, ForecastState.NO_RESET, now, length)
    return Forecast(
        window.key,
        _state(past, length, now, stale_after_s),
        now,
        length,
        resets_at=past.last.resets_at,
        days_of_history=(now - window.taken_at[0]) / DAY,
        pace=_pace(past.last, length, now),
    )


def _exhausted_ones(siblings: Sequence[WindowHistory], since: int) -> dict[str, Past]:
    """The pasts of those that were exhausted in it, by key: the others change nothing."""
    full = (sibling for sibling in siblings if was_exhausted(sibling, since))
    pasts = {sibling.key: settle(sibling, length_of(sibling), since) for sibling in full}
    return {key: past for key, past in pasts.items() if past}


def _state(past: Past, length: int, now: int, stale_after_s: int) -> ForecastState:
    """The state as far as the window's own readings tell it."""
    last = past.last
    if past.is_flapping:
        return ForecastState.FLAPPING
    if last.resets_at <= now or now - last.at > stale_after_s:
        return ForecastState.STALE
    if last.used >= 100:
        return ForecastState.EXHAUSTED
    if last.is_untouched(length):
        return ForecastState.NOT_STARTED
    return ForecastState.FORECAST


def _pace(last: State, length: int, now: int) -> Pace:
    elapsed = length - (last.resets_at - now)
    return Pace(last.used, 100 * min(length, max(0, elapsed)) / length)


def _blocked_until(others: Mapping[str, Past], now: int) -> tuple[str | None, int]:
    """The exhausted window that blocks the account longest, and until when; else None and now."""
    ends = {key: past.last.resets_at for key, past in others.items() if past.last.used >= 100}
    key = max(ends, key=ends.__getitem__, default=None)
    return (None, now) if key is None or ends[key] <= now else (key, ends[key])


def _blocked(said: Forecast, blocker: str | None, used: float) -> Forecast:
    """Nothing can be used before the reset, so what is left stays."""
    return replace(
        said,
        state=ForecastState.BLOCKED_BY,
        blocked_by=blocker,
        run_out_probability=LEAST,
        rest=Distribution.of([(100 - used, 1.0)]),
    )


def _with_chance(
    said: Forecast,
    past: Past,
    others: Sequence[Past],
    free_at: int,
    zone: tzinfo | None,
) -> Forecast:
    """The forecast by past paths and straight lines, which start when the account is free."""
    now, length, tuning, last = said.at, said.length_s, tuning_for(said.length_s), past.last
    seconds = last.resets_at - now
    ahead = Ahead(seconds, free_at - now, 100 - last.used, moments(seconds))
    grid = make_grid(now, past.first_at, last.resets_at, zone, tuning)
    demand = make_demand(past, others, grid, length, tuning)
    known, days = past_paths(demand, ahead, tuning)
    share = tuning.straight_days / (days + tuning.straight_days)
    straight = list(straight_paths(ahead, length, tuning))
    paths = [*known, *straight]
    weights = [path.weight * (1 - share) for path in known]
    weights += [path.weight * share for path in straight]
    weighed = list(zip(paths, weights, strict=True))
    crossings = [(p.crosses_in, weight) for p, weight in weighed if p.crosses_in is not None]
    raw = sum(weight for _, weight in crossings)
    chance = run_out_chance(raw, last.used, 1 - ahead.seconds / length, tuning)
    runs_out, lasts = _factors(raw, chance)
    weights = [w * (lasts if p.crosses_in is None else runs_out) for p, w in weighed]
    rest = [max(0.0, ahead.left - path.use) for path in paths]
    return replace(
        said,
        run_out_probability=chance,
        crossings=Distribution.of(crossings),
        rest=Distribution.of(zip(rest, weights, strict=True)),
        fan=fan(paths, weights, seconds, ahead.left),
    )


def _factors(raw: float, chance: float) -> tuple[float, float]:
    """What the weights of the paths that run out are multiplied by, so that they add up to
    *chance*, and what those of the others.
    """
    return chance / raw if raw else 0.0, (1 - chance) / (1 - raw) if raw < 1 else 0.0
