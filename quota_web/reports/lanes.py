"""What a lane shows: one account's long window over time, the lowest of its five-hour window, its
resets, and why there is nothing where there is nothing.

All lanes of a page share one axis. The number of queries is the same for any number of accounts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from quota_web import store
from quota_web.core import series
from quota_web.core.display_order import NEEDS_A_PERSON
from quota_web.core.quota import FIVE_HOUR, NAMED_LENGTHS, WEEKLY, Status, is_own
from quota_web.core.series import Axis, Columns
from quota_web.reports.pauses import Span, pauses
from quota_web.store.accounts import Account, Scope
from quota_web.store.attempts import AttemptRun
from quota_web.store.event_log import CycleEnd
from quota_web.store.history import Series

#: So many slots are drawn at most about; a lane is some 700 pixels wide.
POINTS = 250
#: A five-hour window is shown by the lowest of so long, or of a slot where that is longer.
BAND_S = 3_600

Column = Sequence[float | None]

#: Why nothing is known: the account was paused, its answers failed, or nothing was asked.
PAUSED, FAILING, SILENT = "paused", "failing", "silent"


@dataclass(frozen=True, slots=True)
class Hole:
    """A time of which nothing is known, and why."""

    start: int
    end: int
    why: str


@dataclass(frozen=True, slots=True)
class Reset:
    """When a cycle ended, and how: `scheduled`, `early`, `banked`, `provider` or `plan`."""

    at: int
    how: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One account over the axis; columns hold percent left, None where nothing is known."""

    account: str
    axis: Axis
    #: The window of the area; None for an account without any.
    key: str | None = None
    area: Column = ()
    #: Whether the area shows the lowest of each slot: slots are too long to show single cycles.
    is_lowest: bool = False
    #: The lowest of the five-hour window; empty where it has none beside the area's.
    band: Column = ()
    resets: tuple[Reset, ...] = ()
    holes: tuple[Hole, ...] = ()


@dataclass(frozen=True, slots=True)
class Drawn:
    """One window of an account with what is drawn of it."""

    window_id: int
    key: str
    columns: Columns
    #: Whether it was read before the axis begins.
    is_older: bool


