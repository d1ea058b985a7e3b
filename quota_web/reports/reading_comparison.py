"""What happened between two readings of a window: as its page shows it, and as text and CSV for a
bug report.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from itertools import pairwise
from operator import attrgetter

from sqlalchemy import Connection

from quota_web import store
from quota_web.core.display_order import window_order
from quota_web.core.errors import BadQuery
from quota_web.core.language import mark
from quota_web.core.quota import is_own
from quota_web.foresight import Event, Kind, reading_comparison
from quota_web.foresight.reading_comparison import Evidence, Measured, Usual
from quota_web.foresight.segments import SAME_RESET_S
from quota_web.reports import history, hours_of_week
from quota_web.store.accounts import Account, Scope
from quota_web.store.event_log import EventQuery, LoggedEvent
from quota_web.version import __version__

HOUR = 3_600
#: What is usual is told from so many weeks before the first of the two readings.
USUAL_S = 12 * 7 * 86_400
#: The most readings that are looked through for each change, events, and changes that are shown.
MOST_READINGS, MOST_EVENTS, MOST_STEPS = 5_000, 100, 40
#: What a page shows of a window whose reset slides along.
SCARCELY_USED = 1


@dataclass(frozen=True, slots=True)
class ComparisonQuery:
    """Which window (None: the account's first), and from when to when."""

    account: str
    window: str | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """The two readings, and each change between them."""

    #: The windows that the account has or had, in the order of pages.
    windows: tuple[str, ...]
    window: str | None
    #: None where the window was read once or never in that time.
    found: Evidence | None
    #: Each pair of neighbouring readings that differ, newest first; empty where there is but one
    #: pair.
    steps: tuple[Evidence, ...] = ()
    #: Whether there are more readings, or more such pairs, than are shown.
    is_cut: bool = False
    #: Names of all accounts, in the order in which they are numbered where they tell too much.
    names: tuple[str, ...] = ()


def parse_query(account: str, args: Mapping[str, str], now: int) -> ComparisonQuery:
    """The words of an address; raises BadQuery. Without moments: the last day."""
    moments = {name: args[name] for name in ("from", "to") if args.get(name)}
    windows = [args["window"]] if args.get("window") else []
    asked = history.parse_query(moments, [account], windows, now)
    window = asked.windows[0] if windows and asked.windows else None
    return ComparisonQuery(account, window, asked.start, asked.end)


def load(scope: Scope, asked: ComparisonQuery, carry_s: int, zone: tzinfo | None) -> Comparison:
    """*carry_s* is how far apart readings may be for the time between to count as watched.

    Raises AccountNotFound, and BadQuery for a window that the account never had.
    """
    with store.database.reading() as conn:
        account = store.accounts.get_by_name(conn, asked.account, scope)
        accounts = sorted(store.accounts.list_all(conn, scope), key=attrgetter("id"))
        names = tuple(a.name for a in accounts)
        ids = _window_ids(conn, account)
        key = asked.window or next(iter(ids), None)
        if key is None or not ids:
            return Comparison((), None, None, names=names)
        if key not in ids:
            known = ", ".join(ids)
            raise BadQuery("window", mark("window must be one of %(windows)s"), windows=known)
        made = Comparison(tuple(ids), key, None, names=names)
        rows = _readings(conn, ids[key], asked)
        if len(rows) < 2:
            return made
        usual = _usual(conn, ids[key], rows[0].at, carry_s, zone)
        events = _events(conn, account, key, rows[0].at, rows[-1].at)

    def compared(before: Measured, after: Measured) -> Evidence:
        readings = before, after
        return reading_comparison.between(account.name, key, readings, usual, zone, events)

    made = replace(made, found=compared(rows[0], rows[-1]), is_cut=len(rows) > MOST_READINGS)
    if len(rows) == 2 or made.is_cut:
        return made
    changes = [pair for pair in pairwise(rows) if _differ(*pair)]
    steps = tuple(compared(*pair) for pair in reversed(changes[-MOST_STEPS:]))
    return replace(made, steps=steps, is_cut=len(changes) > MOST_STEPS)


def _window_ids(conn: Connection, account: Account) -> dict[str, int]:
    """Window ids by key, the account's own first."""
    found = store.history.series(conn, [account.id], None)
    ordered = sorted(found, key=lambda s: (not is_own(s.key), window_order(s.key)))
    return {s.key: s.window_id for s in ordered}


def _readings(conn: Connection, window_id: int, asked: ComparisonQuery) -> list[Measured]:
    """The readings from the state at the start to the state at the end, oldest first; where they
    are too many, the first ones and the last.
    """
    read = store.measured_readings
    first = read.last_by(conn, window_id, asked.start)
    first = first or read.first_after(conn, window_id, asked.start)
    last = read.last_by(conn, window_id, asked.end)
    if first is None or last is None or last[0] <= first[0]:
        return []
    rows = read.of_stretch(conn, window_id, first[0], last[0], MOST_READINGS + 1)
    if rows[-1] != last:
        rows.append(last)
    return [Measured(*row) for row in rows]


def _differ(before: Measured, after: Measured) -> bool:
    """Whether something happened between two neighbours; an untouched window's reset slides."""
    if before.used_percent != after.used_percent:
        return True
    if before.resets_at is None or after.resets_at is None:
        return before.resets_at is not after.resets_at
    moved = abs(after.resets_at - before.resets_at) > SAME_RESET_S
    return moved and after.used_percent > SCARCELY_USED


def _usual(
    conn: Connection, window_id: int, until: int, carry_s: int, zone: tzinfo | None
) -> Usual:
    until -= until % HOUR
    rows = store.history.hourly_rises(conn, [window_id], until - USUAL_S, until)
    return reading_comparison.usual_hours(hours_of_week.watched(rows, carry_s), zone)


def _events(conn: Connection, account: Account, key: str, since: int, until: int) -> list[Event]:
    """What was judged of this window, its account and all accounts meanwhile, by time."""
    wanted = EventQuery([*Kind], [account.id], since=since + 1, until=until)
    rows = store.event_log.events(conn, wanted, 0, MOST_EVENTS)
    mine = (row for row in rows if row.window in (None, key) and _has_part(row, account.id, key))
    return sorted((_event(row, account.name) for row in mine), key=attrgetter("at"))


def _has_part(row: LoggedEvent, account_id: int, key: str) -> bool:
    parts = row.data.get("parts")
    return parts is None or any(part[:2] == [account_id, key] for part in parts)


def _event(row: LoggedEvent, name: str) -> Event:
    account = None if row.account_id is None else name
    return Event(Kind(row.kind), account, row.window, row.at, withdrawn_at=row.withdrawn_at)


def report(made: Comparison) -> str:
    """All of it as text for a bug report: without e-mail addresses, ids and tokens."""
    if made.found is None:
        return "no two readings in this time\n"
    head = f"Codex Quota {__version__}, times in UTC, percents of use\n\n"
    text = head + reading_comparison.report([made.found], made.names)
    return f"{text}\n{reading_comparison.changes(made.steps)}" if made.steps else text


def table(made: Comparison) -> tuple[Sequence[str], list[list[object]]]:
    """Columns and rows for CSV: the two readings, then each change between them."""
    found = [] if made.found is None else [made.found, *made.steps]
    return reading_comparison.table(found, made.names)
