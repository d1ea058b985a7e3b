"""The sentence at the head of the page: which account to use now and whether it lasts, or when one
is back; and what needs a hand. Pure.

Rows are entries of `/api/results`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from quota_web.core import labels
from quota_web.core.display_order import Group
from quota_web.core.language import gettext as _
from quota_web.reports import next_words, outlook_words
from quota_web.reports.outlook import Next
from quota_web.web import account_state, formats, list_row
from quota_web.web.account_state import Row
from quota_web.web.list_row import Window

#: As many are named after the first.
THEN = 2
#: Up to so many of a kind that need a hand are named one by one.
NAMED = 2


@dataclass(frozen=True, slots=True)
class FirstSentence:
    """What the page says first."""

    #: The account to use now; None while none can be used.
    row: Row | None
    #: What is left of it and whether that lasts, and why it is the one, each a sentence or empty.
    left: str = ""
    reason: str = ""
    then: tuple[str, ...] = ()
    #: While none can be used: which is back first, and when, as far as that is known.
    waits_for: str | None = None
    until: int | None = None


def advice(found: Next, rows: Sequence[Row], now: int, zone: tzinfo | None) -> FirstSentence:
    """What *found* comes to, in words."""
    if found.account is None:
        waiting = found.waits_for.account.name if found.waits_for else None
        return FirstSentence(None, waits_for=waiting, until=found.until)
    row = next(r for r in rows if r["id"] == found.account.account.id)
    return FirstSentence(
        row,
        left_and_lasts(row, now, zone),
        next_words.short_reason(found),
        tuple(view.account.name for view in found.then[:THEN]),
    )


def left_and_lasts(row: Row, now: int, zone: tzinfo | None) -> str:
    """`77 % of 5 h and 66 % of the week; will probably last until both resets (90 %).`"""
    left = _left(row, now)
    if account_state.is_failing(row):
        return _("%(left)s, though its last answer failed.", left=left)
    said = _lasts(row, now, zone)
    if not said:
        return _("%(sentence)s.", sentence=left)
    return _("%(left)s; %(lasts)s.", left=left, lasts=said)


def _left(row: Row, now: int) -> str:
    at = list_row.places(row, now)
    said = [_of(p.window) for p in (at.short, at.long) if p.window is not None]
    if len(said) == 2:
        return _("%(one)s and %(other)s", one=said[0], other=said[1])
    if said:
        return said[0]
    return formats.capital(_(", ").join(p.words for p in (at.short, at.long) if p.words))


def _of(window: Window) -> str:
    left = formats.percent(window["remaining_percent"])
    return _("%(left)s of %(window)s", left=left, window=labels.of_window(window["key"]))


def _lasts(row: Row, now: int, zone: tzinfo | None) -> str:
    said = list_row.lasts(row, now, zone)
    if said is None:
        return ""
    if said.mark is list_row.Mark.OPEN and said.chance is not None:
        return _("could go either way (%(chance)s)", chance=outlook_words.chance(said.chance))
    if said.mark is not list_row.Mark.GOOD or said.chance is None:
        return said.words
    chance = outlook_words.chance(1 - said.chance)
    at = list_row.places(row, now)
    if at.short.window is not None and at.long.window is not None:
        return _("will probably last until both resets (%(chance)s)", chance=chance)
    return _("will probably last until its reset (%(chance)s)", chance=chance)


@dataclass(frozen=True, slots=True)
class Hand:
    """Something that needs a hand: one account, or how many of a kind."""

    #: `attention` or `failing`.
    kind: str
    row: Row | None
    count: int = 1


def hands(rows: Sequence[Row]) -> list[Hand]:
    """What needs a hand, each login once: accounts one by one while they are few."""
    counted = [row for row in rows if row["same_login_as"] is None]
    attention = [row for row in counted if row["group"] == Group.ATTENTION]
    failing = [row for row in counted if account_state.is_failing(row)]
    return [*_named("attention", attention), *_named("failing", failing)]


def _named(kind: str, rows: Sequence[Row]) -> list[Hand]:
    if len(rows) <= NAMED:
        return [Hand(kind, row) for row in rows]
    return [Hand(kind, None, len(rows))]
