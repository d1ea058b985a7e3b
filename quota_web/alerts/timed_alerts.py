"""Act: tell what has come true by the time alone, once a minute. Any number of processes may do so:
a state is written by one of them alone, in the transaction of its event.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from quota_web import store
from quota_web.alerts import site, telling, timed
from quota_web.alerts.alert_values import AlertState, States
from quota_web.alerts.sign_in import NO_TOKEN
from quota_web.alerts.site import LastAttempt
from quota_web.alerts.telling import Judging, Telling
from quota_web.alerts.timed import WatchedAccount
from quota_web.core import clock
from quota_web.core.quota import WEEKLY
from quota_web.reports import reading_validity
from quota_web.reports.overview import AccountView, Overview, ViewCache
from quota_web.services import services
from quota_web.store.accounts import DEMO, Scope
from quota_web.store.alert_states import SITE
from quota_web.store.credentials import TokenEnd

#: One process looks at most so often.
EVERY_S = 50.0


class TimedAlerts:
    """The look of one process, and when it was taken last."""

    def __init__(self) -> None:
        self._ran_at = float("-inf")

    def run(self) -> None:
        """Look, unless that was done within the minute."""
        at = clock.monotonic()
        if at - self._ran_at >= EVERY_S:
            self._ran_at = at
            judge_now(clock.now(), services().settings.refresh_interval)


def judge_now(now: int, interval_s: int) -> None:
    """Tell what is true at *now*; *interval_s* is the idle refresh interval."""
    seen = services().the(ViewCache).overview(Scope(), now, interval_s)
    views = [view for view in seen.accounts if view.account.origin != DEMO]
    with store.database.reading() as conn:
        states, ends = telling.load(conn), store.credentials.token_ends(conn)
        numbers = store.detected_events.last_numbers(conn, _ending_weeks(views, now))
    judgings = {SITE: _of_site(seen, views, now)}
    site_state = _after(states.get(SITE, {}), judgings[SITE]).get(site.KEY, AlertState())
    for view in views:
        watched = _watched(view, ends, numbers, interval_s)
        judgings[view.account.id] = partial(
            timed.judge_time,
            seen=watched,
            now=now,
            site_since=site_state.seen_at,
            is_site_down=site_state.open_since is not None,
        )
    _keep({i: j for i, j in judgings.items() if j(states.get(i, {}))[0]}, states, now)


def _keep(judgings: Mapping[int, Judging], states: Mapping[int, States], now: int) -> None:
    """Write what these judgings change, and tell what they say; without one nothing is written."""
    if not judgings:
        return
    with store.database.transaction() as tx:
        told = Telling(tx, now)
        for account_id, judging in judgings.items():
            known = states.get(account_id, {})
            _, _, events = telling.judge_and_keep(tx, account_id, known, judging)
            told.add(None if account_id == SITE else account_id, events)
        if told.finish():
            store.site_state.touch(tx)


def _after(states: States, judging: Judging) -> States:
    return {**states, **judging(states)[0]}


def _of_site(seen: Overview, views: Sequence[AccountView], now: int) -> Judging:
    attempts = [
        LastAttempt(
            view.status, view.account.attempted_at, view.account.taken_at, view.failing_since
        )
        for view in views
        if view.account.paused_at is None
    ]
    blocked_until = seen.site.address_blocked_until
    return partial(site.judge_site, attempts=attempts, address_blocked_until=blocked_until, now=now)


def _ending_weeks(views: Sequence[AccountView], now: int) -> list[int]:
    """The weekly windows of which much may be left at a reset that is near."""
    said = [view.forecasts[WEEKLY] for view in views if WEEKLY in view.forecasts]
    return [one.window_id for one in said if timed.is_unused(one, now)]


def _watched(
    view: AccountView,
    ends: Mapping[int, TokenEnd],
    numbers: Mapping[int, int],
    interval_s: int,
) -> WatchedAccount:
    account = view.account
    return WatchedAccount(
        view.status,
        account.taken_at,
        account.attempted_at,
        account.next_due_at,
        reading_validity.due_interval(account, interval_s),
        view.block.blocked,
        ends.get(account.id, NO_TOKEN),
        view.forecasts,
        {key: numbers.get(said.window_id, 0) for key, said in view.forecasts.items()},
        {r.credit_hash: r.expires_at for r in view.banked if r.expires_at is not None},
    )
