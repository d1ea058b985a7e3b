"""Forecasts and the next account as JSON: `/api/forecast`, `/api/next`, and a part of
`/api/results`. Pure.
"""

from typing import Any

from quota_web.core.quota import FIVE_HOUR
from quota_web.core.times import iso
from quota_web.reports import outlook
from quota_web.reports.outlook import Next, NextReason
from quota_web.reports.overview import AccountView, Overview
from quota_web.store.forecasts import StoredForecast

METHOD = "analog/1"
#: Below this chance nothing is said of when it runs out.
LEAST_CHANCE = 0.05
#: A chance below this says that the window lasts.
EVEN_CHANCE = 0.5
#: From so many five-hour points on the exchange rate is said.
LEAST_POINTS = 100


def forecast_document(seen: Overview) -> dict[str, Any]:
    """What `/api/forecast` answers."""
    return {
        "at": _made_at(seen),
        "method": METHOD,
        "forecasts": [
            {"account": view.account.name, "window": key} | entry(said)
            for view in seen.accounts
            for key, said in outlook.forecasts_of(view).items()
        ],
        "pool": pool_entry(seen),
        "exchange": [rate for view in seen.counted if (rate := exchange(view))],
    }


def pool_entry(seen: Overview) -> dict[str, Any] | None:
    """What is said of all accounts together."""
    pool = outlook.pool_of(seen)
    if pool is None:
        return None
    names = {view.account.id: view.account.name for view in seen.accounts}
    chance, (first, last) = pool.shortfall_probability, pool.shortfall_in
    between = None if first is None else [_after(pool.made_at, first), _after(pool.made_at, last)]
    return {
        "accounts": len(pool.account_ids),
        "left_units": _number(pool.left_units),
        "full_units": _number(pool.full_units),
        "shortfall_probability": None if chance is None else round(chance, 3),
        "shortfall_between": between,
        "horizon": iso(pool.made_at + pool.horizon_s),
        "left_out": [names[i] for i in pool.left_out if i in names],
        "counted_like_plus": [names[i] for i in pool.assumed if i in names],
    }


def _after(at: int, seconds: float | None) -> str | None:
    return None if seconds is None else iso(at + round(seconds))


def next_document(seen: Overview) -> dict[str, Any]:
    """What `/api/next` answers."""
    return {"at": _made_at(seen), "next": next_entry(outlook.next_of(seen))}


def next_entry(found: Next) -> dict[str, Any]:
    reasons = [_reason(reason) for reason in found.reasons]
    if found.account is None:
        waits_for = found.waits_for.account.name if found.waits_for else None
        reasons = [{"code": "none_until", "account": waits_for, "until": iso(found.until)}]
    return {
        "account": found.account.account.name if found.account else None,
        "reasons": reasons,
        "then": [view.account.name for view in found.then],
        "until": iso(found.until),
    }


def _reason(reason: NextReason) -> dict[str, Any]:
    window = reason.window
    if window is None:
        return {"code": reason.code}
    return {
        "code": reason.code,
        "window": window.key,
        "remaining_percent": _number(window.remaining_percent),
        "resets_at": iso(window.resets_at),
    }


def window_forecast(view: AccountView, key: str) -> dict[str, Any] | None:
    """A window's `forecast` in `/api/results`."""
    said = outlook.forecast_of(view, key)
    return None if said is None else entry(said)


def entry(said: StoredForecast) -> dict[str, Any]:
    """One window's forecast, without its account and its key."""
    chance, rest = said.run_out_probability, said.rest
    return {
        "state": said.state,
        "days_of_history": round(said.days_of_history, 1),
        "run_out_probability": None if chance is None else round(chance, 3),
        "lasts": None if chance is None else chance < EVEN_CHANCE,
        "if_runs_out": _if_runs_out(said),
        "remaining_at_reset_percent": round(rest[1]) if rest else None,
        "remaining_at_reset_between": [round(rest[0]), round(rest[2])] if rest else None,
        "resets_at": iso(said.resets_at),
        "pace": _pace(said),
        "blocked_by": said.blocked_by,
    }


def _if_runs_out(said: StoredForecast) -> dict[str, Any] | None:
    crossings, chance = said.run_out_in, said.run_out_probability
    if crossings is None or chance is None or chance < LEAST_CHANCE:
        return None
    low, middle, high = (iso(said.made_at + round(seconds)) for seconds in crossings)
    return {"at": middle, "between": [low, high]}


def _pace(said: StoredForecast) -> dict[str, Any] | None:
    if said.pace is None:
        return None
    used, even = said.pace
    return {"used_percent": _number(used), "even_percent": round(even)}


def exchange(view: AccountView) -> dict[str, Any] | None:
    """What a full five-hour window costs of the week, once enough is known to say it."""
    said, week = view.forecasts.get(FIVE_HOUR), view.weekly
    if said is None or week is None or said.exchange is None or said.exchange[0] < LEAST_POINTS:
        return None
    points, cost = said.exchange
    if cost <= 0:
        return None
    percent = 100 * cost / points
    return {
        "account": view.account.name,
        "weekly_percent_per_five_hour": round(percent, 1),
        "five_hours_left_in_week": round(week.remaining_percent / percent, 1),
        "from_points": round(points),
    }


def _made_at(seen: Overview) -> str | None:
    return iso(seen.choice.at if seen.choice else None)


def _number(value: float) -> float | int:
    rounded = round(value, 2)
    return int(rounded) if rounded == int(rounded) else rounded
