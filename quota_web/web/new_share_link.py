"""A share link that has just been made: its address, and what to paste where it is to be shown."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import request, url_for
from markupsafe import escape

from quota_web.auth.share_links import LinkKind
from quota_web.core.language import gettext as _
from quota_web.core.language import mark
from quota_web.core.secret import Secret
from quota_web.services import services

#: What each kind is called, on its own and before "link".
KINDS = {
    LinkKind.CALENDAR: mark("calendar"),
    LinkKind.BADGE: mark("badge"),
    LinkKind.CHART: mark("chart"),
    LinkKind.BOARD: mark("board"),
}
ENDPOINTS = {
    LinkKind.CALENDAR: "calendar.shared",
    LinkKind.BADGE: "embeds.badge",
    LinkKind.CHART: "embeds.chart",
    LinkKind.BOARD: "embeds.board",
}
#: What a picture is called where it cannot be shown.
ALT = "Codex quota"


@dataclass(frozen=True, slots=True)
class Snippet:
    """Something to paste: what it is called, and its text."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class ShownShareLink:
    """What the page shows this once."""

    kind: str
    #: The address alone, then each way to show it.
    snippets: tuple[Snippet, ...]


def shown(kind: LinkKind, secret: Secret) -> ShownShareLink:
    """What is shown of a link that was just made."""
    address = _address(ENDPOINTS[kind], secret)
    ways = tuple(way(address) for way in WAYS[kind])
    return ShownShareLink(kind_name(kind), (Snippet(_("Address"), address), *ways))


def kind_name(kind: str) -> str:
    """What a kind of link is called."""
    found = next((word for one, word in KINDS.items() if one == kind), None)
    return _(found) if found else kind


def _address(endpoint: str, secret: Secret) -> str:
    """The address under which others reach it: the one that is set, else the browser's own."""
    path = url_for(endpoint, secret=secret.reveal())
    base = services().settings.public_url
    if base is None:
        return f"{request.host_url.rstrip('/')}{path}"
    return f"{base}{path.removeprefix(request.script_root)}"


def _markdown(address: str) -> Snippet:
    return Snippet("Markdown", f"![{ALT}]({address})")


def _image(address: str) -> Snippet:
    return Snippet("HTML", f'<img src="{escape(address)}" alt="{ALT}">')


def _frame(address: str) -> Snippet:
    size = 'width="100%" height="480"'
    return Snippet("HTML", f'<iframe src="{escape(address)}" title="{ALT}" {size}></iframe>')


WAYS: dict[LinkKind, tuple[Callable[[str], Snippet], ...]] = {
    LinkKind.CALENDAR: (),
    LinkKind.BADGE: (_markdown, _image),
    LinkKind.CHART: (_markdown, _image),
    LinkKind.BOARD: (_frame,),
}
