"""Acts that only read: the latest results of all accounts, as one value that every door shows in its own way.

The number of queries does not depend on how many accounts there are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from sqlalchemy import Connection

from quota_web import names, quota
from quota_web.errors import AccountNotFound, BadDatabase
from quota_web.faults import Fault
from quota_web.quota import CACHE, FIVE_HOUR, NETWORK, WEEKLY, Block, Facts, Reading, Status
from quota_web.store import accounts as store
from quota_web.store import engine, latest, site
from quota_web.store.accounts import Account, Scope
from quota_web.store.latest import KnownWindow
from quota_web.store.site import Site


@dataclass(frozen=True, slots=True)
class AccountReport:
    """One account as people see it at a moment: its row, its last snapshot, and what follows from both."""

    account: Account
    status: Status
    fault: Fault | None
    #: `network` or `cache`; None before the first attempt.
    source: str | None
    facts: Facts | None
    #: The windows of the last snapshot: five-hour, weekly, then the others as they were first seen.
    windows: tuple[Reading, ...]
    block: Block
    stale: bool
    #: The account that stands for this login in every count, where this one repeats it.
    same_login_as: str | None = None

    def window(self, key: str) -> Reading | None:
        for window in self.windows:
            if window.key == key:
                return window
        return None

    @property
    def five_hour(self) -> Reading | None:
        return self.window(FIVE_HOUR)

    @property
    def weekly(self) -> Reading | None:
        return self.window(WEEKLY)


@dataclass(frozen=True, slots=True)
class Overview:
    """All accounts of a scope at one moment, in the order in which they should be used."""

    site: Site
    accounts: tuple[AccountReport, ...]
    next_refresh_at: int | None
    #: When a `stale` or `blocked` flips by itself next; None if none will.
    flips_at: int | None

    @property
    def counted(self) -> tuple[AccountReport, ...]:
        """Each login once: what is counted, summed and measured."""
        return tuple(a for a in self.accounts if a.same_login_as is None)

    def only(self, accounts: Sequence[AccountReport]) -> "Overview":
        """The same of fewer accounts."""
        return replace(self, accounts=tuple(accounts))


def site_state() -> Site:
    """The row that says which sessions count and which state the data are in: one small read for both."""
    with engine.reading() as conn:
        return site.read(conn)


def version(state: Site | None = None) -> tuple[str, int]:
    """Names the state of the data: equal versions mean that nothing was written in between, by anybody."""
    state = state or site_state()
    return state.nonce, state.data_version


def trouble() -> BadDatabase | None:
    """Why nothing can be stored at present, as this process met it; None while all is well."""
    return engine.trouble()


def overview(scope: Scope, now: int, interval_s: int) -> Overview:
    """The latest results of *scope* at *now*; *interval_s* is the idle refresh interval, which decides what is stale."""
    with engine.reading() as conn:
        state = site.read(conn)
        return _overview(conn, state, store.every(conn, scope), now, interval_s)


def _overview(conn: Connection, state: Site, accounts: Sequence[Account], now: int, interval_s: int) -> Overview:
    windows, facts = latest.windows(conn), latest.facts(conn)
    made = sorted((_current(a, facts.get(a.id), windows.get(a.id, []), now, interval_s) for a in accounts), key=attrgetter("order"))
    due = [a.next_due_at for a in accounts if a.next_due_at is not None and a.paused_at is None]
    flips_at = min((m.until for m in made if m.until is not None), default=None)
    repeated = store.repeated(accounts)
    reports = tuple(_marked(m.report, repeated) for m in made)
    return Overview(state, reports, min(due, default=None), flips_at)


def _marked(report: AccountReport, repeated: Mapping[int, Account]) -> AccountReport:
    holder = repeated.get(report.account.id)
    return report if holder is None else replace(report, same_login_as=holder.name)


def pick(accounts: Sequence[AccountReport], wanted: Sequence[str]) -> tuple[list[AccountReport], list[AccountNotFound]]:
    """Those of *accounts* that are called one of *wanted*, in their own order; all, if none is wanted. And the names that nobody has."""
    if not wanted:
        return list(accounts), []
    keys = {names.key(r.account.name) for r in accounts}
    missing = [AccountNotFound(name) for name in wanted if names.key(name) not in keys]
    asked_for = {names.key(name) for name in wanted}
    return [r for r in accounts if names.key(r.account.name) in asked_for], missing


def report(account: Account, facts: Facts | None, known: Sequence[KnownWindow], now: int, interval_s: int) -> AccountReport:
    """What is known of one account at *now*."""
    return _current(account, facts, known, now, interval_s).report


@dataclass(frozen=True, slots=True)
class _Made:
    """A report with all that it was made from: from the same it need not be made again until something in it flips by itself.

    The store gives equal rows as the same objects, so comparing them costs nothing.
    """

    account: Account
    facts: Facts | None
    known: Sequence[KnownWindow]
    interval_s: int
    at: int
    #: When a `stale` or `blocked` flips by itself next; None if none will.
    until: int | None
    report: AccountReport
    order: tuple[float, float, float, str]

    def holds(self, account: Account, facts: Facts | None, known: Sequence[KnownWindow], now: int, interval_s: int) -> bool:
        is_same = self.account is account and self.facts is facts and self.interval_s == interval_s and self.known == known
        return is_same and self.at <= now and (self.until is None or now < self.until)


#: The last report of each account, by its id.
_made: dict[int, _Made] = {}


def _current(account: Account, facts: Facts | None, known: Sequence[KnownWindow], now: int, interval_s: int) -> _Made:
    made = _made.get(account.id)
    if made is None or not made.holds(account, facts, known, now, interval_s):
        found = _report(account, facts, known, now, interval_s)
        until = min(_flips(found, now, interval_s), default=None)
        made = _made[account.id] = _Made(account, facts, known, interval_s, now, until, found, use_order(found))
    return made


def _report(account: Account, facts: Facts | None, known: Sequence[KnownWindow], now: int, interval_s: int) -> AccountReport:
    readings = [w.reading for w in known if w.gone_at is None and w.taken_at is not None]
    windows = tuple(sorted(readings, key=_window_order))
    block = quota.NOT_BLOCKED
    if facts is not None and account.taken_at is not None:
        block = quota.block_state(facts, windows, account.taken_at, now)
    fault = account.fault if account.paused_at is None else None
    return AccountReport(account, account.status, fault, _source(account), facts, windows, block, _is_stale(account, windows, block, now, interval_s))


def use_order(report: AccountReport) -> tuple[float, float, float, str]:
    """Sorts by what is left: five-hour (most first, none last), weekly likewise, then the sooner reset, then the name."""
    five, week = report.five_hour, report.weekly
    resets_at = week.resets_at if week and week.resets_at is not None else None
    return (-_left(five), -_left(week), float("inf") if resets_at is None else resets_at, names.key(report.account.name))


def _left(window: Reading | None) -> float:
    return window.remaining_percent if window else -1.0


_FIRST = {FIVE_HOUR: 0, quota.DAILY: 1, WEEKLY: 2, quota.MONTHLY: 3}


def _window_order(window: Reading) -> tuple[int, int]:
    if window.key == quota.SPEND:
        return (6, 0)
    return (_FIRST.get(window.key, 4 if quota.is_own(window.key) else 5), 0)


def _source(account: Account) -> str | None:
    if account.cached_at is not None:
        return CACHE
    return NETWORK if account.attempted_at is not None else None


def _is_stale(account: Account, windows: Sequence[Reading], block: Block, now: int, interval_s: int) -> bool:
    """Whether the readings no longer say how things are: too old, or a window has reset since they were taken."""
    taken_at = account.taken_at
    if taken_at is None:
        return False
    # A reset that was past already when the answer was taken says nothing about its age.
    if any(w.resets_at is not None and taken_at < w.resets_at <= now for w in windows):
        return True
    waits_for_reset = block.blocked and block.until is not None
    return not waits_for_reset and now - taken_at > 2 * due_interval(account, interval_s)


def due_interval(account: Account, interval_s: int) -> int:
    """The interval at which this account is due, in seconds."""
    return min(account.interval_s, interval_s) if account.interval_s else interval_s


def _flips(report: AccountReport, now: int, interval_s: int) -> list[int]:
    """Moments ahead at which something in a report changes without anybody writing it."""
    moments = [w.resets_at for w in report.windows if w.resets_at is not None]
    if report.account.taken_at is not None:
        moments.append(report.account.taken_at + 2 * due_interval(report.account, interval_s) + 1)
    return [at for at in moments if at > now]
