"""What a board shows: the lines of the dashboard's list with nothing to press, and what to do."""

from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from quota_web.core.times import iso
from quota_web.reports import hourly_use, outlook, results_json
from quota_web.reports.shared_view import SharedView
from quota_web.web import account_state, advice, dashboard_table, list_row
from quota_web.web.account_state import AccountState, Row
from quota_web.web.list_row import Lasts, LinePlaces


@dataclass(frozen=True, slots=True)
class BoardLine:
    """One account's line, as dashboard/_line.html has it."""

    row: Row
    state: AccountState
    at: LinePlaces
    lasts: Lasts | None


@dataclass(frozen=True, slots=True)
class BoardSection:
    heading: str | None
    lines: list[BoardLine]


def shown(view: SharedView, now: int, zone: tzinfo | None) -> dict[str, Any]:
    """Everything that `embeds/board.html` is told of the accounts."""
    seen = view.overview
    uses = hourly_use.load([one.account.id for one in seen.accounts], now)
    rows: list[Row] = [
        results_json.entry(seen, one) | {"id": one.account.id, "use": uses.get(one.account.id)}
        for one in seen.accounts
    ]
    found = dashboard_table.table(rows, dashboard_table.parse_query({}))
    return {
        "advice": advice.advice(outlook.next_of(seen), rows, now, zone) if not view.one else None,
        "sections": [
            BoardSection(section.heading, [_line(row, now, zone) for row in section.rows])
            for section in found["sections"]
        ],
        "any_read": found["any_read"],
        "is_invented": any(one.account.origin == "demo" for one in seen.accounts),
        "updated_at": iso(seen.site.updated_at),
        "now": now,
    }


def _line(row: Row, now: int, zone: tzinfo | None) -> BoardLine:
    return BoardLine(
        row,
        account_state.state(row),
        list_row.places(row, now),
        list_row.lasts(row, now, zone),
    )
