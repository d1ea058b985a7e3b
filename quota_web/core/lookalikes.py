"""Names that read like another one, such as `аlice` with a Cyrillic а beside `alice`: both are
allowed, and both are marked.

The table holds letters that common fonts draw alike. It says nothing against any of them alone.
"""

import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from quota_web.core import names
from quota_web.core.language import gettext as _

_ALIKE = str.maketrans(
    # Cyrillic
    "авеһіјкмносԁрԛѕтуԝхүАВЕЅІЈКМНОРСТУХԌҮԚԜ"
    # Greek
    "αικνορτυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ"
    # Latin, digits and signs
    "ıɑɡ0O1I|‐‑‒–—−’",
    "abehijkmhocdpqstywxyabesijkmhopctyxgyqw"
    "aikvoptuxabezhikmnoptyx"
    "iagoolll------'",
)  # fmt: skip


@lru_cache(maxsize=1024)
def skeleton(name: str) -> str:
    """What a name looks like: equal for names that a reader takes for one another.

    *name* is one that may be an account's.
    """
    return " ".join(unicodedata.normalize("NFKC", name).translate(_ALIKE).casefold().split())


def marks(given: Iterable[str]) -> dict[str, str]:
    """What tells a name from those that look like it, for each that has one: `reads like another
    account: “а” is CYRILLIC SMALL LETTER A`.
    """
    groups: dict[str, list[str]] = {}
    for name in given:
        groups.setdefault(skeleton(name), []).append(name)
    return {
        name: _mark(name, group)
        for group in groups.values()
        if len(group) > 1 and len({names.fold(n) for n in group}) > 1
        for name in group
    }


def _mark(name: str, group: list[str]) -> str:
    others = {letter for other in group if other != name for letter in other}
    told = [
        _("“%(letter)s” is %(unicode_name)s", letter=letter, unicode_name=_unicode_name(letter))
        for letter in dict.fromkeys(name)
        if letter not in others
    ]
    if not told:
        return _("reads like another account")
    return _("reads like another account: %(letters)s", letters=_(", ").join(told))


def _unicode_name(letter: str) -> str:
    return unicodedata.name(letter, f"U+{ord(letter):04X}")
