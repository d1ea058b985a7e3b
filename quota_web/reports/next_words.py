"""Which account to use now, in words. Pure."""

from datetime import tzinfo

from quota_web.core import labels
from quota_web.core.times import day_and_minute, local
from quota_web.reports.outlook import Next, NextReason

#: Reason → what is said of the account; `week` stands for its long window.
REASONS = {
    "starts_week": "its week has not started: the first use starts its clock",
    "expires_soonest_with_rest": "{left} % of {window} left before its reset{reset}",
    "carries": "enough is left for the next work",
    "kept": "in use already, and no other is much better",
    "only_one": "the only one that can be used",
}
#: Where nothing was worked out yet the order is by what is left.
MOST_LEFT = "most is left"


def reason(found: Next, now: int, zone: tzinfo | None) -> str:
    """Why that account, in one line; what decided most comes first."""
    said = [_reason(one, now, zone) for one in found.reasons]
    return "; ".join(words for words in said if words) or MOST_LEFT


def short_reason(found: Next) -> str:
    """What tells that account from the other able ones, without a time of day: pages are read in
    zones that the server does not know.
    """
    return _reason(found.reasons[-1], None, None) if found.reasons else MOST_LEFT


def _reason(one: NextReason, now: int | None, zone: tzinfo | None) -> str:
    words = REASONS.get(one.code, "")
    if "{" not in words:
        return words
    window = one.window
    if window is None or window.resets_at is None:
        return "most would expire unused"
    return words.format(
        left=f"{window.remaining_percent:g}",
        window=labels.window(window.key, window.upstream_name).lower(),
        reset="" if now is None else f" {day_and_minute(window.resets_at, now, zone)}",
    )


def none_until(found: Next, zone: tzinfo | None) -> str:
    """What is said while none is usable: `none until 2026-11-25 11:00 (bob)`."""
    if found.until is None or found.waits_for is None:
        return "none usable now, and until when is not known"
    return f"none until {local(found.until, zone)[:16]} ({found.waits_for.account.name})"
