"""Every word for a plan, a window, a group and a status, once.

Pages, tables, charts and the API take theirs from here.
"""

from dataclasses import dataclass
from functools import lru_cache

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
    "free_workspace": "Free workspace",
    "go": "Go",
    "plus": "Plus",
    "prolite": "Pro 100",
    "pro": "Pro 200",
    "promax": "Pro 500",
    "team": "Business",
    "self_serve_business_prolite": "Business Premium",
    "self_serve_business_usage_based": "Business, by use",
    "business": "Enterprise",
    "enterprise": "Enterprise",
    # What tokens say instead of `enterprise`.
    "hc": "Enterprise",
    "ent26": "Enterprise",
    "enterprise_cbp_usage_based": "Enterprise, by use",
    "enterprise_cbp_automation": "Enterprise (Automation)",
    "edu": "Edu",
    "edu_plus": "Edu Plus",
    "edu_pro": "Edu Pro",
    "education": "Education",
    "k12": "K-12",
    "quorum": "Quorum",
    "unknown": "Unknown",
}

WINDOWS = {
    FIVE_HOUR: "5 hours",
    DAILY: "Daily",
    WEEKLY: "Weekly",
    MONTHLY: "Monthly",
    UNKNOWN: "Unknown length",
    SPEND: "Spend",
}
#: How a window is called where its label would read as a span of time, as over a chart.
TITLES = {**WINDOWS, FIVE_HOUR: "Five-hour"}
#: The same in a column of a few characters.
SHORT = {FIVE_HOUR: "5 h", DAILY: "day", WEEKLY: "week", MONTHLY: "month"}


@dataclass(frozen=True, slots=True)
class StatusWords:
    """How a status other than `ok` reads: in two or three words, in a table, and what to do."""

    word: str
    #: For tables of commands, which stay English and in lower case.
    short: str
    advice: str


STATUSES = {
    Status.PENDING: StatusWords(
        "Not read yet", "not read yet", "The first refresh follows at once."
    ),
    Status.PAUSED: StatusWords("Paused", "paused", "Resume it to refresh again."),
    Status.EXPIRED: StatusWords(
        "Needs sign-in", "needs sign-in", "Sign in with Codex again and save the new auth.json."
    ),
    Status.INVALID_CREDENTIALS: StatusWords(
        "Needs credentials", "needs credentials", "Edit the account and give a working auth.json."
    ),
    Status.DEACTIVATED: StatusWords(
        "Deactivated", "deactivated", "Ask the workspace’s owner, then refresh it by hand."
    ),
    Status.FORBIDDEN: StatusWords(
        "Refused", "refused", "ChatGPT refuses this account; tried again at growing intervals."
    ),
    Status.ADDRESS_BLOCKED: StatusWords(
        "Address blocked",
        "address blocked",
        "This machine’s address is blocked, not the account: wait, or set a proxy.",
    ),
    Status.RATE_LIMITED: StatusWords(
        "Asked too often", "asked too often", "Waits as long as ChatGPT said, then tries again."
    ),
    Status.UPSTREAM_ERROR: StatusWords(
        "ChatGPT has a fault", "ChatGPT has a fault", "Tried again by itself."
    ),
    Status.UNREACHABLE: StatusWords(
        "Unreachable",
        "unreachable",
        "Check this machine’s network and proxy; tried again by itself.",
    ),
    Status.BAD_RESPONSE: StatusWords(
        "Answer not understood",
        "answer not understood",
        "Tried again by itself; a newer version may help.",
    ),
}


#: A group of `ranking` as pages call it.
GROUPS = {
    "usable": "Can be used",
    "blocked": "Used up",
    "attention": "Needs you",
    "unknown": "Not known",
    "paused": "Paused",
}


def plan(plan_type: str | None) -> str | None:
    """A plan as people call it; one that is not known yet is tidied, never hidden."""
    return None if not plan_type else PLANS.get(plan_type.lower()) or tidy(plan_type)


def status(word: str) -> str:
    """A status of an attempt in two or three words, such as `Needs sign-in`."""
    if word == Status.OK:
        return "Answered"
    try:
        return STATUSES[Status(word)].word
    except ValueError:
        return tidy(word)


@lru_cache(maxsize=256)
def window(key: str, upstream_name: str | None = None) -> str:
    """A key in words: `5 hours`, `30 minutes`, `GPT-5.3-Codex-Spark · Weekly`."""
    return _window(key, upstream_name, WINDOWS)


@lru_cache(maxsize=256)
def window_title(key: str, upstream_name: str | None = None) -> str:
    """A key as a title: `Five-hour`, `Weekly`, `GPT-5.3-Codex-Spark · Five-hour`."""
    return _window(key, upstream_name, TITLES)


def window_short(key: str) -> str:
    """A key in as few characters as a narrow column has: `5 h`, `week`."""
    return SHORT.get(key) or window(key).lower()


def _window(key: str, upstream_name: str | None, words: dict[str, str]) -> str:
    if key.startswith(MODEL_PREFIX):
        feature, _, word = key.removeprefix(MODEL_PREFIX).partition(":")
        return f"{upstream_name or feature} · {_window(word, None, words)}"
    if key.startswith(CODE_REVIEW_PREFIX):
        word = key.removeprefix(CODE_REVIEW_PREFIX)
        return f"Code review · {_window(word, None, words)}"
    if key.startswith("window:"):
        return span(int(key.removeprefix("window:")))
    return words.get(key, key)


def span(seconds: int) -> str:
    """A length in the largest unit that divides it: `30 minutes`, `2 days`, `61 seconds`."""
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds and seconds % size == 0:
            count = seconds // size
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{seconds} seconds"


def tidy(word: str) -> str:
    """A machine's word as text: `some_new_plan` → `Some new plan`, cut at 40 characters."""
    text = " ".join(word.replace("_", " ").split())
    text = text if len(text) <= 40 else f"{text[:39]}…"
    return text[:1].upper() + text[1:]
