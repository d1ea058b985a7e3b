"""The demo act: fills an empty database with invented accounts and their history, and takes them away again.

Demo accounts have no credentials and an origin of their own, so nothing is ever sent for them.
"""

from collections.abc import Callable

from quota_web import simulation
from quota_web.errors import BadInput
from quota_web.simulation import DAY, Era, Persona
from quota_web.store import demo as store
from quota_web.store import engine, site


def fill(accounts: int, days: int, now: int, *, utc_offset_s: int = 0, every_s: int | None = None, persona: Persona | None = None,
         seed: int = 1, told: Callable[[], None] = lambda: None) -> int:  # fmt: skip
    """Invent *accounts* accounts with *days* of history up to *now*; returns how many readings that came to.

    Raises BadInput unless the database is empty. Each account has a transaction of its own, so that a long filling
    keeps nobody waiting; the mark goes first, so that also a filling cut short is seen and can be removed.
    """
    with engine.transaction() as tx:
        if store.is_marked(tx):
            raise BadInput("demo", "the demo data is here already; scripts/quota demo --remove takes it away")
        if not store.is_empty(tx):
            raise BadInput("demo", "the database is not empty; demo data only goes into an empty one (QUOTA_INSTANCE_DIR names another folder)")
        store.mark(tx, now)
        site.bump(tx, now)
    era, readings = Era(now - days * DAY, now, utc_offset_s, every_s), 0
    for number in range(accounts):
        invented = simulation.invent(number, era, seed, persona)
        with engine.transaction() as tx:
            store.write(tx, invented)
            site.bump(tx, now)
        readings += invented.readings
        told()
    return readings


def count() -> int:
    """How many demo accounts there are."""
    with engine.reading() as conn:
        return store.count(conn)


def is_here() -> bool:
    """Whether the database holds demo data."""
    with engine.reading() as conn:
        return store.is_marked(conn)


def remove(now: int, told: Callable[[], None] = lambda: None) -> None:
    """Take all demo data away; accounts of other origins stay as they are. Raises BadInput where there is none."""
    if not is_here():
        raise BadInput("demo", "there is no demo data here")
    more = True
    while more:
        with engine.transaction() as tx:
            more = store.remove_one(tx)
            if not more:
                store.unmark(tx)
            site.bump(tx, now)
        told()
    engine.compact()
