"""Which language a reader is shown: the chosen one, then what the browser asks for, then the
setting, then English.
"""

from quota_web.core.language import ENGLISH, LANGUAGES

#: What is longer is no browser's list, and reading it would be work for strangers.
MAX_HEADER = 1000


def choose(chosen: str | None, accepted: str | None, fallback: str | None) -> str:
    """The code of a language, from a cookie's value, an `Accept-Language` header and
    `QUOTA_LANGUAGE`.
    """
    if chosen in LANGUAGES:
        return str(chosen)
    return _accepted(accepted or "") or fallback or ENGLISH


def _accepted(header: str) -> str | None:
    """The language of ours that the header likes best; the first of those that it likes equally."""
    liked: dict[str, float] = {}
    for part in header[:MAX_HEADER].split(","):
        tag, _, quality = part.partition(";")
        # `zh`, `zh-CN`, `zh-Hans-SG`: the first subtag names the language.
        code = tag.strip().lower().partition("-")[0]
        if code in LANGUAGES:
            liked[code] = max(liked.get(code, 0), _quality(quality))
    best = max(liked, key=lambda code: liked[code], default=None)
    return best if best is not None and liked[best] > 0 else None


def _quality(text: str) -> float:
    name, _, value = text.strip().partition("=")
    if name.strip().lower() != "q":
        return 1
    try:
        number = float(value)
    except ValueError:
        return 0
    return number if 0 <= number <= 1 else 0
