"""Every word for a plan, a window, a group and a status, once.

Pages, tables, charts and the API take theirs from here. The tables hold English; functions say it
in the current language.
"""

from dataclasses import dataclass
from functools import lru_cache

from quota_web.core.language import ENGLISH, current_language, mark, ngettext
from quota_web.core.language import gettext as _
from quota_web.core.quota import (
    CODE_REVIEW_PREFIX,
    DAILY,
    FIVE_HOUR,
    MODEL_PREFIX,
    MONTHLY,
    SPEND,
    UNKNOWN,
    WEEKLY,
    Status,
)

#: plan_type → how the Codex CLI names it. The three Pro plans were "Pro", "Pro (More)" and "Pro
#: (Max)" there at first (openai/codex#47971), then "Pro Standard", "Pro Extra" and "Pro Max"
#: (#49043); since 28 September 2026 they are what stands here (#49079). The workspace plans are as
#: in the same file (codex-rs/tui/src/subscription.rs), save that plans paid by use say so here.
PLANS = {
    "guest": "Guest",
    "free": "Free",
    "free_workspace": mark("Free workspace"),
    "go": "Go",
    "plus": "Plus",
    "prolite": "Pro 100",
    "pro": "Pro 200",
    "promax": "Pro 500",
    "team": "Business",
    "self_serve_business_prolite": "Business Premium",
    "self_serve_business_usage_based": mark("Business, by use"),
    "business": "Enterprise",
    "enterprise": "Enterprise",
    # What tokens say instead of `enterprise`.
    "hc": "Enterprise",
    "ent26": "Enterprise",
    "enterprise_cbp_usage_based": mark("Enterprise, by use"),
    "enterprise_cbp_automation": mark("Enterprise (Automation)"),
    "edu": "Edu",
    "edu_plus": "Edu Plus",
    "edu_pro": "Edu Pro",
    "education": mark("Education"),
    "k12": "K-12",
    "quorum": "Quorum",
    "unknown": mark("Unknown"),
}

WINDOWS = {
    FIVE_HOUR: mark("5 hours"),
    DAILY: mark("Daily"),
    WEEKLY: mark("Weekly"),
    MONTHLY: mark("Monthly"),
    UNKNOWN: mark("Unknown length"),
    SPEND: mark("Spend"),
}
#: How a window is called where its label would read as a span of time, as over a chart.
TITLES = {**WINDOWS, FIVE_HOUR: mark("Five-hour")}
#: The same in a column of a few characters.
SHORT = {FIVE_HOUR: mark("5 h"), DAILY: mark("day"), WEEKLY: mark("week"), MONTHLY: mark("month")}

#: The same after "of", as in `66 % of the week`.
OF = {
    FIVE_HOUR: mark("5 h"),
    DAILY: mark("the day"),
    WEEKLY: mark("the week"),
    MONTHLY: mark("the month"),
}


@dataclass(frozen=True, slots=True)
class StatusWords:
    """How a status other than `ok` reads: in two or three words, in a table, and what to do."""

    word: str
    #: For tables of commands, which stay English and in lower case.
    short: str
    advice: str


STATUSES = {
    Status.PENDING: StatusWords(
        mark("Not read yet"), "not read yet", mark("The first refresh follows at once.")
    ),
    Status.PAUSED: StatusWords(mark("Paused"), "paused", mark("Resume it to refresh again.")),
    Status.EXPIRED: StatusWords(
        mark("Needs sign-in"),
        "needs sign-in",
        mark("Sign in with Codex again and save the new auth.json."),
    ),
    Status.INVALID_CREDENTIALS: StatusWords(
        mark("Needs credentials"),
        "needs credentials",
        mark("Edit the account and give a working auth.json."),
    ),
    Status.DEACTIVATED: StatusWords(
        mark("Deactivated"),
        "deactivated",
        mark("Ask the workspace’s owner, then refresh it by hand."),
    ),
    Status.FORBIDDEN: StatusWords(
        mark("Refused"),
        "refused",
        mark("ChatGPT refuses this account; tried again at growing intervals."),
    ),
    Status.ADDRESS_BLOCKED: StatusWords(
        mark("Address blocked"),
        "address blocked",
        mark("This machine’s address is blocked, not the account: wait, or set a proxy."),
    ),
    Status.RATE_LIMITED: StatusWords(
        mark("Asked too often"),
        "asked too often",
        mark("Waits as long as ChatGPT said, then tries again."),
    ),
    Status.UPSTREAM_ERROR: StatusWords(
        mark("ChatGPT has a fault"), "ChatGPT has a fault", mark("Tried again by itself.")
    ),
    Status.UNREACHABLE: StatusWords(
        mark("Unreachable"),
        "unreachable",
        mark("Check this machine’s network and proxy; tried again by itself."),
    ),
    Status.BAD_RESPONSE: StatusWords(
        mark("Answer not understood"),
        "answer not understood",
        mark("Tried again by itself; a newer version may help."),
    ),
}


