"""Stored forecasts: the present one of each window, the first of each day for judging them later,
and the order in which accounts are to be used.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import Connection, Executable, bindparam, select, update

from quota_web.store.database import insert_of
from quota_web.store.many_rows import run_many
from quota_web.store.models import account, account_choice, cycle, forecast, limit_window

#: The `day` of the present forecast.
PRESENT = 0
DAY = 86_400

#: Values at the shares .1, .5 and .9.
Quantiles = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class StoredForecast:
    """What is said of one window."""

    window_id: int
    made_at: int
    #: A word of `ForecastState`.
    state: str
    #: The reading that it was made from.
    taken_at: int
    used_percent: float
    resets_at: int | None
    run_out_probability: float | None
    length_s: int = 0
    days_of_history: float = 0.0
    #: Used percent beside what an even use would have taken by then.
    pace: tuple[float, float] | None = None
    #: The key of the exhausted window.
    blocked_by: str | None = None
    #: Seconds from *made_at* to the run-out, where it runs out.
    run_out_in: Quantiles | None = None
    #: Percent left at the reset.
    rest: Quantiles | None = None
    #: Seconds from *made_at* to moments up to the reset, with percent left then at the shares .1,
    #: .25, .5, .75 and .9; of the present forecast alone.
    fan: tuple[tuple[float, ...], ...] | None = None
    #: Points used in a quarter of an hour of work, in tenths of their distribution, and how many
    #: such quarters there were.
    work: tuple[int, tuple[float, ...]] | None = None
    #: Five-hour points and the weekly points that they cost.
    exchange: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Ranked:
    """One account in the order of use, and the codes of the reasons for its place."""

    account_id: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredPool:
    """What is said of all accounts together."""

    made_at: int
    account_ids: tuple[int, ...]
    #: Percents of a Plus week.
    left_units: float
    full_units: float
    #: How far ahead was looked, in seconds.
    horizon_s: int
    #: That there comes a moment within it at which no account can be used.
    shortfall_probability: float | None = None
    #: Seconds from *made_at* to that moment, at the shares .1 and .9 of all courses; None where
    #: that lies beyond the horizon.
    shortfall_in: tuple[float | None, float | None] = (None, None)
    #: Accounts of which it is not known what is left, or that have no week of their own.
    left_out: tuple[int, ...] = ()
    #: Accounts whose plan's size is not known: they count like Plus.
    assumed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredChoice:
    """The usable accounts in the order of use, as worked out at a moment."""

    at: int
    ranked: tuple[Ranked, ...]
    #: None where there are fewer than two accounts to add up.
    pool: StoredPool | None = None


_COLUMNS = (
    forecast.c.window_id,
    forecast.c.made_at,
    forecast.c.state,
    forecast.c.taken_at,
    forecast.c.used_percent,
    forecast.c.resets_at,
    forecast.c.run_out_probability,
    forecast.c.data,
)
_PRESENT = select(*_COLUMNS).where(forecast.c.day == PRESENT)
_IDS: Any = bindparam("ids", expanding=True)
_PRESENT_OF = _PRESENT.where(
    forecast.c.window_id.in_(select(limit_window.c.id).where(limit_window.c.account_id.in_(_IDS)))
)
_OWNERS = select(limit_window.c.account_id).where(limit_window.c.id.in_(_IDS))
_NEW_VERSION = (
    update(account).where(account.c.id.in_(_OWNERS)).values(version=account.c.version + 1)
)
_CHOICE = select(account_choice.c.at, account_choice.c.ranked, account_choice.c.pool)


def present(
    conn: Connection, account_ids: Sequence[int] | None = None
) -> dict[int, StoredForecast]:
    """What is said of each window of these accounts (or None: all), by the window's id."""
    if account_ids is None:
        rows = conn.execute(_PRESENT)
    else:
        rows = conn.execute(_PRESENT_OF, {"ids": account_ids})
    return {row[0]: _stored(*row) for row in rows.all()}


def kept(conn: Connection, window_ids: Sequence[int]) -> list[StoredForecast]:
    """The first forecast of each day of these windows, oldest first."""
    query = select(*_COLUMNS).where(
        forecast.c.day > PRESENT, forecast.c.window_id.in_(list(window_ids))
    )
    return [_stored(*row) for row in conn.execute(query.order_by(forecast.c.made_at)).all()]


def with_cycles(
    conn: Connection, window_ids: Sequence[int] | None = None
) -> list[tuple[int, int, float, int, str, int | None]]:
    """The kept forecasts of closed cycles, of these windows (or None: all): window, when it was
    made, the chance, when the cycle ended, how, and when it had run out.
    """
    f, c = forecast.c, cycle.c
    spoken_of = (
        (c.window_id == f.window_id) & (f.made_at >= c.started_at) & (f.made_at < c.ended_at)
    )
    query = (
        select(f.window_id, f.made_at, f.run_out_probability, c.ended_at, c.how, c.ran_out_at)
        .join_from(forecast, cycle, spoken_of)
        .where(f.day > PRESENT, f.run_out_probability.is_not(None))
    )
    if window_ids is not None:
        query = query.where(f.window_id.in_(list(window_ids)))
    return [tuple(row) for row in conn.execute(query)]