def axis_over(start: int, end: int) -> Axis:
    """Whole slots over [start, end): the last one holds *end* − 1 and may reach beyond it."""
    found = series.axis(start, end, POINTS)
    return Axis(found.start, -(-end // found.step) * found.step, found.step)


def first_at(account_ids: Sequence[int]) -> int | None:
    """When the own windows of these accounts were first read."""
    with store.database.reading() as conn:
        slots = store.history.first_slots(conn, account_ids)
    return min((slot for key, slot in slots if is_own(key)), default=None)


def load_named(
    scope: Scope, names: Sequence[str], axis: Axis, carry_s: int, now: int
) -> tuple[list[Lane], list[tuple[str, int]]]:
    """The lanes of the accounts that are named, and which state each of them is in: the data's
    nonce and the account's version. Raises AccountNotFound.
    """
    with store.database.reading() as conn:
        accounts = [store.accounts.get_by_name(conn, name, scope) for name in names]
        nonce = store.site_state.read(conn).nonce
        made = load(conn, accounts, axis, carry_s, now)
    return made, [(nonce, account.version) for account in accounts]


def load_known(accounts: Sequence[Account], axis: Axis, carry_s: int, now: int) -> list[Lane]:
    """The lanes of accounts that were read already, in their order."""
    with store.database.reading() as conn:
        return load(conn, accounts, axis, carry_s, now)


def load(
    conn: Connection, accounts: Sequence[Account], axis: Axis, carry_s: int, now: int
) -> list[Lane]:
    """The lanes of these accounts, in their order."""
    drawn = windows_over(conn, [a.id for a in accounts], axis, carry_s)
    runs = store.attempts.runs(conn, [a.id for a in accounts], axis.start, axis.end)
    paused = pauses(conn, accounts, now)
    longs = {a.id: _long_one(drawn.get(a.id, ())) for a in accounts}
    ids = [one.window_id for one in longs.values() if one is not None]
    ends = store.event_log.cycle_ends(conn, ids, axis.start, axis.end)
    return [
        _lane(
            a.name,
            axis,
            drawn.get(a.id, ()),
            longs[a.id],
            ends,
            (paused.get(a.id, ()), failing(runs.get(a.id, ()), carry_s, now)),
        )
        for a in accounts
    ]


def windows_over(
    conn: Connection, account_ids: Sequence[int], axis: Axis, carry_s: int
) -> dict[int, list[Drawn]]:
    """The accounts' own windows of which anything is known on the axis, by account id."""
    found = [s for s in store.history.series(conn, account_ids, None) if is_own(s.key)]
    ids = [s.window_id for s in found]
    span = store.history.span_for(conn, ids, axis.start, axis.end)
    points = store.history.points(
        conn, ids, axis.start, axis.end, axis.step, store.history.coarsest(axis.step, span)
    )
    before = store.history.last_before(conn, ids, axis.start)
    result: dict[int, list[Drawn]] = {}
    for one in found:
        columns = series.columns(
            points.get(one.window_id, []), before.get(one.window_id), axis, carry_s
        )
        if any(value is not None for value in columns.remaining):
            result.setdefault(one.account_id, []).append(_drawn(one, columns, before))
    return result


def _drawn(one: Series, columns: Columns, before: Mapping[int, object]) -> Drawn:
    return Drawn(one.window_id, one.key, columns, one.window_id in before)


def length_of(key: str) -> int:
    """A window's length by its key, in seconds; 0 where the key does not tell."""
    if key.startswith("window:"):
        return int(key.removeprefix("window:"))
    return NAMED_LENGTHS.get(key, 0)


def is_coarse(key: str, step: int) -> bool:
    """Whether a slot is too long to show single cycles of a window."""
    return 0 < length_of(key) < step * 5


def _long_one(drawn: Sequence[Drawn]) -> Drawn | None:
    """The window of the area: the weekly one, else the longest."""
    weekly = next((one for one in drawn if one.key == WEEKLY), None)
    return weekly or max(drawn, key=lambda one: length_of(one.key), default=None)


def _lane(
    name: str,
    axis: Axis,
    drawn: Sequence[Drawn],
    long: Drawn | None,
    ends: Mapping[int, Sequence[CycleEnd]],
    reasons: tuple[Sequence[Span], Sequence[Span]],
) -> Lane:
    if long is None:
        return Lane(name, axis)
    is_lowest = is_coarse(long.key, axis.step)
    short = next((one for one in drawn if one.key == FIVE_HOUR and one is not long), None)
    area = long.columns.min if is_lowest else long.columns.remaining
    band = short.columns.min if short else ()
    return Lane(
        name,
        axis,
        long.key,
        held(area, band),
        is_lowest,
        _lowest(held(band, area), axis),
        tuple(Reset(end.ended_at, end.how) for end in ends.get(long.window_id, ())),
        tuple(_holes(drawn, axis, *reasons)),
    )


def held(column: Column, other: Column) -> list[float | None]:
    """A column whose values hold while the *other* window is used up: nothing uses this one then,
    and it is seldom asked for.
    """
    held = list(column)
    for i in range(1, min(len(held), len(other))):
        if held[i] is None and other[i] == 0:
            held[i] = held[i - 1]
    return held


def _lowest(column: Column, axis: Axis) -> list[float | None]:
    """The lowest value of each BAND_S in all slots that it holds."""
    if axis.step >= BAND_S:
        return list(column)
    if not column:
        return []
    hours: dict[int, float] = {}
    for at, value in zip(axis.times(), column, strict=True):
        if value is not None:
            hours[at // BAND_S] = min(value, hours.get(at // BAND_S, value))
    return [
        None if value is None else hours[at // BAND_S]
        for at, value in zip(axis.times(), column, strict=True)
    ]


def _holes(
    drawn: Sequence[Drawn], axis: Axis, paused: Sequence[Span], failed: Sequence[Span]
) -> Iterator[Hole]:
    """Where no window is known, after the first reading of any, cut by the reasons."""
    for start, end in unknown_spans(drawn, axis):
        at = start
        while at < end:
            why, until = _reason(at, end, paused, failed)
            yield Hole(at, until, why)
            at = until


def unknown_spans(drawn: Sequence[Drawn], axis: Axis) -> Iterator[Span]:
    """Where none of these windows is known, after the first reading of any."""
    known = [any(values) for values in zip(*(_known(one) for one in drawn), strict=True)]
    has_begun, since = any(one.is_older for one in drawn), None
    for at, is_known in zip(axis.times(), known, strict=True):
        if is_known and since is not None:
            yield since, at
        since = None if is_known or not has_begun else at if since is None else since
        has_begun = has_begun or is_known
    if since is not None:
        yield since, axis.end


def _known(one: Drawn) -> Iterator[bool]:
    return (value is not None for value in one.columns.remaining)


def _reason(at: int, end: int, paused: Sequence[Span], failed: Sequence[Span]) -> tuple[str, int]:
    """Why nothing is known at a moment, and until when that holds."""
    for why, spans in ((PAUSED, paused), (FAILING, failed)):
        for since, until in spans:
            if since <= at < until:
                return why, min(end, until)
    later = [since for since, _ in (*paused, *failed) if at < since < end]
    return SILENT, min(later, default=end)


def failing(runs: Sequence[AttemptRun], carry_s: int, now: int) -> list[Span]:
    """When attempts failed: from the first until another result, or for as long as one says
    something; what only a person can mend goes on.
    """
    found: list[Span] = []
    following = [*(run.first_at for run in runs[1:]), None]
    for run, then in zip(runs, following, strict=False):
        if run.status == Status.OK:
            continue
        lasts = then is None and run.status in NEEDS_A_PERSON
        until = now if lasts else run.last_at + carry_s
        found.append((run.first_at, until if then is None else min(then, until)))
    return found