#: A group of `ranking` as pages call it.
GROUPS = {
    "usable": mark("Can be used"),
    "blocked": mark("Used up"),
    "attention": mark("Needs you"),
    "unknown": mark("Not known"),
    "paused": mark("Paused"),
}


#: Kinds of events, as lists of what happened call them.
EVENTS = {
    "reset_scheduled": mark("Reset as scheduled"),
    "reset_early": mark("Reset early"),
    "reset_banked": mark("Reset with a banked one"),
    "reset_provider": mark("Reset by OpenAI for all"),
    "corrected": mark("Use corrected"),
    "boundary_moved": mark("Reset moved"),
    "flapping": mark("Answers flapped"),
    "window_gone": mark("Window went away"),
    "window_back": mark("Window came back"),
    "used_up": mark("Used up"),
    "back": mark("Back"),
    "plan_changed": mark("Plan changed"),
    "credit_granted": mark("Banked reset granted"),
    "credit_used": mark("Banked reset used"),
    "credit_expired": mark("Banked reset expired"),
    "withdrawn": mark("Withdrawn"),
    "failing_since": mark("No answer"),
    "fine_again": mark("Fine again"),
    "sign_in_ended": mark("Sign-in ended"),
    "account_added": mark("Account added"),
    "account_edited": mark("Account edited"),
    "account_paused": mark("Account paused"),
    "account_resumed": mark("Account resumed"),
    "account_deleted": mark("Account deleted"),
    "account_replaced": mark("Account replaced"),
    "account_archived": mark("Account archived"),
    "credential.signed_in": mark("Signed in to ChatGPT"),
    "credential.renewed": mark("Sign-in renewed"),
    "credential.renewal_failed": mark("Renewal failed"),
    "credential.spare_used": mark("Spare sign-in used"),
    "signed_in": mark("Signed in here"),
    "sign_in_failed": mark("Sign-in here failed"),
    "signed_out": mark("Signed out here"),
    "setup_link_made": mark("Set-up link made"),
    "setup_code_refused": mark("Set-up code refused"),
    "password_set": mark("Password set"),
    "password_changed": mark("Password changed"),
    "password_change_refused": mark("Password change refused"),
    "token_created": mark("API token created"),
    "token_revoked": mark("API token revoked"),
    "share_link_created": mark("Share link created"),
    "share_link_revoked": mark("Share link revoked"),
    "channel_added": mark("Channel added"),
    "channel_edited": mark("Channel edited"),
    "channel_deleted": mark("Channel deleted"),
    "channel_secret_rotated": mark("Channel secret replaced"),
    "account_exported": mark("Account exported"),
    "key_rotated": mark("Key rotated"),
    "history_rebuilt": mark("History rebuilt"),
    "history_pruned": mark("History pruned"),
    "database_restored": mark("Database restored"),
    "quota.low": mark("Quota low"),
    "quota.exhausted": mark("Quota used up"),
    "quota.back": mark("Quota back"),
    "quota.runout": mark("Run-out likely"),
    "quota.unused": mark("Quota unused"),
    "account.sign_in_soon": mark("Sign-in ends soon"),
    "account.stale": mark("No reading"),
    "account.recovered": mark("Recovered"),
    "credit.expiring": mark("Credit ends soon"),
    "site.all_failing": mark("No account answered"),
    "site.recovered": mark("Answers again"),
    "site.channel_failing": mark("Channel failing"),
    "site.test": mark("Test"),
}


