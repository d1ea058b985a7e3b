"""Judging accounts together: events and cycles from what each account's judge knows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from quota_web.foresight.causes import AccountJudge, Cause
from quota_web.foresight.detector_state import HOUR
from quota_web.foresight.event_types import (
    AccountHistory,
    Cycle,
    Event,
    How,
    Judgement,
    Kind,
    WindowReadings,
)
from quota_web.foresight.provider_resets import (
    EarlyReset,
    ProviderReset,
    components,
    provider_resets,
)
from quota_web.foresight.reset_detection import WindowJudge
from quota_web.foresight.segments import Break, Segment, Turn, joined

#: What was told so long ago can neither be withdrawn nor become part of a provider's reset.
SETTLES_AFTER_S = 24 * HOUR
#: More than this between the readings around a cycle's end is a gap, whatever is usual.
GAP_S = 2 * HOUR

#: So many absences in a row are a window that is gone.
GONE_AFTER = 2

Key = tuple[str, str]


@dataclass(slots=True)
class _Told:
    """Events and closed cycles, each with the moment from which it settles."""

    events: list[tuple[int, Event]] = field(default_factory=list)
    cycles: dict[Key, list[tuple[int, Cycle]]] = field(default_factory=dict)
    open_cycles: dict[Key, Cycle] = field(default_factory=dict)

    def judgement(self, until: int | None = None) -> Judgement:
        """All of it; with *until* only what has settled by then."""

        def has_settled(at: int) -> bool:
            return until is None or at <= until

        events = [event for at, event in self.events if has_settled(at)]
        events.sort(key=lambda e: (e.at, e.account or "", e.window or "", e.kind, e.told_at))
        cycles = {}
        for key, rows in self.cycles.items():
            cycles[key] = tuple(cycle for at, cycle in rows if has_settled(at))
        return Judgement(tuple(events), cycles, self.open_cycles if until is None else {})


class Judge:
    """Judges accounts side by side; feed the accounts' judges, then ask."""

    def __init__(self, logins: Mapping[str, str] | None = None) -> None:
        """*logins*: the login of each account that shares it with another one."""
        self.accounts: dict[str, AccountJudge] = {}
        self.logins = logins or {}

    def account(self, name: str) -> AccountJudge:
        """The judge of one account, made where there is none yet."""
        return self.accounts.setdefault(name, AccountJudge())

    def judgement(self, now: int) -> Judgement:
        """What has happened by *now* and is not settled."""
        return self._told(now).judgement()

    def open_cycles(self) -> dict[Key, Cycle]:
        """Cycles that have not ended; none of an untouched window, or of one that is gone."""
        found: dict[Key, Cycle] = {}
        for name, account in self.accounts.items():
            for key, window in account.windows.items():
                hows = [account.cause(broke).how for broke in window.breaks]
                told = _Told()
                _add_cycles(told, (name, key), window, hows)
                if window.absences < GONE_AFTER:
                    found |= told.open_cycles
        return found

    def settle(self, now: int) -> Judgement:
        """Hand out for good what no later reading can change, and forget it.

        All readings up to *now* must have been fed.
        """
        until = self._settles_until(now)
        settled = self._told(now).judgement(until)
        for account in self.accounts.values():
            account.settle(until)
        return settled

    def _told(self, now: int) -> _Told:
        told = _Told()
        wide = provider_resets(self._early_resets(), self._used_at)
        parts = {part: reset for reset in wide for part in reset.parts if not reset.withdrawn_at}
        for reset in wide:
            settles_at = max(part.told_at for part in reset.parts)
            told.events.append((settles_at, _provider_event(reset)))
        for name, account in self.accounts.items():
            facts = account.fact_events(name, now)
            told.events += [pair for pair in facts if pair[0] > account.settled_to]
            for key, window in account.windows.items():
                told.events += self._window_events((name, key), account, window, parts)
                causes = [account.cause(broke) for broke in window.breaks]
                hows = [
                    How.PROVIDER if self._early_reset((name, key), broke) in parts else cause.how
                    for broke, cause in zip(window.breaks, causes, strict=True)
                ]
                _add_cycles(told, (name, key), window, hows)
        return told

    def _early_resets(self) -> list[EarlyReset]:
        return [
            self._early_reset((name, key), broke)
            for name, account in self.accounts.items()
            for key, window in account.windows.items()
            for broke in window.breaks + window.withdrawn
            if account.cause(broke).kind is Kind.RESET_EARLY
        ]

    def _used_at(self, moment: int) -> set[str]:
        names = (name for name, account in self.accounts.items() if account.used_at(moment))
        return {self.logins.get(name, name) for name in names}

    def _early_reset(self, key: Key, broke: Break) -> EarlyReset:
        login = self.logins.get(key[0], key[0])
        return EarlyReset(*key, broke.at, broke.told_at, login, broke.withdrawn_at)

    def _window_events(
        self,
        key: Key,
        account: AccountJudge,
        window: WindowJudge,
        parts: Mapping[EarlyReset, ProviderReset],
    ) -> Iterator[tuple[int, Event]]:
        for note in window.notes:
            kind = Kind(note.kind)
            event = Event(kind, *key, note.at, note.data, note.told_at, note.withdrawn_at)
            yield note.told_at, event
        for broke in window.breaks + window.withdrawn:
            reset = parts.get(self._early_reset(key, broke))
            for event in _break_events(key, broke, account.cause(broke), reset):
                yield broke.told_at, event

    def _settles_until(self, now: int) -> int:
        """Before which moment nothing waits and no group of early resets is unfinished."""
        until = now - SETTLES_AFTER_S
        waiting = [
            EarlyReset(name, key, reading.at, now, self.logins.get(name, name))
            for name, account in self.accounts.items()
            for key, window in account.windows.items()
            for reading in window.odd
        ]
        groups = components(self._early_resets() + waiting)
        while late := [g for g in groups if g[0].at <= until < max(r.told_at for r in g)]:
            until = min(group[0].at for group in late) - 1
        return until


