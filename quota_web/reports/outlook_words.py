"""What is said of a stored forecast, by the words of `foresight`. Pure."""

from collections.abc import Sequence
from datetime import tzinfo

from quota_web.core.language import gettext as _
from quota_web.foresight.distribution import Distribution
from quota_web.foresight.forecast import Forecast, ForecastState, Pace
from quota_web.foresight.outcomes import ForecastOutcome, brier_score, last_cycles
from quota_web.foresight.words import (
    LEAST_CHANCE_TOLD,
    LIKELY_TO_LAST,
    LIKELY_TO_RUN_OUT,
    Cells,
    Statement,
    cells,
    chance_in_words,
    run_out_in_words,
    statement,
)
from quota_web.store.forecasts import Quantiles, StoredForecast

#: From this chance on a run-out is more than a footnote.
OPEN_FROM = LIKELY_TO_LAST
#: Above it the window will probably run out.
RUNS_OUT_ABOVE = LIKELY_TO_RUN_OUT
#: What the stored quantiles are.
SHARES = (0.1, 0.5, 0.9)


def chance(probability: float) -> str:
    """A chance in steps of five percent."""
    return chance_in_words(probability)


def as_forecast(key: str, said: StoredForecast) -> Forecast:
    """The forecast as it was made, its distributions as far as they are stored."""
    return Forecast(
        key,
        ForecastState(said.state),
        said.made_at,
        said.length_s,
        resets_at=said.resets_at,
        days_of_history=said.days_of_history,
        pace=Pace(*said.pace) if said.pace else None,
        blocked_by=said.blocked_by,
        run_out_probability=said.run_out_probability,
        crossings=_distribution(said.run_out_in),
        rest=_distribution(said.rest),
    )


def _distribution(values: Quantiles | None) -> Distribution:
    return Distribution(values, SHARES) if values else Distribution()


def sentence(
    key: str, said: StoredForecast, zone: tzinfo | None, early_reset_seen: bool
) -> Statement:
    """A window's forecast as a sentence."""
    return statement(as_forecast(key, said), zone, early_reset_seen)


def in_cells(key: str, said: StoredForecast, zone: tzinfo | None) -> Cells:
    """The same for a table."""
    return cells(as_forecast(key, said), zone)


def run_out(key: str, said: StoredForecast, zone: tzinfo | None) -> tuple[str | None, str] | None:
    """When a window most likely runs out, if it does (None where no moment is said), and the
    chance; None where that is too small to be told.
    """
    chance = said.run_out_probability
    if said.run_out_in is None or chance is None or chance < LEAST_CHANCE_TOLD:
        return None
    return run_out_in_words(as_forecast(key, said), zone), chance_in_words(chance)


def record(judged: Sequence[ForecastOutcome]) -> str:
    """What was said of the last cycles and what happened, the newest first; empty before any.

    `Last cycles: 20 % (lasted), 90 % (ran out). Brier score 0.11 over 24 forecasts.`
    """
    last = last_cycles(judged)
    if not last:
        return ""
    said = _(", ").join(_outcome(one) for one in last)
    score = brier_score(judged)
    if score is None:
        return _("Said of the last cycles: %(said)s.", said=said)
    return _(
        "Said of the last cycles: %(said)s. Brier score %(score)s over %(count)s forecasts.",
        said=said,
        score=format(score, ".2f"),
        count=len(judged),
    )


def _outcome(one: ForecastOutcome) -> str:
    chance = chance_in_words(one.chance)
    if one.ran_out:
        return _("%(chance)s (ran out)", chance=chance)
    return _("%(chance)s (lasted)", chance=chance)
