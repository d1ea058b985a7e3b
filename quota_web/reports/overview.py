"""Acts that only read: the latest results of all accounts, as one value that every door shows in
its own way.

The number of queries does not depend on how many accounts there are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from quota_web import store
from quota_web.core import display_order, names
from quota_web.core.banked_resets import BankedReset
from quota_web.core.display_order import Group, Order
from quota_web.core.errors import AccountNotFound, BadDatabase
from quota_web.core.extra_facts import Extra
from quota_web.core.faults import Fault
from quota_web.core.quota import CACHE, FIVE_HOUR, NETWORK, WEEKLY, Block, Facts, Reading, Status
from quota_web.reports import beside_quota, reading_validity
from quota_web.store.accounts import Account, Scope
from quota_web.store.forecasts import StoredChoice, StoredForecast
from quota_web.store.site_state import SiteState
from quota_web.store.windows import KnownWindow


@dataclass(frozen=True, slots=True)
class AccountView:
    """One account as people see it at a moment: its row, its last snapshot, and what follows from
    both.
    """

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
    group: Group = Group.USABLE
    #: The first attempt without a usable answer since the last one that had one; None where the
    #: last attempt was answered, or nothing was sent because nothing could come of it.
    failing_since: int | None = None
    #: What is said of each window's future, by its key.
    forecasts: Mapping[str, StoredForecast] = field(default_factory=dict)
    #: The banked resets that the upstream lists and that have not run out.
    banked: tuple[BankedReset, ...] = ()
    #: What was asked for beside quota, by kind.
    extras: Mapping[str, Extra] = field(default_factory=dict)
    #: The rows of all windows that it ever had, in the order in which they were first seen.
    known: tuple[KnownWindow, ...] = ()

    @property
    def is_failing(self) -> bool:
        """Whether the last attempt failed for a reason that may pass by itself."""
        return self.group is not Group.ATTENTION and display_order.is_failing(self.status)

    @property
    def can_be_named(self) -> bool:
        """Whether it may be the next one: what is left is known, and it stands for its login."""
        return self.group is Group.USABLE and not self.stale and self.same_login_as is None

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
    """All accounts of a scope at one moment, in the order of `ranking`."""

    site: SiteState
    accounts: tuple[AccountView, ...]
    next_refresh_at: int | None
    #: When a `stale`, `blocked` or `group` changes by itself next; None if none will.
    flips_at: int | None
    #: Each account's place in the order of all, from 1, by its id.
    ranks: Mapping[int, int] = field(default_factory=dict)
    #: The order of use as it is stored; None before it was first worked out.
    choice: StoredChoice | None = None
    #: By account id: an equal stamp means that nothing of its view has changed but its rank and
    #: `same_login_as`.
    stamps: Mapping[int, tuple[object, ...]] = field(default_factory=dict)

    @property
    def counted(self) -> tuple[AccountView, ...]:
        """Each login once: what is counted, summed and measured."""
        return tuple(a for a in self.accounts if a.same_login_as is None)

    def only(self, accounts: Sequence[AccountView]) -> "Overview":
        """The same of fewer accounts."""
        return replace(self, accounts=tuple(accounts))


def site_state() -> SiteState:
    """The row that says which sessions count and which state the data are in: one small read for
    both.
    """
    with store.database.reading() as conn:
        return store.site_state.read(conn)


def version(state: SiteState | None = None) -> tuple[str, int]:
    """Names the state of the data: equal versions mean that nothing was written in between, by
    any process.
    """
    return (state or site_state()).version


def trouble() -> BadDatabase | None:
    """Why nothing can be stored at present, as this process met it; None while all is well."""
    return store.database.trouble()


def account_names(scope: Scope) -> list[str]:
    """The names of the accounts of *scope*, in the order in which they came."""
    with store.database.reading() as conn:
        accounts = store.accounts.list_all(conn, scope)
    return [a.name for a in sorted(accounts, key=lambda a: a.id)]


@dataclass(frozen=True, slots=True)
class TimedView:
    """An account's view, and what it holds for: a state of the data and a stretch of time."""

    view: AccountView
    #: The database, the account's own version, and the interval that decides what is stale.
    version: tuple[str, int, int]
    made_at: int
    #: When it becomes another one by itself; None if it does not.
    until: int | None
    order: Order
    #: Equal: nothing of the view has changed.
    stamp: tuple[object, ...]

    def holds(self, version: tuple[str, int, int], now: int) -> bool:
        return (
            self.version == version
            and self.made_at <= now
            and (self.until is None or now < self.until)
        )


