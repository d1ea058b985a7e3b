"""What a badge says of an account, or of all together, in three or four words; pure."""

from dataclasses import dataclass
from datetime import tzinfo

from quota_web.core import labels
from quota_web.core.display_order import Group
from quota_web.core.language import gettext as _
from quota_web.core.quota import FIVE_HOUR, Reading, is_own
from quota_web.reports import outlook, results_json
from quota_web.reports.overview import AccountView, Overview
from quota_web.web import account_state, formats

#: What a badge is of where no account can be named.
SUBJECT = "Codex"
#: A longer name is cut: the number beside it is what a badge is for.
MOST_NAME = 24


@dataclass(frozen=True, slots=True)
class Badge:
    """The words of a badge: what it is of, and what is said of it."""

    subject: str
    said: tuple[str, ...]
    #: A level of formats.level, or `bad`.
    tone: str

    @property
    def message(self) -> str:
        return " · ".join(self.said)

    @property
    def text(self) -> str:
        """All of it: `codex · 77 % · until 19:49`."""
        return " · ".join((self.subject, *self.said))


def of_account(view: AccountView, now: int, zone: tzinfo | None) -> Badge:
    """What is said of one account."""
    name = view.account.name
    subject = name if len(name) <= MOST_NAME else f"{name[: MOST_NAME - 1]}…"
    if view.group is Group.ATTENTION:
        return Badge(subject, (labels.status_short(view.status),), "bad")
    if view.group is Group.PAUSED:
        return Badge(subject, (labels.status_short(view.status),), "none")
    if view.account.taken_at is None:
        return Badge(subject, (_("not read yet"),), "none")
    if view.group is Group.BLOCKED:
        until = view.block.until
        back = () if until is None else (_("back %(time)s", time=_time(until, now, zone)),)
        return Badge(subject, (_("used up"), *back), "empty")
    return _with_rest(view, subject, now, zone)


def of_all(seen: Overview, now: int, zone: tzinfo | None) -> Badge:
    """What is said of the account to use now; while none can be used, when one can be."""
    found = outlook.next_of(seen)
    if found.account is not None:
        return of_account(found.account, now, zone)
    if found.until is not None:
        words = _("none until %(time)s", time=_time(found.until, now, zone))
        return Badge(SUBJECT, (words,), "empty")
    if any(view.account.taken_at is not None for view in seen.accounts):
        return Badge(SUBJECT, (_("none can be used now"),), "bad")
    return Badge(SUBJECT, (_("not read yet"),), "none")


def _with_rest(view: AccountView, subject: str, now: int, zone: tzinfo | None) -> Badge:
    """What is left of the window of which least is left, and until when that has to do."""
    window = min(
        (w for w in view.windows if is_own(w.key)),
        key=lambda w: w.remaining_percent,
        default=None,
    )
    if window is None or window.remaining_percent <= 0:
        # Without a limit, or credits pay.
        word = account_state.state(results_json.result(view)).word.lower()
        return Badge(subject, (word,), "fine")
    is_old = view.stale or view.is_failing
    level = "none" if is_old else formats.level(window.remaining_percent)
    when = _as_of(view, now, zone) if is_old else _until(window, now, zone)
    return Badge(subject, (_left(window), *when), level)


def _left(window: Reading) -> str:
    """The five-hour window is what a bare number means; another one is named."""
    left = formats.percent(window.remaining_percent)
    if window.key == FIVE_HOUR:
        return left
    words = labels.of_window(window.key, window.upstream_name)
    return _("%(left)s of %(window)s", left=left, window=words)


def _until(window: Reading, now: int, zone: tzinfo | None) -> tuple[str, ...]:
    if window.resets_at is None or window.resets_at <= now:
        return ()
    return (_("until %(time)s", time=_time(window.resets_at, now, zone)),)


def _as_of(view: AccountView, now: int, zone: tzinfo | None) -> tuple[str, ...]:
    taken_at = view.account.taken_at
    return () if taken_at is None else (_("as of %(time)s", time=_time(taken_at, now, zone)),)


def _time(at: int, now: int, zone: tzinfo | None) -> str:
    return formats.short_time(at, now, zone)
