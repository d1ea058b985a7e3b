"""How good forecasts were: what counts as an outcome, the score, and the last cycles."""

import pytest

from quota_web import store
from quota_web.foresight.outcomes import ForecastOutcome, Said, brier_score, last_cycles, outcomes
from quota_web.maintenance import doctor
from quota_web.reports.outlook_words import record
from tests.fakes import NOW

DAY, WEEK = 86_400, 604_800


def said(made_at, chance, ended_at=WEEK, how="scheduled", ran_out_at=None):
    return Said(1, made_at, chance, ended_at, how, ran_out_at)


def many(count, chance=0.2, ran_out=False):
    return [ForecastOutcome(k * WEEK, (k + 1) * WEEK, chance, ran_out) for k in range(count)]


def test_a_cycle_that_ended_when_due_lasted_unless_it_had_run_out():
    found = outcomes([said(DAY, 0.9, ran_out_at=2 * DAY), said(0, 0.2)])

    assert found == [ForecastOutcome(0, WEEK, 0.2, False), ForecastOutcome(DAY, WEEK, 0.9, True)]


@pytest.mark.parametrize("how", ["early", "banked", "provider", "plan"])
def test_a_reset_before_its_time_proves_nothing(how):
    assert outcomes([said(0, 0.2, how=how)]) == []
    assert len(outcomes([said(0, 0.2, how=how, ran_out_at=DAY)])) == 1


def test_the_score_is_said_from_20_outcomes_on():
    assert brier_score(many(19)) is None
    assert brier_score(many(20)) == pytest.approx(0.04)
    assert brier_score(many(10) + many(10, 0.9, True)) == pytest.approx(0.025)


def test_of_each_of_the_last_ten_cycles_the_first_forecast_counts():
    found = last_cycles([*many(12), ForecastOutcome(11 * WEEK + DAY, 12 * WEEK, 0.9, False)])

    assert [one.cycle_ended_at // WEEK for one in found] == list(range(12, 2, -1))
    assert found[0].chance == 0.2


def test_the_record_in_words():
    assert record([]) == ""
    assert record([*many(1), ForecastOutcome(WEEK, 2 * WEEK, 0.9, True)]) == (
        "Said of the last cycles: 90 % (ran out), 20 % (lasted)."
    )
    assert record(many(20)).endswith(" Brier score 0.04 over 20 forecasts.")


@pytest.mark.usefixtures("database")
def test_the_doctor_says_the_score(installation):
    installation.file("alice")
    installation.refresh()
    [(window_id,)] = installation.rows("SELECT id FROM limit_window WHERE key = 'weekly'")
    installation.execute(
        "INSERT INTO cycle (window_id, number, started_at, ended_at, how, used_at_reset, peak,"
        " zero_s, readings, gap_s, is_lower_bound, rule)"
        " VALUES (:id, 1, :start, :end, 'scheduled', 50, 50, 0, 9, 60, :no, 1)",
        id=window_id, start=NOW, end=NOW + 30 * DAY, no=False,
    )  # fmt: skip
    with store.database.transaction() as tx:
        for day in range(20):
            made_at = NOW + day * DAY
            one = store.forecasts.StoredForecast(
                window_id, made_at, "forecast", made_at, 40.0, NOW + WEEK, 0.2
            )
            store.forecasts.save(tx, [one])

    settings = installation.services.settings
    context = doctor.DoctorContext(
        settings, installation.services.cipher, lambda: installation.services.client, NOW
    )
    [found] = [f for f in doctor.diagnose(context) if f.what == "forecasts"]
    assert found.text == "Brier score 0.040 over 20 forecasts (0 is perfect, a coin 0.25)"
