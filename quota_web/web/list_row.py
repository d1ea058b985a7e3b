"""What a line of the dashboard's list shows of an account: what stands in its two places for
windows, and in a few words whether it lasts; pure.

Rows are entries of `/api/results`. What an account has decides what is shown: absent, unknown and
unlimited are three words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from enum import StrEnum
from typing import Any

from quota_web.core import labels
from quota_web.core.display_order import Group
from quota_web.core.language import gettext as _
from quota_web.core.quota import FIVE_HOUR, MONTHLY, WEEKLY, is_own
from quota_web.reports import outlook, outlook_words
from quota_web.web import account_state, formats
from quota_web.web.account_state import Row

Window = Mapping[str, Any]
DAY = 86_400
#: Where an even use would stand is drawn to the tenth of an hour: its mark moves that often.
EVEN_EVERY_S = 600
#: What is likely left at a reset is said from so many percent on, and so long before it.
SPARE_PERCENT, SPARE_S = 25, 3 * DAY


@dataclass(frozen=True, slots=True)
class LinePlace:
    """What stands in one of the two places: a window, or words where there is none."""

    window: Window | None = None
    words: str = ""
    #: What it is called, where that is not the column's name.
    label: str = ""
    #: What an even use would have left by now, in percent.
    even: float | None = None


@dataclass(frozen=True, slots=True)
class LinePlaces:
    short: LinePlace
    long: LinePlace
    #: The other windows: further ones of its own, those of models, spending.
    others: Sequence[Window] = ()


def places(row: Row, now: int) -> LinePlaces:
    """The windows of up to a day, and the longer ones, each the first in the order of windows."""
    own = [w for w in row["windows"] if is_own(w["key"])]
    short = _first((w for w in own if is_short(w)), FIVE_HOUR)
    long = _first((w for w in own if not is_short(w)), WEEKLY, MONTHLY)
    shown = [w for w in (short, long) if w is not None]
    others = [w for w in row["windows"] if not any(w is one for one in shown)]
    if not shown:
        return LinePlaces(*_without_windows(row), others)
    # Beside an empty place, whose words name the window, the other needs no label.
    return LinePlaces(
        _place(short, FIVE_HOUR if long else "", now) if short else LinePlace(words=_only(long)),
        _place(long, WEEKLY if short else "", now) if long else LinePlace(words=_only(short)),
        others,
    )


def is_short(window: Window) -> bool:
    length = window["window_seconds"]
    return window["key"] == FIVE_HOUR or (length is not None and length <= DAY)


def _first(windows: Any, *keys: str) -> Window | None:
    by_key = {w["key"]: w for w in windows}
    return next((by_key[k] for k in keys if k in by_key), next(iter(by_key.values()), None))


def _place(window: Window, usual: str, now: int) -> LinePlace:
    label = "" if usual in ("", window["key"]) else labels.window_short(window["key"])
    return LinePlace(window, label=label, even=even_left(window, now))


def even_left(window: Window, now: int) -> float | None:
    """Percent that an even use would have left of a window that has started."""
    length, resets_at = window["window_seconds"], window["resets_at"]
    if not length or resets_at is None or window["used_percent"] <= 0:
        return None
    left = formats.epoch(resets_at) - (now - now % EVEN_EVERY_S)
    return round(100 * left / length, 1) if 0 < left <= length else None


def _only(window: Window | None) -> str:
    """For the empty place: which window the account has instead."""
    key = "" if window is None else window["key"]
    if key == WEEKLY:
        return _("weekly only")
    if key == MONTHLY:
        return _("monthly only")
    return _("%(window)s only", window=labels.window_short(key))


def _without_windows(row: Row) -> tuple[LinePlace, LinePlace]:
    credits = row["credits"]
    if row["taken_at"] is None:
        return LinePlace(words=_("not read yet")), LinePlace()
    if credits and credits["unlimited"]:
        return LinePlace(words=_("no limit")), LinePlace(words=_("credits unlimited"))
    if credits and credits["has_credits"]:
        return LinePlace(words=_("on credits")), LinePlace(words=_balance(credits["balance"]))
    return LinePlace(words=_("no window")), LinePlace()


def _balance(balance: str | None) -> str:
    if balance is None:
        return _("amount not told")
    return _("%(amount)s left", amount=formats.amount(balance))


class Mark(StrEnum):
    """The shape and colour before the words on whether an account lasts."""

    GOOD = "good"
    OPEN = "open"
    BAD = "bad"
    NONE = ""


@dataclass(frozen=True, slots=True)
class Lasts:
    """Whether an account lasts, in a few words."""

    mark: Mark
    words: str
    #: The day of the run-out alone, where there is room for no more.
    day: str = ""
    #: The chance that it runs out, for sorting; None where none is said.
    chance: float | None = None


def lasts(row: Row, now: int, zone: tzinfo | None) -> Lasts | None:
    """What is said of an account that can be used; None where nothing is."""
    if row["group"] != Group.USABLE:
        return None
    if is_paid_by_credits(row):
        return Lasts(Mark.OPEN, _("on credits, %(left)s", left=_balance(row["credits"]["balance"])))
    found = tightest(row)
    if found is None:
        return None
    window, said = found
    chance = said["run_out_probability"]
    if said["state"] not in ("forecast", "blocked_by") or chance is None:
        words = _without_chance(said)
        return None if words is None else Lasts(Mark.NONE, words)
    if chance < outlook_words.OPEN_FROM:
        return _good(row, now, chance)
    told = outlook_words.chance(chance)
    if chance <= outlook_words.RUNS_OUT_ABOVE:
        return Lasts(Mark.OPEN, _("either way (%(chance)s)", chance=told), "", chance)
    return _bad(window, said, chance, now, zone)


def is_paid_by_credits(row: Row) -> bool:
    """Whether a window is used up, and credits pay for what is used now."""
    own = account_state.own_windows(row)
    has_credits = bool(row["credits"] and row["credits"]["has_credits"])
    return has_credits and any(w["remaining_percent"] <= 0 for w in own)


def tightest(row: Row) -> tuple[Window, Mapping[str, Any]] | None:
    """The account's own window that most likely runs out, with its forecast."""
    said = [(w, w["forecast"]) for w in row["windows"] if is_own(w["key"]) and w.get("forecast")]
    return max(said, key=lambda pair: _danger(pair[1]), default=None)


