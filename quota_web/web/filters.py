"""How values read on a page: percents, times, countdowns, plans and statuses in words with what to
do.

Filters take what `/api/results` holds (remaining percents, ISO times ending in Z) and a `now` in
epoch seconds. Times stand in the server's zone with its name; the page's script puts them into the
viewer's zone.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from flask import Flask, url_for
from markupsafe import Markup, escape

from quota_web.core import clock, labels
from quota_web.core.quota import FIVE_HOUR, SPEND, WEEKLY, Status, is_own
from quota_web.core.ranking import Group
from quota_web.core.times import iso_text
from quota_web.version import __version__
from quota_web.web import svg

Row = Mapping[str, Any]

#: Below this a window counts as low, in percent remaining.
LOW_PERCENT = 15
NO_VALUE = "–"
ISO_TIME = re.compile(r"\b(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")
#: The library file without which charts are drawn on the server only.
CHART_LIBRARY = "vendor/uPlot.iife.min.js"


@dataclass(frozen=True, slots=True)
class State:
    """What a person should make of an account: its group, a word, and what to do about it."""

    #: A group of `ranking`.
    group: str
    word: str
    advice: str | None = None
    #: The last attempt gave no answer that could be used; what is shown was read before it.
    is_failing: bool = False


REACHED_ADVICE = {
    "workspace_owner_credits_depleted": "The workspace has no credits left; buy some or wait.",
    "workspace_member_credits_depleted": "The workspace has no credits left; ask its owner.",
    "workspace_owner_usage_limit_reached": (
        "The workspace’s usage limit is reached; raise it or wait."
    ),
    "workspace_member_usage_limit_reached": (
        "The workspace’s usage limit is reached; ask its owner."
    ),
}


def state(row: Row) -> State:
    """What a person should make of one entry of `/api/results`."""
    group = row["group"]
    words = labels.STATUSES.get(row["status"])
    if group in (Group.ATTENTION, Group.PAUSED):
        return State(group, labels.status(row["status"]), words.advice if words else None)
    failing = is_failing(row)
    if group == Group.BLOCKED:
        return State(group, labels.GROUPS[group], _block_advice(row), failing)
    if failing or row["taken_at"] is None:
        return State(group, labels.status(row["status"]), words.advice if words else None, failing)
    if group == Group.UNKNOWN:
        return State(group, labels.GROUPS[group], "No reading of late; refresh to be sure.")
    return State(group, _usable_word(row))


def is_failing(row: Row) -> bool:
    """Whether an account's last attempt failed for a reason that may pass by itself."""
    quiet = (Status.OK, Status.PENDING, Status.PAUSED)
    return row["group"] not in (Group.ATTENTION, Group.PAUSED) and row["status"] not in quiet


def _usable_word(row: Row) -> str:
    own = [w["remaining_percent"] for w in own_windows(row)]
    if is_unlimited(row):
        return "No limit"
    if not own or min(own) <= 0:
        return (
            "On credits"
            if row["credits"] and row["credits"]["has_credits"]
            else labels.GROUPS[Group.USABLE]
        )
    return "Low" if min(own) < LOW_PERCENT else labels.GROUPS[Group.USABLE]


def is_unlimited(row: Row) -> bool:
    """Whether an answer said that there is no limit: credits without end, and no window."""
    return bool(row["credits"] and row["credits"]["unlimited"]) and not own_windows(row)


def own_windows(row: Row) -> list[Mapping[str, Any]]:
    """An account's own windows: no model's, no code review's, no spend limit."""
    return [w for w in row["windows"] if is_own(w["key"])]


@dataclass(frozen=True, slots=True)
class OtherWindows:
    """What an account has beside the five-hour and the weekly window, which have columns of their
    own.
    """

    own: list[Mapping[str, Any]]
    #: Those of single models and of code review.
    models: list[Mapping[str, Any]]

    @property
    def any(self) -> bool:
        return bool(self.own or self.models)


def other_windows(row: Row) -> OtherWindows:
    others = [w for w in row["windows"] if w["key"] not in (FIVE_HOUR, WEEKLY)]
    own = [w for w in others if is_own(w["key"]) or w["key"] == SPEND]
    return OtherWindows(own, [w for w in others if w not in own])


def left_in_short(row: Row) -> str:
    """What is left of an account's own windows, such as `88 % / 60 %`; for one that has none, what
    it lives on.
    """
    own = [percent(w["remaining_percent"]) for w in own_windows(row)]
    return " / ".join(own) or _usable_word(row).lower()


def _block_advice(row: Row) -> str | None:
    if row.get("spend_reached"):
        return "The spend limit is reached; ask the workspace’s owner."
    advice = REACHED_ADVICE.get(row.get("reached_type") or "")
    if advice or row.get("blocked_until"):
        return advice
    return "ChatGPT names no end; refresh it later."


def plan_label(plan: str | None) -> str:
    """A plan as people call it; a dash where none is known."""
    return labels.plan(plan) or NO_VALUE


def percent(value: float | None) -> str:
    """A percentage with at most one decimal; never rounded to a 0 or 100 that it is not."""
    if value is None:
        return NO_VALUE
    shown = round(value, 1)
    if shown == 0 < value:
        return "<0.1\u202f%"
    return f"{99.9 if shown == 100 > value else shown:g}\u202f%"


def level(value: float | None) -> str:
    """How full a window is, in a word for the style sheet: `none`, `empty`, `low` or `fine`."""
    if value is None:
        return "none"
    return "empty" if value <= 0 else "low" if value < LOW_PERCENT else "fine"


