"""Makes the forecasts of some accounts' windows from stored readings, in their stored form."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from sqlalchemy import Connection

from quota_web import store
from quota_web.core.quota import FIVE_HOUR, SPEND, WEEKLY, is_own
from quota_web.foresight.forecast import Forecast, forecast
from quota_web.foresight.history import DAY, WindowHistory
from quota_web.foresight.model_parameters import LONG, SHORT
from quota_web.foresight.workload import EXCHANGE_S, exchange_points, work_of
from quota_web.store.forecasts import Quantiles, StoredForecast
from quota_web.store.window_readings import ReadingColumns
from quota_web.store.windows import KnownWindow

#: Each reading of so long is looked at, and one an hour before.
EACH_S = 6 * 3_600
#: Readings from before what is looked at tell what rose into it.
LEAD_S = 2 * DAY
#: Whether a reading is stale is not the forecast's to say: that depends on when the account is due.
NEVER_S = 2**40
#: The shares that are stored.
SHARES = (0.1, 0.5, 0.9)


@dataclass(frozen=True, slots=True)
class Due:
    """An account with its present windows, and which of them want a forecast."""

    account_id: int
    windows: Sequence[KnownWindow]
    wanted: frozenset[int]


def make(
    conn: Connection, due: Sequence[Due], now: int, zone: tzinfo | None
) -> list[StoredForecast]:
    """The forecasts that are wanted; the number of queries is the same for any number of them."""
    windows = [window for one in due for window in one.windows if window.reading.key != SPEND]
    histories = histories_of(conn, windows, now, frozenset[int]().union(*(d.wanted for d in due)))
    plans = store.windows.plan_since(conn, [one.account_id for one in due])
    made: list[StoredForecast] = []
    for one in due:
        since = max(now - EXCHANGE_S, plans.get(one.account_id, 0))
        known = {w.id: histories[w.id] for w in one.windows if w.id in histories}
        made += [
            _made(w, known, one.windows, now, since, zone)
            for w in one.windows
            if w.id in one.wanted and w.id in known
        ]
    return made


def histories_of(
    conn: Connection, windows: Sequence[KnownWindow], now: int, wanted: Container[int]
) -> dict[int, WindowHistory]:
    """What is known of each window, by its id; of one without any reading nothing.

    A long one that is not *wanted* itself is there for a short one beside it, and reaches back as
    far as that one's forecast looks.
    """
    since = now - EACH_S
    long = {w.id: w for w in windows if w.id in wanted and not _is_short(w)}
    hours: dict[int, ReadingColumns] = {}
    for tuning, ids in ((SHORT, [w.id for w in windows if w.id not in long]), (LONG, list(long))):
        start = now - tuning.days_back * DAY - LEAD_S
        hours |= store.window_readings.of_hours(conn, ids, start, since)
    last = store.window_readings.each(conn, [w.id for w in windows], since, now)
    return {
        w.id: _history(w, hours.get(w.id, ReadingColumns()), last.get(w.id, ReadingColumns()))
        for w in windows
        if w.id in hours or w.id in last
    }


def _is_short(window: KnownWindow) -> bool:
    return bool(window.reading.length_s and window.reading.length_s <= DAY)


def _history(window: KnownWindow, hours: ReadingColumns, last: ReadingColumns) -> WindowHistory:
    return WindowHistory(
        window.reading.key,
        window.reading.length_s,
        [*hours.taken_at, *last.taken_at],
        [*hours.used_percent, *last.used_percent],
        [*hours.resets_at, *last.resets_at],
    )


def _made(
    window: KnownWindow,
    histories: Mapping[int, WindowHistory],
    all_windows: Sequence[KnownWindow],
    now: int,
    since: int,
    zone: tzinfo | None,
) -> StoredForecast:
    own = {w.reading.key: histories[w.id] for w in all_windows if w.id in histories}
    # A model's exhausted limit stops none of the account's own windows.
    siblings = [h for key, h in own.items() if is_own(key) and key != window.reading.key]
    mine = histories[window.id]
    said = forecast(mine, siblings, now, zone, stale_after_s=NEVER_S)
    is_main = window.reading.key == FIVE_HOUR
    week = own.get(WEEKLY)
    return StoredForecast(
        window.id,
        now,
        said.state,
        window.taken_at or now,
        window.reading.used_percent,
        said.resets_at if said.resets_at is not None else window.reading.resets_at,
        rounded_chance(said.run_out_probability),
        length_s=said.length_s,
        days_of_history=said.days_of_history,
        pace=(said.pace.used_percent, round(said.pace.even_percent)) if said.pace else None,
        blocked_by=said.blocked_by,
        run_out_in=_quantiles(said, of_crossings=True),
        rest=_quantiles(said, of_crossings=False),
        fan=tuple((one.seconds, *one.left) for one in said.fan) or None,
        work=work_of(mine, now) if is_main else None,
        exchange=exchange_points(mine, week, since) if is_main and week else None,
    )


def rounded_chance(chance: float | None) -> float | None:
    """A chance as it is stored: as exact as documents say it, so that words made from either are
    the same.
    """
    return None if chance is None else round(chance, 3)


def _quantiles(said: Forecast, *, of_crossings: bool) -> Quantiles | None:
    ask = said.if_runs_out if of_crossings else said.remaining_at_reset
    low, middle, high = (ask(share) for share in SHARES)
    return None if low is None or middle is None or high is None else (low, middle, high)
