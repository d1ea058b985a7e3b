"""Absences that older databases did not store: there only the first of each was."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence

Row = tuple[int, float | None, int | None]


def with_absences(rows: Sequence[Row], answers: Sequence[int]) -> Iterator[Row]:
    """A window's *rows* with a second absence where it was not in the answer after the first.

    *answers* are the moments of all complete answers of its account, both oldest first.
    """
    for index, row in enumerate(rows):
        yield row
        if row[1] is not None or (index and rows[index - 1][1] is None):
            continue
        following = bisect_right(answers, row[0])
        is_last = index + 1 == len(rows)
        if following < len(answers) and (is_last or answers[following] < rows[index + 1][0]):
            yield answers[following], None, None
