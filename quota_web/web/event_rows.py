"""The rows of lists of what happened: one row a fact, though it stands in several events. Pure.

An outage is its beginning and its end, of all accounts that had it at the same time; a login that
stands under two names had its reset once; an alert says more than the event that it came of.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from quota_web.core import times

#: An event as `/api/events` answers it, with its text where it is an alert.
Event = dict[str, Any]

FAILING, SIGN_IN_ENDED, FINE, FLAPPING = "failing_since", "sign_in_ended", "fine_again", "flapping"
#: What a later event of the same account ends.
BEGINNINGS = (FAILING, SIGN_IN_ENDED)
#: The alert that says the same as an event of the same account and window.
SAME_FACT = {"used_up": "quota.exhausted", "back": "quota.back"}
#: Rows of one login are of one fact when they are no farther apart, since each name is read in its
#: own time; an alert and its event no farther than that.
TWIN_S, ALERT_S = 2 * 3_600, 600


@dataclass(frozen=True, slots=True)
class EventRow:
    """One line of a list."""

    #: The newest event of it.
    event: Event
    #: The moment that it stands at, and where it lasted from when on, in epoch seconds.
    at: int
    since: int | None = None
    #: How many equal facts it is.
    count: int = 1
    #: Whose it is; empty: of all accounts, or of none.
    accounts: tuple[str, ...] = ()
    #: Whether it lasted from *since* to *at*, and is over.
    is_span: bool = False
    #: Windows beside the event's own that had it as well.
    windows: tuple[str, ...] = field(default=())

    @property
    def kind(self) -> str:
        return str(self.event["kind"])

    @property
    def is_withdrawn(self) -> bool:
        return self.event["withdrawn_at"] is not None


def rows(events: Sequence[Event], holders: Mapping[str, str]) -> list[EventRow]:
    """The rows of *events*, newest first both; *holders* are the names under which a login is
    shown, by the other names that it has.
    """
    found = [_row(event, holders) for event in events if event["kind"] != "withdrawn"]
    found = _without_told(_without_parts(_without_twins(found, holders), events))
    found = _spells(_outages(found))
    return sorted(found, key=lambda row: (row.at, row.event["id"]), reverse=True)


def _row(event: Event, holders: Mapping[str, str]) -> EventRow:
    names = () if event["account"] is None else (event["account"],)
    if parts := event["data"].get("parts"):
        there = {(name, window) for name, window, _ in parts}
        own = [part for part in parts if (holders.get(part[0]), part[1]) not in there]
        event = event | {"data": event["data"] | {"parts": own}}
    return EventRow(event, times.parse(event["at"]), accounts=names)


def collapsed(day: Iterable[EventRow]) -> Iterator[EventRow]:
    """Neighbours that say the same of the same as one."""
    for _, group in groupby(day, _what):
        newest, *older = group
        if not older:
            yield newest
            continue
        first = older[-1]
        count = newest.count + sum(row.count for row in older)
        yield replace(newest, since=first.since or first.at, count=count, is_span=False)


def _what(row: EventRow) -> tuple[Any, ...]:
    status = row.event["data"].get("status")
    # What has numbers or a sentence of its own is told whole.
    data = row.event["data"]
    is_own = row.event["text"] or "used_before" in data or "parts" in data
    own = row.event["id"] if is_own else None
    return row.kind, row.accounts, row.event["window"], row.is_withdrawn, status, row.is_span, own


def _without_twins(found: Sequence[EventRow], holders: Mapping[str, str]) -> list[EventRow]:
    """Without those of a login's second name that the first one has as well."""
    kept: dict[tuple[Any, ...], list[int]] = {}
    for row in found:
        if row.accounts and row.accounts[0] not in holders and row.event["window"]:
            kept.setdefault(_twin_key(row, row.accounts[0]), []).append(row.at)

    def is_repeated(row: EventRow) -> bool:
        holder = holders.get(row.accounts[0]) if row.accounts and row.event["window"] else None
        if holder is None:
            return False
        return any(abs(at - row.at) <= TWIN_S for at in kept.get(_twin_key(row, holder), ()))

    return [row for row in found if not is_repeated(row)]


