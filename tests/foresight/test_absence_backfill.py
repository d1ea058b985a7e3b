"""The second absence, which older databases have only as an answer without the window."""

import pytest

from quota_web.foresight.absence_backfill import with_absences

HERE = [(10, 5.0, 900), (20, 6.0, 900)]


@pytest.mark.parametrize(
    ("rows", "answers", "added"),
    [
        ([*HERE, (30, None, None)], [10, 20, 30], []),
        ([*HERE, (30, None, None)], [10, 20, 30, 40, 50], [40]),
        ([*HERE, (30, None, None), (40, 7.0, 900)], [10, 20, 30, 40], []),
        ([*HERE, (30, None, None), (60, 7.0, 900)], [10, 20, 30, 40, 50, 60], [40]),
        ([*HERE, (30, None, None), (40, None, None)], [10, 20, 30, 40, 50], []),
        (HERE, [10, 20, 30], []),
        ([], [10], []),
    ],
)
def test_an_answer_without_the_window_is_its_second_absence(rows, answers, added):
    found = list(with_absences(rows, answers))

    assert found == sorted([*rows, *((at, None, None) for at in added)])
