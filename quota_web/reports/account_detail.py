"""Acts that read what one account's page and the list of credentials show.

No token is ever part of it.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from quota_web import store
from quota_web.codex import auth_file
from quota_web.core import account_identity, event_visibility, faults, lookalikes
from quota_web.core.banked_resets import GoneReset
from quota_web.core.errors import CredentialsRefused
from quota_web.core.faults import Fault
from quota_web.core.quota import is_own
from quota_web.foresight.outcomes import ForecastOutcome, Said, outcomes
from quota_web.reports import (
    beside_quota,
    event_log,
    outlook,
    overview,
    present_cycle,
    renewal_state,
)
from quota_web.reports.overview import AccountView
from quota_web.reports.present_cycle import PresentCycle
from quota_web.reports.renewal_state import RenewalState
from quota_web.store.accounts import (
    FOLLOWED,
    Account,
    Scope,
)
from quota_web.store.credentials import EncryptedCredential
from quota_web.store.event_log import EventQuery, LoggedEvent, StoredCycle
from quota_web.store.history import Attempts, Size
from quota_web.store.windows import KnownWindow

#: So long after a reset before its time one more is to be reckoned with.
EARLY_SEEN_S = 30 * 86_400
EARLY_RESETS = ("reset_provider", "reset_early")
#: Cycles of windows of this length or longer are shown, and so many of each.
LONG_S, CYCLES_SHOWN = 86_400, 12
#: So many events are shown; the page of all has the others.
EVENTS_SHOWN = 12
#: For so long a page shows a banked reset that is gone.
GONE_SHOWN_S = 30 * 86_400


@dataclass(frozen=True, slots=True)
class CredentialState:
    """What may be told of an account's credentials."""

    origin: str
    source_path: str | None
    #: Whether the file of a followed account cannot be changed from here.
    file_read_only: bool
    chatgpt_account_id: str | None
    expires_at: int | None
    updated_at: int | None
    is_stored: bool
    has_refresh_token: bool
    #: Grows with every change of what is stored; 0 while nothing is.
    version: int
    #: None while nothing is stored.
    renewal: RenewalState | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A run of attempts with one outcome."""

    first_at: int
    last_at: int
    status: str
    http_status: int | None
    fault: Fault | None
    count: int
    ms_mean: float
    ms_max: int


@dataclass(frozen=True, slots=True)
class WindowCycles:
    """The last closed cycles of a window as the API answers them, oldest first."""

    key: str
    cycles: tuple[Mapping[str, Any], ...]
    #: When the present cycle ends; None where that is not known.
    ends_at: int | None


@dataclass(frozen=True, slots=True)
class Details:
    """Everything one account's page shows beside its charts."""

    report: AccountView
    credentials: CredentialState
    attempts: tuple[Attempt, ...]
    size: Size
    #: Other accounts with the same login.
    twins: tuple[str, ...]
    looks_like: str | None
    #: Whether windows were reset before their time of late.
    early_reset_seen: bool = False
    #: What was said of past cycles and what happened, by the window's key.
    judged: Mapping[str, Sequence[ForecastOutcome]] = field(default_factory=dict)
    #: Of the account's own windows of a day or longer.
    cycles: tuple[WindowCycles, ...] = ()
    #: The present cycle of each own window that has one, by its key.
    present: Mapping[str, PresentCycle] = field(default_factory=dict)
    #: The newest events, newest first.
    events: tuple[LoggedEvent, ...] = ()
    #: Banked resets that went of late, newest first.
    gone_resets: tuple[GoneReset, ...] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """One account in the list of credentials."""

    report: AccountView
    credentials: CredentialState
    twin: str | None
    #: What tells its name from those that look like it; None where none does.
    looks_like: str | None


def load_details(
    scope: Scope, name: str, now: int, interval_s: int, *, renews: bool = True
) -> Details:
    """One account; raises AccountNotFound. *renews*: whether the settings let sign-ins be
    renewed.
    """
    with store.database.reading() as conn:
        found = store.accounts.get_by_name(conn, name, scope)
        known, facts = (
            store.windows.windows(conn, [found.id]),
            store.windows.facts(conn, [found.id]),
        )
        failing = store.attempts.failing_since(conn, [found])
        forecasts = store.forecasts.present(conn)
        windows = {w.id: w.reading.key for w in known.get(found.id, [])}
        said = store.forecasts.with_cycles(conn, list(windows))
        long = [w for w in known.get(found.id, []) if _is_long(w)]
        closed = store.event_log.last_cycles(conn, [w.id for w in long], CYCLES_SHOWN)
        is_early = store.audit_log.is_any_since(conn, EARLY_RESETS, now - EARLY_SEEN_S)
        told = _credentials(conn, found, now, renews)
        present = present_cycle.load(conn, known.get(found.id, []), 2 * interval_s, now)
        runs, size = store.history.attempts(conn, found.id), store.history.size(conn, found.id)
        events = store.event_log.latest(conn, _of_account(found), EVENTS_SHOWN)
        accounts = store.accounts.list_all(conn, scope)
        banked = store.reset_credits.listed(conn, [found.id]).get(found.id, ())
        gone = store.reset_credits.gone_since(conn, found.id, now - GONE_SHOWN_S)
        extras = beside_quota.load(conn, [found.id]).get(found.id, {})
    twins = tuple(a.name for a in accounts if _is_twin(a, found))
    looks_like = lookalikes.marks(a.name for a in accounts).get(found.name)
    report = overview.account_view(
        found,
        facts.get(found.id),
        known.get(found.id, []),
        failing.get(found.id),
        now,
        interval_s,
        forecasts,
        banked,
    )
    return Details(
        replace(report, extras=extras),
        told,
        tuple(_attempt(r) for r in runs),
        size,
        twins,
        looks_like,
        is_early,
        _judged(said, windows),
        window_cycles(found, long, closed, now),
        present_cycle.with_forecasts(present, outlook.forecasts_of(report)),
        tuple(events),
        gone,
    )