def event(kind: str) -> str:
    """A kind of event, such as `Reset early`; one of a later version is tidied."""
    return _(EVENTS[kind]) if kind in EVENTS else tidy(kind)


def plan(plan_type: str | None) -> str | None:
    """A plan as people call it; one that is not known yet is tidied, never hidden."""
    if not plan_type:
        return None
    name = PLANS.get(plan_type.lower())
    return _(name) if name else tidy(plan_type)


def group(name: str) -> str:
    """A group of accounts, such as `Can be used`."""
    return _(GROUPS[name])


def status(word: str) -> str:
    """A status of an attempt in two or three words, such as `Needs sign-in`."""
    if word == Status.OK:
        return _("Answered")
    try:
        return _(STATUSES[Status(word)].word)
    except ValueError:
        return tidy(word)


def status_short(status: Status) -> str:
    """The same in the middle of a sentence, such as `needs sign-in`."""
    # English has its own form for that; others have one for both.
    words = STATUSES[status]
    return words.short if current_language() == ENGLISH else _(words.word)


def advice(word: str) -> str | None:
    """What to do about a status; None for `ok` and for those of a later version."""
    words = STATUSES.get(Status(word)) if word in set(Status) else None
    return _(words.advice) if words else None


def window(key: str, upstream_name: str | None = None) -> str:
    """A key in words: `5 hours`, `30 minutes`, `GPT-5.3-Codex-Spark · Weekly`."""
    return _window(key, upstream_name, is_title=False, language=current_language())


def window_title(key: str, upstream_name: str | None = None) -> str:
    """A key as a title: `Five-hour`, `Weekly`, `GPT-5.3-Codex-Spark · Five-hour`."""
    return _window(key, upstream_name, is_title=True, language=current_language())


def window_short(key: str) -> str:
    """A key in as few characters as a narrow column has: `5 h`, `week`."""
    word = SHORT.get(key)
    return _(word) if word else window(key).lower()


def of_window(key: str, upstream_name: str | None = None) -> str:
    """A key after "of": `5 h`, `the week`."""
    word = OF.get(key)
    return _(word) if word else window(key, upstream_name).lower()


@lru_cache(maxsize=512)
def _window(key: str, upstream_name: str | None, is_title: bool, language: str) -> str:
    """*language* is the current one: each has words of its own in the cache."""
    if key.startswith(MODEL_PREFIX):
        feature, _colon, word = key.removeprefix(MODEL_PREFIX).partition(":")
        return f"{upstream_name or feature} · {_window(word, None, is_title, language)}"
    if key.startswith(CODE_REVIEW_PREFIX):
        word = key.removeprefix(CODE_REVIEW_PREFIX)
        window_words = _window(word, None, is_title, language)
        return _("Code review · %(window)s", window=window_words)
    if key.startswith("window:"):
        return span(int(key.removeprefix("window:")))
    words = (TITLES if is_title else WINDOWS).get(key)
    return _(words) if words else key


def span(seconds: int) -> str:
    """A length in the largest unit that divides it: `30 minutes`, `2 days`, `61 seconds`."""
    if seconds and seconds % 86_400 == 0:
        return ngettext("%(num)s day", "%(num)s days", seconds // 86_400)
    if seconds and seconds % 3_600 == 0:
        return ngettext("%(num)s hour", "%(num)s hours", seconds // 3_600)
    if seconds and seconds % 60 == 0:
        return ngettext("%(num)s minute", "%(num)s minutes", seconds // 60)
    return ngettext("%(num)s second", "%(num)s seconds", seconds)


def tidy(word: str) -> str:
    """A machine's word as text: `some_new_plan` → `Some new plan`, cut at 40 characters."""
    text = " ".join(word.replace("_", " ").split())
    text = text if len(text) <= 40 else f"{text[:39]}…"
    return text[:1].upper() + text[1:]
