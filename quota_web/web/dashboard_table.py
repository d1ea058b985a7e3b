"""The dashboard's table: what is counted, filtered and sorted, all of it said in the address so
that it survives a reload.

Pure: rows are the entries of `/api/results` in their order, arguments are the query's.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from quota_web.core import labels
from quota_web.core.display_order import GROUPS
from quota_web.web import list_row
from quota_web.web.account_state import Row, is_failing
from quota_web.web.formats import plan_label

#: sort → key of a row. A missing number sorts last in either direction, also backwards.
SORTS: dict[str, Callable[[Row], Any]] = {
    "rank": lambda row: row["rank"],
    "five_hour": lambda row: _down(row["five_hour_percent"]),
    "weekly": lambda row: _down(row["weekly_percent"]),
    "account": lambda row: row["account"].casefold(),
    "plan": lambda row: plan_label(row["plan_type"]).casefold(),
    "lasts": lambda row: _least_danger(row),
}
DEFAULT_SORT = "rank"
#: show → whether it lets a row through.
SHOWS: dict[str, Callable[[Row], bool]] = {
    "all": lambda row: True,
    "failing": is_failing,
    **{group: lambda row, group=group: row["group"] == group for group in GROUPS},  # type: ignore[misc]
}
#: What addresses said before.
OLD_SHOWS = {"hand": "attention"}


@dataclass(frozen=True, slots=True)
class Section:
    """Rows under one heading; the heading is None where groups are not wanted."""

    group: str | None
    heading: str | None
    rows: list[Row]

    @property
    def count(self) -> int:
        return len(_counted(self.rows))


@dataclass(frozen=True, slots=True)
class TableQuery:
    """What an address asks for; nonsense in it counts as not said.

    Hashable, so that finished parts can be kept by it.
    """

    sort: str
    backwards: bool
    show: str
    search: str
    #: The time of the lanes below: `range`, `from` and `to` as they were given.
    stretch: tuple[str, str, str]
    #: Whether rows stand in their groups; sorted are they inside of them then.
    grouped: bool
    #: `table` or `cards`.
    view: str


def parse_query(args: Mapping[str, str]) -> TableQuery:
    """The query's words as a TableQuery."""
    word = args.get("sort", "")
    sort, backwards = word.removeprefix("-"), word.startswith("-")
    show = OLD_SHOWS.get(args.get("show", ""), args.get("show", ""))
    return TableQuery(
        sort=sort if sort in SORTS else DEFAULT_SORT,
        backwards=backwards and sort in SORTS,
        show=show if show in SHOWS else "all",
        search=args.get("q", "").strip()[:80],
        stretch=(args.get("range", "")[:8], args.get("from", "")[:64], args.get("to", "")[:64]),
        grouped=args.get("group") != "none",
        view="cards" if args.get("view") == "cards" else "table",
    )


def table(results: Sequence[Row], wanted: TableQuery) -> dict[str, Any]:
    """Everything the list shows of the accounts: rows as asked for, counts, and what was asked."""
    shown = [row for row in results if SHOWS[wanted.show](row) and _matches(row, wanted.search)]
    sections = _sections(arranged(shown, wanted.sort, wanted.backwards), wanted.grouped)
    rows = [row for section in sections for row in section.rows]
    return {
        "sections": sections,
        "rows": rows,
        "asked": wanted,
        "any_read": any(row["taken_at"] for row in results),
        "names": sorted((row["account"] for row in results), key=str.casefold),
        **counts(results),
    }


def counts(results: Sequence[Row]) -> dict[str, Any]:
    """What is said of all accounts together, whatever is shown; each login counts once."""
    counted = _counted(results)
    return {
        "total": len(counted),
        "groups": Counter(row["group"] for row in counted),
    }


def _counted(rows: Iterable[Row]) -> list[Row]:
    """Each login once: a row that repeats one is shown, but counted nowhere."""
    return [row for row in rows if row["same_login_as"] is None]


def arranged(rows: Iterable[Row], sort: str = DEFAULT_SORT, backwards: bool = False) -> list[Row]:
    """Rows by a column; equal ones in the order of all."""
    ordered = sorted(sorted(rows, key=SORTS[DEFAULT_SORT]), key=SORTS[sort])
    if not backwards:
        return ordered
    column = f"{sort}_percent"
    known = [r for r in ordered if r.get(column, 0) is not None]
    return known[::-1] + ordered[len(known) :]


def _sections(rows: Sequence[Row], grouped: bool) -> list[Section]:
    if not grouped:
        return [Section(None, None, list(rows))] if rows else []
    by_group = sorted(rows, key=lambda row: GROUPS.index(row["group"]))
    return [
        Section(group, labels.group(group), list(those))
        for group, those in groupby(by_group, key=lambda row: row["group"])
    ]


def _least_danger(row: Row) -> float:
    """Sorts by the chance that an account runs out, the least first and those without one last."""
    found = list_row.tightest(row)
    chance = found[1]["run_out_probability"] if found else None
    return 2.0 if chance is None else float(chance)


def _matches(row: Row, search: str) -> bool:
    if not search:
        return True
    found_in = f"{row['account']}\n{row.get('email') or ''}\n{plan_label(row['plan_type'])}"
    return search.casefold() in found_in.casefold()


def _down(value: float | None) -> tuple[bool, float]:
    return (value is None, -(value or 0))
