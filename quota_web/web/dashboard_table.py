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
from quota_web.core.display_order import GROUPS, Group, window_order
from quota_web.core.quota import SPEND, Status, is_own
from quota_web.reports.history import DEFAULT_RANGE, RANGES
from quota_web.web.account_state import Row, is_failing, other_windows, state
from quota_web.web.formats import epoch, plan_label

#: sort → key of a row. A missing number sorts last in either direction, also backwards.
SORTS: dict[str, Callable[[Row], Any]] = {
    "rank": lambda row: row["rank"],
    "five_hour": lambda row: _down(row["five_hour_percent"]),
    "weekly": lambda row: _down(row["weekly_percent"]),
    "account": lambda row: row["account"].casefold(),
    "plan": lambda row: plan_label(row["plan_type"]).casefold(),
    "status": lambda row: (is_failing(row), state(row).word),
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
class NextReset:
    account: str
    at: str
    label: str


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
    range: str
    #: Whether rows stand in their groups; sorted are they inside of them then.
    grouped: bool


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
        range=args["range"] if args.get("range") in RANGES else DEFAULT_RANGE,
        grouped=args.get("group") != "none",
    )


def table(results: Sequence[Row], args: Mapping[str, str], now: int) -> dict[str, Any]:
    """Everything `dashboard/index.html` shows of the accounts: rows as asked for, counts, and what
    was asked.
    """
    wanted = parse_query(args)
    shown = [row for row in results if SHOWS[wanted.show](row) and _matches(row, wanted.search)]
    sections = _sections(arranged(shown, wanted.sort, wanted.backwards), wanted.grouped)
    rows = [row for section in sections for row in section.rows]
    return {
        "sections": sections,
        "rows": rows,
        "other_windows": any(other_windows(row).any for row in results),
        "sort": wanted.sort,
        "backwards": wanted.backwards,
        "show": wanted.show,
        "search": wanted.search,
        "range": wanted.range,
        "grouped": wanted.grouped,
        "panels": panels(results),
        "any_read": any(row["taken_at"] for row in results),
        "first": [row["account"] for row in sorted(rows or results, key=lambda row: row["rank"])],
        "names": sorted((row["account"] for row in results), key=str.casefold),
        **counts(results, now),
    }


def counts(results: Sequence[Row], now: int) -> dict[str, Any]:
    """What is said of all accounts together, whatever is shown; each login counts once."""
    counted = _counted(results)
    return {
        "total": len(counted),
        "groups": Counter(row["group"] for row in counted),
        "sign_in": [row["account"] for row in counted if row["status"] == Status.EXPIRED],
        "failing": [row for row in counted if is_failing(row)],
        "best": next((row for row in counted if _can_be_named(row)), None),
        "next_reset": next_reset(counted, now),
    }


def _can_be_named(row: Row) -> bool:
    """Whether it is known that the account can be used; of a stale one what is left is unknown."""
    return row["group"] == Group.USABLE and not row.get("stale")


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


def panels(rows: Iterable[Row]) -> list[dict[str, str]]:
    """The windows that charts are drawn for: those of the accounts' own that any of them has."""
    keys = {window["key"] for row in rows for window in row["windows"] if is_own(window["key"])}
    ordered = sorted(keys, key=lambda key: (window_order(key), key))
    return [
        {"key": key, "title": labels.window_title(key), "short": labels.window_short(key)}
        for key in ordered
    ]


def next_reset(results: Iterable[Row], now: int) -> NextReset | None:
    """The window that comes back first among those of which something is used; accounts that wait
    for it go first.
    """
    waiting: list[tuple[bool, int, NextReset]] = []
    for row in results:
        if row["group"] not in (Group.USABLE, Group.BLOCKED):
            continue
        for window in row["windows"]:
            at = window["resets_at"]
            counts = is_own(window["key"]) or window["key"] == SPEND
            if counts and at and epoch(at) > now and window["used_percent"] > 0:
                waiting.append(
                    (not row["blocked"], epoch(at), NextReset(row["account"], at, window["label"]))
                )
    return min(waiting, key=lambda w: w[:2])[2] if waiting else None


def _matches(row: Row, search: str) -> bool:
    found_in = f"{row['account']}\n{row.get('email') or ''}\n{plan_label(row['plan_type'])}"
    return search.casefold() in found_in.casefold()


def _down(value: float | None) -> tuple[bool, float]:
    return (value is None, -(value or 0))
