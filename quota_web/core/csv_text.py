"""Rows as CSV (RFC 4180), a piece at a time; a text cannot become a formula in a spreadsheet."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence

#: What a spreadsheet takes for the start of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
#: Rows a piece.
PIECE = 500


def cell(value: object) -> object:
    """A value as a cell: None is empty, a truth value a word, other documents JSON."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, int):
        return value
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def line(row: Iterable[object]) -> str:
    """One line with its end."""
    out = io.StringIO()
    csv.writer(out).writerow([cell(value) for value in row])
    return out.getvalue()


def lines(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The header line and then *rows*, as text in pieces of many lines."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    for number, row in enumerate(rows, 1):
        writer.writerow([cell(value) for value in row])
        if number % PIECE == 0:
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()
