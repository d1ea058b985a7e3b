"""A machine whose clock differs makes no other one ask for all accounts in each round."""

import logging
from dataclasses import fields, replace
from typing import Any

import pytest

from quota_web.core import clock
from quota_web.core.policy import Intervals
from quota_web.refresh.other_clocks import SAID_FOR_S, Began, OtherClocks
from quota_web.store.accounts import Account
from tests.fakes import NOW

PACE = Intervals(3_600, 300)
INTERVAL_S = 300
COLUMNS: dict[str, Any] = {field.name: None for field in fields(Account)}
OURS = Account(**COLUMNS | {"id": 1, "interval_s": INTERVAL_S, "attempted_at": NOW})


def believed(
    monkeypatch: pytest.MonkeyPatch, stored: int, *, later: int = 60, put_back: int = 0
) -> bool:
    """Whether an account counts as due, *later* seconds after it was asked for here at NOW; its
    row then says an attempt at *stored*, and the clock was put back meanwhile.
    """
    clocks = OtherClocks()
    clocks.note(OURS.id, Began(NOW, 100.0))
    monkeypatch.setattr(clock, "monotonic", lambda: 100.0 + later)
    found = replace(OURS, attempted_at=stored)
    return bool(clocks.believed([found], PACE, NOW + later - put_back))


@pytest.mark.parametrize("stored", [NOW + 3_600, NOW - 3_600, NOW - 31])
def test_an_attempt_that_our_clock_does_not_explain_holds_for_an_interval(monkeypatch, stored):
    assert not believed(monkeypatch, stored)
    assert not believed(monkeypatch, stored, later=INTERVAL_S - 1)
    assert believed(monkeypatch, stored, later=INTERVAL_S)


@pytest.mark.parametrize("stored", [NOW, NOW + 90, NOW - 30])
def test_an_attempt_that_our_clock_explains_is_believed(monkeypatch, stored):
    assert believed(monkeypatch, stored)
    assert not believed(monkeypatch, NOW + 91)


def test_our_own_attempt_is_believed_after_our_clock_was_put_back(monkeypatch):
    assert believed(monkeypatch, NOW, put_back=7_200)


def test_what_was_never_answered_here_is_believed():
    assert OtherClocks().believed([replace(OURS, attempted_at=NOW + 7_200)], PACE, NOW)


def test_the_log_says_once_an_hour_how_far_the_other_clock_is(monkeypatch, caplog):
    clocks, found = OtherClocks(), replace(OURS, attempted_at=NOW + 7_260)
    with caplog.at_level(logging.WARNING):
        for stopwatch in (0.0, 60.0, SAID_FOR_S + 1):
            clocks.note(OURS.id, Began(NOW, stopwatch))
            monkeypatch.setattr(clock, "monotonic", lambda at=stopwatch: at + 60)
            clocks.believed([found], PACE, NOW + 60)

    assert [record.getMessage() for record in caplog.records] == [
        "the clock of another machine that shares the database differs by about +7200 s: set "
        "both, such as by NTP; until then both machines ask for each account"
    ] * 2
