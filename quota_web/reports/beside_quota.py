"""What was asked for beside quota, of the kinds that the settings want now."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from quota_web import store
from quota_web.core import extra_facts
from quota_web.core.extra_facts import Extra
from quota_web.core.times import iso
from quota_web.services import services


def load(conn: Connection, ids: Sequence[int] | None = None) -> dict[int, dict[str, Extra]]:
    """What is known for these accounts (or None: all), by account id and kind."""
    kinds = services().settings.extras
    # Most installations want none, and a look costs a query.
    return store.extras.known(conn, kinds, ids) if kinds else {}


def fields(known: Mapping[str, Extra]) -> dict[str, Any]:
    """The fields of an account's entry in the API's results."""
    found = extra_facts.subscription(known)
    return {
        "subscription": None
        if found is None
        else {"until": iso(found.until), "renews": found.renews, "overdue": found.overdue},
        "workspace": extra_facts.workspace(known),
    }
