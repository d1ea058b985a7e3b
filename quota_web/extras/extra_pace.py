"""When a fact beside quota is asked for, and what an answer makes of what was known. Pure."""

from dataclasses import replace

from quota_web.codex import extra_answers
from quota_web.codex.classify import Classification, bad_response
from quota_web.codex.payload import BadPayload
from quota_web.core.extra_facts import SUBSCRIPTION, Extra, ExtraData
from quota_web.core.limits import CLOCK_SKEW_S

DAY = 86_400
#: The wait after a failure; after a challenge for browsers, or where there is nothing, longer.
RETRY_S, CHALLENGED_S = 3_600, 6 * 3_600
#: For so long a request may be under way.
UNDER_WAY_S = 60
#: No wait is longer; a later moment was noted by a clock that was wrong.
_LONGEST_S = 8 * DAY


def is_due(kind: str, extra: Extra, rests_until: int | None, now: int) -> bool:
    """Whether to ask: a person wants it, or it is not known yet, or was told of a subscription a
    day ago. *rests_until*: until when none of this kind is asked for by itself.
    """
    if extra.asked_at is not None and 0 <= now - extra.asked_at < UNDER_WAY_S:
        return False
    if extra.wanted_at is not None:
        return True
    if any(_lies_ahead(at, now) for at in (extra.retry_at, rests_until)):
        return False
    if extra.taken_at is None:
        return True
    is_new = extra.taken_at - CLOCK_SKEW_S <= now < extra.taken_at + DAY
    return kind == SUBSCRIPTION and not is_new


def _lies_ahead(at: int | None, now: int) -> bool:
    return at is not None and now < at <= now + _LONGEST_S


def after(kind: str, before: Extra, answer: Classification, account_id: str, now: int) -> Extra:
    """What is known after an answer about the account *account_id*: a failure leaves what was."""
    fault, data = answer.fault, None
    if fault is None:
        try:
            data = extra_answers.parse(kind, answer.document, account_id)
        except BadPayload as bad:
            fault = bad_response(str(bad))
    if fault is None:
        return _told(data, now)
    if fault.http_status == 404 and kind == SUBSCRIPTION:
        # So it is answered for accounts that have none.
        return _told(None, now)
    wait = {"cloudflare": CHALLENGED_S, "country": CHALLENGED_S, "forbidden": DAY}
    seconds = DAY if fault.http_status == 404 else wait.get(fault.code, RETRY_S)
    retry_at = now + max(seconds, answer.retry_after_s or 0)
    return replace(before, fault=fault, retry_at=retry_at, wanted_at=None)


def _told(data: ExtraData | None, now: int) -> Extra:
    return Extra(data, taken_at=now, asked_at=now)
