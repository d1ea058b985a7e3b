"""What the frame around every page needs: which pages there are, and how fresh the data is."""

from collections.abc import Mapping

from flask import Flask, current_app

from quota_web.core.errors import QuotaError
from quota_web.core.times import iso
from quota_web.web import api, security


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(has_page=has_page, freshness=freshness)


def has_page(endpoint: str) -> bool:
    """Whether there is such a page: an entry of the navigation without one is left out."""
    return endpoint in current_app.view_functions


def freshness() -> Mapping[str, str | None] | None:
    """When the data last changed and when the next refresh is due (ISO times, or None).

    None where there is no account yet, and while the database cannot be read: the page that says
    so has this frame as well.
    """
    try:
        seen = api.current_results(security.data_version()).overview
    except QuotaError:
        return None
    if not seen.accounts:
        return None
    return {"updated_at": iso(seen.site.updated_at), "next_refresh_at": iso(seen.next_refresh_at)}
