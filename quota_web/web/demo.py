"""Says on every page that the accounts are invented, as long as the database holds demo data."""

from flask import Flask

from quota_web.core.errors import QuotaError
from quota_web.demo import fill
from quota_web.web import security, versioned_cache


def init_app(app: Flask) -> None:
    app.context_processor(_for_templates)


def _for_templates() -> dict[str, bool]:
    return {"demo": _is_here()}


def _is_here() -> bool:
    # A stranger learns nothing, and the page that says that the database is broken must not break
    # on it.
    if not security.signed_in():
        return False
    try:
        # Filling and removing alone change it: both give the data a new nonce.
        nonce, _ = security.data_version()
        return versioned_cache.parts().get("demo", (nonce,), fill.is_here)
    except QuotaError:
        return False
