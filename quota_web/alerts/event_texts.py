"""The log with a sentence for each event that may be an alert, as pages and the API show it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Any

from quota_web.alerts import kinds, words
from quota_web.core.language import ENGLISH, use_language
from quota_web.reports import event_log
from quota_web.reports.event_log import Log
from quota_web.store.event_log import LoggedEvent


def document(log: Log) -> dict[str, Any]:
    """What `/api/events` answers; its texts are English, with times in UTC."""
    rows = event_log.page(log)
    with use_language(ENGLISH):
        events = with_texts(rows, log.names, UTC)
    return {"events": events, "last_id": rows[-1].id if rows else log.after}


def with_texts(
    rows: Sequence[LoggedEvent],
    names: Mapping[int, str],
    zone: tzinfo | None,
    *,
    with_account: bool = True,
) -> list[dict[str, Any]]:
    """Events as the API answers them, each with its text in the current language; *names* are those
    of the accounts by id.
    """
    told = names if with_account else None
    return [event_log.event_json(row, names) | {"text": _text(row, told, zone)} for row in rows]


def _text(row: LoggedEvent, names: Mapping[int, str] | None, zone: tzinfo | None) -> str | None:
    """The event's sentence, without its account where no *names* are given; None for others."""
    if kinds.type_of(row.kind, row.data) is None:
        return None
    if names is not None:
        return words.sentence(row, names, zone)
    said = words.what(row, zone)
    return said[:1].upper() + said[1:]