def _danger(said: Mapping[str, Any]) -> tuple[float, bool, float]:
    pace = said["pace"]
    used = (pace["used_percent"], pace["even_percent"]) if pace else None
    return outlook.danger(said["state"], said["run_out_probability"], used)


def _without_chance(said: Mapping[str, Any]) -> str | None:
    pace = said["pace"]
    if said["state"] == outlook.FEW_DATA and pace:
        if pace["used_percent"] <= pace["even_percent"]:
            return _("lasts at this pace")
        return _("runs out at this pace")
    if said["state"] == "not_started":
        return _("not started")
    return _("last reading unconfirmed") if said["state"] == "flapping" else None


def _good(row: Row, now: int, chance: float) -> Lasts:
    spare = spare_percent(row, now)
    if spare is None:
        return Lasts(Mark.GOOD, _("lasts"), chance=chance)
    return Lasts(Mark.GOOD, _("about %(spare)s %% will be lost", spare=spare), chance=chance)


def spare_percent(row: Row, now: int) -> int | None:
    """What is likely left of the long window when it resets soon; None where that is little."""
    long = places(row, now).long.window
    said = long.get("forecast") if long else None
    if not long or not said or said["state"] != "forecast" or long["resets_at"] is None:
        return None
    left, is_soon = said["remaining_at_reset_percent"], formats.epoch(long["resets_at"]) - now
    return int(left) if left is not None and left >= SPARE_PERCENT and is_soon <= SPARE_S else None


def _bad(
    window: Window, said: Mapping[str, Any], chance: float, now: int, zone: tzinfo | None
) -> Lasts:
    told = outlook_words.chance(chance)
    if is_short(window):
        words = _("%(window)s may run out", window=labels.window_short(window["key"]))
        return Lasts(Mark.BAD, words, labels.window_short(window["key"]), chance)
    when = said["if_runs_out"]
    if when is None:
        return Lasts(Mark.BAD, _("may run out (%(chance)s)", chance=told), "", chance)
    day = formats.short_day(when["at"], now, zone)
    words = _("may run out %(day)s (%(chance)s)", day=day, chance=told)
    return Lasts(Mark.BAD, words, day, chance)


def moves_by_the_minute(row: Row) -> bool:
    """Whether a line shows how long something lasts: it then changes with each minute."""
    return (
        row["group"] in (Group.BLOCKED, Group.ATTENTION, Group.UNKNOWN)
        or row["stale"]
        or account_state.is_failing(row)
    )
