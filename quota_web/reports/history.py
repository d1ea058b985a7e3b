"""Acts that read series: what `/api/history` answers, and one account's charts."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from quota_web import store
from quota_web.core import series
from quota_web.core.display_order import window_order
from quota_web.core.errors import BadQuery
from quota_web.core.language import mark
from quota_web.core.quota import FIVE_HOUR, WEEKLY, is_own
from quota_web.core.series import Axis, Columns
from quota_web.core.times import parse
from quota_web.store.accounts import Account, Scope
from quota_web.store.history import Series

RANGES = {
    "24h": 86_400,
    "7d": 7 * 86_400,
    "30d": 30 * 86_400,
    "90d": 90 * 86_400,
    "1y": 365 * 86_400,
}
DEFAULT_RANGE = "24h"
DEFAULT_POINTS, MOST_POINTS = 500, 2_000
#: What fits the column of a window's key, and what no moment is longer than.
MAX_KEY, MAX_MOMENT = 120, 64
#: The window names that every account is asked for, unless others are named.
USUAL_KEYS = (FIVE_HOUR, WEEKLY)
#: A chart of all time is cut here: nothing is older than the product.
LONGEST = 20 * 365 * 86_400
#: The + of a zone that was not escaped, as in `12:00+08:00`, arrives as a blank.
_BLANK_OFFSET = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:?\d\d)$")


@dataclass(frozen=True, slots=True)
class ChartLine:
    """One window of one account over a chart's axis."""

    account: str
    window: str
    columns: Columns


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over one shared axis."""

    axis: Axis
    lines: tuple[ChartLine, ...]


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """Which stretch of time, in how many points, of which accounts and windows; checked."""

    start: int
    end: int
    points: int = DEFAULT_POINTS
    accounts: tuple[str, ...] = ()
    #: None: every window.
    windows: tuple[str, ...] | None = USUAL_KEYS


def parse_query(
    args: Mapping[str, str], accounts: Sequence[str], windows: Sequence[str], now: int
) -> HistoryQuery:
    """The query's words as a HistoryQuery; raises BadQuery for a range, moment or number that is
    none.
    """
    points = _points(args.get("points"))
    if args.get("from") or args.get("to"):
        if args.get("range"):
            raise BadQuery("range", mark("give either range, or from and to"))
        end = _moment("to", args["to"]) if args.get("to") else now
        start = _moment("from", args["from"]) if args.get("from") else end - RANGES[DEFAULT_RANGE]
        if not start < end:
            raise BadQuery("from", mark("from must be earlier than to"))
        if end - start > LONGEST:
            raise BadQuery("from", mark("the stretch is longer than 20 years"))
    else:
        name = args.get("range") or DEFAULT_RANGE
        if name not in RANGES:
            told = mark("range must be one of %(ranges)s")
            raise BadQuery("range", told, ranges=", ".join(RANGES))
        start, end = now - RANGES[name], now
    return HistoryQuery(
        start,
        end,
        points,
        tuple(dict.fromkeys(accounts)),
        tuple(dict.fromkeys(_key(w) for w in windows)) or USUAL_KEYS,
    )


def _points(value: str | None) -> int:
    if value is None or value == "":
        return DEFAULT_POINTS
    if not (
        value.isascii()
        and value.isdigit()
        and len(value) <= len(str(MOST_POINTS))
        and 1 <= int(value) <= MOST_POINTS
    ):
        told = mark("points must be a whole number from 1 to %(most)s")
        raise BadQuery("points", told, most=MOST_POINTS)
    return int(value)


def _moment(name: str, value: str) -> int:
    try:
        if len(value) > MAX_MOMENT:
            raise ValueError("no moment is that long")
        return parse(_BLANK_OFFSET.sub(r"\1+\2", value))
    except (ValueError, OverflowError):
        told = mark("%(name)s must be a moment in ISO 8601 or epoch seconds")
        raise BadQuery(name, told, name=name) from None


def _key(value: str) -> str:
    """A window's key; a wrong word is refused, since it must not look like no data."""
    usual = ("five_hour", "daily", "weekly", "monthly", "unknown", "spend")
    is_other = (
        len(value) <= MAX_KEY
        and value.isprintable()
        and (
            value.startswith(("model:", "code_review:"))
            or re.fullmatch(r"window:[0-9]{1,10}", value)
        )
    )
    if value not in usual and not is_other:
        told = mark("window must be one of %(keys)s, window:<seconds>, model:… or code_review:…")
        raise BadQuery("window", told, keys=", ".join(usual))
    return value


def chart(scope: Scope, asked: HistoryQuery, carry_s: int) -> Chart:
    """The chart of what is *asked* for; raises AccountNotFound.

    A value is carried for at most *carry_s* seconds.
    """
    with store.database.reading() as conn:
        accounts = [
            store.accounts.get_by_name(conn, name, scope) for name in asked.accounts
        ] or store.accounts.list_all(conn, scope)
        return _chart(conn, list({a.id: a for a in accounts}.values()), asked, carry_s)


def _chart(
    conn: Connection, accounts: Sequence[Account], asked: HistoryQuery, carry_s: int
) -> Chart:
    found = _series(conn, accounts, asked.windows)
    ids = [s.window_id for s in found]
    span = store.history.span_for(conn, ids, asked.start, asked.end)
    axis = series.axis(asked.start, asked.end, asked.points, max(1, span))
    points = store.history.points(
        conn, ids, axis.start, axis.end, axis.step, store.history.coarsest(axis.step, span)
    )
    before = store.history.last_before(conn, ids, axis.start)
    names = {a.id: a.name for a in accounts}
    lines = (
        ChartLine(
            names[s.account_id],
            s.key,
            series.columns(points.get(s.window_id, []), before.get(s.window_id), axis, carry_s),
        )
        for s in found
    )
    return Chart(axis, tuple(lines))


def own_chart(scope: Scope, asked: HistoryQuery, carry_s: int) -> Chart:
    """The chart of the accounts' own windows, whichever they have: those that were read in the time
    *asked* for, else all.
    """
    return _own_of_one(chart(scope, replace(asked, windows=None), carry_s))


def account_chart(account: Account, asked: HistoryQuery, carry_s: int) -> Chart:
    """The same of an account that was read already; *asked* names none."""
    with store.database.reading() as conn:
        return _own_of_one(_chart(conn, [account], replace(asked, windows=None), carry_s))


def _own_of_one(found: Chart) -> Chart:
    own = sorted((w for w in found.lines if is_own(w.window)), key=lambda w: window_order(w.window))
    drawn = [line for line in own if _is_drawn(line.columns.remaining)]
    return Chart(found.axis, tuple(drawn or own))


def own_charts(scope: Scope, asked: HistoryQuery, carry_s: int) -> Chart:
    """The chart of several accounts' own windows, whichever they have, short windows first."""
    found = chart(scope, replace(asked, windows=None), carry_s)
    own = sorted((w for w in found.lines if is_own(w.window)), key=lambda w: window_order(w.window))
    return Chart(found.axis, tuple(own))


def _is_drawn(column: Sequence[float | None]) -> bool:
    return any(value is not None for value in column)


def _series(
    conn: Connection, accounts: Sequence[Account], keys: Sequence[str] | None
) -> list[Series]:
    """The windows of *accounts* in the accounts' order, and within one in the order of *keys*."""
    order = {a.id: i for i, a in enumerate(accounts)}
    rank = {key: i for i, key in enumerate(keys or ())}
    found = store.history.series(conn, list(order), keys)
    return sorted(
        found, key=lambda s: (order[s.account_id], rank.get(s.key, len(rank)), s.window_id)
    )