def judge(accounts: Mapping[str, AccountHistory], now: int) -> Judgement:
    """What happened to *accounts* by *now*, from all their readings and facts."""
    whole = Judge()
    for name, history in accounts.items():
        account = whole.account(name)
        for since, plan in history.plan:
            if since <= now:
                account.feed_plan(since, plan)
        for since, count in history.reset_credits:
            if since <= now:
                account.feed_credits(since, count)
        for key, window in history.windows.items():
            account.window(key, window.length_s).feed(_until(now, window))
    return whole.judgement(now)


def _until(now: int, window: WindowReadings) -> Iterator[tuple[int, float | None, int | None]]:
    for at, used, *rest in window.readings:
        if at <= now:
            # A reset that is missing altogether is an empty one.
            yield at, used, rest[0] if rest else None


def _break_events(
    key: Key,
    broke: Break,
    cause: Cause,
    wide: ProviderReset | None,
) -> Iterator[Event]:
    """What was told of *broke*: first by the readings alone, then by what explained it."""
    told_at, data = broke.told_at, _data(broke)
    explained_at = cause.fact_at if wide is None else wide.told_at
    if explained_at is not None and explained_at > told_at:
        kind = _unexplained(broke)
        yield Event(kind, *key, broke.at, data, told_at, broke.withdrawn_at or explained_at)
        told_at = explained_at
    if cause.kind is not None and wide is None:
        yield Event(cause.kind, *key, broke.at, data, told_at, broke.withdrawn_at)


def _unexplained(broke: Break) -> Kind:
    """What *broke* is told as before any fact explains it."""
    cause = AccountJudge().cause(broke)
    return cause.kind or Kind.RESET_EARLY


def _data(broke: Break) -> dict[str, object]:
    before, first = broke.before, broke.first
    return {
        "used_before": before.used,
        "used_after": first.used,
        "resets_before": before.resets_at,
        "resets_after": first.resets_at,
        "last_before": before.at,
        "first_after": first.at,
    }


def _provider_event(reset: ProviderReset) -> Event:
    parts = [[part.account, part.window, part.at] for part in reset.parts]
    data = {"parts": parts, "accounts": reset.accounts}
    kind = Kind.RESET_PROVIDER
    return Event(kind, None, None, reset.at, data, reset.told_at, reset.withdrawn_at)


def _add_cycles(told: _Told, key: Key, window: WindowJudge, hows: list[How | None]) -> None:
    rows = told.cycles.setdefault(key, [])
    segment = window.carried
    for broke, how in zip(window.breaks, hows, strict=True):
        whole = joined(segment, broke.before)
        if how is not None and whole.started_at is not None:
            rows.append((broke.told_at, _closed(key[1], whole, broke, how)))
        ends = how is not None or broke.turn is Turn.UNTOUCHED
        segment = None if ends else whole
    if window.segment is not None:
        whole = joined(segment, window.segment)
        if whole.started_at is not None:
            told.open_cycles[key] = _cycle(key[1], whole, None, How.OPEN, 0, False)


def _closed(window: str, whole: Segment, broke: Break, how: How) -> Cycle:
    last, gap_s = broke.before.at, broke.first.at - broke.before.at
    usual_s = broke.usual_s
    if whole.readings > 2:
        usual_s = (last - whole.first_at) / (whole.readings - 1)
    is_gap = gap_s > GAP_S or (usual_s is not None and gap_s > 2 * usual_s)
    return _cycle(window, whole, broke.at, how, gap_s, is_gap and last < broke.at)


def _cycle(
    window: str,
    whole: Segment,
    ended_at: int | None,
    how: How,
    gap_s: int,
    is_lower: bool,
) -> Cycle:
    zero_s, is_over = whole.zero_s, ended_at is not None
    if ended_at is not None and whole.used >= 100:
        zero_s += max(0, ended_at - whole.at)
    return Cycle(
        window,
        whole.started_at or 0,
        ended_at,
        how,
        whole.used if is_over else None,
        whole.peak,
        max(0, 100 - whole.used) if is_over else None,
        whole.ran_out_at,
        zero_s / HOUR,
        whole.readings,
        gap_s,
        is_lower,
    )
