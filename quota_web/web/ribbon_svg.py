"""The ribbon as one picture: a row an account, places in percent of the width, so that it fits any;
pure.

Everything is said with attributes and classes, since the content security policy forbids inline
styles. Each part has its words as a title.
"""

from collections.abc import Iterator
from datetime import tzinfo

from markupsafe import Markup

from quota_web.core import labels
from quota_web.core.language import gettext as _
from quota_web.web import formats, ribbon
from quota_web.web.ribbon import Drought, Return, Ribbon, RibbonRow

ROW_HEIGHT, HEAD, BAR = 26, 22, 10
#: Closer than this, in percent, the words of one mark would stand on the next.
ROOM = 6.5
#: What the day takes that stands behind a stretch.
DAY_ROOM = 11
#: Where the mark after the last would be.
NO_MARK = 200.0

PICTURE = Markup(
    '<svg class="ribbon-plot" width="100%" height="{height}" role="img" aria-label="{gist}">'
    '<defs><pattern id="likely" width="5" height="5" patternUnits="userSpaceOnUse">'
    '<path d="M-1 6L6 -1"/></pattern><path id="long" d="M0 -5.5L5.5 0 0 5.5 -5.5 0Z"/></defs>'
    '<rect class="near" width="{near}%" height="100%"/>{axis}{rows}</svg>'
)
TICK = Markup('<line class="{kind}" x1="{x}%" x2="{x}%" y1="{top}" y2="100%"/>{words}')
TICK_WORDS = Markup('<text class="{kind}" x="{x}%" y="13" dx="4">{words}</text>')
STRETCH = Markup(
    '<rect class="{kind}" x="{x}%" y="{y}" width="{width}%" height="{high}"><title>{title}</title>'
    "</rect>"
)
SHORT = Markup('<circle cx="{x}%" cy="{y}" r="4.5"/>')
LONG = Markup('<use href="#long" x="{x}%" y="{y}"/>')
MARK = Markup('<g class="full"><title>{title}</title>{shape}{words}</g>')
MARK_WORDS = Markup('<text x="{x}%" y="{y}" dx="{dx}" text-anchor="{anchor}">{words}</text>')


#: When a stretch ends that goes on after the last day.
BEYOND = Markup('<text x="100%" y="{y}" text-anchor="end">{words} \N{RIGHTWARDS ARROW}</text>')


def drawing(found: Ribbon, now: int, zone: tzinfo | None) -> Markup:
    """The ribbon's picture."""
    height = HEAD + ROW_HEIGHT * len(found.rows)
    gist = _("; ").join(words(part, now, zone) for part in ribbon.spoken(found.rows))
    rows = (part for i, row in enumerate(found.rows) for part in _row(row, i, now, zone))
    return PICTURE.format(
        height=height,
        gist=gist,
        near=ribbon.NEAR_SHARE,
        axis=Markup("").join(_axis(found)),
        rows=Markup("").join(rows),
    )


def _axis(found: Ribbon) -> Iterator[Markup]:
    last = -100.0
    for tick in found.ticks:
        kind = "day" if tick.is_day else "hour"
        has_room = tick.place - last >= ROOM - 1 and tick.place < 100 - ROOM / 2
        shown = TICK_WORDS.format(kind=kind, x=tick.place, words=tick.words) if has_room else ""
        last = tick.place if has_room else last
        yield TICK.format(kind=kind, x=tick.place, top=2 if tick.is_day else HEAD - 4, words=shown)


def _row(row: RibbonRow, number: int, now: int, zone: tzinfo | None) -> Iterator[Markup]:
    middle = HEAD + ROW_HEIGHT * number + ROW_HEIGHT // 2
    for drought in row.droughts:
        start, end = ribbon.place(drought.start, now), ribbon.place(drought.end, now)
        if drought.end > now + ribbon.LENGTH_S:
            start, end = min(start, 100 - DAY_ROOM), 100 - DAY_ROOM
            yield BEYOND.format(y=middle + 4, words=formats.short_day(drought.end, now, zone))
        yield STRETCH.format(
            kind="likely" if drought.key else "used-up",
            x=start,
            y=middle - BAR // 2,
            width=round(max(0.4, end - start), 2),
            high=BAR,
            title=words(drought, now, zone),
        )
    places = [ribbon.place(one.at, now) for one in row.returns]
    for one, x, following in zip(row.returns, places, [*places[1:], NO_MARK], strict=False):
        shape = (SHORT if one.is_short else LONG).format(x=x, y=middle)
        # Words stand right of a mark; at the edge, and before the next mark, left of it.
        is_left = x > 100 - ROOM or following - x < ROOM
        yield MARK.format(
            title=words(one, now, zone),
            shape=shape,
            words=MARK_WORDS.format(
                x=x,
                y=middle + 4,
                dx=-9 if is_left else 9,
                anchor="end" if is_left else "start",
                words=f"{formats.in_zone(one.at, zone):%H:%M}",
            ),
        )


def words(part: Return | Drought, now: int, zone: tzinfo | None) -> str:
    """What a part of the ribbon says: `dave: five-hour full again 21:23`."""
    if isinstance(part, Return):
        return _(
            "%(account)s: %(what)s %(time)s",
            account=part.account,
            what=full_again(part),
            time=formats.short_time(part.at, now, zone),
        )
    if part.key is None:
        time = formats.short_time(part.end, now, zone)
        return _("%(account)s: used up until %(time)s", account=part.account, time=time)
    return _(
        "%(account)s: %(window)s may run out %(day)s (%(chance)s)",
        account=part.account,
        window=labels.window_title(part.key).lower(),
        day=formats.short_day(part.start, now, zone),
        chance=part.chance,
    )


def full_again(part: Return) -> str:
    """What comes back with a return: `weekly full again`; of a block by several, the account."""
    if not part.key:
        return _("can be used again")
    return _("%(window)s full again", window=labels.window_title(part.key).lower())
