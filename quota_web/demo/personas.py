"""The kinds of invented accounts: their plan, their windows, how much they work, how they end."""

from dataclasses import dataclass, replace

from quota_web.core import quota
from quota_web.core.quota import Credits

NAMES = (
    "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "ken",
    "lena", "mallory", "niaj", "olivia", "peggy", "quentin", "rupert", "sybil", "trent",
    "ursula", "victor", "walter", "xenia", "yusuf", "zoe",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limit:
    """A window that a persona has, and how fast it fills: percent for each percent of a five-hour
    window's worth of work.
    """

    key: str
    #: None for a spend limit, which starts anew with each month.
    length_s: int | None
    share: float
    upstream_name: str | None = None


FIVE_HOUR = Limit(quota.FIVE_HOUR, 18_000, 1.0)
WEEKLY = Limit(quota.WEEKLY, 604_800, 0.13)
MONTHLY = Limit(quota.MONTHLY, 2_592_000, 0.12)
SPEND = Limit(quota.SPEND, None, 0.02)
SPARK = tuple(
    replace(
        w,
        key=f"model:codex_bengalfox:{w.key}",
        share=w.share / 2,
        upstream_name="GPT-5.3-Codex-Spark",
    )
    for w in (FIVE_HOUR, WEEKLY)
)


NO_CREDITS = Credits(False, balance="0")


@dataclass(frozen=True, slots=True)
class Persona:
    """What kind of account it is, how much is asked of it, and how its story ends."""

    plan: str
    limits: tuple[Limit, ...] = (FIVE_HOUR, WEEKLY)
    #: Percent of a five-hour window that an hour of work takes.
    appetite: float = 14.0
    weekends: float = 0.2
    credits: Credits | None = NO_CREDITS
    #: `ok`, `exhausted`, `paused`, or the code of a fault that lasts since some hours.
    ending: str = "ok"
    #: The key of a window that went away on the way, with a change of the plan.
    lost: str | None = None


PERSONAS = (
    Persona("plus"),
    Persona("plus", appetite=26),
    Persona("pro", (FIVE_HOUR, WEEKLY, *SPARK), appetite=8, weekends=0.6),
    Persona("team", appetite=11, ending="exhausted"),
    Persona("plus", ending="unauthorized"),
    Persona("enterprise", (WEEKLY, SPEND), appetite=20, credits=None),
    Persona("free", (MONTHLY,), appetite=6, weekends=0.5),
    Persona("go", (WEEKLY,), appetite=9),
    Persona("business", ending="unreachable"),
    Persona("pro", appetite=10, ending="paused"),
    Persona("edu", appetite=22, credits=Credits(True, balance="41.50")),
    Persona("prolite", appetite=16, lost=quota.FIVE_HOUR),
)
#: The everyday account, without faults; benchmarks multiply it.
PLAIN = Persona("plus")
