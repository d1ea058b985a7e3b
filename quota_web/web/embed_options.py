"""What the address of an embed may choose: how it looks, in which language and in which zone. A
value that is none of those offered is refused, since a picture that quietly looks otherwise is not
noticed.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from quota_web.auth.share_links import LinkKind
from quota_web.core.errors import BadQuery
from quota_web.core.language import LANGUAGES, mark, use_language
from quota_web.reports.history import RANGES
from quota_web.web import zone

#: Kind → parameter → its values, the first of which holds where the address says nothing.
CHOICES: Mapping[LinkKind, Mapping[str, tuple[str, ...]]] = {
    LinkKind.BADGE: {"theme": ("light", "dark"), "size": ("small", "large")},
    LinkKind.CHART: {
        "theme": ("light", "dark"),
        "size": ("wide", "narrow"),
        "range": ("7d", *(name for name in RANGES if name != "7d")),
    },
    LinkKind.BOARD: {"theme": ("auto", "light", "dark"), "size": ("normal", "large")},
}


@dataclass(frozen=True, slots=True)
class EmbedOptions:
    """What an address chose; hashable, so that finished embeds are kept by it."""

    theme: str
    size: str
    #: The time that a chart shows; empty for what shows none.
    range: str = ""
    #: None: as the reader's browser asks for.
    language: str | None = None
    #: None: the server's.
    zone: ZoneInfo | None = None

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Speak the language and write times in the zone inside the block."""
        with zone.use_zone(self.zone):
            if self.language is None:
                yield
                return
            with use_language(self.language):
                yield


def parse(kind: LinkKind, args: Mapping[str, str]) -> EmbedOptions:
    """What *args* choose; raises BadQuery for a value that is not offered."""
    chosen = {
        name: _one_of(name, args.get(name) or values[0], values)
        for name, values in CHOICES[kind].items()
    }
    language = args.get("lang") or None
    if language is not None:
        _one_of("lang", language, tuple(LANGUAGES))
    return EmbedOptions(**chosen, language=language, zone=_zone(args.get("zone")))


def _one_of(name: str, value: str, values: tuple[str, ...]) -> str:
    if value not in values:
        told = mark("%(name)s must be one of %(values)s")
        raise BadQuery(name, told, name=name, values=", ".join(values))
    return value


def _zone(name: str | None) -> ZoneInfo | None:
    if not name:
        return None
    found = zone.named(name[:80])
    if found is None:
        raise BadQuery("zone", mark("zone must be the name of a time zone, such as Europe/Berlin"))
    return found
