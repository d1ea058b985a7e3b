"""The dashboard's table: what is counted, filtered and sorted, all of it said in the address so that it survives a reload.

Pure: rows are the entries of `/api/results`, arguments are the query's.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quota_web.charts import DEFAULT_RANGE, RANGES
from quota_web.quota import is_own
from quota_web.web.display import Row, epoch, plan_label, state

GROUP_ORDER = ("hand", "trouble", "blocked", "usable", "idle")
#: sort → key of a row. A missing number sorts last in either direction, also backwards.
SORTS: dict[str, Callable[[Row], Any]] = {
    "five_hour": lambda row: _down(row["five_hour_percent"]),
    "weekly": lambda row: _down(row["weekly_percent"]),
    "account": lambda row: row["account"].casefold(),
    "plan": lambda row: plan_label(row["plan_type"]).casefold(),
    "status": lambda row: GROUP_ORDER.index(state(row).group),
}
#: show → the groups it lets through.
SHOWS = {"all": frozenset(GROUP_ORDER), "usable": frozenset({"usable"}), "blocked": frozenset({"blocked"}), "hand": frozenset({"hand", "trouble"})}
#: Whose lines are drawn at first, where there are too many for all.
FIRST_LINES = {"usable": 0, "blocked": 1}
NEED_SIGN_IN = ("expired", "invalid_credentials")
DEFAULT_SORT = "five_hour"


@dataclass(frozen=True, slots=True)
class NextReset:
    account: str
    at: str
    label: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks for; nonsense in it counts as not said. Hashable, so that finished parts can be kept by it."""

    sort: str
    backwards: bool
    show: str
    search: str
    range: str


def asked(args: Mapping[str, str]) -> Asked:
    """The query's words as an Asked."""
    word = args.get("sort", "")
    sort, backwards = word.removeprefix("-"), word.startswith("-")
    return Asked(
        sort=sort if sort in SORTS else DEFAULT_SORT,
        backwards=backwards and sort in SORTS,
        show=args["show"] if args.get("show") in SHOWS else "all",
        search=args.get("q", "").strip()[:80],
        range=args["range"] if args.get("range") in RANGES else DEFAULT_RANGE,
    )


def table(results: Sequence[Row], args: Mapping[str, str], now: int) -> dict[str, Any]:
    """Everything `dashboard/index.html` shows of the accounts: rows as asked for, counts, and what was asked."""
    wanted = asked(args)
    ordered = arranged(results)
    states = {row["account"]: state(row).group for row in results}
    counted = [row for row in ordered if row["same_login_as"] is None]
    rows = [row for row in ordered if states[row["account"]] in SHOWS[wanted.show] and _matches(row, wanted.search)]
    rows = arranged(rows, wanted.sort, wanted.backwards)
    return {
        "rows": rows,
        "total": len(counted),
        "groups": Counter(states[row["account"]] for row in counted),
        "sign_in": [row["account"] for row in counted if row["status"] in NEED_SIGN_IN],
        "best": max((row for row in counted if states[row["account"]] == "usable"), key=_reserve, default=None),
        "next_reset": next_reset(results, now),
        "other_windows": any(other_windows(row) for row in results),
        "sort": wanted.sort,
        "backwards": wanted.backwards,
        "show": wanted.show,
        "search": wanted.search,
        "range": wanted.range,
        "first": [row["account"] for row in sorted(rows or ordered, key=lambda row: FIRST_LINES.get(states[row["account"]], 2))],
        "names": sorted((row["account"] for row in results), key=str.casefold),
    }


def arranged(rows: Iterable[Row], sort: str = DEFAULT_SORT, backwards: bool = False) -> list[Row]:
    """Rows in the order of the table: most five-hour left first, then weekly, then the earlier reset, then the name."""
    base = sorted(rows, key=lambda r: (_down(r["five_hour_percent"]), _down(r["weekly_percent"]), _reset(r), r["account"].casefold()))
    ordered = base if sort == DEFAULT_SORT else sorted(base, key=SORTS[sort])
    if not backwards:
        return ordered
    column = f"{sort}_percent"
    known = [r for r in ordered if r.get(column, 0) is not None]
    return known[::-1] + ordered[len(known) :]


def next_reset(results: Iterable[Row], now: int) -> NextReset | None:
    """The window that comes back first among those of which something is used; accounts that wait for it go first."""
    waiting: list[tuple[bool, int, NextReset]] = []
    for row in results:
        if state(row).group not in ("usable", "blocked"):
            continue
        for window in row["windows"]:
            at = window["resets_at"]
            if at and epoch(at) > now and window["used_percent"] > 0 and ":" not in window["key"]:
                waiting.append((not row["blocked"], epoch(at), NextReset(row["account"], at, window["label"])))
    return min(waiting, key=lambda w: w[:2])[2] if waiting else None


def other_windows(row: Row) -> list[Mapping[str, Any]]:
    """An account's windows beside the five-hour and the weekly one, which have columns of their own."""
    return [w for w in row["windows"] if w["key"] not in ("five_hour", "weekly")]


def _reserve(row: Row) -> float:
    """What is left of the fullest-used of an account's own windows: how far one gets with it."""
    return min((w["remaining_percent"] for w in row["windows"] if is_own(w["key"])), default=0)


def _matches(row: Row, search: str) -> bool:
    found_in = f"{row['account']}\n{row.get('email') or ''}\n{plan_label(row['plan_type'])}"
    return search.casefold() in found_in.casefold()


def _down(value: float | None) -> tuple[bool, float]:
    return (value is None, -(value or 0))


def _reset(row: Row) -> str:
    return row["five_hour_reset_at"] or row["weekly_reset_at"] or "~"
