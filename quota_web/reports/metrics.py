"""Everything for Prometheus, computed from the database at the moment of the request.

So the figures are the same whichever of several processes answers, and right after a restart. The
number of queries does not depend on how many accounts there are.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from quota_web import store
from quota_web.core import event_visibility
from quota_web.core.quota import Status
from quota_web.reports import outlook
from quota_web.reports.overview import AccountView, Overview, ViewCache
from quota_web.services import services
from quota_web.store.accounts import Scope
from quota_web.store.attempts import AttemptTotal
from quota_web.store.deliveries import WaitingDeliveries
from quota_web.store.forecasts import StoredPool
from quota_web.store.health import Sizes
from quota_web.version import __version__

PREFIX = "codex_quota_"


def page(
    scope: Scope, now: int, interval_s: int, backup: tuple[int, int] | None = None
) -> tuple[bytes, str]:
    """The text that Prometheus reads, and its content type; *backup* is the time and the size in
    bytes of the newest scheduled one.
    """
    # Imported where it is used: a command or a page has no use for it.
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
    from prometheus_client.registry import Collector

    seen = services().the(ViewCache).overview(scope, now, interval_s)
    with store.database.reading() as conn:
        sizes = store.health.sizes(conn)
        totals = store.attempts.totals(conn)
        ends, renewals = store.credentials.ends(conn), store.renewals.totals(conn)
        open_alerts = store.alert_states.count_open(conn)
        deliveries, waiting = store.deliveries.figures(conn)

    class OfThisDatabase(Collector):
        def collect(self) -> Iterable[Any]:
            yield from _of_windows(seen.counted)
            yield from _of_accounts(seen.counted, now)
            yield from _of_forecasts(seen.counted)
            yield from _of_pool(outlook.pool_of(seen))
            yield _of_repeated(seen)
            yield _of_alerts(open_alerts)
            yield from _of_attempts(totals)
            yield from _of_sign_ins(seen.counted, ends, renewals)
            yield from _of_deliveries(deliveries, waiting, now)
            yield from _of_site(seen, sizes, now)
            yield from _of_backup(backup)

    # Of its own: the library's global one would add figures of whichever process answers.
    registry = CollectorRegistry(auto_describe=False)
    registry.register(OfThisDatabase())
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4


def _gauge(
    name: str, text: str, labels: Sequence[str], rows: Iterable[tuple[Sequence[str], float | None]]
) -> Any:
    """One gauge; a value that is not known is left out, never shown as 0."""
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(PREFIX + name, text, labels=list(labels))
    for values, number in rows:
        if number is not None:
            family.add_metric(list(values), number)
    return family


def _of_windows(accounts: Sequence[AccountView]) -> Iterator[Any]:
    windows = [((a.account.name, w.key), w) for a in accounts for w in a.windows]
    yield _gauge(
        "remaining_percent",
        "What is left of a window.",
        ("account", "window"),
        ((k, w.remaining_percent) for k, w in windows),
    )
    yield _gauge(
        "reset_timestamp_seconds",
        "When a window is full again.",
        ("account", "window"),
        ((k, w.resets_at) for k, w in windows),
    )


def _of_accounts(accounts: Sequence[AccountView], now: int) -> Iterator[Any]:
    states = (
        ((a.account.name, status), float(a.status is status)) for a in accounts for status in Status
    )
    yield _gauge(
        "account_status",
        "1 for the status that an account has, 0 for the others.",
        ("account", "status"),
        states,
    )
    figures: tuple[tuple[str, str, Callable[[AccountView], float | None]], ...] = (
        ("blocked", "1 while an account cannot be used.", lambda a: float(a.block.blocked)),
        ("blocked_until_timestamp_seconds", "When that is over.", lambda a: a.block.until),
        (
            "stale",
            "1 while readings say not how things are: too old, or from the future.",
            lambda a: float(a.stale),
        ),
        (
            "reading_timestamp_seconds",
            "When an account's last readings were taken.",
            lambda a: a.account.taken_at,
        ),
        ("reading_age_seconds", "The same as an age.", lambda a: _age(a.account.taken_at, now)),
        (
            "reset_credits",
            "Banked resets that an account has.",
            lambda a: a.facts.reset_credits if a.facts else None,
        ),
    )
    for name, text, figure in figures:
        yield _gauge(name, text, ("account",), (((a.account.name,), figure(a)) for a in accounts))


def _of_forecasts(accounts: Sequence[AccountView]) -> Iterator[Any]:
    said = [
        ((a.account.name, key), one)
        for a in accounts
        for key, one in outlook.forecasts_of(a).items()
    ]
    yield _gauge(
        "run_out_probability",
        "The chance that a window is used up before its reset, 0 to 1.",
        ("account", "window"),
        ((k, one.run_out_probability) for k, one in said),
    )
    yield _gauge(
        "expected_remaining_percent",
        "What will be left of a window at its reset: the middle of what may be.",
        ("account", "window"),
        ((k, one.rest[1] if one.rest else None) for k, one in said),
    )


def _of_pool(pool: StoredPool | None) -> Iterator[Any]:
    figures: tuple[tuple[str, str, float | None], ...] = (
        (
            "pool_left_units",
            "What is left of all weeks together, in percents of a Plus week.",
            pool.left_units if pool else None,
        ),
        ("pool_full_units", "The same if all were full.", pool.full_units if pool else None),
        (
            "pool_shortfall_probability",
            "The chance that no account can be used at some moment of the next 7 days, 0 to 1.",
            pool.shortfall_probability if pool else None,
        ),
    )
    for name, text, figure in figures:
        yield _gauge(name, text, (), [((), figure)])


def _of_repeated(seen: Overview) -> Any:
    """Accounts that repeat a login have no other figures, so that no sum counts it twice."""
    rows = [
        ((a.account.name, a.same_login_as), 1.0)
        for a in seen.accounts
        if a.same_login_as is not None
    ]
    return _gauge(
        "same_login",
        "1 for an account whose login is measured under another name.",
        ("account", "same_login_as"),
        rows,
    )


def _of_alerts(open_alerts: Mapping[str, int]) -> Any:
    rows = [((kind,), float(open_alerts.get(kind, 0))) for kind in event_visibility.OPEN_ALERTS]
    return _gauge("alerts_open", "Alerts that were told and are not over.", ("kind",), rows)


def _age(at: int | None, now: int) -> int | None:
    """How long ago that was; a clock that was put back makes no negative ages."""
    return None if at is None else max(0, now - at)


def _of_attempts(totals: dict[str, AttemptTotal]) -> Iterator[Any]:
    from prometheus_client.core import CounterMetricFamily, SummaryMetricFamily

    counter = CounterMetricFamily(
        PREFIX + "attempts",
        "Attempts to refresh an account, by what they came to.",
        labels=["result"],
    )
    seconds = SummaryMetricFamily(
        PREFIX + "attempt_duration_seconds",
        "How long they took, retries included.",
        labels=["result"],
    )
    for status in sorted({*totals, Status.OK}):
        total = totals.get(status, AttemptTotal())
        counter.add_metric([status], total.count)
        seconds.add_metric([status], count_value=total.count, sum_value=total.ms_sum / 1000)
    yield from (counter, seconds)


def _of_deliveries(
    totals: Mapping[tuple[str, str], int], waiting: WaitingDeliveries, now: int
) -> Iterator[Any]:
    from prometheus_client.core import CounterMetricFamily

    counter = CounterMetricFamily(
        PREFIX + "deliveries",
        "Alerts by channel, and what they came to: sent, failed or dropped.",
        labels=["channel", "result"],
    )
    for labels, count in sorted(totals.items()):
        counter.add_metric(labels, count)
    yield counter
    yield _gauge(
        "delivery_oldest_waiting_seconds",
        "For how long the oldest alert has waited to be sent; 0 where none waits.",
        (),
        [((), _age(now if waiting.oldest_at is None else waiting.oldest_at, now))],
    )


def _of_sign_ins(
    accounts: Sequence[AccountView], ends: Mapping[int, int], renewals: Mapping[str, int]
) -> Iterator[Any]:
    from prometheus_client.core import CounterMetricFamily

    yield _gauge(
        "credential_ends_timestamp_seconds",
        "When an account's access token ends; a renewed one ends later.",
        ("account",),
        (((a.account.name,), ends.get(a.account.id)) for a in accounts),
    )
    counter = CounterMetricFamily(
        PREFIX + "renewals", "Renewals of sign-ins, by what they came to.", labels=["result"]
    )
    for result in sorted({*renewals, "renewed"}):
        counter.add_metric([result], renewals.get(result, 0))
    yield counter


def _of_site(seen: Overview, sizes: Sizes, now: int) -> Iterator[Any]:
    due = [
        a.account.next_due_at
        for a in seen.accounts
        if a.account.next_due_at is not None and a.account.paused_at is None
    ]
    late = max((now - at for at in due if at <= now), default=0)
    single: tuple[tuple[str, str, float | None], ...] = (
        ("accounts", "Logins that are tracked.", len(seen.counted)),
        ("schedule_delay_seconds", "By how much the refresh that is due longest is late.", late),
        ("next_refresh_timestamp_seconds", "When the next one is due.", seen.next_refresh_at),
        (
            "address_blocked_until_timestamp_seconds",
            "Until when nothing is sent.",
            seen.site.address_blocked_until,
        ),
        ("data_version", "Grows with every change of the data.", seen.site.data_version),
        ("data_updated_timestamp_seconds", "When the data changed last.", seen.site.updated_at),
        ("database_size_bytes", "Size of the database.", sizes.database),
        ("wal_size_bytes", "Size of SQLite's write-ahead log.", sizes.log),
        ("disk_free_bytes", "What is free where an SQLite database lies.", sizes.free),
        (
            "storing_failed",
            "1 while nothing can be stored: the disk is full, or the database is read-only or "
            "damaged.",
            float(store.database.trouble() is not None),
        ),
    )
    for name, text, value in single:
        yield _gauge(name, text, (), [((), value)])
    yield _gauge("info", "The program.", ("version",), [((__version__,), 1)])


def _of_backup(backup: tuple[int, int] | None) -> Iterator[Any]:
    at, size = backup or (None, None)
    yield _gauge(
        "backup_timestamp_seconds",
        "When the newest scheduled backup was made.",
        (),
        [((), at)],
    )
    yield _gauge("backup_size_bytes", "Its size.", (), [((), size)])