class ViewCache:
    """What one app keeps of its accounts' views from one look to the next, so that each look costs
    as much as what has changed; its pages, its schedule and its state file share it.
    """

    def __init__(self) -> None:
        self._views: dict[int, TimedView] = {}

    def overview(self, scope: Scope, now: int, interval_s: int) -> Overview:
        """The latest results of *scope*; only accounts that have changed are read."""
        return load_overview(scope, now, interval_s, self)

    def holding(
        self, versions: Mapping[int, tuple[str, int, int]], now: int
    ) -> dict[int, TimedView]:
        """The views that hold at *now*, by account id."""
        there = ((i, self._views.get(i), version) for i, version in versions.items())
        return {i: found for i, found, version in there if found and found.holds(version, now)}

    def store(self, views: Mapping[int, TimedView], *, is_all: bool) -> None:
        """Keep these; and, where they are those of all accounts, no others."""
        self._views = dict(views) if is_all else {**self._views, **views}


def load_overview(
    scope: Scope, now: int, interval_s: int, cache: ViewCache | None = None
) -> Overview:
    """The latest results of *scope* at *now*; *interval_s* is the idle refresh interval, which
    decides what is stale. With a *cache* only accounts that have changed are read.
    """
    with store.database.reading() as conn:
        state = store.site_state.read(conn)
        accounts = store.accounts.list_all(conn, scope)
        versions = {a.id: (state.version[0], a.version, interval_s) for a in accounts}
        known = {} if cache is None else cache.holding(versions, now)
        changed = [a for a in accounts if a.id not in known]
        if changed:
            ids = None if len(changed) == len(accounts) else [a.id for a in changed]
            known |= _timed_views(conn, changed, ids, versions, now)
        choice = store.forecasts.choice(conn)
    if cache is not None:
        cache.store(known, is_all=scope == Scope())
    return _overview(state, accounts, [known[a.id] for a in accounts], choice)


def _timed_views(
    conn: Connection,
    accounts: Sequence[Account],
    ids: Sequence[int] | None,
    versions: Mapping[int, tuple[str, int, int]],
    now: int,
) -> dict[int, TimedView]:
    """The views of *accounts*; *ids* are theirs, None where they are all there are."""
    windows, facts, failing, forecasts = (
        store.windows.windows(conn, ids),
        store.windows.facts(conn, ids),
        store.attempts.failing_since(conn, accounts),
        store.forecasts.present(conn, ids),
    )
    # Most accounts have none, and a look costs a query.
    counted = any(one.reset_credits for one in facts.values())
    banked = store.reset_credits.listed(conn, ids) if counted else {}
    extras = beside_quota.load(conn, ids)
    found: dict[int, TimedView] = {}
    for one in accounts:
        version, known = versions[one.id], windows.get(one.id, [])
        view, until = _report(
            one, facts.get(one.id), known, failing.get(one.id), now, version[2], forecasts
        )
        view, until = _with_banked(view, until, banked.get(one.id, ()), now)
        view = replace(view, extras=extras[one.id]) if one.id in extras else view
        found[one.id] = TimedView(view, version, now, until, _order(view), (*version, now))
    return found


def _overview(
    state: SiteState,
    accounts: Sequence[Account],
    timed: Sequence[TimedView],
    choice: StoredChoice | None,
) -> Overview:
    places = {r.account_id: place for place, r in enumerate(choice.ranked)} if choice else {}
    repeated = store.accounts.repeated(accounts)
    placed = sorted(
        zip(accounts, timed, strict=True),
        key=lambda pair: display_order.placed(
            pair[1].order,
            places.get(pair[0].id),
            is_behind=pair[1].view.stale or pair[0].id in repeated,
        ),
    )
    views = [_present(one.view, row, repeated.get(row.id)) for row, one in placed]
    due = [a.next_due_at for a in accounts if a.next_due_at is not None and a.paused_at is None]
    return Overview(
        site=state,
        accounts=tuple(views),
        next_refresh_at=min(due, default=None),
        flips_at=min((one.until for one in timed if one.until is not None), default=None),
        ranks={view.account.id: place for place, view in enumerate(views, 1)},
        stamps={row.id: one.stamp for row, one in placed},
        choice=choice,
    )


