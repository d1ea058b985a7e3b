"""Which account to use now, in words. Pure."""

from datetime import tzinfo

from quota_web.core import labels
from quota_web.core.language import gettext as _
from quota_web.core.language import mark
from quota_web.core.times import local
from quota_web.language import formats
from quota_web.reports.outlook import Next, NextReason

#: Reason → what is said of the account; `week` stands for its long window.
REASONS = {
    "starts_week": mark("its week has not started: the first use starts its clock"),
    "carries": mark("enough is left for the next work"),
    "kept": mark("in use already, and no other is much better"),
    "only_one": mark("the only one that can be used"),
}
#: The one reason that names a window.
WITH_REST = "expires_soonest_with_rest"
#: Where nothing was worked out yet the order is by what is left.
MOST_LEFT = mark("most is left")


def reason(found: Next, now: int, zone: tzinfo | None) -> str:
    """Why that account, in one line; what decided most comes first."""
    said = [_reason(one, now, zone) for one in found.reasons]
    return _("; ").join(words for words in said if words) or _(MOST_LEFT)


def short_reason(found: Next) -> str:
    """What tells that account from the other able ones, without a time of day: pages are read in
    zones that the server does not know.
    """
    return _reason(found.reasons[-1], None, None) if found.reasons else _(MOST_LEFT)


def _reason(one: NextReason, now: int | None, zone: tzinfo | None) -> str:
    if one.code != WITH_REST:
        return _(REASONS[one.code]) if one.code in REASONS else ""
    window = one.window
    if window is None or window.resets_at is None:
        return _("most would expire unused")
    said = {
        "left": f"{window.remaining_percent:g}",
        "window": labels.of_window(window.key, window.upstream_name),
    }
    if now is None:
        return _("%(left)s %% of %(window)s left before its reset", **said)
    reset = formats.day_and_minute(window.resets_at, now, zone)
    return _("%(left)s %% of %(window)s left before its reset %(time)s", **said, time=reset)


def none_until(found: Next, zone: tzinfo | None) -> str:
    """What is said while none is usable: `none until 2026-11-25 11:00 (bob)`."""
    if found.until is None or found.waits_for is None:
        return "none usable now, and until when is not known"
    return f"none until {local(found.until, zone)[:16]} ({found.waits_for.account.name})"
