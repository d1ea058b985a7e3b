"""What happens to invented accounts beside use and scheduled resets: a reset for all accounts,
early ones, banked ones, and answers that show a reset which was none.
"""

from dataclasses import dataclass

from quota_web.demo.personas import PLAIN, Persona

DAY, HOUR = 86_400, 3_600
#: OpenAI resets all accounts so often, and first so long after the beginning.
PROVIDER_EVERY, PROVIDER_FIRST = 18 * DAY, 9 * DAY + 7 * HOUR
#: The last days are left alone: the newest cycles should be like any other.
LAST_S = 2 * DAY
FLAP_S = 150 * 60


@dataclass(frozen=True, slots=True)
class Surprises:
    """Moments in epoch seconds."""

    #: Its windows were reset before they were due.
    early_at: tuple[int, ...] = ()
    #: Those of them for which a banked reset was used.
    banked_at: tuple[int, ...] = ()
    #: From when to when answers showed a fresh window that was none.
    flaps: tuple[tuple[int, int], ...] = ()


def of(number: int, start: int, end: int, persona: Persona) -> Surprises:
    """What happens to the *number*-th account; none to the plain one, which benchmarks measure."""
    if persona is PLAIN:
        return Surprises()
    last = end - LAST_S
    for_all = [at + number * 60 for at in range(start + PROVIDER_FIRST, last, PROVIDER_EVERY)]
    own = start + 13 * DAY + number * 3 * DAY + 11 * HOUR
    early = [own] if number % 4 == 1 and own < last else []
    banked = [own] if persona.plan == "pro" and persona.ending != "paused" and own < last else []
    flap = start + 6 * DAY + number * 5 * DAY + 10 * HOUR
    flaps = ((flap, flap + FLAP_S),) if number % 3 == 0 and flap + FLAP_S < last else ()
    return Surprises(tuple(sorted({*for_all, *early, *banked})), tuple(banked), flaps)
