"""A whole page, cached for as long as what it shows has the same version: of each request's own are
only the tokens of its forms, which have their places left open.
"""

import secrets
from collections.abc import Callable, Hashable
from typing import cast

from flask import Flask, current_app, request, session
from flask_wtf.csrf import generate_csrf

from quota_web.web.versioned_cache import Version, VersionedCache

#: One for each reader, view and kind of rights. A page of 200 accounts takes 330 kB.
MOST_PAGES = 24
#: Stands where a form has its token; nobody can guess it and name an account like that.
_TOKEN = secrets.token_hex(16)
#: What templates are told that is each request's own, or that the page's version says.
_OF_REQUEST = ("g", "request", "session", "now")
_PAGES = "quota_cached_pages"


def init_app(app: Flask) -> None:
    app.extensions[_PAGES] = VersionedCache(MOST_PAGES)


def page(key: Hashable, version: Version, render: Callable[..., str]) -> bytes:
    """The page *key* in that *version*, as *render* makes it with `csrf_token` for its template.

    The frame around it, the query and the prefix need not be in the key.
    """
    if "_flashes" in session:
        # What was just done is said once, to whoever did it.
        return render(csrf_token=generate_csrf).encode()
    pieces = cast(VersionedCache, current_app.extensions[_PAGES]).get(
        (key, request.query_string, request.script_root, _frame()),
        version,
        lambda: render(csrf_token=lambda: _TOKEN).encode().split(_TOKEN.encode()),
    )
    # A page without a form starts no session.
    return pieces[0] if len(pieces) == 1 else generate_csrf().encode().join(pieces)


def _frame() -> frozenset[tuple[str, Hashable]]:
    """Everything that each template is told of the viewer and of the app's state."""
    told: dict[str, Hashable] = {}
    current_app.update_template_context(told)
    return frozenset((name, said) for name, said in told.items() if name not in _OF_REQUEST)
