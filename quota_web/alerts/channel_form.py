"""Reads what a person gave for a channel, on the page or on the command line."""

from collections.abc import Sequence
from dataclasses import dataclass

from quota_web import store
from quota_web.alerts import digests, quiet_hours
from quota_web.alerts.kinds import Alert
from quota_web.core import names
from quota_web.core.errors import AccountNotFound, BadInput
from quota_web.core.language import LANGUAGES, mark
from quota_web.store.accounts import Scope
from quota_web.store.channels import ChannelRules

#: Percents left at which a channel can be told that a window is low.
MOST_THRESHOLDS = 6


@dataclass(frozen=True, slots=True)
class RulesInput:
    """Texts as they were given; empty ones mean the default."""

    name: str
    #: None: those that are on by default.
    kinds: Sequence[str] | None = None
    #: Names; none of them: all accounts.
    accounts: Sequence[str] = ()
    below: str = ""
    quiet: str = ""
    digest: str = ""
    language: str = ""
    is_on: bool = True


def parse_rules(given: RulesInput, scope: Scope) -> ChannelRules:
    """Raises BadInput that names the field."""
    return ChannelRules(
        name=_name(given.name),
        kinds=_kinds(given.kinds),
        accounts=_accounts(given.accounts, scope),
        thresholds=_thresholds(given.below),
        quiet=_quiet(given.quiet),
        digest=_digest(given.digest),
        language=_language(given.language),
        is_on=given.is_on,
    )


def _name(text: str) -> str:
    name = text.strip()
    if not name:
        raise BadInput("name", mark("Give the channel a name."))
    if len(name) > names.MAX_NAME or not name.isprintable():
        raise BadInput(
            "name", mark("A name has at most %(most)s printable characters."), most=names.MAX_NAME
        )
    return name


def _kinds(given: Sequence[str] | None) -> frozenset[str] | None:
    if given is None:
        return None
    known = frozenset(map(str, Alert))
    for kind in given:
        if kind not in known:
            listed = ", ".join(sorted(known))
            raise BadInput(
                "kinds", mark("%(kind)s is none of: %(listed)s"), kind=kind[:80], listed=listed
            )
    return frozenset(given)


def _accounts(given: Sequence[str], scope: Scope) -> frozenset[int] | None:
    if not given:
        return None
    with store.database.reading() as conn:
        try:
            return frozenset(store.accounts.get_by_name(conn, name, scope).id for name in given)
        except AccountNotFound as error:
            raise BadInput(
                "accounts", mark("There is no account %(name)s."), name=error.name
            ) from None


def _thresholds(text: str) -> tuple[float, ...] | None:
    parts = text.replace("%", " ").replace(",", " ").split()
    if not parts:
        return None
    try:
        numbers = {float(part) for part in parts}
    except ValueError:
        numbers = set()
    if not 1 <= len(numbers) <= MOST_THRESHOLDS or not all(0 < n < 100 for n in numbers):
        raise BadInput("below", mark("Give one to six percents between 0 and 100, such as 20, 5."))
    return tuple(sorted(numbers, reverse=True))


def _quiet(text: str) -> str | None:
    if not text.strip():
        return None
    try:
        return quiet_hours.parse(text).text
    except ValueError:
        raise BadInput("quiet", mark("Give two times of day, such as 22:00-07:00.")) from None


def _digest(text: str) -> str | None:
    if text.strip() in ("", "off"):
        return None
    try:
        return digests.parse(text).text
    except ValueError:
        raise BadInput("digest", mark("Give daily 08:00 or weekly mon 08:00.")) from None


def _language(text: str) -> str | None:
    if not text:
        return None
    if text not in LANGUAGES:
        raise BadInput("language", mark("Give one of: %(listed)s."), listed=", ".join(LANGUAGES))
    return text
