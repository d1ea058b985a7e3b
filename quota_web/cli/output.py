"""What commands print: the table, one line of everything, fault lines, and the exit status.

No Flask, no database.
"""

import signal
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import tzinfo
from io import TextIOWrapper
from typing import NoReturn

from quota_web.core import labels, names
from quota_web.core.display_order import Group
from quota_web.core.faults import Fault
from quota_web.core.quota import (
    FIVE_HOUR,
    SPEND,
    WEEKLY,
    Reading,
    Status,
    is_own,
    unavailable_models,
)
from quota_web.core.times import local, short
from quota_web.reports import outlook
from quota_web.reports.overview import AccountView

#: Exit statuses of commands; of several the highest wins.
OK, UNUSABLE, UNREACHABLE, BAD_ANSWER, BAD_SETTING = range(5)

HEADER = ("account", "five_hour%", "weekly%", "weekly_reset", "source")
#: Columns with numbers, which stand on the right.
_NUMBERS = frozenset({"five_hour%", "weekly%"})
#: No column of times is narrower than one with a time in it.
_LEAST = {"weekly_reset": 23}
#: Columns that stand there only where they say something.
_OPTIONAL = frozenset({"other", "lasts"})


def exit_status(fault: Fault | None) -> int:
    """What one account's fault means for the exit status; no fault is all well."""
    if fault is None:
        return OK
    if fault.status is Status.INVALID_CREDENTIALS or fault.code in ("token_expired", "renewing"):
        return UNUSABLE
    return UNREACHABLE if fault.status is Status.UNREACHABLE else BAD_ANSWER


def table(reports: Iterable[AccountView], zone: tzinfo | None) -> list[str]:
    """The classic table, a line each, the header first; columns as wide as what stands in them."""
    return _lines(HEADER, [_row(r, zone) for r in reports])


def status_table(
    reports: Iterable[AccountView],
    now: int,
    zone: tzinfo | None,
) -> list[str]:
    """The same with what can be made of each account, what it has beside the two windows, and
    whether these last; the last two only where there is something to say.
    """
    rows = [[*_row(r, zone), state(r, now, zone), other(r, now, zone), lasts(r)] for r in reports]
    header = [*HEADER, "state", "other", "lasts"]
    shown = [
        i for i, title in enumerate(header) if title not in _OPTIONAL or any(r[i] for r in rows)
    ]
    return _lines([header[i] for i in shown], [[row[i] for i in shown] for row in rows])


def lasts(report: AccountView) -> str:
    """Whether the window that most likely runs out lasts: `weekly: probably (20 % runs out)`; of a
    new account `weekly: few data: at this pace it lasts`.
    """
    found = outlook.foreseen(report)
    if found is None:
        return ""
    # Loaded where there is something to say: most commands have nothing.
    from quota_web.reports import outlook_words

    key, said = found
    return f"{labels.window(key).lower()}: {outlook_words.in_cells(key, said, None).lasts}"


