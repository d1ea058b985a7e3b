"""The resets ahead as a calendar: for signed-in readers and for share links."""

from flask import Blueprint, Flask, Response, request

from quota_web.auth import share_links
from quota_web.core import clock
from quota_web.core.errors import AccountNotFound, BadQuery
from quota_web.core.language import mark
from quota_web.reports import calendar
from quota_web.reports.calendar import CalendarQuery
from quota_web.services import services
from quota_web.web import share_answers

blueprint = Blueprint("calendar", __name__)
#: How a parameter that is on or off is written.
SWITCH = {"": False, "0": False, "1": True}


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.get("/resets.ics")
def resets() -> Response:
    accounts = tuple(request.args.getlist("account"))
    return _calendar(CalendarQuery(accounts, _is_on("five_hour"), _is_on("names")))


@blueprint.get("/share/<secret>.ics")
def shared(secret: str) -> Response:
    """The same for whoever has the link; the link decides on accounts and names."""
    services().ready()
    link = share_links.find(secret, share_links.LinkKind.CALENDAR, clock.now())
    if link is None:
        return share_answers.no_such_link()
    # A link to one account never shows all: without a name it finds no account.
    accounts = () if link.account_id is None else (link.account_name or "",)
    try:
        return _calendar(CalendarQuery(accounts, _is_on("five_hour"), link.with_names))
    except AccountNotFound:
        # This app looks after other accounts than the one that made the link.
        return share_answers.no_such_link()


def _calendar(query: CalendarQuery) -> Response:
    present, settings = services(), services().settings
    body = calendar.text(
        present.scope, query, clock.now(), settings.refresh_interval, settings.timezone
    )
    headers = {"Content-Disposition": 'inline; filename="resets.ics"'}
    return Response(body, content_type="text/calendar; charset=utf-8", headers=headers)


def _is_on(name: str) -> bool:
    value = request.args.get(name, "")
    if value not in SWITCH:
        raise BadQuery(name, mark("%(name)s must be 0 or 1"), name=name)
    return SWITCH[value]
