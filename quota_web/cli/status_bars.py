"""One line for a status bar or a prompt: Waybar, tmux, Starship. Pure."""

import html
import json
from collections.abc import Sequence
from datetime import tzinfo

from quota_web.cli import output
from quota_web.core.display_order import Group
from quota_web.core.names import printable
from quota_web.reports.overview import AccountView

#: Less left than this is worth a colour.
LOW, VERY_LOW = 25.0, 10.0
#: What is said where there is no account.
NOTHING = "no account"
#: Class of `waybar` → colour of `tmux`.
COLOURS = {"good": "green", "low": "yellow", "critical": "red", "blocked": "red"}


def bar(
    form: str, views: Sequence[AccountView], most: int | None, now: int, zone: tzinfo | None
) -> str:
    """The line for *form*; of all accounts only the first, unless *most* says how many."""
    shown = views[: most or 1]
    if form == "waybar":
        return _waybar(shown, views[:most], now, zone)
    if form == "tmux":
        return " ".join(_tmux(view, now, zone) for view in shown) or NOTHING
    return _words(shown, now, zone)


def _words(shown: Sequence[AccountView], now: int, zone: tzinfo | None) -> str:
    """One line that no bar and no terminal obeys, whatever an account is called."""
    return printable(output.oneline(shown, now, zone)) or NOTHING


def _waybar(
    shown: Sequence[AccountView],
    listed: Sequence[AccountView],
    now: int,
    zone: tzinfo | None,
) -> str:
    """What its custom modules read (`return-type: json`); text and tooltip are Pango markup."""
    first = shown[0] if shown else None
    left = _least_left(first) if first else None
    lines = output.status_table(listed, now, zone) if listed else [NOTHING]
    table = "\n".join(printable(line) for line in lines)
    document = {
        "text": html.escape(_words(shown, now, zone), quote=False),
        "alt": str(first.group) if first else "none",
        "tooltip": f"<tt>{html.escape(table, quote=False)}</tt>",
        "class": level(first) if first else "none",
        "percentage": round(left) if left is not None else 0,
    }
    if left is None:
        del document["percentage"]
    return json.dumps(document, ensure_ascii=False)


def _tmux(view: AccountView, now: int, zone: tzinfo | None) -> str:
    """In tmux's style marks; `#` begins one, and a name may hold it."""
    words = _words([view], now, zone).replace("#", "##")
    colour = COLOURS.get(level(view), "default")
    return f"#[fg={colour}]{words}#[default]"


def level(view: AccountView) -> str:
    """`good`, `low`, `critical`, or why it cannot be used: `blocked`, `attention`, `unknown`."""
    if view.group is not Group.USABLE or view.stale:
        return "unknown" if view.group is Group.USABLE else str(view.group)
    left = _least_left(view)
    if left is None or left >= LOW:
        return "good"
    return "low" if left >= VERY_LOW else "critical"


def _least_left(view: AccountView) -> float | None:
    """What is left of the fuller-used of the two windows that the line shows."""
    shown = [w.remaining_percent for w in (view.five_hour, view.weekly) if w is not None]
    return min(shown, default=None)
