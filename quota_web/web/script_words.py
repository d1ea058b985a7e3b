"""The translations that a page brings for its scripts, which write `_("Copied")` as Python does.

They stand in the page as data, so that the policy stays as strict as it is and English pages as
small.
"""

import re
from functools import cache
from pathlib import Path

from quota_web.core.language import current_language, lookup

SCRIPTS = Path(__file__).resolve().parent / "static" / "js"
_MESSAGE = re.compile(r'\b_\("((?:[^"\\]|\\.)+)"')


def script_words() -> dict[str, str]:
    """What scripts say, in the current language: message → translation."""
    return _words(current_language())


@cache
def _words(_language: str) -> dict[str, str]:
    return {message: lookup(message) for message in messages()}


@cache
def messages() -> tuple[str, ...]:
    """Every message of the scripts."""
    texts = (path.read_text(encoding="utf-8") for path in sorted(SCRIPTS.glob("*.js")))
    return tuple(sorted({message for text in texts for message in _MESSAGE.findall(text)}))
