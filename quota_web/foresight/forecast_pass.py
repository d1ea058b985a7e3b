"""The pass that makes what is said of the future: forecasts of the windows that changed, then the
order in which accounts are to be used.

It runs after a refresh and with the chores, never in a request. Where several processes run it,
the last one's result stays; all of them say nearly the same.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import tzinfo

from quota_web import store
from quota_web.core import clock
from quota_web.foresight.due import is_due, pool_is_due
from quota_web.foresight.making import Due, make
from quota_web.foresight.ordering import Terms, in_order
from quota_web.foresight.pool_making import make_pool
from quota_web.foresight.pool_members import members
from quota_web.foresight.workload import DEFAULT_EXCHANGE, capacity, exchange, need
from quota_web.reports.overview import AccountView, ViewCache
from quota_web.services import services
from quota_web.store.accounts import Scope
from quota_web.store.forecasts import StoredChoice, StoredForecast
from quota_web.store.windows import KnownWindow

#: Accounts whose readings are held at once: each is some thousand rows.
CHUNK = 16

_one_at_a_time = threading.Lock()

Windows = Mapping[int, Sequence[KnownWindow]]


def run(
    now: int,
    interval_s: int,
    zone: tzinfo | None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> int:
    """Make the forecasts that are due at *now*, and the order of use; returns how many were made.

    Returns 0 at once while another thread makes them: the chores repeat it within a minute, and
    a refresh must not wait. *interval_s* is the idle refresh interval, days and hours are those
    of *zone*.
    """
    if not _one_at_a_time.acquire(blocking=False):
        return 0
    try:
        seen = services().the(ViewCache).overview(Scope(), now, interval_s)
        views, before = seen.accounts, seen.choice
        windows = {view.account.id: view.known for view in views}
        present = {one.window_id: one for view in views for one in view.forecasts.values()}
        made: list[StoredForecast] = []
        for chunk in _chunks(_due(views, windows, present, now)):
            if not is_stopped():
                with store.database.reading() as conn:
                    made += make(conn, chunk, now, zone)
        known = {**present, **{one.window_id: one for one in made}}
        used, terms = _last_used(windows), _terms(views, windows, known, now)
        pool, found = before.pool if before is not None else None, members(views)
        if not is_stopped() and pool_is_due(pool, found.ids, now):
            with store.database.reading() as conn:
                pool = make_pool(conn, found, windows, used, terms, zone)
        _store(made, StoredChoice(now, in_order(views, used, terms), pool), before)
    finally:
        _one_at_a_time.release()
    return len(made)


def after_refresh() -> None:
    """The pass as a hook of the refresh."""
    present = services()
    settings = present.settings
    run(clock.now(), settings.refresh_interval, settings.timezone, present.stop.is_set)


def _due(
    views: Iterable[AccountView],
    windows: Windows,
    present: Mapping[int, StoredForecast],
    now: int,
) -> list[Due]:
    found = []
    for view in views:
        here = [w for w in windows.get(view.account.id, ()) if w.gone_at is None]
        wanted = frozenset(w.id for w in here if is_due(w, present.get(w.id), now, view.stale))
        if any(_exhaustion_changed(w, present.get(w.id)) for w in here if w.id in wanted):
            # While it lasts nothing else of the account can be used.
            wanted = frozenset(w.id for w in here if w.taken_at is not None)
        if wanted:
            found.append(Due(view.account.id, here, wanted))
    return found


def _exhaustion_changed(window: KnownWindow, before: StoredForecast | None) -> bool:
    return before is not None and window.reading.exhausted != (before.used_percent >= 100)


def _chunks(due: Sequence[Due]) -> Iterable[Sequence[Due]]:
    return (due[k : k + CHUNK] for k in range(0, len(due), CHUNK))


def _last_used(windows: Windows) -> dict[int, int]:
    """When each account's windows last rose."""
    rose = {i: [w.rose_at for w in those if w.rose_at is not None] for i, those in windows.items()}
    return {account_id: max(moments) for account_id, moments in rose.items() if moments}


def _terms(
    views: Sequence[AccountView],
    windows: Windows,
    known: Mapping[int, StoredForecast],
    now: int,
) -> Terms:
    """What work takes lately, over all accounts."""
    works, points = [], []
    for view in views:
        size = capacity(view.facts.plan if view.facts else None)
        for window in windows.get(view.account.id, ()):
            said = known.get(window.id)
            if said and said.work:
                works.append((said.work, size))
            if said and said.exchange:
                points.append(said.exchange)
    return Terms(now, need(works), exchange(points) or DEFAULT_EXCHANGE)


def _store(
    made: Sequence[StoredForecast], chosen: StoredChoice, before: StoredChoice | None
) -> None:
    """Write what is new; where nothing is, nothing: pages are kept as long as the data are."""
    if not made and before is not None and replace(chosen, at=before.at) == before:
        return
    with store.database.transaction() as tx:
        store.forecasts.save(tx, made)
        store.forecasts.save_choice(tx, chosen)
        store.site_state.touch(tx)
