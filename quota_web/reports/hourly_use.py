"""How much was used in each of the last 24 hours, an account: of its shortest window, by the
hourly rollups alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from quota_web import store
from quota_web.core.display_order import window_order
from quota_web.core.quota import is_own

HOUR, HOURS = 3_600, 24


@dataclass(frozen=True, slots=True)
class HourlyUse:
    """Points used in each hour, the oldest first; None where nothing was read in it."""

    #: The window that they are points of.
    key: str
    points: tuple[float | None, ...]


def first_hour(now: int) -> int:
    """The start of the first of the 24 hours; the last one holds *now*."""
    return (now // HOUR - HOURS + 1) * HOUR


def load(account_ids: Sequence[int], now: int) -> dict[int, HourlyUse]:
    """The use of these accounts, by id; one that was not read in that time is absent."""
    start = first_hour(now)
    with store.database.reading() as conn:
        rises = store.history.rises_by_hour(conn, account_ids, start, now + 1)
    own = (window for window in rises if is_own(window.key))
    found: dict[int, HourlyUse] = {}
    for window in sorted(own, key=lambda w: (window_order(w.key), w.window_id)):
        if window.account_id not in found:
            points = {(slot - start) // HOUR: rise for slot, rise in rises[window]}
            hours = tuple(points.get(hour) for hour in range(HOURS))
            found[window.account_id] = HourlyUse(window.key, hours)
    return found
