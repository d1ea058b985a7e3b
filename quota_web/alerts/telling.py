"""Act: keep what judging came to. States are written where no other process judged the same
meanwhile; events are logged once, and what is to be sent of them is written down.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field

from sqlalchemy import Connection

from quota_web import store
from quota_web.alerts import kinds, outbox
from quota_web.alerts.alert_values import AlertEvent, AlertState, StateKey, States
from quota_web.core import account_identity
from quota_web.store.accounts import Account
from quota_web.store.alert_events import NewAlert
from quota_web.store.event_log import LoggedEvent

#: How often what another process changed meanwhile is judged again.
TRIES = 3

#: What is judged from states: the changed ones, and what is to be told.
Judging = Callable[[States], tuple[Mapping[StateKey, AlertState], Sequence[AlertEvent]]]


def load(conn: Connection, account_ids: Sequence[int] | None = None) -> dict[int, States]:
    """The states of these accounts (or None: all), by account id."""
    stored = store.alert_states.load(conn, account_ids)
    return {
        account_id: {key: AlertState(*values) for key, values in found.items()}
        for account_id, found in stored.items()
    }


def judge_and_keep(
    conn: Connection, account_id: int, states: States, judging: Judging
) -> tuple[States, States, Sequence[AlertEvent]]:
    """Judge, and write the states that are other ones now. Returns those of before, those of
    after, and what is to be told; nothing where other processes were quicker each time.
    """
    for _ in range(TRIES):
        changed, events = judging(states)
        new = {key: state for key, state in changed.items() if states.get(key) != state}
        if not new:
            return states, states, events
        with conn.begin_nested() as savepoint:
            if all(_put(conn, account_id, key, states.get(key), new[key]) for key in new):
                return states, {**states, **new}, events
            savepoint.rollback()
        states = load(conn, [account_id]).get(account_id, {})
    return states, states, ()


def _put(
    conn: Connection, account_id: int, key: StateKey, before: AlertState | None, after: AlertState
) -> bool:
    old = None if before is None else astuple(before)
    return store.alert_states.put(conn, account_id, key, old, astuple(after))


@dataclass(slots=True)
class Telling:
    """What is to be told in one transaction."""

    conn: Connection
    now: int
    _found: list[tuple[int | None, AlertEvent]] = field(default_factory=list)
    _logged: list[LoggedEvent] = field(default_factory=list)

    def add(self, account_id: int | None, events: Iterable[AlertEvent]) -> None:
        """Take up events of an account, or with None of all."""
        self._found += [(account_id, event) for event in events]

    def add_logged(self, events: Iterable[LoggedEvent]) -> None:
        """Take up events that were logged before."""
        self._logged += events

    def finish(self) -> list[LoggedEvent]:
        """Log what was taken up, and write down what is to be sent of it. A login that stands
        under several names is told of once.
        """
        if not self._found and not self._logged:
            return []
        accounts = store.accounts.list_all(self.conn)
        repeats = _Repeats(accounts)
        told = [one for one in self._logged if not repeats.has(one.account_id, one.kind)]
        mine = [pair for pair in self._found if not repeats.has(pair[0], pair[1].kind)]
        ids = sorted({i for i, _ in mine if i is not None})
        windows = store.windows.windows(self.conn, ids) if ids else {}
        for account_id, event in mine:
            known = {w.reading.key: w.id for w in windows.get(account_id or 0, ())}
            logged = self._log(account_id, event, known.get(event.window))
            if logged is not None:
                told.append(logged)
        outbox.enqueue(self.conn, told, self.now)
        return told

    def _log(
        self, account_id: int | None, event: AlertEvent, window_id: int | None
    ) -> LoggedEvent | None:
        if event.kind in kinds.LOGGED_BEFORE:
            there = store.alert_events.newest(self.conn, account_id or 0, event.kind)
            # What a chore sees, no attempt has shown: that is logged here.
            if event.kind != kinds.SIGN_IN_ENDED or (there and there.at == event.at):
                return there
        level = f"{event.level:g}" if isinstance(event.level, float) else event.level or ""
        place = window_id or event.window
        key = f"{event.kind}:{account_id or ''}:{place}:{level}:{event.episode}"
        window = event.window if window_id is not None else None
        new = NewAlert(
            str(event.kind), account_id, window_id, window, event.at, key[:120], event.data
        )
        return store.alert_events.add(self.conn, new)


class _Repeats:
    """Which accounts stand for a login that another account is told of."""

    def __init__(self, accounts: Sequence[Account]) -> None:
        self._of_quota = set(store.accounts.repeated(accounts))
        # Which of two sign-ins ended first must not decide which of them is told.
        ordered = sorted(accounts, key=lambda a: (a.paused_at is not None, a.id))
        self._of_account = set(account_identity.repeated((a.id, a.login) for a in ordered))

    def has(self, account_id: int | None, kind: str) -> bool:
        found = kinds.type_of(kind, {})
        is_of_account = found is not None and found.startswith("account.")
        return account_id in (self._of_account if is_of_account else self._of_quota)
