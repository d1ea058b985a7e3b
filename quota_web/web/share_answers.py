"""What share links answer beside what they show: one line of text, which says nothing of a link."""

from flask import Response

from quota_web.core.language import gettext as _


def no_such_link() -> Response:
    """The one answer to an unknown, a revoked and an expired link."""
    return line(_("This link opens nothing."), 404)


def line(text: str, status: int) -> Response:
    return Response(f"{text}\n", status, content_type="text/plain; charset=utf-8")
