"""What the page `/` shows: the rows of its list, each made once for as long as nothing of it
changes.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from flask import get_template_attribute, url_for
from markupsafe import Markup

from quota_web.core import lookalikes
from quota_web.core.quota import Status
from quota_web.core.times import iso
from quota_web.reports import hourly_use, outlook, pool_words, results_json
from quota_web.reports.hourly_use import HourlyUse
from quota_web.reports.overview import AccountView, Overview
from quota_web.web import (
    account_state,
    advice,
    dashboard_table,
    formats,
    lanes,
    latest_events,
    list_row,
    ribbon,
    ribbon_svg,
    security,
    versioned_cache,
    zone,
)
from quota_web.web.account_state import Row
from quota_web.web.dashboard_table import TableQuery
from quota_web.web.ribbon import RibbonRow

#: For so long after the first account came, charts say why there is so little on them.
YOUNG_S = 3_600
MINUTE = 60


def shown(seen: Overview, query: TableQuery, now: int) -> dict[str, Any]:
    """Everything that `dashboard/index.html` is told, but for what belongs to the request."""
    rows = entries(seen, now)
    began_at = min((r.account.created_at for r in seen.accounts), default=now)
    found = dashboard_table.table(rows, query)
    ticks = versioned_cache.parts().get(
        ("ticks of ribbon",), (now,), lambda: tuple(ribbon.ticks(now, zone.shown()))
    )
    waiting = _ribbon_rows(rows, now)
    comes_back = versioned_cache.parts().get(
        ("ribbon of all",), (now, ticks, waiting), lambda: ribbon.ribbon(waiting, now, ticks)
    )
    drawn = lines(found["rows"], now)
    return found | {
        "ribbon": comes_back,
        "draw_ribbon": partial(ribbon_svg.drawing, comes_back, now, zone.shown()),
        "pool": pool_words.pool_in_words(seen, now, zone.shown()),
        "lately": latest_events.of_all(seen, now),
        "lines": [_together(section.rows, drawn) for section in found["sections"]],
        "lanes": lanes.context(seen, seen.accounts, now),
        "next_refresh_at": iso(seen.next_refresh_at),
        "is_pending": any(row["status"] == Status.PENDING for row in found["rows"]),
        "is_young": now - began_at < YOUNG_S,
        "advice": advice.advice(outlook.next_of(seen), rows, now, zone.shown()),
        "hands": advice.hands(rows),
    }


def entries(seen: Overview, now: int) -> list[Row]:
    """The entries of `/api/results` with what the list shows beside; `version` names the state of
    all of it.
    """
    views = {("entry of list", view.account.id): view for view in seen.accounts}
    marks = lookalikes.marks(view.account.name for view in seen.accounts)
    first_hour = hourly_use.first_hour(now)
    versions = {
        key: (
            seen.stamps[view.account.id],
            first_hour,
            view.same_login_as,
            marks.get(view.account.name),
        )
        for key, view in views.items()
    }

    def make(missing: Sequence[tuple[str, int]]) -> Mapping[tuple[str, int], dict[str, Any]]:
        uses = _uses(seen, [views[key] for key in missing], now)
        return {
            key: _entry(views[key])
            | {
                "use": uses[key[1]],
                "looks_like": marks.get(views[key].account.name),
                "version": versions[key],
            }
            for key in missing
        }

    made = versioned_cache.per_account().get_many(versions, make)
    # A change of one account moves others in the order: their entries stay.
    return [made[key] | {"rank": seen.ranks[key[1]]} for key in views]


def _entry(view: AccountView) -> dict[str, Any]:
    row = results_json.result(view) | {"id": view.account.id, "origin": view.account.origin}
    return row | {"moves_by_the_minute": list_row.moves_by_the_minute(row)}


def _uses(seen: Overview, views: Sequence[AccountView], now: int) -> dict[int, HourlyUse | None]:
    """What each of these used in the last 24 hours, by its id; only those that changed are read."""
    first_hour = hourly_use.first_hour(now)
    versions = {
        ("use", view.account.id): (seen.site.nonce, view.account.version, first_hour)
        for view in views
    }

    def read(missing: Sequence[tuple[str, int]]) -> Mapping[tuple[str, int], HourlyUse | None]:
        found = hourly_use.load([account_id for _, account_id in missing], now)
        return {key: found.get(key[1]) for key in missing}

    found = versioned_cache.per_account().get_many(versions, read)
    return {account_id: use for (_, account_id), use in found.items()}


def _ribbon_rows(rows: Sequence[Row], now: int) -> tuple[RibbonRow, ...]:
    waiting = {("row of ribbon", row["id"]): row for row in rows if ribbon.waits(row)}
    made = versioned_cache.per_account().get_many(
        {key: (row["version"], now) for key, row in waiting.items()},
        lambda missing: {key: ribbon.ribbon_row(waiting[key], now) for key in missing},
    )
    return tuple(made[key] for key in waiting)


def lines(rows: Sequence[Row], now: int) -> dict[int, Markup]:
    """The finished lines of these rows, by their id."""
    may_change = security.may_see_credentials()
    account_base = url_for("accounts.show", name="-")[:-1]
    edit_base = url_for("auth.edit", name="") if may_change else ""
    by_key = {("line", row["id"], account_base, edit_base): row for row in rows}
    today = formats.in_zone(now, zone.shown()).date()
    versions = {key: (row["version"], today, _tick(row, now)) for key, row in by_key.items()}

    def make(missing: Sequence[tuple[Any, ...]]) -> Mapping[tuple[Any, ...], Markup]:
        draw = get_template_attribute("dashboard/_line.html", "line")
        return {key: _line(draw, by_key[key], now, account_base, edit_base) for key in missing}

    return {
        key[1]: line for key, line in versioned_cache.per_account().get_many(versions, make).items()
    }


def _together(rows: Sequence[Row], drawn: Mapping[int, Markup]) -> Markup:
    """The lines of one section; a template would copy each once more to escape it."""
    return Markup("\n".join(drawn[row["id"]] for row in rows))  # noqa: S704 - lines are Markup


def _tick(row: Row, now: int) -> int:
    """The moment that a line is made for: what it counts in minutes moves with them."""
    return now - now % (MINUTE if row["moves_by_the_minute"] else list_row.EVEN_EVERY_S)


def _line(draw: Any, row: Row, now: int, account_base: str, edit_base: str) -> Markup:
    moment = _tick(row, now)
    line: Markup = draw(
        row,
        account_state.state(row),
        list_row.places(row, moment),
        list_row.lasts(row, moment, zone.shown()),
        moment,
        account_base,
        edit_base,
    )
    return line
