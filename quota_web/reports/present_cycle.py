"""The present cycle of each of an account's own windows: what was left so far, for the drawing that
goes on with the forecast.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from quota_web import store
from quota_web.core import series
from quota_web.core.quota import Reading, is_own
from quota_web.core.series import Axis
from quota_web.store.forecasts import StoredForecast
from quota_web.store.windows import KnownWindow

DAY, HOUR = 86_400, 3_600
#: The slots of a window of up to a day, and of a longer one.
SHORT_STEP, LONG_STEP = 300, HOUR
#: The state of a forecast with a chance of its own.
FORESEEN = "forecast"
#: The state of a window that nothing was used of: its reset moves on with the clock.
NOT_STARTED = "not_started"
#: Over so long the present pace is measured.
PACE_S = HOUR


@dataclass(frozen=True, slots=True)
class PresentCycle:
    """What was left from the beginning of a window's cycle until now."""

    window: Reading
    start: int
    ends_at: int
    axis: Axis
    #: Percent left, slot by slot; None where nothing is known.
    remaining: Sequence[float | None]
    #: What is said of its future.
    said: StoredForecast | None = None

    @property
    def fan(self) -> StoredForecast | None:
        """The forecast, where it has bands up to the reset."""
        said = self.said
        return said if said is not None and said.fan and said.state == FORESEEN else None

    @property
    def points_an_hour(self) -> float | None:
        """What was used within the last hour; None where that is not known."""
        slots = max(1, PACE_S // self.axis.step)
        before, now = self.remaining[-slots - 1 : -slots], self.remaining[-1:]
        if not before or before[0] is None or not now or now[0] is None:
            return None
        return max(0.0, before[0] - now[0])


def with_forecasts(
    found: Mapping[str, PresentCycle], said: Mapping[str, StoredForecast]
) -> dict[str, PresentCycle]:
    """The same with what is said of each, by key; without those of which nothing was used yet,
    whose end moves on with the clock.
    """
    return {
        key: replace(one, said=said.get(key))
        for key, one in found.items()
        if key not in said or said[key].state != NOT_STARTED
    }


def load(
    conn: Connection, windows: Sequence[KnownWindow], carry_s: int, now: int
) -> dict[str, PresentCycle]:
    """The present cycles of the own windows that have one, by key.

    The number of queries is the same for any number of windows.
    """
    running = [w for w in windows if _is_running(w, now)]
    short = [w for w in running if (w.reading.length_s or 0) <= DAY]
    long = [w for w in running if (w.reading.length_s or 0) > DAY]
    found: dict[str, PresentCycle] = {}
    for those, step in ((short, SHORT_STEP), (long, LONG_STEP)):
        found |= _cycles(conn, those, step, carry_s, now)
    return found


def _is_running(window: KnownWindow, now: int) -> bool:
    """Whether a window's cycle has an end ahead of *now* that is believable."""
    ends_at, length = window.reading.resets_at, window.reading.length_s
    is_here = window.gone_at is None and window.taken_at is not None
    if not is_own(window.reading.key) or not is_here or not ends_at or not length:
        return False
    return now < ends_at <= now + length


def _start(window: KnownWindow) -> int:
    return (window.reading.resets_at or 0) - (window.reading.length_s or 0)


def _cycles(
    conn: Connection, windows: Sequence[KnownWindow], step: int, carry_s: int, now: int
) -> Mapping[str, PresentCycle]:
    since = min((_start(w) for w in windows), default=now)
    ids = [w.id for w in windows]
    span = store.history.RAW if step < HOUR else step
    axis = Axis(since - since % step, now + 1, step)
    points = store.history.points(conn, ids, axis.start, axis.end, step, span)
    return {
        w.reading.key: _cycle(w, Axis(_start(w) - _start(w) % step, now + 1, step), points, carry_s)
        for w in windows
    }


def _cycle(
    window: KnownWindow, axis: Axis, points: Mapping[int, Sequence[series.Point]], carry_s: int
) -> PresentCycle:
    """Readings of the cycle before count for nothing."""
    start = _start(window)
    own = [point for point in points.get(window.id, ()) if point.last_at >= start]
    remaining = series.remaining(own, None, axis, carry_s)
    return PresentCycle(window.reading, start, window.reading.resets_at or 0, axis, remaining)
