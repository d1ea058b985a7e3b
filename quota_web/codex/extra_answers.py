"""Subscriptions and workspaces, from the upstream's answers. Pure.

Neither endpoint is documented: what is not as it was seen elsewhere reads as not told.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from urllib.parse import urlencode

from quota_web.codex import values
from quota_web.codex.fields import Fields, fields_of
from quota_web.codex.payload import BadPayload
from quota_web.codex.sanitize import clean
from quota_web.core.extra_facts import PERSONAL, SUBSCRIPTION, WORKSPACE, ExtraData

MOST_WORKSPACES, MOST_NAME = 500, 120


def path(kind: str, account_id: str) -> str:
    """Where a fact is asked for, as seen from the usage endpoint."""
    if kind == WORKSPACE:
        return "accounts/check"
    return "../subscriptions?" + urlencode({"account_id": account_id})


def parse(kind: str, document: object, account_id: str) -> ExtraData:
    """What an answer tells of the account *account_id*; raises BadPayload where it tells nothing
    of it.
    """
    return _READERS[kind](document, account_id)


def _subscription(document: object, account_id: str) -> ExtraData:
    part = fields_of(document)
    until, renews = values.instant(part.get("active_until")), values.flag(part.get("will_renew"))
    if until is None and renews is None:
        raise BadPayload("it tells of no subscription")
    return {"until": until, "renews": renews, "overdue": values.flag(part.get("is_delinquent"))}


def _workspace(document: object, account_id: str) -> ExtraData:
    for part in islice(_workspaces(fields_of(document).get("accounts")), MOST_WORKSPACES):
        if account_id not in (part.get("id"), part.get("account_id")):
            continue
        name = clean(part.get("name"), MOST_NAME)
        if name is None and part.get("structure") == "personal":
            name = PERSONAL
        if name is not None:
            return {"name": name}
    raise BadPayload("it names no workspace of this account")


def _workspaces(rows: object) -> Iterator[Fields]:
    """The rows of a list or of a map by id; what tells of one may lie in its `account`."""
    if isinstance(rows, list):
        pairs: Iterator[tuple[object, object]] = ((None, row) for row in rows)
    elif isinstance(rows, dict):
        pairs = iter(rows.items())
    else:
        return
    for key, row in pairs:
        part = fields_of(row)
        inner = part.get("account")
        yield {"id": key} | (fields_of(inner) if isinstance(inner, dict) else part)


_READERS: Mapping[str, Callable[[object, str], ExtraData]] = {
    SUBSCRIPTION: _subscription,
    WORKSPACE: _workspace,
}