def _with_banked(
    view: AccountView, until: int | None, listed: Sequence[BankedReset], now: int
) -> tuple[AccountView, int | None]:
    """*view* with what is listed and not over at *now*; one that ends changes it by itself."""
    if not listed:
        return view, until
    there = tuple(reset for reset in listed if not reset.is_over(now))
    ends = [reset.expires_at for reset in there if reset.expires_at is not None]
    moments = [*ends, *([] if until is None else [until])]
    return replace(view, banked=there), min(moments, default=None)


def _order(view: AccountView) -> Order:
    return display_order.order(view.group, view.status, view.block, view.windows, view.account.name)


def _present(view: AccountView, account: Account, holder: Account | None) -> AccountView:
    """*view* with the account's row as it is now (claims give it no new version), and with the
    account that stands for its login.
    """
    if account is not view.account and account != view.account:
        view = replace(view, account=account)
    return view if holder is None else replace(view, same_login_as=holder.name)


def pick(
    accounts: Sequence[AccountView], wanted: Sequence[str]
) -> tuple[list[AccountView], list[AccountNotFound]]:
    """Those of *accounts* that are called one of *wanted*, in their own order; all, if none is
    wanted. And the names that no account has.
    """
    if not wanted:
        return list(accounts), []
    keys = {names.fold(r.account.name) for r in accounts}
    missing = [AccountNotFound(name) for name in wanted if names.fold(name) not in keys]
    asked_for = {names.fold(name) for name in wanted}
    return [r for r in accounts if names.fold(r.account.name) in asked_for], missing


def account_view(
    account: Account,
    facts: Facts | None,
    known: Sequence[KnownWindow],
    failing_since: int | None,
    now: int,
    interval_s: int,
    forecasts: Mapping[int, StoredForecast] | None = None,
    banked: Sequence[BankedReset] = (),
) -> AccountView:
    """What is known of one account at *now*; *forecasts* are those of windows, by id, *banked* the
    resets that are listed.
    """
    view, until = _report(account, facts, known, failing_since, now, interval_s, forecasts or {})
    return _with_banked(view, until, banked, now)[0]


def _report(
    account: Account,
    facts: Facts | None,
    known: Sequence[KnownWindow],
    failing_since: int | None,
    now: int,
    interval_s: int,
    forecasts: Mapping[int, StoredForecast],
) -> tuple[AccountView, int | None]:
    """The report at *now*, and the moment at which it is another one by itself."""
    readings = [w.reading for w in known if w.gone_at is None and w.taken_at is not None]
    windows = tuple(sorted(readings, key=lambda w: display_order.window_order(w.key)))
    block = reading_validity.block(account, facts, windows, now)
    validity = reading_validity.validity(account, facts, windows, interval_s)
    found = AccountView(
        account,
        account.status,
        account.fault if account.paused_at is None else None,
        _source(account),
        facts,
        windows,
        block,
        validity is not None and not validity.fresh_from <= now < validity.stale_from,
        group=display_order.group(
            account.status,
            block,
            validity is not None and validity.fresh_from <= now < validity.known_until,
        ),
        failing_since=failing_since if display_order.is_failing(account.status) else None,
        forecasts={w.reading.key: forecasts[w.id] for w in known if w.id in forecasts},
        known=tuple(known),
    )
    moments = [w.resets_at for w in windows if w.resets_at is not None]
    if validity is not None:
        moments += [validity.fresh_from, validity.stale_from, validity.known_until]
    return found, min((at for at in moments if at > now), default=None)


def _source(account: Account) -> str | None:
    if account.cached_at is not None:
        return CACHE
    return NETWORK if account.attempted_at is not None else None
