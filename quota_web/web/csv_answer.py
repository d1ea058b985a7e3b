"""An answer that is a CSV file, written while it is read."""

from collections.abc import Iterable, Iterator, Sequence

from flask import Response, stream_with_context

from quota_web.core import csv_text


def stream(name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """The *rows* under one line of *columns*, as `<name>.csv`."""
    return of_text(name, csv_text.lines(columns, rows))


def of_text(name: str, text: Iterator[str]) -> Response:
    """CSV *text* in pieces, as `<name>.csv`."""
    answer = Response(stream_with_context(text), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return answer
