"""Embeds: a badge, a chart and a board that other pages show, each for whoever has its share link.

They alone may stand in a frame of another site (`security`), they know no cookie, and nothing on
them can be pressed.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from flask import Blueprint, Flask, Response, current_app, render_template, request

from quota_web.auth import share_links
from quota_web.auth.share_links import LinkKind
from quota_web.core import clock
from quota_web.core.errors import BadQuery
from quota_web.core.language import gettext as _
from quota_web.reports import history, lanes, shared_view
from quota_web.reports.shared_view import SharedView
from quota_web.services import services
from quota_web.web import (
    api,
    badge,
    badge_svg,
    board,
    embed_options,
    lane_svg,
    lanes_svg,
    security,
    share_answers,
    svg,
    text_width,
    zone,
)
from quota_web.web.embed_options import EmbedOptions
from quota_web.web.versioned_cache import VersionedCache

blueprint = Blueprint(security.EMBEDS, __name__, url_prefix="/embed")
MINUTE = 60
#: What a chart needs beside the account's name, in its first line.
ASIDE = 160
#: Finished embeds kept at once: as many as there are links, times how each is looked at.
MOST_KEPT = 64
_KEPT = "quota_kept_embeds"


@dataclass(frozen=True, slots=True)
class Finished:
    """An embed as it is sent."""

    body: bytes
    etag: str


#: Makes one embed of what its link may show, as of a minute.
Make = Callable[[SharedView, EmbedOptions, int], str]


def init_app(app: Flask) -> None:
    app.extensions[_KEPT] = VersionedCache(MOST_KEPT)
    app.register_blueprint(blueprint)


@blueprint.get("/<secret>/badge.svg", endpoint="badge")
def badge_picture(secret: str) -> Response:
    return _answer(secret, LinkKind.BADGE, _badge, "image/svg+xml")


def _badge(shown: SharedView, options: EmbedOptions, now: int) -> str:
    if shown.one is None:
        said = badge.of_all(shown.overview, now, zone.shown())
    else:
        said = badge.of_account(shown.one, now, zone.shown())
    zone_name = f"{datetime.fromtimestamp(now, UTC).astimezone(zone.shown()):%Z}"
    return badge_svg.document(said, options.theme, options.size, zone_name)


@blueprint.get("/<secret>/chart.svg", endpoint="chart")
def chart_picture(secret: str) -> Response:
    return _answer(secret, LinkKind.CHART, _chart, "image/svg+xml")


def _chart(shown: SharedView, options: EmbedOptions, now: int) -> str:
    """Both windows of one account in panels, or a lane for each of all."""
    carry_s = 2 * services().settings.refresh_interval
    width = svg.NARROW if options.size == "narrow" else svg.WIDTH
    one, zoned = shown.one, zone.shown()
    if one is not None:
        # Up to the minute's end: a reading of this minute is shown.
        asked = history.parse_query({"range": options.range}, (), (), now + MINUTE)
        drawn = history.account_chart(one.account, asked, carry_s)
        name = text_width.shortened(one.account.name, width - ASIDE, svg.SIZE)
        title = _("Quota left of %(account)s", account=one.account.name)
        ground = lane_svg.PALETTES[options.theme]["sheet"]
        document = api.document(drawn)
        return svg.chart(document, title, options.theme, zoned, width, ground=ground, name=name)
    views = shown.overview.accounts[: lanes_svg.MOST]
    axis = lanes.axis_over(now - history.RANGES[options.range], now + MINUTE)
    made = lanes.load_known([view.account for view in views], axis, carry_s, now)
    said = [badge.of_account(view, now, zoned).message for view in views]
    rows = list(zip(made, said, strict=True))
    more = len(shown.overview.accounts) - len(views)
    return lanes_svg.document(rows, axis, more, options.theme, zoned, width)


@blueprint.get("/<secret>/board", endpoint="board")
def board_page(secret: str) -> Response:
    return _answer(secret, LinkKind.BOARD, _board, "text/html")


def _board(shown: SharedView, options: EmbedOptions, now: int) -> str:
    told = board.shown(shown, now, zone.shown())
    return render_template("embeds/board.html", theme=options.theme, size=options.size, **told)


def _answer(secret: str, kind: LinkKind, make: Make, mimetype: str) -> Response:
    """What *secret* opens, made at most once for each state of the data and each minute."""
    services().ready()
    link = share_links.find(secret, kind, clock.now())
    if link is None:
        return share_answers.no_such_link()
    try:
        options = embed_options.parse(kind, request.args)
    except BadQuery as error:
        return share_answers.line(error.said, 400)
    current, now = api.current_results(), clock.now() // MINUTE * MINUTE

    def made() -> Finished | None:
        shown = shared_view.shared(current.overview, link.account_id, link.with_names)
        return None if shown is None else _finished(make(shown, options, now))

    kept = cast(VersionedCache, current_app.extensions[_KEPT])
    with options.in_force():
        key = (kind, link.id, options, request.script_root)
        found = kept.get(key, (current.etag, now), made)
    if found is None:
        # This app looks after other accounts than the one that made the link.
        return share_answers.no_such_link()
    response = Response(found.body, mimetype=mimetype)
    response.set_etag(found.etag)
    return response.make_conditional(request)  # type: ignore[return-value]  # it is the same object


def _finished(text: str) -> Finished:
    body = text.encode()
    return Finished(body, hashlib.sha256(body).hexdigest()[:20])
