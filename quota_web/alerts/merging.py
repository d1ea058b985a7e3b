"""Makes lines of the events that wait for one channel. Pure.

An alert that still waits when its end comes is told in one line with that end; an end is not told
where its beginning was not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from quota_web.alerts import kinds
from quota_web.alerts.kinds import Alert, Urgency
from quota_web.alerts.messages import urgency_of
from quota_web.store.deliveries import SENT, WAITING
from quota_web.store.delivery_claims import ClaimedDelivery
from quota_web.store.event_log import LoggedEvent

WEIGHT = {Urgency.INFO: 0, Urgency.WARNING: 1, Urgency.URGENT: 2}

#: The events of the kinds that an event ends, newest first, with what became of each.
Beginnings = Callable[[LoggedEvent], Sequence[tuple[LoggedEvent, str]]]


@dataclass(slots=True)
class Line:
    """One line, and the deliveries that are done with it."""

    event: LoggedEvent
    ids: list[int]
    #: What ended it before it was told.
    end: LoggedEvent | None = None


@dataclass(slots=True)
class Merged:
    lines: list[Line] = field(default_factory=list)
    #: Deliveries that say nothing any more, and those whose beginning another process is sending.
    dropped: list[int] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)


def ended_types(one: LoggedEvent) -> frozenset[Alert]:
    """The types of alerts that an event ends."""
    found = kinds.type_of(one.kind, one.data)
    return kinds.ENDS.get(found, frozenset()) if found is not None else frozenset()


def ended_kinds(one: LoggedEvent) -> list[str]:
    """The kinds of events that may have begun what an event ends."""
    ended = ended_types(one)
    return sorted(kind for kind in kinds.KINDS if kinds.type_of(kind, {}) in ended)


def concerns(end: LoggedEvent, begun: LoggedEvent) -> bool:
    """Whether *end* may end *begun*: both are of one account, and of one window unless the end is
    of the whole account.
    """
    is_same = end.account_id == begun.account_id
    return is_same and (end.window is None or end.window == begun.window)


def merge(claimed: Sequence[ClaimedDelivery], beginnings: Beginnings) -> Merged:
    """The lines of what was claimed for one channel, in the order of the events."""
    merged = Merged()
    open_lines: list[Line] = []
    for one in sorted(claimed, key=lambda each: each.event.id):
        ended = ended_types(one.event)
        if one.event.withdrawn_at is not None:
            merged.dropped.append(one.id)
        elif not ended:
            open_lines.append(Line(one.event, [one.id]))
        else:
            _end(one, ended, open_lines, merged, beginnings)
    merged.lines = sorted([*open_lines, *merged.lines], key=lambda line: line.event.id)
    return merged


def _end(
    one: ClaimedDelivery,
    ended: frozenset[Alert],
    open_lines: list[Line],
    merged: Merged,
    beginnings: Beginnings,
) -> None:
    here = [
        line
        for line in open_lines
        if kinds.type_of(line.event.kind, line.event.data) in ended
        and concerns(one.event, line.event)
    ]
    if here:
        first = max(here, key=lambda line: WEIGHT[urgency_of(line.event)])
        for line in here:
            open_lines.remove(line)
        ids = [done for line in here for done in line.ids]
        merged.lines.append(Line(first.event, [*ids, one.id], one.event))
        return
    before = [state for begun, state in beginnings(one.event) if concerns(one.event, begun)]
    if WAITING in before:
        merged.waiting.append(one.id)
    elif SENT in before:
        merged.lines.append(Line(one.event, [one.id]))
    else:
        merged.dropped.append(one.id)
