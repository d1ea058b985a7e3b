"""The last closed cycles of each account's long window: the weekly one, else the longest."""

from collections.abc import Sequence

from quota_web import store
from quota_web.core.quota import WEEKLY, is_own
from quota_web.reports.account_detail import CYCLES_SHOWN, LONG_S, WindowCycles, window_cycles
from quota_web.store.accounts import Scope
from quota_web.store.windows import KnownWindow


def load(scope: Scope, now: int) -> dict[str, WindowCycles]:
    """By the account's name; an account without a window of a day or longer has none."""
    with store.database.reading() as conn:
        accounts = store.accounts.list_all(conn, scope)
        known = store.windows.windows(conn, [a.id for a in accounts])
        long = {a.id: _long_one(known.get(a.id, ())) for a in accounts}
        ids = [window.id for window in long.values() if window is not None]
        closed = store.event_log.last_cycles(conn, ids, CYCLES_SHOWN)
    return {
        a.name: one
        for a in accounts
        if (window := long[a.id]) is not None
        for one in window_cycles(a, [window], closed, now)
    }


def _long_one(windows: Sequence[KnownWindow]) -> KnownWindow | None:
    long = [w for w in windows if is_own(w.reading.key) and (w.reading.length_s or 0) >= LONG_S]
    weekly = next((w for w in long if w.reading.key == WEEKLY), None)
    return weekly or max(long, key=lambda w: w.reading.length_s or 0, default=None)