def amount(value: str | None) -> str:
    """A decimal string for people: `1348.7450000000` → `1,348.75`; what is no number stays as it
    came.
    """
    try:
        number = Decimal(value) if value else None
    except InvalidOperation:
        return labels.tidy(str(value))
    if number is None or not number.is_finite():
        return NO_VALUE
    if abs(number) >= 10**15:
        return f"{number:.3g}"
    # Half a cent goes up, as people expect; left to itself it would go to the even side.
    return f"{number.quantize(Decimal('0.01'), ROUND_HALF_UP):,}".removesuffix(".00")


def span(seconds: float) -> str:
    """A length of time in its two largest units: `3 d 7 h`, `1 h 12 m`, `12 m`, `<1 m`."""
    minutes = int(abs(seconds)) // 60
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h" if hours and days < 30 else f"{days} d"
    if hours:
        return f"{hours} h {minutes} m" if minutes else f"{hours} h"
    return f"{minutes} m" if minutes else "<1 m"


def countdown(at: str | int | None, now: int) -> str:
    """How long until a moment, such as `in 1 h 12 m`; `due` once it has passed."""
    if at is None:
        return NO_VALUE
    left = epoch(at) - now
    return f"in {span(left)}" if left > 0 else "due"


def ago(at: str | int | None, now: int) -> str:
    """How long since a moment."""
    if at is None:
        return "never"
    passed = now - epoch(at)
    return "just now" if passed < 60 else f"{span(passed)} ago"


def clock_time(at: str | int, now: int, zone: tzinfo | None = None) -> str:
    """The time of day with its zone, and with the date whenever it is not today: `Tue 24 Nov, 03:54
    CST`.
    """
    local, today = in_zone(epoch(at), zone), in_zone(now, zone)
    if local.date() == today.date():
        return f"{local:%H:%M %Z}"
    year = "" if local.year == today.year else f" {local.year}"
    return f"{local:%a} {local.day} {local:%b}{year}, {local:%H:%M %Z}"


def in_zone(at: int, zone: tzinfo | None) -> datetime:
    """A moment in a zone; at the end of the calendar, which tokens do name, in UTC."""
    moment = datetime.fromtimestamp(at, UTC)
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment


def epoch(at: str | int) -> int:
    """Epoch seconds of an ISO time, or of what is epoch seconds already."""
    return at if isinstance(at, int) else int(datetime.fromisoformat(at).timestamp())


def iso(at: str | int) -> str:
    """A moment as ISO 8601 in UTC, ending in Z."""
    return at if isinstance(at, str) else iso_text(at)


def milliseconds(value: float | None) -> str:
    """A duration of a request: `812 ms`, `2.4 s`."""
    if value is None:
        return NO_VALUE
    return f"{value:.0f}\u202fms" if value < 1000 else f"{value / 1000:.1f}\u202fs"


def plural(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun: `1 account`, `1,204 readings`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


class _Times:
    """Filters that write `<time>` elements; page.js rewrites their text in the viewer's zone and
    keeps it current.
    """

    def __init__(self, zone: tzinfo | None) -> None:
        self._zone = zone

    def clock(self, at: str | int | None, now: int) -> str | Markup:
        return NO_VALUE if at is None else _time(at, "clock", clock_time(at, now, self._zone))

    def countdown(self, at: str | int | None, now: int) -> str | Markup:
        return NO_VALUE if at is None else _time(at, "countdown", countdown(at, now))

    def ago(self, at: str | int | None, now: int) -> str | Markup:
        return "never" if at is None else _time(at, "ago", ago(at, now))

    def within(self, text: str | None, now: int) -> Markup:
        """A message whose ISO times become times for the reader."""
        parts = ISO_TIME.split(text or "")
        return Markup("").join(
            _time(p, "clock", clock_time(p, now, self._zone)) if i % 2 else escape(p)
            for i, p in enumerate(parts)
        )


def _time(at: str | int, kind: str, words: str) -> Markup:
    # All three are made here of numbers and fixed words; going through escape would double the cost
    # of a page with many times.
    return Markup(f'<time datetime="{iso_text(epoch(at))}" data-t="{kind}">{words}</time>')  # noqa: S704


def init_app(app: Flask, zone: tzinfo | None = None) -> None:
    """Give the templates their filters; *zone* is the server's own unless set."""
    times = _Times(zone)
    app.jinja_env.filters.update(
        percent=percent, level=level, amount=amount, plan=plan_label, state=state, status_word=labels.status,
        is_failing=is_failing, left_in_short=left_in_short, is_unlimited=is_unlimited, own_windows=own_windows, other_windows=other_windows,
        ms=milliseconds, plural=plural, iso=iso, epoch=epoch, span=span,
        clock=times.clock, countdown=times.countdown, ago=times.ago, with_times=times.within,
    )  # fmt: skip
    app.jinja_env.globals.update(
        asset=_Assets(app),
        labels=labels,
        sparkline=svg.sparkline,
        bar=svg.bar,
        chart_height=svg.height,
        version=__version__,
    )
    app.context_processor(
        lambda: {
            "now": clock.now(),
            "charts_ready": (Path(app.static_folder or "") / CHART_LIBRARY).is_file(),
        }
    )


class _Assets:
    """Addresses of static files that change with their content, so that browsers may keep them for
    good.
    """

    def __init__(self, app: Flask) -> None:
        self._folder = Path(app.static_folder or "")
        self._known: dict[tuple[str, int], str] = {}

    def __call__(self, name: str) -> str:
        path = self._folder / name
        key = (name, path.stat().st_mtime_ns if path.is_file() else 0)
        if key not in self._known:
            self._known[key] = (
                hashlib.sha256(path.read_bytes()).hexdigest()[:10] if key[1] else "none"
            )
        return url_for("static", filename=name, v=self._known[key])