def _twin_key(row: EventRow, name: str) -> tuple[Any, ...]:
    return name, row.kind, row.event["window"], row.is_withdrawn


def _without_parts(found: Sequence[EventRow], events: Iterable[Event]) -> list[EventRow]:
    """Without early resets that were withdrawn because they became part of one for all."""
    parts = {tuple(part) for event in events for part in event["data"].get("parts", ())}

    def is_part(row: EventRow) -> bool:
        one = row.event
        return row.is_withdrawn and (one["account"], one["window"], one["at"]) in parts

    return [row for row in found if not is_part(row)]


def _without_told(found: Sequence[EventRow]) -> list[EventRow]:
    """Without events that an alert of the same moment says in a sentence."""
    alerts: dict[tuple[str, tuple[str, ...], str | None], list[int]] = {}
    for row in found:
        if row.kind in SAME_FACT.values():
            for window in {row.event["window"], None}:
                alerts.setdefault((row.kind, row.accounts, window), []).append(row.at)

    def is_told(row: EventRow) -> bool:
        alert = SAME_FACT.get(row.kind)
        if alert is None:
            return False
        moments = [
            at
            for window in (row.event["window"], None)
            for at in alerts.get((alert, row.accounts, window), ())
        ]
        return any(abs(at - row.at) <= ALERT_S for at in moments)

    return [row for row in found if not is_told(row)]


def _outages(found: Sequence[EventRow]) -> list[EventRow]:
    """Each beginning with its end as one row, and outages of several accounts at once as one."""
    ends: dict[tuple[str, ...], EventRow] = {}
    spans: list[EventRow] = []
    others: list[EventRow] = []
    for row in found:
        if row.kind == FINE:
            if row.accounts in ends:
                others.append(ends[row.accounts])
            ends[row.accounts] = row
        elif row.kind in BEGINNINGS and row.accounts in ends:
            spans.append(_span(row, ends.pop(row.accounts)))
        else:
            others.append(row)
    return [*others, *ends.values(), *_at_once(spans)]


def _span(began: EventRow, ended: EventRow) -> EventRow:
    return replace(began, at=ended.at, since=began.at, is_span=True)


def _at_once(spans: Sequence[EventRow]) -> list[EventRow]:
    """Outages of one kind and status that touch in time as one row for all their accounts."""
    merged: list[EventRow] = []
    for row in sorted(spans, key=lambda row: row.since or row.at):
        same = (other for other in reversed(merged) if _is_same_outage(other, row))
        if (other := next(same, None)) is None:
            merged.append(row)
            continue
        merged.remove(other)
        names = tuple(dict.fromkeys([*other.accounts, *row.accounts]))
        merged.append(replace(other, at=max(other.at, row.at), accounts=names))
    return merged


def _is_same_outage(other: EventRow, row: EventRow) -> bool:
    same = other.kind == row.kind
    same &= other.event["data"].get("status") == row.event["data"].get("status")
    is_new = not set(other.accounts) & set(row.accounts)
    return same and is_new and (row.since or row.at) <= other.at


def _spells(found: Sequence[EventRow]) -> list[EventRow]:
    """The flaps of an account as one row, as long as no day lies between two of them."""
    others = [row for row in found if row.kind != FLAPPING]
    flaps: dict[tuple[Any, ...], list[EventRow]] = {}
    for row in sorted((r for r in found if r.kind == FLAPPING), key=lambda r: r.at, reverse=True):
        spells = flaps.setdefault((row.accounts, row.is_withdrawn), [])
        if spells and (spells[-1].since or spells[-1].at) - row.at <= 86_400:
            spells[-1] = _longer(spells[-1], row)
        else:
            spells.append(row)
    return others + [spell for spells in flaps.values() for spell in spells]


def _longer(spell: EventRow, older: EventRow) -> EventRow:
    windows = dict.fromkeys([spell.event["window"], *spell.windows, older.event["window"]])
    return replace(
        spell,
        since=older.at,
        count=spell.count + 1,
        is_span=True,
        windows=tuple(w for w in windows if w and w != spell.event["window"]),
    )