def _lines(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [
        max(_LEAST.get(title, 0), *(_width(row[i]) for row in (header, *rows)))
        for i, title in enumerate(header)
    ]
    sides = [_right if title in _NUMBERS else _left for title in header]
    return [
        "  ".join(
            side(cell, width) for side, cell, width in zip(sides, row, widths, strict=True)
        ).rstrip()
        for row in (header, *rows)
    ]


def state(report: AccountView, now: int, zone: tzinfo | None) -> str:
    """What can be made of an account: `usable`, `blocked until 11:00`, `needs sign-in`, `failing
    since 12:12`.
    """
    if report.group in (Group.ATTENTION, Group.PAUSED):
        return labels.STATUSES[report.status].short
    words = []
    if report.group is Group.BLOCKED:
        until = report.block.until
        words.append("blocked" if until is None else f"blocked until {short(until, now, zone)}")
    if report.is_failing:
        since = report.failing_since
        words.append("failing" if since is None else f"failing since {short(since, now, zone)}")
    if not words:
        never = report.account.taken_at is None
        words.append(labels.STATUSES[Status.PENDING].short if never else report.group)
    return ", ".join(words)


def other(report: AccountView, now: int, zone: tzinfo | None) -> str:
    """What an account has beside the two windows that have columns: `monthly 39, credits
    unlimited`.
    """
    words = [
        f"{labels.window(w.key).lower()} {w.remaining_percent:g}"
        for w in report.windows
        if w.key == SPEND or (is_own(w.key) and w.key not in (FIVE_HOUR, WEEKLY))
    ]
    credits = report.facts.credits if report.facts else None
    if credits is not None and credits.unlimited:
        words.append("credits unlimited")
    elif credits is not None and credits.has_credits:
        words.append(f"credits {_amount(credits.balance)}" if credits.balance else "credits shared")
    for model in unavailable_models(report.facts, now) if report.facts else ():
        until = (
            "" if model.available_at is None else f" until {short(model.available_at, now, zone)}"
        )
        words.append(f"no {model.model}{until}")
    if report.same_login_as is not None:
        words.append(f"same login as {report.same_login_as}")
    return ", ".join(words)


def _amount(balance: str) -> str:
    try:
        return f"{float(balance):g}" if float(balance) < 1e6 else f"{float(balance):.0f}"
    except ValueError:
        return balance


def _row(report: AccountView, zone: tzinfo | None) -> tuple[str, str, str, str, str]:
    weekly = report.weekly
    reset = local(weekly.resets_at, zone) if weekly and weekly.resets_at is not None else "-"
    return (
        report.account.name,
        _left_of(report.five_hour),
        _left_of(weekly),
        reset,
        report.source or "-",
    )


def _left_of(window: Reading | None) -> str:
    return "-" if window is None else f"{window.remaining_percent:g}"


def oneline(reports: Iterable[AccountView], now: int, zone: tzinfo | None) -> str:
    """All accounts in one line: `alice 88%/60% · bob -/0% until 11:00`."""
    return " · ".join(_in_short(r, now, zone) for r in reports)


def _in_short(report: AccountView, now: int, zone: tzinfo | None) -> str:
    words = [report.account.name, _windows_in_short(report)]
    if report.status is not Status.OK:
        words.append(report.status)
    elif report.block.blocked:
        until = report.block.until
        words.append(f"until {short(until, now, zone)}" if until is not None else "blocked")
    return " ".join(words)


def _windows_in_short(report: AccountView) -> str:
    """The two usual windows; of an account that has neither, whatever it has instead."""
    if report.five_hour is None and report.weekly is None and (instead := _instead(report)):
        return instead
    usual = (report.five_hour, report.weekly)
    return "/".join("-" if w is None else f"{w.remaining_percent:g}%" for w in usual)


def _instead(report: AccountView) -> str | None:
    own = [w for w in report.windows if is_own(w.key)]
    if own:
        return " ".join(f"{labels.window(w.key).lower()} {w.remaining_percent:g}%" for w in own)
    credits = report.facts.credits if report.facts else None
    return "unlimited" if credits is not None and credits.unlimited else None


def print_error(said: str) -> None:
    """On standard error; it may name what was typed, or a file, which no terminal shall obey."""
    print("\n".join(names.printable(line) for line in said.split("\n")), file=sys.stderr)


def escape_unprintable() -> None:
    """Let a terminal that cannot write a character of a name show its number, instead of ending
    with an error.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def ended_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """End as soon as what is under way is whole, at Ctrl-C, when the terminal is closed
    or ends the process.

    *stop* runs in a thread of its own: the signal may have come in the middle of a commit, with its
    locks held. The block ends by itself then, and the process with the signal's status. A second
    signal ends it at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    seen: list[int] = []

    def note(number: int, _frame: object) -> None:
        seen.append(number)
        if len(seen) > 1:
            _end(number)
        threading.Thread(target=stop, daemon=True).start()

    before = {
        number: signal.signal(number, note)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if seen:
        _end(seen[0])


def _end(number: int) -> NoReturn:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)


def columns_of(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as aligned lines, for the smaller lists."""
    widths = [max(_width(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(_left(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _width(text: str) -> int:
    """How many cells a terminal gives a text: wide characters take two, marks that combine none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _left(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _right(text: str, width: int) -> str:
    return " " * (width - _width(text)) + text
