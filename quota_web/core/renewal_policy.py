"""When a sign-in is renewed: early, once, and never in a burst. Takes `now`, and is pure but for
`drawn_due_at`.
"""

import random
from enum import StrEnum

from quota_web.core.limits import CLOCK_SKEW_S

DAY, HOUR = 86_400, 3_600
#: How long before its end an access token is renewed at most, beside half of its life.
LEAD_MOST = 5 * DAY
#: By how much of that lead the moment is earlier at random, so that no two accounts meet.
SPREAD = 0.1
#: Of an access token that does not say when it ends.
WITHOUT_END = 8 * DAY
ASSUMED_LIFE = 10 * DAY
#: One renewal in so many seconds, over all processes.
TURN_S = 60
#: So many lost answers within an hour, and nothing is renewed for a while: an outage of the other
#: side must not cost all sign-ins.
LOST_MOST, LOST_WITHIN_S, REST_S = 2, HOUR, 6 * HOUR
#: A token whose answer was lost is tried once more so long before the access token ends.
SECOND_TRY_BEFORE, SECOND_TRY_AFTER = 12 * HOUR, HOUR
BACKOFF_FIRST, BACKOFF_LAST, RETRY_AFTER_MOST = 900, 6 * HOUR, DAY
#: A request that is refused as such is not sent more often than this.
REFUSALS_MOST = 3
#: A renewal without an outcome is over after so many seconds: its process died.
LOST_AFTER_S = 60


class CredentialKind(StrEnum):
    """Where a credential comes from, which decides whether it may be renewed."""

    #: Signed in here: it stands nowhere else.
    OWN = "own"
    #: Pasted or imported: another program may have it too.
    COPY = "copy"
    #: Read from a file that another program renews.
    FILE = "file"


class Renewal(StrEnum):
    """How the renewal of a credential stands; the account goes on with its access token."""

    ON = "on"
    OFF = "off"
    #: An answer was lost: the refresh token may be used up.
    UNSURE = "unsure"
    DEAD = "dead"


def due_at(expires_at: int | None, issued_at: int | None, stored_at: int, share: float) -> int:
    """When an access token is renewed; *share* is random, from 0 to 1."""
    if expires_at is None:
        return stored_at + WITHOUT_END - round(share * SPREAD * (ASSUMED_LIFE - WITHOUT_END))
    begun_at = stored_at if issued_at is None else issued_at
    lead = min(LEAD_MOST, max(0, expires_at - begun_at) // 2)
    return expires_at - lead - round(share * SPREAD * lead)


def drawn_due_at(expires_at: int | None, issued_at: int | None, stored_at: int) -> int:
    """The same with a share that is drawn now."""
    return due_at(expires_at, issued_at, stored_at, random.random())  # noqa: S311 - no secret


def retry_at(failures: int, retry_after: int | None, now: int) -> int:
    """When a renewal that was not taken is tried again; *failures* counts that one too."""
    wait: int = min(BACKOFF_FIRST * 2 ** min(max(failures, 1) - 1, 10), BACKOFF_LAST)
    return now + max(wait, min(retry_after or 0, RETRY_AFTER_MOST))


def second_try_at(expires_at: int | None, stored_at: int, lost_at: int) -> int:
    """When a token whose answer was lost is tried once more."""
    ends_at = stored_at + ASSUMED_LIFE if expires_at is None else expires_at
    return max(ends_at - SECOND_TRY_BEFORE, lost_at + SECOND_TRY_AFTER)


def is_waiting(until: int | None, now: int) -> bool:
    """Whether nothing may be renewed yet; a moment further ahead than any rest is left from a clock
    that jumped.
    """
    return until is not None and now < until <= now + REST_S + CLOCK_SKEW_S


def is_resting(until: int | None, now: int) -> bool:
    """Whether that is because answers were lost, and not the minute between two renewals."""
    return until is not None and is_waiting(until, now) and until > now + TURN_S


def may_be_renewed(kind: str, renewal: str, renew_at: int | None) -> bool:
    """Whether a renewal may still come, so that an access token's end says nothing yet."""
    if kind == CredentialKind.FILE or renew_at is None:
        return False
    return renewal in (Renewal.ON, Renewal.UNSURE)
