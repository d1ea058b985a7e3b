"""What each alert says, in the current language: one sentence made of an event's code and data.

    what(event, zone)               "weekly quota 18 % left, resets Tue 24 Nov 19:54 UTC"
    sentence(event, names, zone)    "alice: weekly quota 18 % left, resets Tue 24 Nov 19:54 UTC"

Moments are said with their day and zone, since a message may be read at any time.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import tzinfo
from typing import Any

from quota_web.alerts import kinds
from quota_web.alerts.kinds import Alert
from quota_web.core import labels, times
from quota_web.core.language import ENGLISH, current_language, ngettext
from quota_web.core.language import gettext as _
from quota_web.core.quota import Status
from quota_web.language import formats
from quota_web.store.event_log import LoggedEvent

#: What reading data raises that another version wrote.
UNREADABLE = (KeyError, TypeError, ValueError)
#: Chances are said in steps of so many percent, and neither as 0 nor as 100.
CHANCE_STEP = 5


def sentence(event: LoggedEvent, names: Mapping[int, str], zone: tzinfo | None) -> str:
    """An event with the name of its account; *names* by account id, times in *zone* (None: the
    machine's own).
    """
    said = what(event, zone)
    if event.account_id is None:
        return said
    name = names.get(event.account_id) or event.data.get("name") or str(event.account_id)
    return _("%(account)s: %(what)s", account=name, what=said)


def what(event: LoggedEvent, zone: tzinfo | None) -> str:
    """The same without the account. An event that is no alert, or whose data another version
    wrote, goes by its kind.
    """
    found = kinds.type_of(event.kind, event.data)
    if found is not None:
        with suppress(*UNREADABLE):
            return _SAY[found](_Event(event, zone))
    return labels.event(event.kind)


class _Event:
    """An event as sentences are made of it."""

    def __init__(self, event: LoggedEvent, zone: tzinfo | None) -> None:
        self.kind, self.data = event.kind, event.data
        self.window = labels.window_title(event.window).lower() if event.window else ""
        self._zone = zone

    def has(self, name: str) -> bool:
        return self.data.get(name) is not None

    def time(self, name: str) -> str:
        """A moment of the data: `Tue 24 Nov 19:54 UTC`."""
        return moment(int(self.data[name]), self._zone)

    def percent(self, name: str) -> str:
        return percent(float(self.data[name]))


def moment(at: int, zone: tzinfo | None) -> str:
    """A moment with its day and zone."""
    local, code = times.in_zone(at, zone), current_language()
    if code == ENGLISH:
        return f"{local:%a} {local.day} {local:%b %H:%M %Z}"
    return f"{formats.date(local, code)} {local:%H:%M %Z}"


def percent(value: float) -> str:
    """A percent's number with at most one decimal, never rounded to a 0 or 100 that it is not."""
    shown = round(value, 1)
    if shown == 0 < value:
        return "0.1"
    return "99.9" if shown == 100 > value else f"{shown:g}"


def _low(event: _Event) -> str:
    left = event.percent("remaining_percent")
    if not event.has("resets_at"):
        return _("%(window)s quota %(left)s %% left", window=event.window, left=left)
    return _(
        "%(window)s quota %(left)s %% left, resets %(time)s",
        window=event.window,
        left=left,
        time=event.time("resets_at"),
    )


def _exhausted(event: _Event) -> str:
    cause = event.data.get("cause")
    if cause == "credits":
        return _("credits are used up")
    if cause == "spend":
        return _("the spend limit is reached")
    if not event.window:
        return _("quota used up")
    if not event.has("blocked_until"):
        return _("%(window)s quota used up", window=event.window)
    return _(
        "%(window)s quota used up, can be used again %(time)s",
        window=event.window,
        time=event.time("blocked_until"),
    )


def _back(event: _Event) -> str:
    if event.window:
        left = event.percent("remaining_percent")
        return _("%(window)s quota has reset, %(left)s %% left", window=event.window, left=left)
    lefts: Mapping[str, float] = event.data.get("remaining_percents", {})
    listed = _(", ").join(
        _(
            "%(window)s %(left)s %% left",
            window=labels.window_title(key).lower(),
            left=percent(left),
        )
        for key, left in lefts.items()
    )
    return _("can be used again: %(windows)s", windows=listed) if listed else _("can be used again")


def _reset_early(event: _Event) -> str:
    if event.kind == "reset_provider":
        count = int(event.data.get("accounts") or 0)
        return ngettext(
            "OpenAI has reset the quota of %(num)s account early",
            "OpenAI has reset the quotas of %(num)s accounts early",
            count,
        )
    used = event.percent("used_before")
    if event.kind == "reset_banked":
        return _(
            "%(window)s quota reset by a banked reset, %(used)s %% was used",
            window=event.window,
            used=used,
        )
    return _("%(window)s quota reset early, %(used)s %% was used", window=event.window, used=used)


def _runout(event: _Event) -> str:
    chance = round(100 * float(event.data["probability"]) / CHANCE_STEP) * CHANCE_STEP
    return _(
        "%(window)s quota will probably run out before its reset %(time)s (%(chance)s %%), "
        "%(left)s %% left",
        window=event.window,
        time=event.time("resets_at"),
        chance=min(95, max(5, chance)),
        left=event.percent("remaining_percent"),
    )


def _unused(event: _Event) -> str:
    return _(
        "%(left)s %% of the %(window)s quota is unused and will be lost at its reset %(time)s",
        left=event.percent("remaining_percent"),
        window=event.window,
        time=event.time("resets_at"),
    )


def _sign_in_soon(event: _Event) -> str:
    return _("the sign-in ends %(time)s; sign in again before then", time=event.time("ends_at"))


def _sign_in_needed(event: _Event) -> str:
    if event.data.get("status") == Status.INVALID_CREDENTIALS:
        return _("the credentials cannot be used; give new ones")
    return _("the sign-in has ended; sign in again")


def _deactivated(_event: _Event) -> str:
    return _("ChatGPT says that the account is deactivated")


def _stale(event: _Event) -> str:
    status = labels.status(str(event.data.get("status", "")))
    time = event.time("last_reading_at")
    return _("no reading since %(time)s (%(status)s)", time=time, status=status)


def _recovered(event: _Event) -> str:
    return _("fine again, after trouble since %(time)s", time=event.time("since"))


def _plan_changed(event: _Event) -> str:
    return _(
        "plan changed from %(before)s to %(after)s",
        before=labels.plan(event.data.get("before")) or "–",
        after=labels.plan(event.data.get("after")) or "–",
    )


def _credit_granted(event: _Event) -> str:
    count = int(event.data.get("after") or 0)
    return ngettext(
        "a banked reset was granted: there is %(num)s now",
        "a banked reset was granted: there are %(num)s now",
        count,
    )


def _credit_expiring(event: _Event) -> str:
    return _("a banked reset ends %(time)s", time=event.time("expires_at"))


def _all_failing(event: _Event) -> str:
    time = event.time("failing_since")
    if event.data.get("cause") == "address_blocked":
        return _(
            "ChatGPT blocks this machine’s address: no account is answered since %(time)s",
            time=time,
        )
    return _("No account is answered since %(time)s", time=time)


def _site_recovered(event: _Event) -> str:
    return _("ChatGPT answers again, after trouble since %(time)s", time=event.time("since"))


def _channel_failing(event: _Event) -> str:
    return _(
        "The channel %(channel)s has taken no message since %(time)s",
        channel=event.data.get("channel", ""),
        time=event.time("since"),
    )


def _test(_event: _Event) -> str:
    return _("This is a test: alerts arrive here")


_SAY: Mapping[Alert, Callable[[Any], str]] = {
    Alert.QUOTA_LOW: _low,
    Alert.QUOTA_EXHAUSTED: _exhausted,
    Alert.QUOTA_BACK: _back,
    Alert.QUOTA_RESET_EARLY: _reset_early,
    Alert.QUOTA_RUNOUT: _runout,
    Alert.QUOTA_UNUSED: _unused,
    Alert.SIGN_IN_SOON: _sign_in_soon,
    Alert.SIGN_IN_NEEDED: _sign_in_needed,
    Alert.DEACTIVATED: _deactivated,
    Alert.STALE: _stale,
    Alert.RECOVERED: _recovered,
    Alert.PLAN_CHANGED: _plan_changed,
    Alert.CREDIT_GRANTED: _credit_granted,
    Alert.CREDIT_EXPIRING: _credit_expiring,
    Alert.ALL_FAILING: _all_failing,
    Alert.SITE_RECOVERED: _site_recovered,
    Alert.CHANNEL_FAILING: _channel_failing,
    Alert.TEST: _test,
}
