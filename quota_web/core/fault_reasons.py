"""The reasons that this app gives inside of a fault, so that pages can say them in their language.

A fault is stored with its reason in English. What ChatGPT or the system said stays as it came.
"""

import re
from functools import cache

from quota_web.core.language import ENGLISH, current_language, lookup, mark

#: The same text as where the fault is made, its numbers as places.
REASONS = (
    mark("no answer"),
    mark("stopped before an answer came"),
    mark("name not found"),
    mark("no connection within %(seconds)s s"),
    mark("timed out after %(seconds)s s"),
    mark("connection refused"),
    mark("connection closed by the other side"),
    mark("not a valid host name"),
    mark("the answer was cut short"),
    mark("the answer is not valid HTTP"),
    mark("the answer is an HTML page"),
    mark("the answer is not a JSON object"),
    mark("the answer holds no quota"),
    mark("no reason given"),
    mark("no such file"),
    mark("not a regular file"),
    mark("not a usable file name"),
    mark("no account in it"),
    mark("not a JSON object"),
    mark("not UTF-8 text"),
    mark("not valid JSON (line %(number)s)"),
    mark("empty"),
    mark("larger than %(size)s"),
    mark("more than %(count)s accounts"),
    mark("holds %(count)s accounts; import it instead"),
    mark("is not text"),
    mark("is longer than %(count)s characters"),
    mark("has characters that no token has (spaces, line breaks or non-ASCII)"),
    mark("may hold letters, digits, _ and - only, 128 at most"),
)
#: What has a name already, where that is no account.
HOLDERS = (mark("the file %(file)s"),)
_PLACE = re.compile(r"%\\\((\w+)\\\)s")


def said(reason: str) -> str:
    """*reason* in the current language, as far as it is one of ours."""
    if current_language() == ENGLISH:
        return reason
    for message, pattern in _patterns():
        if found := pattern.fullmatch(reason):
            return lookup(message) % found.groupdict()
    return reason


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple(
        (message, re.compile(_PLACE.sub(r"(?P<\1>.+)", re.escape(message))))
        for message in REASONS + HOLDERS
    )
