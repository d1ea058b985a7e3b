"""When a window's forecast is made anew: a constant number of rules, pure."""

from collections.abc import Sequence

from quota_web.store.forecasts import StoredForecast, StoredPool
from quota_web.store.windows import KnownWindow

#: Where the used percent moved, at most once in so many seconds; else as seldom as that.
MOVED_S, UNMOVED_S = 300, 900
#: A reset that moved by more is another one.
SAME_RESET_S = 180


def is_due(window: KnownWindow, before: StoredForecast | None, now: int, is_stale: bool) -> bool:
    """Whether a forecast from *before* is to be made anew from the *window*'s last reading.

    Time alone changes nothing where the reading is stale: it is not shown as fresh anyway.
    """
    if window.taken_at is None or window.gone_at is not None:
        return False
    if before is None or before.made_at > now:
        return True
    reading, age = window.reading, now - before.made_at
    if reading.exhausted != (before.used_percent >= 100) or _has_reset(before, now):
        return True
    if window.taken_at == before.taken_at:
        return not is_stale and age >= UNMOVED_S
    moved = reading.used_percent != before.used_percent
    moved = moved or not _is_same_reset(before, reading.resets_at, window.taken_at)
    return age >= (MOVED_S if moved else UNMOVED_S)


def pool_is_due(before: StoredPool | None, account_ids: Sequence[int], now: int) -> bool:
    """Whether what is said of all accounts is to be made anew.

    It costs as much as a hundred forecasts, and days hardly move in minutes.
    """
    if before is None or before.made_at > now or before.account_ids != tuple(account_ids):
        return True
    return now - before.made_at >= UNMOVED_S


def _has_reset(before: StoredForecast, now: int) -> bool:
    """Whether a reset has come due since."""
    return before.resets_at is not None and before.made_at < before.resets_at <= now


def _is_same_reset(before: StoredForecast, resets_at: int | None, taken_at: int) -> bool:
    """Whether the reset stands where it stood, or slides along with each answer: it does so while
    a window has not started.
    """
    if resets_at is None or before.resets_at is None:
        return resets_at is before.resets_at
    moved, passed = resets_at - before.resets_at, taken_at - before.taken_at
    return abs(moved) <= SAME_RESET_S or abs(moved - passed) <= SAME_RESET_S