def _of_account(account: Account) -> EventQuery:
    return EventQuery(sorted(event_visibility.OPEN), [account.id])


def _is_long(window: KnownWindow) -> bool:
    reading = window.reading
    return is_own(reading.key) and (reading.length_s or 0) >= LONG_S


def window_cycles(
    account: Account,
    windows: Iterable[KnownWindow],
    closed: Mapping[int, Sequence[StoredCycle]],
    now: int,
) -> tuple[WindowCycles, ...]:
    """What is closed of each window; one that is gone and never had a cycle is left out."""
    names = {account.id: account.name}
    return tuple(
        WindowCycles(
            window.reading.key,
            tuple(event_log.cycle_json(one, names) for one in closed.get(window.id, ())),
            _ends_at(window, now),
        )
        for window in windows
        if window.gone_at is None or window.id in closed
    )


def _ends_at(window: KnownWindow, now: int) -> int | None:
    """The reset of a window in use: that of an untouched one moves on with the clock."""
    resets_at = window.reading.resets_at
    is_used = window.gone_at is None and bool(window.reading.used_percent)
    return resets_at if is_used and resets_at is not None and resets_at > now else None


def _judged(
    said: Sequence[tuple[int, int, float, int, str, int | None]], windows: Mapping[int, str]
) -> dict[str, list[ForecastOutcome]]:
    return {
        key: outcomes([Said(*row) for row in said if row[0] == window_id])
        for window_id, key in windows.items()
    }


def _attempt(run: Attempts) -> Attempt:
    fault = faults.stored(run.fault_code, run.fault_data)
    return Attempt(
        run.first_at,
        run.last_at,
        run.status,
        run.http_status,
        fault,
        run.count,
        run.ms_sum / run.count,
        run.ms_max,
    )


def _credentials(conn: Connection, found: Account, now: int, renews: bool) -> CredentialState:
    sealed = store.credentials.get_by_ids(conn, [found.id]).get(found.id)
    not_before = store.renewals.not_before(conn)
    stands = renewal_state.of(found, sealed, not_before, now, renews=renews)
    return replace(credential_state(found, sealed, look_into_file=True), renewal=stands)


def listing(scope: Scope, now: int, interval_s: int, *, renews: bool = True) -> list[Listed]:
    """All accounts by name, with the state of their credentials."""
    with store.database.reading() as conn:
        accounts = store.accounts.list_all(conn, scope)
        ids = [a.id for a in accounts]
        known, facts, sealed = (
            store.windows.windows(conn, ids),
            store.windows.facts(conn, ids),
            store.credentials.get_by_ids(conn, ids),
        )
        failing = store.attempts.failing_since(conn, accounts)
        not_before = store.renewals.not_before(conn)
        forecasts = store.forecasts.present(conn)
    told = {
        a.id: overview.account_view(
            a,
            facts.get(a.id),
            known.get(a.id, []),
            failing.get(a.id),
            now,
            interval_s,
            forecasts,
        )
        for a in accounts
    }
    for account_id, holder in store.accounts.repeated(accounts).items():
        told[account_id] = replace(told[account_id], same_login_as=holder.name)
    marks = lookalikes.marks(a.name for a in accounts)
    stored = {
        a.id: replace(
            credential_state(a, sealed.get(a.id)),
            renewal=renewal_state.of(a, sealed.get(a.id), not_before, now, renews=renews),
        )
        for a in accounts
    }
    return [
        Listed(told[a.id], stored[a.id], _twin(a, accounts), marks.get(a.name)) for a in accounts
    ]


def told_apart(accounts: Iterable[Account]) -> dict[int, str]:
    """The beginning of the account id, by id, of accounts that share an e-mail address with another
    workspace.
    """
    return account_identity.short_ids((a.id, a.email, a.chatgpt_account_id) for a in accounts)


def _twin(account: Account, accounts: Sequence[Account]) -> str | None:
    return next((other.name for other in accounts if _is_twin(other, account)), None)


def _is_twin(other: Account, account: Account) -> bool:
    """Whether the login of one account stands under the name of another as well."""
    return other.id != account.id and account_identity.is_same(other.login, account.login)


def credential_state(
    account: Account, sealed: EncryptedCredential | None, look_into_file: bool = False
) -> CredentialState:
    """What may be told; with *look_into_file* a followed account's file is asked whether it has a
    refresh token.
    """
    followed = account.origin == FOLLOWED and account.source_path is not None
    has_refresh = sealed is not None and sealed.refresh_sealed is not None
    if followed and look_into_file:
        has_refresh = _file_has_refresh_token(Path(account.source_path or ""))
    return CredentialState(
        origin=account.origin,
        source_path=account.source_path,
        file_read_only=followed and not _can_write(Path(account.source_path or "")),
        chatgpt_account_id=account.chatgpt_account_id,
        expires_at=sealed.access_expires_at if sealed else None,
        updated_at=sealed.updated_at if sealed else None,
        is_stored=sealed is not None,
        has_refresh_token=has_refresh,
        version=sealed.version if sealed else 0,
    )


def _file_has_refresh_token(file: Path) -> bool:
    try:
        return auth_file.read(auth_file.read_file(file)).refresh_token is not None
    except CredentialsRefused:
        return False


def _can_write(file: Path) -> bool:
    """A file is replaced as a whole, so it is its folder that must be writable."""
    return os.access(file.parent, os.W_OK)
