"""How good forecasts were: what was said of a cycle, and what happened. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

#: Fewer outcomes make no score.
LEAST_OUTCOMES = 20
#: So many of the last cycles are shown.
LAST_CYCLES = 10
SCHEDULED = "scheduled"


@dataclass(frozen=True, slots=True)
class Said:
    """A forecast that was kept, and the closed cycle that it spoke of."""

    window_id: int
    made_at: int
    chance: float
    cycle_ended_at: int
    how: str
    ran_out_at: int | None


@dataclass(frozen=True, slots=True)
class ForecastOutcome:
    """What was said, and whether the window ran out."""

    made_at: int
    cycle_ended_at: int
    chance: float
    ran_out: bool


def outcomes(said: Sequence[Said]) -> list[ForecastOutcome]:
    """What can be judged, oldest first.

    A window that was reset before its time proves neither, unless it had run out before.
    """
    return [
        ForecastOutcome(one.made_at, one.cycle_ended_at, one.chance, one.ran_out_at is not None)
        for one in sorted(said, key=lambda one: one.made_at)
        if one.ran_out_at is not None or one.how == SCHEDULED
    ]


def brier_score(judged: Sequence[ForecastOutcome]) -> float | None:
    """The mean square of how far the chances were off: 0 is perfect, a coin has 0.25.

    None where there are too few outcomes to say it.
    """
    if len(judged) < LEAST_OUTCOMES:
        return None
    return sum((one.chance - one.ran_out) ** 2 for one in judged) / len(judged)


def last_cycles(judged: Sequence[ForecastOutcome]) -> list[ForecastOutcome]:
    """Of each of the last cycles the first forecast, the newest cycle first."""
    first: dict[int, ForecastOutcome] = {}
    for one in judged:
        first.setdefault(one.cycle_ended_at, one)
    return sorted(first.values(), key=lambda one: -one.cycle_ended_at)[:LAST_CYCLES]
