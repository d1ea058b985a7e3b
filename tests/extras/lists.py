"""What the upstream lists of banked resets, made up."""

from quota_web.core.times import iso
from tests.fakes import NOW, FakeResponse

LIST_PATH = "/backend-api/wham/rate-limit-reset-credits"


def listed_reset(name, expires_at, *, status="available", title="Full reset (Weekly + 5 hr)"):
    """One row of the list."""
    return {
        "id": f"RateLimitResetCredit_{name}",
        "reset_type": "codex_rate_limits",
        "status": status,
        "granted_at": iso(NOW - 86_400),
        "expires_at": iso(expires_at),
        "title": title,
        "description": None,
    }


def listing(*rows):
    """An answer with these rows."""
    return FakeResponse(body={"credits": list(rows), "available_count": len(rows)})
