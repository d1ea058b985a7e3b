"""Which service an account belongs to, as far as its fields, its keys and its token say."""

import re
from dataclasses import dataclass
from typing import Literal

from quota_web.codex.sanitize import clean

_OWN = ("openai", "codex", "chatgpt", "opencode")
_OTHERS = (
    *(
        "anthropic",
        "claude",
        "copilot",
        "github",
        "google",
        "gemini",
        "antigravity",
        "openrouter",
        "xai",
        "grok",
        "groq",
    ),
    *(
        "mistral",
        "deepseek",
        "qwen",
        "kimi",
        "moonshot",
        "iflow",
        "cursor",
        "windsurf",
        "kiro",
        "bedrock",
        "vertex",
    ),
    *("azure", "minimax", "zai"),
)
#: Words that stand beside a service's in a key, such as `openai-codex:default`,
#: `claude_code_oauth`.
_BESIDE = ("", "ai", "api", "auth", "cli", "code", "oauth", "provider", "web")
#: Objects whose keys are services, and objects whose keys are people's own words.
BY_SERVICE = ("providers", "credential_pool")
BY_NAME = ("accounts",)
_FOREIGN_TOKENS = {
    "sk-ant-": "anthropic",
    "ya29.": "google",
    "gho_": "github",
    "ghu_": "github",
    "ghp_": "github",
    "xai-": "xai",
}


@dataclass(frozen=True, slots=True)
class Service:
    """Whose an account is as far as words around it say: ChatGPT's, another known service's, or of
    an unknown name.
    """

    kind: Literal["own", "other", "unknown"]
    word: str


def is_service(key: str) -> bool:
    """Whether a key names a service rather than an account."""
    return bool(service_part(key))


def by_fields(part: dict[str, object]) -> Service | None:
    """The service that an object names."""
    for name in ("platform", "provider"):
        if word := clean(part.get(name), 40):
            return known(word) or Service("unknown", word)
    return known(clean(part.get("type"), 40) or "")


def by_key(key: str, above: str, around: Service | None) -> Service | None:
    """The service that a key names, else the one around it."""
    if above in BY_NAME:
        return around
    if found := known(service_part(key)):
        return found
    is_news = above in BY_SERVICE and (around is None or around.kind == "unknown")
    return Service("unknown", clean(key, 40) or "another service") if is_news else around


def by_token(token: object) -> Service | None:
    """The service that issues tokens of this beginning, where that is another one."""
    if not isinstance(token, str):
        return None
    return next(
        (
            Service("other", word)
            for start, word in _FOREIGN_TOKENS.items()
            if token.startswith(start)
        ),
        None,
    )


def known(word: str) -> Service | None:
    """A service that is known here, in a word that names one."""
    lower = word.lower()
    if any(own in lower for own in _OWN):
        return Service("own", word)
    return (
        Service("other", word)
        if any(other in re.split("[^a-z0-9]+", lower) for other in _OTHERS)
        else None
    )


def service_part(key: str) -> str:
    """The part of a key that can be a service's: `openai-codex` of `openai-codex:default`; nothing
    of a person's word.
    """
    head = re.split("[:/]", key.lower(), maxsplit=1)[0]
    words = [word for word in re.split("[^a-z0-9]+", head) if word not in _BESIDE]
    return head if words and all(word in (*_OWN, *_OTHERS) for word in words) else ""
