"""What a digest says: all accounts with what is left of them, and by how much that has changed."""

from collections.abc import Mapping, Sequence

from quota_web import store
from quota_web.alerts import words
from quota_web.core import labels, quota
from quota_web.core.language import gettext as _
from quota_web.core.quota import Reading
from quota_web.reports import overview
from quota_web.reports.overview import AccountView
from quota_web.store.accounts import Scope

DAY = 86_400
#: A reading of then is not older than this.
BEFORE_S = 6 * 3_600
#: Accounts that a digest names.
MOST_ACCOUNTS = 19


def text(days: int, now: int, interval_s: int) -> str:
    """One line an account, in the current language; changes are those of so many days."""
    seen = overview.load_overview(Scope(), now, interval_s)
    views = seen.counted
    before = _used_before([view.account.id for view in views], now - days * DAY)
    lines = [_line(view, before) for view in views[:MOST_ACCOUNTS]]
    if len(views) > MOST_ACCOUNTS:
        lines.append(_("and %(num)s more", num=len(views) - MOST_ACCOUNTS))
    return "\n".join(lines) or _("There is no account yet.")


def _used_before(account_ids: Sequence[int], at: int) -> Mapping[tuple[int, str], float]:
    """The used percent of each window at a moment, by account and key."""
    with store.database.reading() as conn:
        windows = store.windows.windows(conn, account_ids)
        keys = {w.id: (i, w.reading.key) for i, rows in windows.items() for w in rows}
        rows = store.window_readings.each(conn, list(keys), at - BEFORE_S, at)
    return {keys[window_id]: found.used_percent[-1] for window_id, found in rows.items()}


def _line(view: AccountView, before: Mapping[tuple[int, str], float]) -> str:
    own = [window for window in view.windows if quota.is_own(window.key)]
    said = [_window(window, before.get((view.account.id, window.key))) for window in own]
    return _(
        "%(account)s: %(state)s · %(windows)s",
        account=view.account.name,
        state=labels.group(view.group),
        windows=_(", ").join(said) or "–",
    )


def _window(window: Reading, used_before: float | None) -> str:
    title = labels.window_title(window.key).lower()
    left = window.remaining_percent
    if used_before is None:
        return _("%(window)s %(left)s %% left", window=title, left=words.percent(left))
    change = round(left - min(100.0, max(0.0, 100.0 - used_before)))
    return _(
        "%(window)s %(left)s %% left (%(change)s)",
        window=title,
        left=words.percent(left),
        change=format(change, "+d"),
    )