def save(conn: Connection, made: Iterable[StoredForecast]) -> None:
    """Store them as the present ones, which gives their accounts a new version; the first of a day
    that says a chance is kept.
    """
    made = list(made)
    statements = _statements(conn.dialect.name)
    run_many(conn, statements.present, [_row(PRESENT, one) for one in made])
    judged = [one for one in made if one.state == "forecast"]
    days = [_row(one.made_at - one.made_at % DAY, one) for one in judged]
    run_many(conn, statements.day, days)
    if made:
        conn.execute(_NEW_VERSION, {"ids": [one.window_id for one in made]})


def choice(conn: Connection) -> StoredChoice | None:
    """The order of use; None before it was first worked out."""
    row = conn.execute(_CHOICE).first()
    return None if row is None else _choice(*row)


# Most looks find it unchanged.
@lru_cache(maxsize=4)
def _choice(at: int, ranked: str, pool: str | None) -> StoredChoice:
    order = tuple(Ranked(i, tuple(codes)) for i, codes in json.loads(ranked))
    return StoredChoice(at, order, None if pool is None else _pool(pool))


def save_choice(conn: Connection, chosen: StoredChoice) -> None:
    ranked = json.dumps([[r.account_id, r.reasons] for r in chosen.ranked])
    pool = None if chosen.pool is None else json.dumps(asdict(chosen.pool))
    row = {"id": 1, "at": chosen.at, "ranked": ranked, "pool": pool}
    run_many(conn, _statements(conn.dialect.name).choice, [row])


def _pool(text: str) -> StoredPool:
    said = json.loads(text)
    lists = ("account_ids", "shortfall_in", "left_out", "assumed")
    return StoredPool(**{**said, **{name: tuple(said[name]) for name in lists}})


# Most rows are as they were at the last look.
@lru_cache(maxsize=1024)
def _stored(
    window_id: int,
    made_at: int,
    state: str,
    taken_at: int,
    used: float,
    resets_at: int | None,
    chance: float | None,
    data: str,
) -> StoredForecast:
    said = json.loads(data)
    for name in ("pace", "run_out_in", "rest", "exchange"):
        if said.get(name):
            said[name] = tuple(said[name])
    if said.get("fan"):
        said["fan"] = tuple(tuple(moment) for moment in said["fan"])
    if said.get("work"):
        said["work"] = (said["work"][0], tuple(said["work"][1]))
    return StoredForecast(window_id, made_at, state, taken_at, used, resets_at, chance, **said)


def _row(day: int, one: StoredForecast) -> dict[str, Any]:
    more: dict[str, Any] = {
        "length_s": one.length_s,
        "days_of_history": round(one.days_of_history, 2),
        "pace": _rounded(one.pace),
        "blocked_by": one.blocked_by,
        "run_out_in": _rounded(one.run_out_in),
        "rest": _rounded(one.rest),
    }
    if day == PRESENT:
        more["work"] = (one.work[0], _rounded(one.work[1])) if one.work else None
        more["exchange"] = _rounded(one.exchange)
        more["fan"] = [_short(moment) for moment in one.fan] if one.fan else None
    known = {name: value for name, value in more.items() if value is not None}
    return {
        "day": day,
        "window_id": one.window_id,
        "made_at": one.made_at,
        "state": str(one.state),
        "taken_at": one.taken_at,
        "used_percent": one.used_percent,
        "resets_at": one.resets_at,
        "run_out_probability": one.run_out_probability,
        "data": json.dumps(known, separators=(",", ":")),
    }


def _short(moment: Sequence[float]) -> list[float]:
    """A moment of a fan: whole seconds, tenths of a percent."""
    return [round(moment[0]), *(round(value, 1) for value in moment[1:])]


def _rounded(values: Sequence[float] | None) -> tuple[float, ...] | None:
    return None if values is None else tuple(round(value, 2) for value in values)


@dataclass(frozen=True, slots=True)
class _Statements:
    present: Executable
    day: Executable
    choice: Executable


@cache
def _statements(dialect: str) -> _Statements:
    insert_into = insert_of(dialect)
    new, chosen = insert_into(forecast), insert_into(account_choice)
    replaced = [c.name for c in forecast.columns if not c.primary_key]
    key = ["day", "window_id"]
    return _Statements(
        new.on_conflict_do_update(
            index_elements=key, set_={name: new.excluded[name] for name in replaced}
        ),
        insert_into(forecast).on_conflict_do_nothing(index_elements=key),
        chosen.on_conflict_do_update(
            index_elements=["id"], set_={n: chosen.excluded[n] for n in ("at", "ranked", "pool")}
        ),
    )
