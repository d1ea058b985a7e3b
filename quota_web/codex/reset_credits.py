"""The list of an account's banked resets, from the upstream's answer. Pure."""

import hashlib
from dataclasses import dataclass
from itertools import islice

from quota_web.codex import values
from quota_web.codex.fields import Fields, fields_of
from quota_web.codex.payload import BadPayload
from quota_web.codex.sanitize import clean
from quota_web.core.banked_resets import BankedReset

#: Beside the usage endpoint.
PATH = "rate-limit-reset-credits"
MOST_LISTED, MOST_TITLE = 200, 120
_AVAILABLE, _SPENT = "available", frozenset({"redeeming", "redeemed"})


@dataclass(frozen=True, slots=True)
class ResetList:
    """What the upstream lists."""

    #: Those that can be spent, also those that have run out since.
    available: tuple[BankedReset, ...]
    #: The hashes of those that were spent.
    spent: frozenset[str]


def parse(document: object) -> ResetList:
    """The list in a decoded answer; raises BadPayload if there is none."""
    rows = fields_of(document).get("credits")
    if not isinstance(rows, list):
        raise BadPayload("there is no list of banked resets in it")
    available: dict[str, BankedReset] = {}
    spent = set()
    for row in islice(rows, MOST_LISTED):
        part = fields_of(row)
        found, status = _reset(part), clean(part.get("status"))
        if found is not None and status == _AVAILABLE:
            available[found.credit_hash] = found
        elif found is not None and status in _SPENT:
            spent.add(found.credit_hash)
    return ResetList(tuple(available.values()), frozenset(spent))


def _reset(part: Fields) -> BankedReset | None:
    name = part.get("id")
    if not isinstance(name, str) or not name:
        return None
    return BankedReset(
        hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:32],
        values.instant(part.get("granted_at")),
        values.instant(part.get("expires_at")),
        clean(part.get("title"), MOST_TITLE),
    )
