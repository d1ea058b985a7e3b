"""The newest facts of the log, as the pages show them that have room for a few: `/` and the page of
an account.
"""

from dataclasses import dataclass

from quota_web.alerts import event_texts
from quota_web.core import event_visibility
from quota_web.reports import event_log
from quota_web.reports.account_detail import Details
from quota_web.reports.overview import Overview
from quota_web.services import services
from quota_web.web import event_rows, event_words, versioned_cache, zone
from quota_web.web.event_rows import EventRow

DAY = 86_400
#: So many rows stand on `/`. One row may be several events, so more are read.
SHOWN, READ = 5, 60
#: What is only as expected would leave no room for the rest: the ribbon tells when windows are full
#: again, and tokens are renewed all the time.
USUAL = ("reset_scheduled", "credential.renewed", "withdrawn")


@dataclass(frozen=True, slots=True)
class ToldRow:
    """A row of the list with what it says in words."""

    row: EventRow
    words: str


def of_all(seen: Overview, now: int) -> list[ToldRow]:
    """What happened within a day, newest first: one query, whose answer is in words once."""
    names = {view.account.id: view.account.name for view in seen.accounts}
    kinds = sorted(event_visibility.OPEN.difference(USUAL))
    found = event_log.since(services().scope, names, kinds, now - DAY, READ)
    holders = {v.account.name: v.same_login_as for v in seen.accounts if v.same_login_as}
    windows = {w.key: w.upstream_name for v in seen.accounts for w in v.windows if w.upstream_name}

    def told() -> list[ToldRow]:
        events = event_texts.with_texts(found, names, zone.shown(), with_account=False)
        rows = list(event_rows.collapsed(event_rows.rows(events, holders)))[:SHOWN]
        return [ToldRow(row, event_words.facts(row, windows)) for row in rows]

    return versioned_cache.parts().get(("latest events",), (found, names, holders, windows), told)


def of_account(found: Details) -> list[ToldRow]:
    """The newest events of one account, those that are as expected among them."""
    names = {found.report.account.id: found.report.account.name}
    windows = {w.key: w.upstream_name for w in found.report.windows if w.upstream_name}
    events = event_texts.with_texts(found.events, names, zone.shown(), with_account=False)
    rows = event_rows.collapsed(event_rows.rows(events, {}))
    return [ToldRow(row, event_words.facts(row, windows)) for row in rows]
