"""Banked resets: what an account may spend once to have its windows full again before their time.

They are shown and told of, and never spent here.
"""

from dataclasses import dataclass

#: How a banked reset that is no longer listed has gone.
USED, EXPIRED, UNKNOWN = "used", "expired", "unknown"


@dataclass(frozen=True, slots=True)
class BankedReset:
    """One banked reset that is listed; times are epoch seconds, None where the list has none."""

    #: Stands for its id, which is not stored.
    credit_hash: str
    granted_at: int | None = None
    expires_at: int | None = None
    title: str | None = None

    def is_over(self, now: int) -> bool:
        """Whether it has run out; the upstream lists it for a while all the same."""
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, slots=True)
class GoneReset:
    """A banked reset that is no longer listed, and how it went."""

    title: str | None
    gone_at: int
    gone_how: str
