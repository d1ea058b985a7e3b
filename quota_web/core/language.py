"""The words of the app in the reader's language.

    from quota_web.core.language import gettext as _, ngettext, mark

    _("Used up until %(time)s", time=...)
    ngettext("%(num)s account", "%(num)s accounts", count)
    STATES = {"low": mark("Low")}        # a constant: translated where it is used, by _(STATES[…])

A message is English and is its own key. Every message is a format, so a percent sign is written
`%%`. The language is a context variable: a request sets it, a command takes `QUOTA_LANGUAGE`, and
`with use_language("zh"):` sets it for a block. A thread begins in English.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Protocol

ENGLISH = "en"
#: Every language, by its code, as its own readers call it.
LANGUAGES = {ENGLISH: "English", "zh": "中文"}


class Translations(Protocol):
    """The messages of one language, as `gettext.NullTranslations` has them."""

    def gettext(self, message: str) -> str: ...

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str: ...


_language: ContextVar[str] = ContextVar("language", default=ENGLISH)
#: What reads a language's messages: filled by the factory, since this room reads no file.
_sources: list[Callable[[str], Translations]] = []


def current_language() -> str:
    """The code of the language that is in force here."""
    return _language.get()


@contextmanager
def use_language(code: str | None) -> Iterator[None]:
    """Speak the language *code* inside the block; None is English."""
    token = set_language(code)
    try:
        yield
    finally:
        reset_language(token)


def set_language(code: str | None) -> Token[str]:
    """Speak *code* from here on, until `reset_language` gets the token back. Raises ValueError."""
    if code is not None and code not in LANGUAGES:
        raise ValueError(f"{code!r} is no language of the app")
    return _language.set(code or ENGLISH)


def reset_language(token: Token[str]) -> None:
    _language.reset(token)


def set_source(load: Callable[[str], Translations]) -> None:
    """Read messages by *load*; it is called for languages other than English alone."""
    _sources[:] = [load]


def gettext(message: str, /, **data: object) -> str:
    """*message* in the current language, with *data* in its places."""
    return lookup(message) % data


def ngettext(singular: str, plural: str, num: int, /, **data: object) -> str:
    """The form for *num*, which stands in the place `num` unless *data* spells it otherwise."""
    return nlookup(singular, plural, num) % {"num": num, **data}


def lookup(message: str) -> str:
    """The format of a message in the current language; the message itself where there is none."""
    translations = _translations()
    return message if translations is None else translations.gettext(message)


def nlookup(singular: str, plural: str, num: int) -> str:
    """The same for a message that counts."""
    translations = _translations()
    if translations is None:
        return singular if num == 1 else plural
    return translations.ngettext(singular, plural, num)


def mark(message: str) -> str:
    """*message* as it is. Marks a constant for `scripts/messages.py`; `gettext` gets it later."""
    return message


def _translations() -> Translations | None:
    code = _language.get()
    return _sources[0](code) if code != ENGLISH and _sources else None
